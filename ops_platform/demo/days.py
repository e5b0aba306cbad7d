"""The calendar of the story: day 0 is 2026-03-05, day 179 is 2026-08-31, in Asia/Shanghai (UTC+8, no summer time)."""

from __future__ import annotations

from datetime import date, datetime, timedelta, timezone

import numpy as np

FIRST_DAY = date(2026, 3, 5)
LAST_DAY = date(2026, 8, 31)
DAYS = (LAST_DAY - FIRST_DAY).days + 1
TODAY = DAYS - 1
ZONE = "Asia/Shanghai"
DAY_S = 86_400

_MIDNIGHT_S = int(datetime(2026, 3, 5, tzinfo=timezone(timedelta(hours=8))).timestamp())


def day(month: int, day_of_month: int) -> int:
    """The index of a day of 2026; negative before the shop opened."""
    return (date(2026, month, day_of_month) - FIRST_DAY).days


def as_date(index: int) -> date:
    return FIRST_DAY + timedelta(days=int(index))


def utc_ms(days: np.ndarray | int, seconds: np.ndarray | int) -> np.ndarray:
    """Unix milliseconds (int64) of local second `seconds` of day index `days`."""
    return (_MIDNIGHT_S + np.asarray(days, np.int64) * DAY_S + np.asarray(seconds, np.int64)) * 1000


WEEKDAY = np.array([as_date(d).weekday() for d in range(DAYS)])

# The chapters of the story.
CRASH = (day(4, 13), day(4, 19))
REFERRAL_WEEK = (day(5, 11), day(5, 17))
OUTAGE_DAY = day(6, 17)
OUTAGE_S = (20 * 3600 + 10 * 60, 21 * 3600 + 35 * 60)
SALE = (day(6, 16), day(6, 20))
SALE_PEAK = day(6, 18)
HANGOVER = (day(6, 21), day(6, 30))
COUPONS_STOP = day(7, 1)
# What a normal day looks like: the four weeks before the sale. Peak, hangover and July are told against it.
BASELINE = (day(5, 18), day(6, 14))
# 习惯: 3 order days within 90 days; the window that ends today begins here.
HABIT_WINDOW = 90
RECENT = TODAY - HABIT_WINDOW + 1
