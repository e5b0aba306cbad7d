"""Rows as CSV that opens in Excel and runs nothing there."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from typing import Any

BYTE_ORDER_MARK = "\ufeff"  # without it Excel reads Chinese as mojibake
STARTS_A_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def safe(value: Any) -> Any:
    """A text that a spreadsheet would run gets an apostrophe in front; numbers stay numbers."""
    if isinstance(value, str) and value.startswith(STARTS_A_FORMULA):
        return f"'{value}"
    return "" if value is None else value


def write_csv(rows: Iterable[Iterable[Any]]) -> str:
    buffer = io.StringIO()
    csv.writer(buffer).writerows([safe(value) for value in row] for row in rows)
    return buffer.getvalue()


def stream_csv(header: list[str], pages: Iterable[Iterable[Iterable[Any]]]) -> Iterator[str]:
    """The file in pieces, one per page of rows."""
    yield BYTE_ORDER_MARK + write_csv([header])
    for rows in pages:
        yield write_csv(rows)
