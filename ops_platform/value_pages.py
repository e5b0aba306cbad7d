"""价值预测 and 来源与成本: what buyers are expected to bring, whether that was right before, and what sources cost and return."""

from __future__ import annotations

import calendar
from datetime import date
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path, reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST

from lifecycle import sources
from lifecycle.models import ValueModel
from ops_platform import numbers, value_pictures, value_reads, value_words
from ops_platform.links import people_address
from ops_platform.pictures import Address
from ops_platform.tier_parts import not_yet, tabs
from workspaces.errors import DomainError
from workspaces.models import Workspace
from workspaces.permissions import action

DRAWN = 6
AMOUNTS = ("spend", "rewards")


@action("tiers.view")
def show_prediction(request: HttpRequest) -> HttpResponse:
    """Who is expected to spend how much, whether the model was right, what it says in words; or what is missing."""
    workspace, day = request.workspace, request.workspace.current_day
    if day is None:
        return not_yet(request, "prediction", _("Expected value"))
    model = value_reads.model_of(day)
    context: dict[str, Any] = {
        "title": _("Expected value"),
        "tabs": tabs(workspace, "prediction"),
        "day": day,
        "model": model,
    }
    if model is None or model.outcome != "fitted":
        context["missing"] = value_words.missing(model, workspace)
        return render(request, "tiers/value_missing.html", context)
    return render(request, "tiers/value.html", context | describe(workspace, model))


def describe(workspace: Workspace, model: ValueModel) -> dict[str, Any]:
    address, test = people_address(workspace), model.back_test
    classes = test["classes"]
    sums = {key: sum(row[key] for row in classes) for key in ("predicted", "actual", "predicted_minor", "actual_minor")}
    bands = value_reads.bands()
    return {
        "summary": ngettext(
            "%(money)s and %(orders)s orders are expected of %(n)s buyer in the next 52 weeks",
            "%(money)s and %(orders)s orders are expected of %(n)s buyers in the next 52 weeks",
            model.buyers,
        )
        % {
            "money": numbers.short_money(model.expected_revenue_minor, workspace),
            "orders": numbers.number(model.expected_orders),
            "n": numbers.number(model.buyers),
        },
        "sums": sums,
        "off_orders": value_pictures.off_by(sums["predicted"], sums["actual"]),
        "off_money": value_pictures.off_by(sums["predicted_minor"], sums["actual_minor"]),
        "distribution": value_pictures.distribution(bands, address, workspace),
        "back_test": value_pictures.back_test(classes, test["days"], test["until"], address),
        "alive": value_pictures.alive(value_reads.alive_fifths(), address),
        "best": value_reads.best(),
        "all_url": address(buyers=1, sort="value"),
        "sentences": value_words.sentences(model, workspace),
        "variants": value_words.variants(model),
    }


@action("tiers.view")
def show_sources(request: HttpRequest, error: DomainError | None = None) -> HttpResponse:
    """Per source: people, what they brought and will bring, what they cost, when that is earned back; and the costs."""
    workspace, day = request.workspace, request.workspace.current_day
    if day is None:
        return not_yet(request, "sources", _("Sources and cost"))
    found, margin = sources.list_sources(), workspace.rules.margin_percent
    chosen = next((one for one in found if one.all.source == request.GET.get("source")), None)
    drawn = [chosen.all] if chosen else [one.all for one in found[:DRAWN] if one.all.people]
    address = people_address(workspace)
    context = {
        "title": _("Sources and cost"),
        "summary": sources_summary(found, workspace),
        "tabs": tabs(workspace, "sources"),
        "day": day,
        "curve": value_pictures.life_value(drawn, workspace),
        "rows": [
            line(one.all, one.paid, margin) | {"urls": behind(address, one.all.source, None, day)} for one in found
        ],
        "chosen": chosen,
        "months": [
            line(figures, figures, margin)
            | {"month": month, "urls": behind(address, figures.source, month, end_of(month))}
            for month, figures in (chosen.months.items() if chosen else [])
        ],
        "margin": margin,
        "error": error,
        "typed": request.POST,
        "known": [one.all.source for one in found if one.all.source],
        "this_month": f"{day:%Y-%m}",
    }
    return render(request, "tiers/sources.html", context, status=400 if error else 200)


# What the numbers of a source open, beside who registered from it.
BEHIND: dict[str, dict[str, str]] = {
    "people": {},
    "effective": {"effective": "1"},
    "buyers": {"buyers": "1", "sort": "spend"},
}


