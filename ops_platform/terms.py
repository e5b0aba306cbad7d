"""Every term's definition in one sentence, with the workspace's own thresholds in it. docs/definitions.md is the long form."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext

from lifecycle.stages import all_stages
from ops_platform import names
from segmentation.rfm_axes import axes_of
from workspaces.rules import Rules


def limit_sentence(rules: Rules) -> str:
    if rules.limit_rule == "fixed":
        return _("Limit: %(days)s days for everybody.") % {"days": rules.limit_days}
    sentence = _(
        "Limit: 3 × their usual gap between active days (or 1.5 × the longest tenth), from %(least)s to %(most)s days;"
        " %(days)s days for people with fewer than 4 active days."
    ) % {"least": rules.limit_min, "most": rules.limit_max, "days": rules.limit_days}
    if rules.limit_rule == "with_balance":
        sentence += _(" And a balance of at most %(floor)s.") % {"floor": rules.balance_floor}
    return sentence


def window(rules: Rules) -> str:
    return _("the last %(days)s days") % {"days": rules.rfm_window} if rules.rfm_window else _("all of history")


def axis_sentence(rules: Rules, place: int) -> str:
    axis = axes_of(rules)[place]
    better = _("The more recent, the higher the score.") if axis.is_day else _("The more, the higher the score.")
    return f"{axis.fact.label}: {axis.fact.sentence} {better}"


# Beside these, each stage has its own.
SENTENCES: dict[str, Callable[[Rules], str]] = {
    "active": lambda r: (
        _("Came back often enough: away for less than %(percent)s %% of their limit.") % {"percent": r.slipping_percent}
    ),
    "slipping": lambda r: (
        _("Away for at least %(percent)s %% of their limit, not yet all of it.") % {"percent": r.slipping_percent}
        + " "
        + limit_sentence(r)
    ),
    "dormant": lambda r: _("Away for as long as their limit, or longer.") + " " + limit_sentence(r),
    "value_at_risk": lambda r: _(
        "Of slipping people only: their daily revenue over the last year × 90 days"
        " × (1 − the share of people that long away who come back)."
    ),
    "expected_value": lambda r: _(
        "Orders expected in the next 52 weeks × what one is expected to come to, by models fitted on all buyers each night."
    ),
    "alive": lambda r: _("How likely it is that somebody who ordered more than once has not left for good."),
    "back_test": lambda r: _(
        "The models fitted without the last quarter of the history, held against what happened in it."
    ),
    "ltv": lambda r: _("What one person of a source brought in their first days, non-payers counted in."),
    "cac": lambda r: _("Spend and cash rewards of a month ÷ people who registered from the source in it."),
    "payback": lambda r: (
        _("The first day on which what one person brought × %(percent)s %% margin reaches what they cost.")
        % {"percent": r.margin_percent}
    ),
    "rfm": lambda r: (
        _("R %(r)s, F %(f)s, M %(m)s; scored 1–5, by fifths of everybody who is scored or by fixed cut points.")
        % {axis.letter: axis.fact.label for axis in axes_of(r)}
        + " "
        + _("Window: %(window)s.") % {"window": window(r)}
    ),
    "r": lambda r: axis_sentence(r, 0),
    "f": lambda r: axis_sentence(r, 1),
    "m": lambda r: axis_sentence(r, 2),
    "bits": lambda r: _("R, F and M each high (1) or low (0) against the average buyer: eight classes."),
    "return_rate": lambda r: _("Of everyone who stayed away N days (at least 30 days ago), the share who came back."),
    "false_churn": lambda r: _("Of the people newly dormant 30 days ago, the share who came back by themselves."),
    "returned": lambda r: _("Had churned and came back: they take the stage that matches, marked as returned."),
    "moves": lambda r: _("How many people changed stage between two days."),
    "reachable": lambda r: (
        _("Has an address on the channel, has agreed to it, and is not on the suppression list.")
        if r.consent_required
        else _("Has an address on the channel, has not opted out, and is not on the suppression list.")
    ),
    "idle": lambda r: _("Days since the last visit."),
    "limit": limit_sentence,
    "effective": lambda r: _("Registered and did the core action within %(days)s days.") % {"days": r.effective_days},
    "subsidy_dependent": lambda r: (
        _("At least 4 orders in a year, %(percent)s %% or more of them with a targeted coupon.")
        % {"percent": r.subsidy_percent}
    ),
    "spend": lambda r: _("Orders minus refunds, since the beginning."),
    "recommendations": lambda r: _(
        "Friends brought who did the core action on two different days within 30 days of joining."
    ),
    "control": lambda r: _(
        "People left alone on purpose, by chance, so that the difference shows what the message did."
    ),
    "lift": lambda r: _(
        "Conversion rate of everyone assigned to the message minus that of the control group, with its 95-percent interval."
    ),
    "conversion": lambda r: (
        _("Did the chosen event within %(days)s days of the audience being frozen.") % {"days": r.conversion_days}
    ),
    "excluded": lambda r: _("Staff, test accounts and fake orders: in no number at all."),
    "core": lambda r: _("What the product is for. The first time is activation and opens the stage Using."),
    "ladder": lambda r: (
        _("The days away at which people are written to: %(days)s.") % {"days": ", ".join(map(str, r.recall_days))}
    ),
    "best": lambda r: _("Where you want to lead people; the gap is how many score points they are away."),
}
LABELS: dict[str, names.Name] = {
    "value_at_risk": gettext_lazy("Value at risk"),
    "expected_value": gettext_lazy("Expected spend, 12 months"),
    "alive": gettext_lazy("Chance to buy again"),
    "back_test": gettext_lazy("Back-test"),
    "ltv": "LTV",
    "cac": gettext_lazy("Cost per person"),
    "payback": gettext_lazy("Earned back"),
    "return_rate": gettext_lazy("Return rate"),
    "false_churn": gettext_lazy("False-churn rate"),
    "returned": gettext_lazy("Returned"),
    "moves": gettext_lazy("Moves"),
    "reachable": gettext_lazy("Reachable"),
    "idle": gettext_lazy("Days away"),
    "limit": gettext_lazy("Limit"),
    "effective": gettext_lazy("Effective newcomer"),
    "subsidy_dependent": gettext_lazy("Subsidy-dependent"),
    "spend": gettext_lazy("Spend to date"),
    "recommendations": gettext_lazy("Recommendations"),
    "control": gettext_lazy("Control"),
    "lift": gettext_lazy("Lift"),
    "conversion": gettext_lazy("Conversion"),
    "excluded": gettext_lazy("Excluded"),
    "core": gettext_lazy("Core action"),
    "ladder": gettext_lazy("Recall ladder"),
    "best": gettext_lazy("Target group"),
    "rfm": "RFM",
    "r": "R",
    "f": "F",
    "m": "M",
}


def explain(key: str, workspace: Any = None) -> tuple[str, str]:
    """(label, definition) of a term, with the workspace's thresholds. Raises KeyError for a term nobody defined."""
    rules = workspace.rules if workspace else Rules()
    label: names.Name
    if stage := all_stages().get(key):
        return str(stage.label), stage.sentence(rules)
    if key in names.ACTIVITIES:
        label = names.ACTIVITIES[key]
    else:
        label = LABELS[key] if key in LABELS else pgettext("bits", "Value class")
    return str(label), SENTENCES[key](rules)
