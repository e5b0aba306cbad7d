"""What is kept of days: who stood where on any past day, flows, warnings looked at again, and rungs of the recall ladder."""

from __future__ import annotations

import itertools
from datetime import date, timedelta
from typing import Any

from lifecycle.models import DayCount, DayFlow, RecallEntry, Standing
from ops_platform import churn_reads, day_reads
from ops_platform.people_list import PeopleQuery
from ops_platform.tier_days import MOVES
from segmentation.models import RfmScore, SegmentMember
from segmentation.services import create_segment
from tests import builders
from tests.conftest import ground
from tests.night.reading import night
from users.models import EndUser, person_id
from workspaces.models import Workspace
from workspaces.scoping import workspace_scope

FIRST = date(2026, 6, 1)
SLIPPING = {"kind": "activity", "flags": ["slipping"]}


def found(workspace: Workspace, **query: str) -> set[Any]:
    with workspace_scope(workspace):
        asked = PeopleQuery(workspace, query)
        assert asked.parts, query
        return set(asked.ids())


Boards = dict[tuple[str, str], set[Any]]


def stand(workspace: Workspace) -> Boards:
    """Who stands where now, on every board and in every segment."""
    with workspace_scope(workspace):
        rows = [("segment", str(key), who) for who, key in SegmentMember.objects.values_list("end_user", "segment")]
        rows += [("stage", key, who) for who, key in Standing.objects.values_list("end_user", "stage")]
        rows += [("activity", key, who) for who, key in Standing.objects.values_list("end_user", "activity")]
        rows += [("rfm", key, who) for who, key in RfmScore.objects.values_list("end_user", "group")]
    boards: Boards = {}
    for board, key, who in rows:
        boards.setdefault((board, key), set()).add(who)
    return boards


@ground
def places(world: Any) -> dict[str, Boards]:
    """Nights some days apart of people who come, go, pause and return; Bob is excluded before the last. Who stood where."""
    acme = world.acme
    for who, days in {"ann": (0, 4, 8, 12, 60), "bob": (1, 2), "cat": (20, 24, 28, 32, 36), "dan": (0, 30)}.items():
        for day in days:
            builders.event(acme, who, "Order Completed", FIRST + timedelta(days=day), total=10)
    builders.person(acme, "eve", created="2026-06-10")
    boards: dict[str, Boards] = {}
    with workspace_scope(acme):
        create_segment("slipping", SLIPPING)
    for at in (5, 14, 25, 40, 62, 63):
        if at == 63:
            with workspace_scope(acme):
                EndUser.objects.filter(external_id="bob").update(excluded=True)
        day = (FIRST + timedelta(days=at)).isoformat()
        night(acme, day)
        boards[day] = stand(acme)
    acme.refresh_from_db()
    return boards


def test_any_past_day_tells_who_stood_where_that_day(acme: Workspace, places: dict[str, Boards]) -> None:
    """Whoever was excluded since counts in what was told, and is no longer listed."""
    bob = person_id(acme.pk, "bob")
    everywhere = {place for boards in places.values() for place in boards}
    assert {board for board, _key in everywhere} == {"stage", "activity", "rfm", "segment"}
    for day, boards in places.items():
        for board, key in everywhere:
            expected = boards.get((board, key), set()) - {bob}
            assert found(acme, **{board: key, "as_of": day}) == expected, (day, board, key)


def at(boards: Boards, board: str, key: str, everybody: set[Any]) -> set[Any]:
    """Who stood there; without a key, who stood nowhere on the board."""
    if key:
        return boards.get((board, key), set())
    return everybody.difference(*(people for (name, _key), people in boards.items() if name == board))


def test_flows_and_those_who_stayed_open_their_people(acme: Workspace, places: dict[str, Boards]) -> None:
    bob, everybody = (
        person_id(acme.pk, "bob"),
        {who for boards in places.values() for people in boards.values() for who in people},
    )
    for before, after in itertools.pairwise(places):
        with workspace_scope(acme):
            flows = list(DayFlow.objects.filter(day=after))
        assert flows
        for flow in flows:
            source, target = MOVES[flow.board]
            expected = at(places[before], flow.board, flow.from_key, everybody) & at(
                places[after], flow.board, flow.to_key, everybody
            )
            assert flow.people == len(expected), (after, flow.from_key, flow.to_key)
            moved = found(acme, **{source: flow.from_key or "none", target: flow.to_key or "none", "on": after})
            assert moved == expected - {bob}, (after, flow.from_key, flow.to_key)
        stayed = at(places[before], "stage", "use", everybody) & at(places[after], "stage", "use", everybody)
        assert found(acme, **{"from": "use", "to": "use", "since": before, "on": after}) == stayed - {bob}


def test_the_cells_and_classes_of_a_day_add_up_to_its_groups(acme: Workspace) -> None:
    for number in range(7):
        for order in range(number + 1):
            builders.event(acme, f"u{number}", "Order Completed", FIRST + timedelta(days=order * 3), total=number + 1)
    night(acme, "2026-07-01")
    with workspace_scope(acme):
        rows = DayCount.objects.filter(day="2026-07-01")
        sums = {
            board: (
                sum(row.people for row in rows if row.board == board),
                sum(row.money_minor for row in rows if row.board == board),
            )
            for board in ("rfm", "cells", "bits")
        }
    assert sums["rfm"] == sums["cells"] == sums["bits"] != (0, 0)


def test_a_rung_is_reached_once_in_an_absence_also_over_a_missed_night(acme: Workspace) -> None:
    """Ecommerce: N 60, slipping from 36 days; of the rungs 7, 40 and 50 the first is below that point."""
    acme.settings = {"recall_days": [7, 40, 50]}
    acme.save()
    builders.event(acme, "ann", "Order Completed", FIRST)
    builders.event(acme, "bob", "Order Completed", FIRST + timedelta(days=1))
    for at in (7, 39, 41, 42, 51):
        night(acme, (FIRST + timedelta(days=at)).isoformat())
        assert night(acme, (FIRST + timedelta(days=at)).isoformat())["changes"] == 0
    builders.event(acme, "bob", "App Opened", FIRST + timedelta(days=52))
    night(acme, (FIRST + timedelta(days=52)).isoformat())
    acme.refresh_from_db()
    with workspace_scope(acme):
        ids = dict(EndUser.objects.values_list("pk", "external_id"))
        entries = {(ids[row.end_user_id], row.rung, (row.day - FIRST).days) for row in RecallEntry.objects.all()}
        rungs = churn_reads.ladder(acme, FIRST + timedelta(days=52))
    assert entries == {("ann", 40, 41), ("bob", 40, 41), ("ann", 50, 51), ("bob", 50, 51)}
    assert [(row["rung"], row["lately"], row["seen_again"]) for row in rungs] == [(7, 0, 0), (40, 2, 1), (50, 2, 1)]
    span = {"since": "2026-07-01", "on": "2026-07-31"}
    assert len(found(acme, recall="40", **span)) == 2 and len(found(acme, recall="40", again="1", **span)) == 1
    assert found(acme, recall="40", on="2026-07-12") == found(acme, recall="40", **span)


def test_ways_are_named_by_the_ladder() -> None:
    pairs = {("", "use"): "joined", ("use", ""): "left", ("use", "habit"): "up", ("paying", "use"): "down"}
    pairs |= {("habit", "churned"): "churned", ("churned", "contact"): "returned"}
    assert {ends: day_reads.way(*ends) for ends in pairs} == pairs
