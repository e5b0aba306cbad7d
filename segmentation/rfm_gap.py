"""还差一步: how far a buyer is from the best quadrant (目标象限), and the one change that brings them a point nearer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from math import floor

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from segmentation.models import RfmCuts, RfmScore
from segmentation.rfm import AXES, GROUPS, VALUE_CLASSES


@dataclass(frozen=True)
class Gap:
    """`points` to the nearest cell of the target; `axis` (r, f, m) is the cheapest to raise, by `need`.

    `need` is days since the last order to get within for R, orders more for F, minor units more for M. At the target
    points is 0 and axis "". Where no such step exists (`returned` has no cell, an unknown target no place) points is None.
    """

    points: int | None
    axis: str = ""
    need: int = 0


def gap_to_best(score: RfmScore, cuts: RfmCuts, best: str, day: date) -> Gap:
    """The gap to the best quadrant: a group of the board (`champions`) or a value class (`111`)."""
    values = {"r": (day - score.last_order_on).days, "f": score.f_orders, "m": score.m_minor}
    if best in GROUPS:
        return _to_group(score, values, cuts.cuts, best)
    return _to_class(score.bits, values, cuts.means, best) if best in VALUE_CLASSES else Gap(None)


def _to_group(score: RfmScore, values: dict[str, int], cuts: dict[str, Sequence[float]], best: str) -> Gap:
    if score.group == best:
        return Gap(0)
    have = {"r": score.r_score, "f": score.f_score}
    ways = [{"r": r - have["r"], "f": f - have["f"]} for r, f in GROUPS[best].cells]
    if not ways:
        return Gap(None)
    way = min(ways, key=lambda missing: abs(missing["r"]) + abs(missing["f"]))
    upward = {axis: missing for axis, missing in way.items() if missing > 0}
    points = sum(abs(missing) for missing in way.values())
    if not upward:
        return Gap(points)
    axis = min(upward, key=lambda name: (upward[name], AXES.index(name)))
    # Scores count cut points strictly below the value: R needs one fewer, F one more.
    if axis == "r":
        return Gap(points, "r", floor(cuts["r"][4 - have["r"]]))
    return Gap(points, "f", floor(cuts["f"][have["f"] - 1]) + 1 - values["f"])


def _to_class(bits: str, values: dict[str, int], means: dict[str, float], best: str) -> Gap:
    low = [axis for axis, have, want in zip(AXES, bits, best, strict=True) if want == "1" and have == "0"]
    points = sum(have != want for have, want in zip(bits, best, strict=True))
    if not low:
        return Gap(points)
    mean = floor(Decimal(str(means[low[0]])))
    return Gap(points, low[0], mean if low[0] == "r" else mean + 1 - values[low[0]])


def gap_sentence(gap: Gap, money: str = "") -> str:
    """The gap in the current language; `money` is `need` as the page writes money, used where the axis is M."""
    if gap.points == 0:
        return _("In the target group")
    if gap.axis == "r":
        text = ngettext(
            "needs an order within the last %(count)s day", "needs an order within the last %(count)s days", gap.need
        )
        return text % {"count": gap.need}
    if gap.axis == "f":
        return ngettext("%(count)s more order", "%(count)s more orders", gap.need) % {"count": gap.need}
    return _("%(money)s more spend") % {"money": money} if gap.axis == "m" else ""
