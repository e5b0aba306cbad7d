"""RFM: the groups on the board of R and F scores, the eight value classes, and how far somebody is from the best of them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from django.utils.translation import gettext_lazy

from segmentation.models import RfmCuts
from segmentation.rfm_axes import LETTERS, axes_of, axis_columns
from users.ahead import Source, published_facts, read_ahead
from users.differences import compute, refresh_statistics, write_differences
from users.night import digest, goes_on
from workspaces.models import Workspace
from workspaces.names import named
from workspaces.rules import Rules

# Of whose group the night says that they left it: people who left the numbers; of all who ever had one, when it looks at all.
LEFT = "select end_user_id from changed_people where gone"
EVER = "select end_user_id from rfm_change where workspace_id = %(workspace)s"
VERSION = "2"


@dataclass(frozen=True)
class Group:
    """One group of buyers, with the cells (R score, F score) it takes on the board; `returned` has none of its own."""

    key: str
    label: Any
    sentence: Any
    cells: tuple[tuple[int, int], ...]


def _cells(r_scores: str, f_scores: str) -> tuple[tuple[int, int], ...]:
    return tuple((int(r), int(f)) for r in r_scores for f in f_scores)


GROUPS: dict[str, Group] = {
    group.key: replace(group, label=named("rfm", group.key, group.label))
    for group in (
        Group("champions", gettext_lazy("Champions"), gettext_lazy("Bought lately and often."), _cells("5", "45")),
        Group(
            "loyal",
            gettext_lazy("Regulars"),
            gettext_lazy("Buy often, the last time not long ago."),
            _cells("34", "45"),
        ),
        Group(
            "potential_loyalist",
            gettext_lazy("Potential regulars"),
            gettext_lazy("Bought lately, and more than once."),
            _cells("45", "23"),
        ),
        Group("new", gettext_lazy("New buyers"), gettext_lazy("First order just now."), _cells("5", "1")),
        Group("promising", gettext_lazy("Promising"), gettext_lazy("One order, not long ago."), _cells("4", "1")),
        Group(
            "returned",
            gettext_lazy("Returned buyers"),
            gettext_lazy("Bought again after more than a whole window away."),
            (),
        ),
        Group(
            "need_attention",
            gettext_lazy("Need attention"),
            gettext_lazy("In the middle of both scales."),
            _cells("3", "3"),
        ),
        Group(
            "about_to_sleep",
            gettext_lazy("About to sleep"),
            gettext_lazy("Few orders, and it has been a while."),
            _cells("3", "12"),
        ),
        Group(
            "at_risk", gettext_lazy("Cooling"), gettext_lazy("Used to buy often, not for long now."), _cells("12", "34")
        ),
        Group(
            "cant_lose",
            gettext_lazy("Cannot lose"),
            gettext_lazy("Bought most often of all, and stay away."),
            _cells("12", "5"),
        ),
        Group("hibernating", gettext_lazy("Hibernating"), gettext_lazy("Few orders, long ago."), _cells("12", "12")),
    )
}
BOARD: dict[tuple[int, int], str] = {cell: group.key for group in GROUPS.values() for cell in group.cells}

# R, F and M high or low: 111 … 000.
_CLASSES = {
    "111": gettext_lazy("Key value"),
    "011": gettext_lazy("Key, keep"),
    "101": gettext_lazy("Key, develop"),
    "001": gettext_lazy("Key, win back"),
    "110": gettext_lazy("Ordinary value"),
    "010": gettext_lazy("Ordinary, keep"),
    "100": gettext_lazy("Ordinary, develop"),
    "000": gettext_lazy("Ordinary, win back"),
}
VALUE_CLASSES: dict[str, Any] = {bits: named("bits", bits, label) for bits, label in _CLASSES.items()}


def find_scores(workspace: Workspace, day: date, facts: Source = published_facts) -> list[str]:
    """What `score_rfm` writes of everybody whose F is at least one on the day, by the facts that are published, or by those
    that are to be; returns the temporary tables it is in. Takes no lock that a night holds."""
    rules = workspace.rules
    axes = axes_of(rules)
    days: dict[str, Any] = {f"{axis.letter}_day": axis.is_day for axis in axes}
    of = facts(["end_user_id", "first_order_on", "window_revenue_minor", *(axis.fact.key for axis in axes)])
    code, by_orders = f"{axis_columns(axes)} from {of}", axes[1].fact.key == "window_orders"
    compute("fresh_population", "segmentation/rfm_population", code, day=day, by_orders=by_orders, **days)
    compute("fresh_cuts", "segmentation/rfm_cuts", day=day, axes=[axis.fact.key for axis in axes], **_fixed_cuts(rules))
    compute(
        "fresh_scores",
        "segmentation/rfm_scores",
        day=day,
        window=rules.rfm_window,
        by_scores=rules.value_class_by == "scores",
        board=[BOARD[cell] for cell in sorted(BOARD)],
        classes=sorted(VALUE_CLASSES),
        **days,
    )
    compute("fresh_rfm", "segmentation/rfm_differences")
    compute("fresh_rfm_count", "segmentation/rfm_counts", day=day, groups=list(GROUPS))
    return ["fresh_cuts", "fresh_rfm", "fresh_rfm_count"]


def score_rfm(workspace: Workspace, day: date) -> dict[str, int]:
    """Score everybody whose F is at least one on the day, and record who moved. Returns population and changes."""
    rules = workspace.rules
    if not read_ahead("rfm"):
        find_scores(workspace, day)
    compute("fresh_rfm_score", "segmentation/rfm_written")
    gone = "old.end_user_id = any(array(select end_user_id from fresh_rfm where gone))"
    scored = write_differences("rfm_score", "fresh_rfm_score", "end_user_id", gone, few=True)
    axes = [axis.fact.key for axis in axes_of(rules)]
    basis = digest(VERSION, axes, rules.rfm_window, rules.value_class_by, _fixed_cuts(rules))
    compute("regrouped", "segmentation/rfm_regrouped", LEFT if goes_on(workspace, "rfm", basis) else EVER, day=day)
    compute("fresh_rfm_change", "segmentation/rfm_changes", day=day)
    changes = write_differences(
        "rfm_change", "fresh_rfm_change", "end_user_id, day", "old.day = %(day)s", few=True, day=day
    )
    written = write_differences("rfm_cuts", "fresh_cuts", "day", "old.day = %(day)s", day=day)
    boards = "old.day = %(day)s and old.board in ('rfm', 'cells', 'bits')"
    written += write_differences("day_count", "fresh_rfm_count", "day, board, key", boards, day=day)
    refresh_statistics(scored, "rfm_score")
    refresh_statistics(changes, "rfm_change")
    cuts = RfmCuts.objects.filter(day=day).first()
    return {"people": cuts.population if cuts else 0, "moved": changes, "changes": changes + scored + written}


def _fixed_cuts(rules: Rules) -> dict[str, Any]:
    """Cut points the workspace has fixed, by axis; None where the quantiles of the population decide."""
    chosen = rules.rfm_cuts if rules.rfm_method == "fixed" else {}
    return {f"{axis}_fixed": chosen[axis] if len(chosen.get(axis) or ()) == 4 else None for axis in LETTERS}
