"""还差一步: how far somebody is from the best quadrant (目标象限), and the one change that brings them a point nearer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from math import floor
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from segmentation.models import RfmCuts, RfmScore
from segmentation.rfm import BOARD, GROUPS, VALUE_CLASSES
from segmentation.rfm_axes import LETTERS, Axes, axes_from
from workspaces.errors import DomainError


@dataclass(frozen=True)
class Gap:
    """`points` to the nearest cell of the target; `axis` (r, f, m) is the cheapest to raise, by `need`.

    `need` is for a day within how many days it has to lie, for a number how much more is needed. At the target points is
    0 and axis "". Where no such step exists (`returned` has no cell, an unknown target no place) points is None.
    """

    points: int | None
    axis: str = ""
    need: int = 0


def check_best(best: str) -> None:
    """Raises DomainError unless it is a group with a place on the board, or a value class."""
    places = [key for key, group in GROUPS.items() if group.cells]
    if best not in places and best not in VALUE_CLASSES:
        names = ", ".join([*places, *VALUE_CLASSES])
        raise DomainError("invalid", _("Choose one of: %(names)s.") % {"names": names}, "rfm_best_group")


def points_to(best: str, r: int, f: int, bits: str) -> int | None:
    """How many points somebody with these scores is away from the target; None where it has no place."""
    if best in VALUE_CLASSES:
        return sum(have != want for have, want in zip(bits, best, strict=True))
    cells = GROUPS[best].cells if best in GROUPS else ()
    return min((abs(r - to_r) + abs(f - to_f) for to_r, to_f in cells), default=None)


def points_case(best: str) -> str:
    """The distance of everybody as SQL over a score `r`: points to the target, null where it has no place."""
    if best in VALUE_CLASSES:
        bits = (f"(substr(r.rfm_bits, {at}, 1) <> '{bit}')::integer" for at, bit in enumerate(best, 1))
        return " + ".join(bits)
    if best not in GROUPS or not GROUPS[best].cells:
        return "null::integer"
    whens = " ".join(f"when {r}{f} then {points_to(best, r, f, '')}" for r, f in BOARD)
    return f"case r.r_score * 10 + r.f_score {whens} end"


def gap_to_best(score: RfmScore, cuts: RfmCuts, best: str, day: date) -> Gap:
    """The gap to the best quadrant: a group of the board (`champions`) or a value class (`111`)."""
    axes = axes_from(cuts.axes)
    kept = {"r": score.r_value, "f": score.f_value, "m": score.m_value}
    values = {axis.letter: axis.measure(kept[axis.letter], day) for axis in axes}
    if best in GROUPS:
        return _to_group(score, values, cuts.cuts, best, axes)
    return _to_class(score.bits, values, cuts.means, best, axes) if best in VALUE_CLASSES else Gap(None)


def _to_group(score: RfmScore, values: dict[str, int], cuts: dict[str, Sequence[float]], best: str, axes: Axes) -> Gap:
    if score.group == best:
        return Gap(0)
    have = {"r": score.r_score, "f": score.f_score}
    ways = [{"r": r - have["r"], "f": f - have["f"]} for r, f in GROUPS[best].cells]
    if not ways:
        return Gap(None)
    way = min(ways, key=lambda missing: abs(missing["r"]) + abs(missing["f"]))
    upward = {letter: missing for letter, missing in way.items() if missing > 0}
    points = sum(abs(missing) for missing in way.values())
    if not upward:
        return Gap(points)
    letter = min(upward, key=lambda name: (upward[name], LETTERS.index(name)))
    axis = axes[LETTERS.index(letter)]
    # Scores count cut points strictly below the value: a day needs one fewer, a number one more.
    if axis.is_day:
        return Gap(points, letter, floor(cuts[letter][4 - have[letter]]))
    return Gap(points, letter, floor(cuts[letter][have[letter] - 1]) + 1 - values[letter])


def _to_class(bits: str, values: dict[str, int], means: dict[str, float], best: str, axes: Axes) -> Gap:
    low = [axis for axis, have, want in zip(axes, bits, best, strict=True) if want == "1" and have == "0"]
    points = sum(have != want for have, want in zip(bits, best, strict=True))
    if not low:
        return Gap(points)
    axis = low[0]
    mean = floor(Decimal(str(means[axis.letter])))
    return Gap(points, axis.letter, mean if axis.is_day else mean + 1 - values[axis.letter])


def gap_sentence(gap: Gap, axes: Axes, money: str = "") -> str:
    """The gap in the current language; `money` is `need` as the page writes money, used where the axis is money."""
    if gap.points == 0:
        return _("In the target group")
    if not gap.axis:
        return ""
    fact = axes[LETTERS.index(gap.axis)].fact
    if fact.unit == "date":
        return _within(fact.key, fact.label, gap.need)
    if fact.key == "window_orders":
        return ngettext("%(count)s more order", "%(count)s more orders", gap.need) % {"count": gap.need}
    if fact.key == "window_revenue_minor":
        return _("%(money)s more spend") % {"money": money}
    more = money if fact.unit == "minor" else str(gap.need)
    return _("%(metric)s: %(more)s more") % {"metric": fact.label, "more": more}


def _within(key: str, label: Any, days: int) -> str:
    if key == "last_order_on":
        text = ngettext(
            "needs an order within the last %(count)s day", "needs an order within the last %(count)s days", days
        )
    elif key == "last_seen_on":
        text = ngettext(
            "needs a visit within the last %(count)s day", "needs a visit within the last %(count)s days", days
        )
    else:
        text = ngettext("%(metric)s: within the last %(count)s day", "%(metric)s: within the last %(count)s days", days)
    return text % {"count": days, "metric": label}
