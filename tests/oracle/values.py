"""One value out of a row's JSON: a money amount, an id, a date. What cannot be read is None, never a guess."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any
from zoneinfo import ZoneInfo

EPOCH = date(1970, 1, 1)
AMOUNT_KEYS = ("total", "revenue", "value")
NUMBER = re.compile(r"\s*[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?\s*", re.ASCII)
DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
DATE_TIME = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d{1,6})?)?(Z|[+-]\d\d(:?\d\d)?)?", re.ASCII)


def read_json(text: Any) -> dict[str, Any]:
    """The object in a JSON text, its decimals exact; anything else (empty, a list, NaN) is an empty dict."""
    if not isinstance(text, str) or not text:
        return {}
    found = json.loads(text, parse_float=Decimal)
    return found if isinstance(found, dict) else {}


def as_decimal(value: Any) -> Decimal | None:
    """A JSON number or a text that is only a number; None for booleans, empty text, `¥86`, lists."""
    if isinstance(value, bool):
        return None
    if isinstance(value, (int, Decimal)):
        return Decimal(value)
    if isinstance(value, str) and NUMBER.fullmatch(value):
        return Decimal(value.strip())
    return None


def as_text(value: Any) -> str | None:
    """A text or number as text; None when missing, empty, boolean or a structure."""
    if isinstance(value, bool) or not isinstance(value, (str, int, Decimal)):
        return None
    return str(value) or None


def amount_in_minor_units(properties: Mapping[str, Any], exponent: int) -> int | None:
    """The first readable of total, revenue, value in minor units, a half rounded away from zero."""
    for key in AMOUNT_KEYS:
        amount = as_decimal(properties.get(key))
        if amount is not None:
            return int(amount.scaleb(exponent).quantize(Decimal(1), ROUND_HALF_UP))
    return None


def day_number(day: date) -> int:
    """Days since 1970-01-01: differences of days are then plain subtraction."""
    return (day - EPOCH).days


def as_day_number(value: Any, zone: ZoneInfo) -> int | None:
    """The workspace day of an ISO date, or of an ISO time (without an offset it is workspace time)."""
    if not isinstance(value, str):
        return None
    try:
        if DATE.fullmatch(value):
            return day_number(date.fromisoformat(value))
        if DATE_TIME.fullmatch(value):
            at = datetime.fromisoformat(value)
            return day_number((at.astimezone(zone) if at.tzinfo else at).date())
    except ValueError:  # the shape of a date, but no such day: 2026-02-30
        return None
    return None


def utc_day_number(text: str, zone: ZoneInfo) -> int:
    """The workspace day of an exported UTC time. Raises ValueError when it is not ISO-8601."""
    at = datetime.fromisoformat(text)
    return day_number((at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(zone).date())
