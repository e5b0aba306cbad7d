"""A night by one statement in PostgreSQL over the raw events: benchmarks/by_sql.sql."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

from benchmarks import columns as c

# As the product's night: PostgreSQL cannot guess what the parts of the statement come to. Parallel workers are its choice.
ROOM = "set local work_mem = '128MB'; set local enable_nestloop = off"


def compute(connection: Any, workspace_id: str, day: date) -> None:
    """Make the table bench.by_sql anew; `connection` is a superuser's."""
    sql = Path(__file__).with_suffix(".sql").read_text()
    values = {
        "workspace": workspace_id, "day": day, "zone": c.ZONE, "passive": list(c.PASSIVE), "order_name": c.ORDER,
        "refund_name": c.REFUND, "registered_name": c.REGISTERED, "referred_name": c.REFERRED, "year": c.YEAR,
        "habit_days": c.HABIT_DAYS, "habit_window": c.HABIT_WINDOW, "limit_days": c.LIMIT_DAYS, "limit_min": c.LIMIT_MIN,
        "limit_max": c.LIMIT_MAX, "slipping_percent": c.SLIPPING_PERCENT, "board": [g for row in c.GROUPS.values() for g in row],
    }  # fmt: skip
    with connection, connection.cursor() as cursor:
        cursor.execute("drop table if exists bench.by_sql")
        cursor.execute(ROOM)
        cursor.execute(
            sql.replace("{columns}", ", ".join(f"{name}::{kind}" for name, (kind, _own) in c.COLUMNS.items())), values
        )
