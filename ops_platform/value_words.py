"""What a model of value says, in words; and what is missing where there is none."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from lifecycle.models import ValueModel
from ops_platform import numbers
from workspaces.models import Workspace

VARIANTS = {
    "bg": gettext_lazy("BG/NBD: people may leave after each repeat order"),
    "mbg": gettext_lazy("MBG/NBD: people may leave after their first order already"),
}


def missing(model: ValueModel | None, workspace: Workspace) -> str:
    """Why nothing is predicted, with the numbers, and what would change it."""
    rules = workspace.rules
    if model is None:
        return _("The next daily update looks for the first time.")
    if model.outcome == "few_buyers":
        return _("%(have)s people have ordered; predictions begin with %(need)s.") % {
            "have": numbers.number(model.buyers),
            "need": numbers.number(rules.value_buyers),
        }
    if model.outcome == "few_repeaters":
        return _(
            "%(have)s of %(buyers)s buyers have ordered on two days or more; predictions begin with %(need)s of them."
        ) % {
            "have": numbers.number(model.repeaters),
            "buyers": numbers.number(model.buyers),
            "need": numbers.number(rules.value_repeaters),
        }
    if model.outcome == "short_history":
        return _("The first order is of %(day)s; predictions begin after eight weeks.") % {
            "day": numbers.day(model.first_on)
        }
    if model.outcome == "no_fit_spend":
        return _(
            "What orders come to differs so widely that a mean says nothing. Look for orders of a wrong amount: the list of"
            " users can be sorted by spend."
        )
    return _(
        "The orders follow no pattern that the models know, so nothing is predicted rather than something wrong. They are"
        " fitted anew every night."
    )


def sentences(model: ValueModel, workspace: Workspace) -> list[str]:
    """The parameters as a colleague would say them."""
    buying, spending = model.buying, model.spending
    weeks = buying["alpha"] / buying["r"]
    leaving = buying["a"] / (buying["a"] + buying["b"])
    average = spending["p"] * spending["v"] / (spending["q"] - 1)
    first = _("The average buyer who has not left orders every %(weeks)s weeks.")
    said = [first % {"weeks": numbers.number(weeks, 1)}]
    if model.variant == "mbg":
        said.append(
            _("After an order, the first included, %(share)s leave for good.") % {"share": numbers.percent(leaving)}
        )
    else:
        said.append(_("After a repeat order %(share)s leave for good.") % {"share": numbers.percent(leaving)})
    said.append(
        _("A day with orders comes to %(money)s on average; who orders often pulls the estimate towards their own.")
        % {"money": numbers.money(round(average), workspace)}
    )
    if model.correlation is not None:
        text = _("Ordering often and spending much go together by %(r)s; the model takes it for none.")
        if abs(model.correlation) > 0.3:
            text = _(
                "Ordering often and spending much go together by %(r)s, which the model does not see: take amounts with care."
            )
        said.append(text % {"r": numbers.number(model.correlation, 2)})
    return said


def variants(model: ValueModel) -> list[dict[str, Any]]:
    """Both variants with what the back-test made of them; the one in use first."""
    found = [
        {
            "label": VARIANTS[key],
            "used": key == model.variant,
            "predicted": told["predicted"] if told else None,
            "error": told["error"] if told else None,
        }
        for key, told in model.back_test["variants"].items()
    ]
    return sorted(found, key=lambda row: not row["used"])
