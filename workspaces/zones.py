"""The time zones this machine knows, and moments as texts tell them."""

from __future__ import annotations

import zoneinfo
from datetime import UTC, datetime
from functools import cache


@cache
def known_zones() -> set[str]:
    """Names such as Asia/Shanghai. Remembered: asking opens some 600 files."""
    return zoneinfo.available_timezones()


def read_moment(text: str) -> datetime | None:
    """A moment in ISO 8601 with its zone, in UTC: PostgreSQL takes no offset of 16 hours or more. None for anything else."""
    try:
        at = datetime.fromisoformat(text)
        return at.astimezone(UTC) if at.tzinfo else None
    except (ValueError, OverflowError):
        return None
