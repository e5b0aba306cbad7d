"""路径: how long people stay in a stage, which ways they go, and what they did before a step up."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from ops_platform import day_reads, names, numbers, path_pictures, path_reads
from ops_platform.links import people_address
from ops_platform.people_steps import BEFORE_DAYS, path_words
from ops_platform.tier_parts import day_from, not_yet, render_part, tabs
from workspaces.models import Workspace
from workspaces.permissions import action

SPAN_DAYS = 30


def read_span(request: HttpRequest, day: date) -> tuple[date, date, date, date]:
    """(since, until, first, last): the days asked for, and those that were counted."""
    days = day_reads.told_days() or [day]
    first, last = days[0], days[-1]
    until = day_from(request, "until", last, first, last)
    since = day_from(request, "since", max(first, until - timedelta(days=SPAN_DAYS)), first, last)
    since, until = sorted((since, until))  # days chosen the wrong way round mean the days between
    return since, until, first, last


@action("tiers.view")
def show_paths(request: HttpRequest) -> HttpResponse:
    """Time in stage, the most common paths of the days asked for, and the steps to look into."""
    workspace, day = request.workspace, request.workspace.current_day
    if day is None:
        return not_yet(request, "paths", _("Paths"))
    since, until, first, last = read_span(request, day)
    address = people_address(workspace)
    steps, paths, ages = path_reads.steps(since, until), path_reads.paths(since, until), path_reads.stage_ages(day)
    if until == last and not ages:
        return not_yet(request, "paths", _("Paths"))
    span = {"since": since.isoformat(), "on": until.isoformat()}
    climbed = sum(row["people"] for row in steps)
    context = {
        "title": _("Paths"),
        "summary": ngettext(
            "%(n)s step up or back from %(since)s to %(until)s",
            "%(n)s steps up or back from %(since)s to %(until)s",
            climbed,
        )
        % {"n": numbers.number(climbed), "since": since.isoformat(), "until": until.isoformat()},
        "tabs": tabs(workspace, "paths"),
        "since": since,
        "until": until,
        "first": first,
        "last": last,
        "day": day,
        "ages": path_pictures.age_map(ages, address),
        "stays": [
            row | {"url": address(stage=row["key"], sort="since"), "share": row["begun"] / row["people"]}
            for row in ages
        ],
        "begun": any(row["begun"] for row in ages),
        "paths": [
            row
            | {
                "words": path_words(row["path"]),
                "stages": row["path"].split(">"),
                "url": address(path=row["path"], **span),
            }
            for row in paths
        ],
        "steps": [row | {"words": path_words(f"{row['from_stage']}>{row['to_stage']}")} for row in steps],
        "before": read_before(workspace, steps[0]["from_stage"], steps[0]["to_stage"], since, until) if steps else None,
    }
    return render(request, "tiers/paths.html", context)


@action("tiers.view")
def show_before(request: HttpRequest) -> HttpResponse:
    """What preceded one step, as a part of the page. Raises Http404 when it is none."""
    workspace, day = request.workspace, request.workspace.current_day
    source, target = request.GET.get("from", ""), request.GET.get("to", "")
    if day is None or not {source, target} <= set(names.STAGES):
        raise Http404
    since, until, _first, _last = read_span(request, day)
    context = {"before": read_before(workspace, source, target, since, until)}
    return render_part(request, _("What came before a step up"), "paths", "tiers/_before.html", context)


def read_before(workspace: Workspace, source: str, target: str, since: date, until: date) -> dict[str, Any]:
    """What templates/tiers/_before.html shows: the comparison with a picture, words and addresses."""
    found = path_reads.before_step(workspace, since, until, source, target)
    address = people_address(workspace)
    step = {"from": source, "to": target, "since": since.isoformat(), "on": until.isoformat()}
    return found | {
        "words": path_words(f"{source}>{target}"),
        "picture": path_pictures.deeds(found["deeds"], lambda name: address(preceded=name, **step)),
        "deeds": [row | {"url": address(preceded=row["name"], **step)} for row in found["deeds"]],
        "lasts": [row | {"url": address(lasts=",".join(map(str, row["ids"])), **step)} for row in found["lasts"]],
        "window": BEFORE_DAYS,
        "sampled": found["people"] >= path_reads.SAMPLE,
        "url": address(step=f"{source}>{target}", since=step["since"], on=step["on"]),
        "source": names.label("stage", source),
    }