def behind(address: Address, source: str, first: date | None, last: date) -> dict[str, str]:
    """Addresses of the people of a source who registered between two days; of all up to the last without a first."""
    asked = {"source": source or numbers.UNKNOWN, "registered_to": last.isoformat()}
    if first:
        asked["registered_from"] = first.isoformat()
    return {name: address(**asked, **more) for name, more in BEHIND.items()}


def end_of(month: date) -> date:
    return month.replace(day=calendar.monthrange(month.year, month.month)[1])


def line(figures: sources.Figures, paid: sources.Figures, margin: int) -> dict[str, Any]:
    """One row of a table: sums of all months, and of those that have a cost what concerns it."""
    payback = paid.payback_days(margin)
    return {
        "source": figures.source,
        "figures": figures,
        "ltv": [figures.ltv(days) for days in (30, 90, 180)],
        "paid": paid,
        "payback": payback,
        # How many are that old: the fewer, the less the day says.
        "payback_people": paid.aged[payback - 1] if payback else None,
    }


def sources_summary(found: list[sources.Source], workspace: Workspace) -> str:
    paid = [one.paid for one in found if one.paid.cost_minor is not None]
    people, cost = sum(one.people for one in paid), sum(one.cost_minor or 0 for one in paid)
    if not paid:
        return _("No costs are known yet: enter them below to see what a person costs.")
    return _("%(cost)s brought %(people)s people: %(each)s each") % {
        "cost": numbers.short_money(cost, workspace),
        "people": numbers.number(people),
        "each": numbers.money(sources.each(cost, people), workspace) if people else numbers.UNKNOWN,
    }


@action("costs.edit")
@require_POST
def save_costs(request: HttpRequest) -> HttpResponse:
    """Store what was typed of one month of a source, and the pasted lines."""
    pasted = request.POST.get("pasted", "").strip()
    typed = any(request.POST.get(name, "").strip() for name in AMOUNTS)
    at = ""
    try:
        rows = [typed_cost(request)] if typed or not pasted else []
        at = pasted and "pasted"
        saved = sources.save_costs([*sources.parse_costs(pasted, request.workspace), *rows], request.user)
    except DomainError as error:
        return show_sources(request, error=DomainError(error.code, error.message, at or error.path))
    messages.success(request, ngettext("%(n)s month saved.", "%(n)s months saved.", saved) % {"n": saved})
    return to_sources(request)


def to_sources(request: HttpRequest) -> HttpResponse:
    """Back to the months of the source that was looked at, or to all sources."""
    looked_at = {"source": request.GET["source"]} if "source" in request.GET else {}
    page = reverse("value:sources", args=[request.workspace.slug])
    return redirect(f"{page}?{urlencode(looked_at)}" if looked_at else page)


def typed_cost(request: HttpRequest) -> dict[str, Any]:
    if not request.POST.get("source", "").strip():
        raise DomainError("required", _("A source has 1 to 100 characters."), "source")
    if not any(request.POST.get(name, "").strip() for name in AMOUNTS):
        raise DomainError("required", _("Say what was spent; 0 where it cost nothing."), "spend")
    month = sources.parse_month(request.POST.get("month", ""))
    if month is None:
        raise DomainError("invalid", _("A month is written like 2026-08."), "month")
    amounts = {}
    for name in AMOUNTS:
        amount = sources.parse_minor(request.POST.get(name, ""), request.workspace.currency)
        if amount is None:
            raise DomainError("invalid", _("An amount is a number from 0 up, as on a bill."), name)
        amounts[f"{name}_minor"] = amount
    return {"source": request.POST.get("source", ""), "month": month, **amounts}


@action("costs.edit")
@require_POST
def remove_cost(request: HttpRequest) -> HttpResponse:
    """Forget what a month of a source cost."""
    month = sources.parse_month(request.POST.get("month", ""))
    if month and sources.remove_cost(request.POST.get("source", ""), month, request.user):
        messages.success(request, _("The cost was removed."))
    return to_sources(request)


app_name = "value"
urlpatterns = [
    path("", show_prediction, name="prediction"),
    path("sources/", show_sources, name="sources"),
    path("sources/costs/", save_costs, name="save_costs"),
    path("sources/costs/remove/", remove_cost, name="remove_cost"),
]
