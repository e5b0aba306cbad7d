"""Hold an export of the product against the oracle, person by person and column by column."""

from __future__ import annotations

import pandas as pd

TOLERANCE = 1e-6  # for shares and fractions of days, which a CSV may print shortened


def differences(expected: pd.DataFrame, exported: pd.DataFrame, columns: list[str] | None = None) -> pd.DataFrame:
    """Where an `export_users` CSV (read as text, with a column external_id) departs from `Computation.on`.

    Columns of the answer: external_id, column, expected, exported. A person whom only one side knows is one row with
    the column `(row)`. Without `columns`, every column that both have is compared.
    """
    theirs = exported.set_index("external_id")
    found = [(i, "(row)", "present", "absent") for i in expected.index.difference(theirs.index)]
    found += [(i, "(row)", "absent", "present") for i in theirs.index.difference(expected.index)]
    both = expected.index.intersection(theirs.index)
    for column in columns or [c for c in expected.columns if c in theirs.columns]:
        ours, other = expected.loc[both, column], theirs.loc[both, column].fillna("").astype(str)
        text = as_text(ours)
        equal = text == other
        if pd.api.types.is_numeric_dtype(ours):  # 9.5 is 9.50; but the bits 011 are not 11
            equal |= (ours.astype("Float64") - pd.to_numeric(other, errors="coerce")).abs().le(TOLERANCE).fillna(False)
        found += [(i, column, text[i], other[i]) for i in text.index[~equal]]
    return pd.DataFrame(found, columns=["external_id", "column", "expected", "exported"])


def as_text(column: pd.Series) -> pd.Series:
    """A result column as a CSV would hold it: ISO days, whole numbers without a point, '' for empty."""
    if pd.api.types.is_datetime64_any_dtype(column):
        return column.dt.strftime("%Y-%m-%d").astype(object).where(column.notna(), "")
    return column.astype(object).where(column.notna(), "").map(str)
