"""The activity flag (活跃 / 流失风险 / 沉睡): its three values, and the reason of a flag in words.

The flag itself is decided in lifecycle/sql/flags.sql, from the limit that applies to each person.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from lifecycle.signals import words


@dataclass(frozen=True)
class Activity:
    """One value of the flag."""

    key: str
    label: Any


ACTIVITIES: dict[str, Activity] = {
    activity.key: activity
    for activity in (
        Activity("active", gettext_lazy("Active")),
        Activity("slipping", gettext_lazy("Slipping")),
        Activity("dormant", gettext_lazy("Dormant")),
    )
}


def sentence(why: Mapping[str, Any]) -> str:
    """The numbers kept with a flag as a sentence in the current language; "" for somebody who left.

    `why`: seen (ever visited), idle (days), kind (fixed, personal, default, balance), limit and median (days), and
    signals (keys) where further ones hold.
    """
    if "idle" not in why:
        return ""
    away, limit = _away(why), _limit(why)
    if why["kind"] in ("fixed", "default") or why.get("median") is None:
        text = _("%(away)s; %(limit)s") % {"away": away, "limit": limit}
    else:
        rhythm = ngettext("usually every %(days)s day", "usually every %(days)s days", _plural(why["median"]))
        text = _("%(away)s; %(rhythm)s, %(limit)s") % {
            "away": away,
            "rhythm": _put(rhythm, why["median"]),
            "limit": limit,
        }
    if why["kind"] == "balance":
        text = _("%(reason)s; not dormant while there is a balance") % {"reason": text}
    if told := words(why.get("signals") or ()):
        text = _("%(reason)s; %(signals)s") % {"reason": text, "signals": told}
    return text


def reason(
    day: date,
    *,
    seen: bool,
    idle_from: date,
    limit_kind: str,
    limit_days: Decimal,
    gap_median: Decimal | None,
    signals: Iterable[str] = (),
) -> str:
    """Why somebody stands where they stand on a day, from the columns of their standing and facts."""
    return sentence(
        {
            "seen": seen,
            "idle": max(0, (day - idle_from).days),
            "kind": limit_kind,
            "limit": float(limit_days),
            "median": None if gap_median is None else float(gap_median),
            "signals": list(signals),
        }
    )


def _away(why: Mapping[str, Any]) -> str:
    idle = why["idle"]
    if not why["seen"]:
        return _put(ngettext("known for %(days)s day, never came", "known for %(days)s days, never came", idle), idle)
    if idle == 0:
        return _("came today")
    return _put(ngettext("%(days)s day without a visit", "%(days)s days without a visit", idle), idle)


def _limit(why: Mapping[str, Any]) -> str:
    # Idle days are whole: being away for 28.05 days or more is being away for 29.
    limit = math.ceil(round(why["limit"], 2))
    if why["kind"] == "default":
        return _put(ngettext("default limit %(days)s day", "default limit %(days)s days", _plural(limit)), limit)
    return _put(ngettext("limit %(days)s day", "limit %(days)s days", _plural(limit)), limit)


def _plural(days: float) -> int:
    """1 or 2 for ngettext, which takes whole numbers only: 1.5 days are many."""
    return 1 if days == 1 else 2


def _put(text: str, days: float) -> str:
    return text % {"days": f"{days:g}"}
