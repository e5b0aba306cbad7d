"""Numbers, money, days and times in words, by the reader's language. Pure functions; "—" stands for not known."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any

from django.utils import timezone
from django.utils.translation import get_language, ngettext
from django.utils.translation import gettext as _

from workspaces.currencies import decimals_of, symbol_of

UNKNOWN = "—"
LARGE: dict[str, tuple[tuple[int, str], ...]] = {
    "zh": ((10**8, " 亿"), (10**4, " 万")),
    "en": ((10**9, "B"), (10**6, "M"), (10**3, "k")),
}
WEEKDAYS = {
    "zh": ("周一", "周二", "周三", "周四", "周五", "周六", "周日"),
    "en": ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"),
}
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def chinese() -> bool:
    return (get_language() or "zh").startswith("zh")


def number(value: Any, digits: int = 0) -> str:
    """12,345; "—" for None."""
    if value is None or value == "":
        return UNKNOWN
    return f"{value:,.{digits}f}".replace("-", "−")


def shorten(value: float | Decimal) -> str | None:
    """1.2 万, 3.4 亿, 12k, 3.4M; None when the value is short enough as it is. English keeps four digits."""
    value = float(value)
    if abs(value) < 10_000:
        return None
    for unit, suffix in LARGE["zh" if chinese() else "en"]:
        if abs(value) >= unit * 0.9995:  # 99,999 is 100k, not 100.0k of the smaller unit
            figure = value / unit
            return f"{figure:,.{0 if abs(round(figure, 1)) >= 100 else 1}f}{suffix}".replace("-", "−")
    return None


def short_number(value: Any) -> str:
    """1.2 万 / 12.3k from ten thousand up, the plain figure below."""
    return UNKNOWN if value is None else shorten(value) or number(value)


def code_of(currency: Any) -> str:
    return getattr(currency, "currency", currency) or ""


def symbol(currency: Any) -> str:
    """¥ for CNY; the code and a space where there is no sign for it."""
    return symbol_of(code_of(currency))


def money(minor: Any, currency: Any = "") -> str:
    """¥1,234.50 from 123450. `currency` is a code or anything with a `currency`, such as a workspace."""
    if minor is None or minor == "":
        return UNKNOWN
    code = code_of(currency)
    digits = decimals_of(code)
    amount = Decimal(int(minor)).scaleb(-digits)
    sign = "−" if amount < 0 else ""
    return f"{sign}{symbol(code)}{abs(amount):,.{digits}f}"


def short_money(minor: Any, currency: Any = "") -> str:
    """¥4.6 万 from ten thousand up; below, the amount without decimals from a hundred up."""
    if minor is None:
        return UNKNOWN
    code = code_of(currency)
    amount = Decimal(int(minor)).scaleb(-decimals_of(code))
    if abs(amount) < 100:
        return money(minor, code)
    sign = "−" if amount < 0 else ""
    return f"{sign}{symbol(code)}{shorten(abs(amount)) or number(abs(amount))}"


def percent(fraction: Any, digits: int = 1) -> str:
    """12.3% from 0.123."""
    return UNKNOWN if fraction is None else f"{float(fraction) * 100:,.{digits}f}%".replace("-", "−")


def difference(now: float | None, before: float | None, in_percent: bool = True) -> tuple[str, str] | None:
    """("up", "+12.0%") of two figures, or of their plain difference; None when there is nothing to compare."""
    if now is None or before is None or (in_percent and not before):
        return None
    gap = (now - before) / abs(before) if in_percent else now - before
    direction = "up" if gap > 0 else "down" if gap < 0 else "flat"
    text = percent(abs(gap)) if in_percent else number(abs(gap))
    return direction, {"up": "+", "down": "−", "flat": "±"}[direction] + text


def day(value: date | str | None) -> str:
    """2026-08-31."""
    return UNKNOWN if not value else value if isinstance(value, str) else f"{value:%Y-%m-%d}"


def long_day(value: date | None) -> str:
    """8月31日 周一 / Mon 31 Aug."""
    if value is None:
        return UNKNOWN
    if chinese():
        return f"{value.month}月{value.day}日 {weekday(value.weekday())}"
    return f"{weekday(value.weekday())} {value.day} {MONTHS[value.month - 1]}"


def weekday(number_from_monday: int) -> str:
    """周一 / Mon, from 0."""
    return WEEKDAYS["zh" if chinese() else "en"][number_from_monday]


def ago(at: datetime, now: datetime | None = None) -> str:
    """3 分钟前 when under a day ago, else 2026-08-31 14:03 in the zone `at` carries."""
    seconds = int(((now or timezone.now()) - at).total_seconds())
    if not 0 <= seconds < 86400:
        return f"{at:%Y-%m-%d %H:%M}"
    if seconds < 60:
        return _("just now")
    if seconds < 3600:
        minutes = seconds // 60
        return ngettext("%(n)s minute ago", "%(n)s minutes ago", minutes) % {"n": minutes}
    hours = seconds // 3600
    return ngettext("%(n)s hour ago", "%(n)s hours ago", hours) % {"n": hours}


def duration(seconds: float | None) -> str:
    """0.8 s, 12 s, 3 min 5 s."""
    if seconds is None:
        return UNKNOWN
    if seconds < 10:
        return _("%(n)s s") % {"n": f"{seconds:.1f}"}
    if seconds < 60:
        return _("%(n)s s") % {"n": round(seconds)}
    whole = round(seconds)
    return _("%(m)s min %(s)s s") % {"m": whole // 60, "s": whole % 60}
