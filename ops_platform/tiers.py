"""分层: lifecycle, RFM and churn, each with its picture, its table, and the people behind every number."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import path, reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from ops_platform import buyer_pictures, names, numbers, pictures, selectors, tier_reads
from ops_platform.links import builder_address, people_address
from workspaces.models import Workspace
from workspaces.permissions import action

SPAN_DAYS = 7
LINE_DAYS = 90


def tabs(workspace: Workspace, active: str) -> list[dict[str, Any]]:
    labels = {
        "tiers:lifecycle": _("Lifecycle"),
        "tiers:rfm": _("RFM"),
        "tiers:churn": _("Churn"),
        "value:prediction": _("Expected value"),
        "value:sources": _("Sources and cost"),
    }
    return [
        {"label": label, "url": reverse(key, args=[workspace.slug]), "active": key.partition(":")[2] == active}
        for key, label in labels.items()
    ]


def not_yet(request: HttpRequest, active: str, title: str) -> HttpResponse:
    """Before the first night there is nothing to show but what to do."""
    context = {"title": title, "summary": "", "tabs": tabs(request.workspace, active)}
    return render(request, "tiers/not_yet.html", context)


def day_from(request: HttpRequest, name: str, default: date, least: date, most: date) -> date:
    """A day of the address, kept within what was counted."""
    try:
        asked = date.fromisoformat(request.GET.get(name, ""))
    except ValueError:
        asked = default
    return max(least, min(asked, most))


@action("tiers.view")
def show_lifecycle(request: HttpRequest) -> HttpResponse:
    """Who is in which stage, who moved between two days, and how the stages grew."""
    workspace, day = request.workspace, request.workspace.current_day
    if day is None:
        return not_yet(request, "lifecycle", _("Lifecycle"))
    first, last = tier_reads.told_days()
    first, last = first or day, last or day
    until = day_from(request, "until", last, first, last)
    since = day_from(request, "since", max(first, until - timedelta(days=SPAN_DAYS)), first, until)
    address = people_address(workspace)
    counts = selectors.board_counts(until)["stage"]
    after = {key: row.people for key, row in counts.items()}
    moves = selectors.stage_moves(since, until)
    moved = selectors.count_moves(moves, list(names.STAGES))
    days, series = tier_reads.stage_series(max(first, until - timedelta(days=LINE_DAYS)), until)
    span = {"since": since.isoformat(), "on": until.isoformat()}
    when = _("between %(since)s and %(on)s") % span
    context = {
        "title": _("Lifecycle"),
        "summary": lifecycle_summary(after, moved, since, until),
        "tabs": tabs(workspace, "lifecycle"),
        "since": since,
        "until": until,
        "first": first,
        "last": last,
        "bars": pictures.stage_bars(counts, address),
        "flow": pictures.flow(moves, after, lambda **k: address(**k, **({} if "stage" in k else span)), "flow", when),
        "matrix": tier_reads.flow_matrix(moves, after),
        "stages": [*names.STAGES, ""],
        "lines": pictures.stage_lines(days, series, days[0] if days else ""),
        "stage_keys": list(names.STAGES),
    }
    return render(request, "tiers/lifecycle.html", context)


def lifecycle_summary(after: dict[str, int], moved: dict[str, int], since: date, until: date) -> str:
    return _(
        "%(people)s people; from %(since)s to %(until)s, %(up)s climbed, %(churned)s churned, %(returned)s returned."
    ) % {
        "people": numbers.number(sum(after.values())),
        "since": since.isoformat(),
        "until": until.isoformat(),
        "up": numbers.number(moved["up"]),
        "churned": numbers.number(moved["churned"]),
        "returned": numbers.number(moved["returned"]),
    }


@action("tiers.view")
def show_rfm(request: HttpRequest) -> HttpResponse:
    """The board, its groups with money and reach, who moved between them, the eight classes, and the cut points."""
    workspace, day = request.workspace, request.workspace.current_day
    if day is None:
        return not_yet(request, "rfm", _("RFM"))
    address = people_address(workspace)
    groups = tier_reads.rfm_table("rfm_group")
    buyers, money = sum(row["people"] for row in groups), sum(row["money_minor"] for row in groups)
    since = day - timedelta(days=SPAN_DAYS)
    context = {
        "title": _("RFM"),
        "summary": ngettext("%(n)s buyer with %(money)s", "%(n)s buyers with %(money)s", buyers)
        % {"n": numbers.number(buyers), "money": numbers.short_money(money, workspace)},
        "tabs": tabs(workspace, "rfm"),
        "board": buyer_pictures.board(selectors.rfm_cells(), address),
        "groups": groups,
        "classes": tier_reads.rfm_table("rfm_bits"),
        "moves": tier_reads.rfm_moves(since, day),
        "since": since,
        "until": day,
        "cuts": explain_cuts(workspace, tier_reads.rfm_cuts(day)),
        "best": workspace.rules.rfm_best_group,
        "build": {row["key"]: builder_address(workspace, rfm=row["key"]) for row in groups},
    }
    return render(request, "tiers/rfm.html", context)


def explain_cuts(workspace: Workspace, cuts: Any) -> list[dict[str, Any]]:
    """Per axis what each score means, from 5 to 1: "within 12 days", "13 to 30 days" …"""
    if cuts is None:
        return []
    write = {
        "r": lambda value: _("%(n)s d") % {"n": f"{round(value, 1):g}"},
        "f": lambda value: f"{round(value, 1):g}",
        "m": lambda value: numbers.money(round(value), workspace),
    }
    axes = []
    for axis in ("r", "f", "m"):
        points = [write[axis](float(point)) for point in cuts.cuts.get(axis) or []]
        if len(points) != 4:
            continue
        low, high = _("up to %(a)s"), _("above %(a)s")
        between = [low % {"a": points[0]}]
        for at in range(3):
            pair = {"a": points[at], "b": points[at + 1]}
            # Equal values share a score: between two equal cut points there is nobody.
            between.append(_("nobody") if pair["a"] == pair["b"] else _("above %(a)s, up to %(b)s") % pair)
        between.append(high % {"a": points[3]})
        scores = range(5, 0, -1) if axis == "r" else range(1, 6)
        lines = sorted(zip(scores, between, strict=True), reverse=True)
        axes.append(
            {"axis": axis, "lines": lines, "mean": write[axis](float(cuts.means[axis])) if axis in cuts.means else ""}
        )
    return axes


@action("tiers.view")
def show_churn(request: HttpRequest) -> HttpResponse:
    """Active, slipping, dormant; whose money is at risk and why; whether the limit is right; whom the ladder calls today."""
    workspace, day = request.workspace, request.workspace.current_day
    if day is None:
        return not_yet(request, "churn", _("Churn"))
    address = people_address(workspace)
    counts = selectors.board_counts(day)["activity"]
    rates = tier_reads.return_rates(day)
    suggested, five = tier_reads.smallest_limit(rates, 0.10), tier_reads.smallest_limit(rates, 0.05)
    slipping = counts.get("slipping")
    audit = tier_reads.false_churn(day)
    context = {
        "title": _("Churn"),
        "summary": churn_summary(workspace, slipping),
        "tabs": tabs(workspace, "churn"),
        "day": day,
        "counts": [(key, counts[key].people if key in counts else 0) for key in names.ACTIVITIES],
        "total": sum(row.people for row in counts.values()),
        "listed": tier_reads.risk_list(day),
        "all_url": address(activity="slipping", sort="risk"),
        "build_url": builder_address(workspace, activity="slipping"),
        "curve": buyer_pictures.return_curve(rates, suggested, five, workspace.rules.limit_days),
        "suggested": suggested,
        "ladder": [{**rung, "url": address(idle=rung["days"])} for rung in tier_reads.ladder(workspace, day)],
        "audit": audit,
        "audit_share": audit["seen_again"] / audit["flagged"] if audit["flagged"] else None,
        "risk": buyer_pictures.risk(selectors.risk_by_group(), address, workspace),
    }
    return render(request, "tiers/churn.html", context)


def churn_summary(workspace: Workspace, slipping: Any) -> str:
    if slipping is None or not slipping.people:
        return _("Nobody is slipping.")
    return ngettext(
        "%(n)s person is slipping, %(money)s at risk over 90 days",
        "%(n)s people are slipping, %(money)s at risk over 90 days",
        slipping.people,
    ) % {
        "n": numbers.number(slipping.people),
        "money": numbers.short_money(slipping.money_minor, workspace),
    }


app_name = "tiers"
urlpatterns = [
    path("lifecycle/", show_lifecycle, name="lifecycle"),
    path("rfm/", show_rfm, name="rfm"),
    path("churn/", show_churn, name="churn"),
]
