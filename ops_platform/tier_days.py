"""任意一天: everything that was kept of one day on one page, with who came and went; every number opens its people."""

from __future__ import annotations

from datetime import date
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _

from ops_platform import day_reads, names, numbers, selectors
from ops_platform.links import people_address
from ops_platform.tier_parts import address_on, day_from, not_yet, tabs
from workspaces.models import Workspace
from workspaces.permissions import action

# The parameters of the people list for going from a group of a board, and to one.
MOVES = {"stage": ("from", "to"), "activity": ("flag_from", "flag_to"), "rfm": ("rfm_from", "rfm_to")}


@action("tiers.view")
def show_day(request: HttpRequest) -> HttpResponse:
    """Sizes and flows of stages, flags, RFM groups, value classes and segments on a day."""
    workspace, today = request.workspace, request.workspace.current_day
    if today is None:
        return not_yet(request, "day", _("Any day"))
    days = day_reads.told_days() or [today]
    first, last = days[0], days[-1]
    day = day_reads.told_on(days, day_from(request, "on", last, first, last))
    before, after = day_reads.told_beside(days, day)
    counts, flows = selectors.board_counts(day), day_reads.flows_on(day)
    earlier = selectors.board_counts(before) if before else {}
    total = sum(row.people for row in counts["stage"].values())
    if day == last and not total:
        return not_yet(request, "day", _("Any day"))
    context = {
        "title": _("Any day"),
        "summary": _("%(people)s people on %(day)s") % {"people": numbers.number(total), "day": numbers.day(day)},
        "tabs": tabs(workspace, "day"),
        "day": day,
        "first": first,
        "last": last,
        "before": before,
        "after": after,
        "boards": [board(workspace, day, kind, counts, earlier, flows) for kind in ("stage", "activity", "rfm")],
        "classes": classes(workspace, day, counts.get("bits", {}), earlier.get("bits", {})),
        "segments": segments(workspace, day),
    }
    return render(request, "tiers/day.html", context)


def board(workspace: Workspace, day: date, kind: str, counts: Any, earlier: Any, flows: Any) -> dict[str, Any]:
    """{kind, rows: [{key, people, money_minor, was, came, went, and their addresses}]} in the order of the names."""
    there, moves, on = address_on(workspace, day), people_address(workspace), day.isoformat()
    source, target = MOVES[kind]
    rows = []
    for key in names.KINDS[kind]:
        if row := counts.get(kind, {}).get(key):
            was = earlier.get(kind, {}).get(key)
            rows.append(
                {
                    "key": key,
                    "people": row.people,
                    "money_minor": row.money_minor,
                    "was": was.people if was else None,
                    "url": there(**{kind: key}),
                    **flows.get(kind, {}).get(key, {"came": 0, "went": 0}),
                    "came_url": moves(**{target: key, "on": on}),
                    "went_url": moves(**{source: key, "on": on}),
                }
            )
    return {"kind": kind, "rows": rows}


def classes(workspace: Workspace, day: date, counts: Any, earlier: Any) -> list[dict[str, Any]]:
    """The value classes: sizes only, and people behind them on the published day alone, for their changes are not kept."""
    address = people_address(workspace)
    return [
        {
            "key": key,
            "people": counts[key].people,
            "money_minor": counts[key].money_minor,
            "was": earlier[key].people if key in earlier else None,
            "url": address(bits=key) if day == workspace.current_day else "",
        }
        for key in names.VALUE_CLASSES
        if key in counts
    ]


def segments(workspace: Workspace, day: date) -> list[dict[str, Any]]:
    """Segments counted that day: {name, size, entered, left, and their addresses}."""
    there, on = address_on(workspace, day), day.isoformat()
    rows = []
    for row in day_reads.segments_on(day):
        page = reverse("segmentation:detail", args=[workspace.slug, row.segment_id])
        rows.append(
            {
                "name": row.segment.name,
                "size": row.size,
                "entered": row.entered,
                "left": row.left,
                "page": page,
                "url": there(segment=row.segment_id),
                "entered_url": f"{page}?show=entered&on={on}",
                "left_url": f"{page}?show=left&on={on}",
            }
        )
    return rows
