"""A night by DuckDB: everything anew from the events in Parquet, the answer as a CSV."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from string import Template

import duckdb

from benchmarks import columns

BOARD = " ".join(f"when {r}{f} then '{name}'" for r, row in columns.GROUPS.items() for f, name in enumerate(row, 1))
# What somebody has none of who was never there.
COUNTS = ("visits", "active_days", "core_days", "habit_days")


def compute(folder: Path, day: date) -> Path:
    """The answer for the end of a day, as a CSV of id and COLUMNS."""
    windows = "".join(
        f"coalesce(sum(visits) filter (day > date '{day}' - {n}), 0) as visits_{n},"
        f" count(*) filter (visits > 0 and day > date '{day}' - {n}) as active_days_{n},"
        for n in (7, 30, 90)
    )
    windows += "sum(visits) as visits, count(*) filter (visits > 0) as active_days,"
    told = ", ".join(f"coalesce({name}, 0)" if name.startswith(COUNTS) else name for name in columns.COLUMNS)
    values = vars(columns) | {"folder": folder, "day": day, "windows": windows, "columns": told, "BOARD": BOARD}
    connection = duckdb.connect(config={"threads": 2, "temp_directory": str(folder / "duckdb")})
    connection.execute(Template(Path(__file__).with_suffix(".sql").read_text()).substitute(values))
    connection.close()
    return folder / "duckdb.csv"
