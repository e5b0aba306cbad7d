"""What somebody's R, F and M are, in words, whatever facts the workspace chose for them."""

from __future__ import annotations

from datetime import date

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from ops_platform import numbers
from segmentation.models import RfmCuts, RfmScore
from segmentation.rfm_axes import Axis, axes_from, of_orders
from segmentation.rfm_gap import gap_sentence, gap_to_best
from workspaces.models import Workspace


def measure_words(axis: Axis, value: float, workspace: Workspace) -> str:
    """A value as it is scored: "12 d" for days ago, money with its currency, else the number."""
    if axis.fact.unit == "minor":
        return numbers.money(round(value), workspace)
    text = f"{round(value, 1):g}"
    return _("%(n)s d") % {"n": text} if axis.fact.unit in ("date", "days") else text


def score_words(workspace: Workspace, score: RfmScore | None, day: date) -> dict[str, str]:
    """{values, gap}: what the scores of a person were made of, and what brings them a point nearer to the target (还差一步)."""
    cuts = RfmCuts.objects.filter(day=day).first() if score else None
    if score is None or cuts is None:
        return {"values": "", "gap": ""}
    axes = axes_from(cuts.axes)
    stored = zip(axes, (score.r_value, score.f_value, score.m_value), strict=True)
    r, f, m = measures = [axis.measure(value, day) for axis, value in stored]
    if of_orders(axes):
        values = ngettext(
            "%(days)s days ago, %(orders)s order, %(money)s", "%(days)s days ago, %(orders)s orders, %(money)s", f
        ) % {"days": r, "orders": f, "money": numbers.money(m, workspace)}
    else:
        words = (measure_words(axis, value, workspace) for axis, value in zip(axes, measures, strict=True))
        values = " · ".join(f"{axis.fact.label} {word}" for axis, word in zip(axes, words, strict=True))
    gap = gap_to_best(score, cuts, workspace.rules.rfm_best_group, day)
    return {"values": values, "gap": gap_sentence(gap, axes, numbers.money(gap.need, workspace))}
