"""The time zones this machine knows."""

from __future__ import annotations

import zoneinfo
from functools import cache


@cache
def known_zones() -> set[str]:
    """Names such as Asia/Shanghai. Remembered: asking opens some 600 files."""
    return zoneinfo.available_timezones()
