"""流失: active, slipping, dormant; whose money is at risk and why; whether the limit is right; whom the ladder calls."""

from __future__ import annotations

import json
from datetime import date, timedelta
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from ops_platform import buyer_pictures, churn_pictures, churn_reads, day_reads, names, numbers, selectors
from ops_platform.links import builder_address, people_address
from ops_platform.tier_parts import address_on, day_from, not_yet, render_part, tabs
from workspaces.models import Workspace
from workspaces.permissions import action


@action("tiers.view")
def show_churn(request: HttpRequest) -> HttpResponse:
    """The flags of a day with what became of the warnings before it; the list of warnings is of today only."""
    workspace, today = request.workspace, request.workspace.current_day
    if today is None:
        return not_yet(request, "churn", _("Churn"))
    days = day_reads.told_days() or [today]
    first, last = days[0], days[-1]
    day = day_reads.told_on(days, day_from(request, "on", today, first, last))
    address, then = people_address(workspace), address_on(workspace, day)
    counts = selectors.board_counts(day)["activity"]
    total = sum(row.people for row in counts.values())
    if day == last and not total:
        return not_yet(request, "churn", _("Churn"))
    rates = churn_reads.return_rates(day)
    suggested, five = churn_reads.smallest_limit(rates, 0.10), churn_reads.smallest_limit(rates, 0.05)
    audits = day_reads.audits(day)
    context = {
        "title": _("Churn"),
        "summary": churn_summary(workspace, counts.get("slipping")),
        "tabs": tabs(workspace, "churn"),
        "day": day,
        "first": first,
        "last": last,
        "is_today": day == today,
        "counts": [
            {"key": key, "people": counts[key].people if key in counts else 0, "url": then(activity=key)}
            for key in names.ACTIVITIES
        ],
        "total": total,
        "curve": buyer_pictures.return_curve(rates, suggested, five, workspace.rules.limit_days),
        "suggested": suggested,
        "ladder": ladder(workspace, day),
        "audit": churn_pictures.audit_lines(audits, address),
        "false_churn": false_churn(workspace, audits, day),
    }
    if day == today:
        context |= {
            "listed": churn_reads.warnings(workspace, day),
            "all_url": address(activity="slipping", sort="risk"),
            "build_url": builder_address(workspace, activity="slipping"),
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


def false_churn(workspace: Workspace, audits: list[Any], day: date) -> dict[str, Any]:
    """误判率 of the day: {flagged, seen_again, share, url}; without anybody flagged 30 days before, no share."""
    row = next((one for one in audits if (one.day, one.activity, one.after_days) == (day, "dormant", 30)), None)
    if row is None:
        return {"flagged": 0, "share": None, "url": ""}
    flagged_on = (day - timedelta(days=row.after_days)).isoformat()
    url = people_address(workspace)(flag="dormant", on=flagged_on)
    return {
        "flagged": row.flagged,
        "seen_again": row.seen_again,
        "share": row.seen_again / row.flagged,
        "url": url,
    }


def ladder(workspace: Workspace, day: date) -> list[dict[str, Any]]:
    """The rungs with the addresses of who reached them that day, lately, and came back since."""
    address, on = people_address(workspace), day.isoformat()
    since = (day - timedelta(days=churn_reads.LADDER_DAYS)).isoformat()
    return [
        {
            **rung,
            "url": address(recall=rung["rung"], on=on),
            "lately_url": address(recall=rung["rung"], since=since, on=on),
            "again_url": address(recall=rung["rung"], since=since, on=on, again=1),
            "build_url": builder_address(
                workspace, definition=json.dumps({"kind": "recall", "rung": rung["rung"], "days": 1})
            ),
            "share": rung["seen_again"] / rung["lately"] if rung["lately"] else None,
        }
        for rung in churn_reads.ladder(workspace, day)
    ]


@action("tiers.view")
def show_churn_by(request: HttpRequest) -> HttpResponse:
    """Which app versions and sources lose more people than the rest: a part of the page that is fetched when it is seen."""
    workspace, day = request.workspace, request.workspace.current_day
    if day is None:
        return not_yet(request, "churn", _("Churn"))
    first, last = churn_reads.cohort(day)
    found = churn_reads.churn_by(day)
    address = people_address(workspace)
    context = {
        "charts": [churn_pictures.compared(kind, rows, first, last, address) for kind, rows in found.items()],
        "since": first,
        "until": last,
    }
    return render_part(request, _("Churn by app version and source"), "churn", "tiers/_churn_by.html", context)
