"""生命周期: who stood in which stage on a day, who moved between two days, and how the stages grew."""

from __future__ import annotations

from datetime import date, timedelta
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _

from ops_platform import day_reads, names, numbers, pictures, selectors, tier_reads
from ops_platform.links import people_address
from ops_platform.tier_matrix import move_matrix
from ops_platform.tier_parts import address_on, day_from, not_yet, tabs
from workspaces.permissions import action

SPAN_DAYS = 7
LINE_DAYS = 90


@action("tiers.view")
def show_lifecycle(request: HttpRequest) -> HttpResponse:
    """Who is in which stage, who moved between two days, and how the stages grew."""
    workspace, day = request.workspace, request.workspace.current_day
    if day is None:
        return not_yet(request, "lifecycle", _("Lifecycle"))
    told = day_reads.told_days() or [day]
    first, last = told[0], told[-1]
    until = day_reads.told_on(told, day_from(request, "until", last, first, last))
    week_ago = max(first, until - timedelta(days=SPAN_DAYS))
    since = day_reads.told_on(told, day_from(request, "since", week_ago, first, last))
    since, until = sorted((since, until))  # days chosen the wrong way round mean the days between
    address = people_address(workspace)
    counts = selectors.board_counts(until)["stage"]
    after = {key: row.people for key, row in counts.items()}
    moves = selectors.stage_moves(since, until)
    if until == last and not moves and not any(after.values()):
        return not_yet(request, "lifecycle", _("Lifecycle"))
    moved = selectors.count_moves(moves, list(names.STAGES))
    line_from = max(first, until - timedelta(days=LINE_DAYS))
    days, series = tier_reads.stage_series(line_from, until)
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
        "bars": pictures.stage_bars(counts, address_on(workspace, until)),
        "flow": pictures.flow(moves, after, lambda **k: address(**k, **span), "flow", when),
        "matrix": move_matrix(workspace, "stage", moves, after, since, until),
        "lines": pictures.stage_lines(days, series, days[0] if days else ""),
        "ways": pictures.way_lines(*day_reads.flow_series([one for one in told if line_from < one <= until]), address),
        "stage_keys": list(names.STAGES),
        "moves_query": urlencode({"since": since.isoformat(), "until": until.isoformat()}),
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
