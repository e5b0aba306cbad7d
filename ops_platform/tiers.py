"""分层: RFM with its board, its groups and its moves; and the addresses of all pages of the tiers."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import path
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from ops_platform import buyer_pictures, day_reads, names, numbers, rfm_reads, selectors, tier_reads
from ops_platform.links import builder_address
from ops_platform.rfm_words import measure_words
from ops_platform.tier_churn import show_churn, show_churn_by
from ops_platform.tier_days import show_day
from ops_platform.tier_lifecycle import show_lifecycle
from ops_platform.tier_matrix import move_matrix
from ops_platform.tier_parts import address_on, day_from, not_yet, tabs
from ops_platform.tier_paths import show_before, show_paths
from segmentation.rfm_axes import axes_from, axes_of, of_orders
from workspaces.models import Workspace
from workspaces.permissions import action

LISTED_MOVES = 12


@action("tiers.view")
def show_rfm(request: HttpRequest) -> HttpResponse:
    """The board, its groups with money and reach, who moved between them, the eight classes, and the cut points."""
    workspace, today = request.workspace, request.workspace.current_day
    if today is None:
        return not_yet(request, "rfm", _("RFM"))
    days = day_reads.told_days() or [today]
    first, last = days[0], days[-1]
    day = day_reads.told_on(days, day_from(request, "on", last, first, last))
    is_today, address, boards = day == today, address_on(workspace, day), selectors.board_counts(day)
    alike = tier_reads.scored_alike() if is_today else []
    # Of a past day the sizes and the groups' people are kept; reach, orders and single scores are of today only.
    tables = (
        tier_reads.rfm_tables(alike)
        if is_today
        else {kind: tier_reads.rfm_sizes(kind, boards.get(kind, {})) for kind in ("rfm", "bits")}
    )
    groups = tables["rfm"]
    buyers, money = sum(row["people"] for row in groups), sum(row["money_minor"] for row in groups)
    before = max(first or day, day - timedelta(days=1))
    since = day_reads.told_on(days, day_from(request, "since", before, first or day, day))
    moves, cuts = tier_reads.rfm_moves(since, day), tier_reads.rfm_cuts(day)
    best, axes = workspace.rules.rfm_best_group, axes_from(cuts.axes) if cuts else axes_of(workspace.rules)
    context = {
        "title": _("RFM"),
        "summary": (
            ngettext("%(n)s buyer with %(money)s", "%(n)s buyers with %(money)s", buyers)
            if of_orders(axes)
            else ngettext("%(n)s person scored, with %(money)s", "%(n)s people scored, with %(money)s", buyers)
        )
        % {"n": numbers.number(buyers), "money": numbers.short_money(money, workspace)},
        "tabs": tabs(workspace, "rfm"),
        "board": buyer_pictures.board(tier_reads.rfm_cells(alike), address, axes, best)
        if is_today
        else buyer_pictures.past_board(boards.get("cells", {}), address, axes, best),
        "groups": groups,
        "classes": tables["bits"],
        "moves": moves[:LISTED_MOVES],
        "matrix": move_matrix(
            workspace, "rfm", moves, {key: row.people for key, row in boards["rfm"].items()}, since, day
        )
        if moves
        else None,
        "toward": rfm_reads.toward(moves, best),
        "distances": rfm_reads.distances(alike, best),
        "best_name": names.label("bits" if best in names.VALUE_CLASSES else "rfm", best),
        "since": since,
        "until": day,
        "first": first,
        "last": last,
        "is_today": is_today,
        "people_urls": {key: address(rfm=key) for key in names.GROUPS},
        "cuts": explain_cuts(workspace, cuts),
        "best": best,
        "build": {row["key"]: builder_address(workspace, rfm=row["key"]) for row in groups},
    }
    return render(request, "tiers/rfm.html", context)


def explain_cuts(workspace: Workspace, cuts: Any) -> list[dict[str, Any]]:
    """Per axis what each score means, from 5 to 1: "within 12 days", "13 to 30 days" …"""
    if cuts is None:
        return []
    explained = []
    for axis in axes_from(cuts.axes):
        points = [measure_words(axis, float(point), workspace) for point in cuts.cuts.get(axis.letter) or []]
        if len(points) != 4:
            continue
        low, high = _("up to %(a)s"), _("above %(a)s")
        between = [low % {"a": points[0]}]
        for at in range(3):
            pair = {"a": points[at], "b": points[at + 1]}
            # Equal values share a score: between two equal cut points there is nobody.
            between.append(_("nobody") if pair["a"] == pair["b"] else _("above %(a)s, up to %(b)s") % pair)
        between.append(high % {"a": points[3]})
        scores = range(5, 0, -1) if axis.is_day else range(1, 6)
        lines = sorted(zip(scores, between, strict=True), reverse=True)
        mean = cuts.means.get(axis.letter)
        explained.append(
            {
                "axis": axis,
                "lines": lines,
                "mean": "" if mean is None else measure_words(axis, float(mean), workspace),
            }
        )
    return explained


app_name = "tiers"
urlpatterns = [
    path("lifecycle/", show_lifecycle, name="lifecycle"),
    path("paths/", show_paths, name="paths"),
    path("paths/before/", show_before, name="before"),
    path("rfm/", show_rfm, name="rfm"),
    path("churn/", show_churn, name="churn"),
    path("churn/by/", show_churn_by, name="churn_by"),
    path("day/", show_day, name="day"),
]
