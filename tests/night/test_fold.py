"""From raw events to person-days and purchases: right whatever comes late, twice, or is taken away."""

from __future__ import annotations

import pytest

from tests import builders
from tests.night.reading import days, facts, night
from users.fold import fold_touched
from users.models import PersonDay, Purchase, Touched
from workspaces.models import Workspace
from workspaces.scoping import workspace_scope
from workspaces.sql import execute, read_sql


def fold(workspace: Workspace) -> dict[str, int]:
    with workspace_scope(workspace):
        return fold_touched(workspace)


def test_a_day_begins_at_midnight_of_the_workspace(acme):
    builders.event(acme, "ann", "App Opened", "2026-08-30 23:59")
    builders.event(acme, "ann", "App Opened", "2026-08-31 00:00")
    fold(acme)
    told = days(acme, "ann")
    assert [(day, row.visits, row.hours) for day, row in told.items()] == [
        ("2026-08-30", 1, [23]),
        ("2026-08-31", 1, [0]),
    ]


def test_passive_events_and_refunds_are_no_visits_but_the_day_is_kept(acme):
    builders.event(acme, "ann", "Push Delivered", "2026-08-01")
    builders.event(acme, "ann", "Order Refunded", "2026-08-02", total=5)
    fold(acme)
    assert [(row.visits, row.core, row.first_at) for row in days(acme, "ann").values()] == [(0, 0, None), (0, 0, None)]


def test_without_a_core_event_each_visit_is_core_and_habit(acme):
    builders.name(acme, "Order Completed", is_core=False, is_habit=False)
    builders.event(acme, "ann", "App Opened", "2026-08-01")
    builders.event(acme, "ann", "Push Delivered", "2026-08-02")
    fold(acme)
    assert [(row.core, row.habit) for row in days(acme, "ann").values()] == [(1, 1), (0, 0)]
    builders.name(acme, "Order Completed", is_core=True)
    fold(acme)
    assert [(row.core, row.habit) for row in days(acme, "ann").values()] == [(0, 0), (0, 0)]


def test_a_fold_takes_the_touched_rows_and_the_next_finds_nothing(acme):
    builders.event(acme, "ann", "App Opened", "2026-08-01")
    builders.touch(acme, ["ann", "ann", "bob"])
    assert fold(acme) == {"folded": 2, "changes": 1}
    with workspace_scope(acme):
        assert not Touched.objects.exists()
    assert fold(acme) == {"folded": 0, "changes": 0}


def test_touching_somebody_whose_events_are_the_same_changes_nothing(acme):
    builders.event(acme, "ann", "Order Completed", "2026-08-01", total=5)
    fold(acme)
    builders.touch(acme, ["ann"])
    assert fold(acme) == {"folded": 1, "changes": 0}


def test_a_late_event_is_folded_into_its_day(acme):
    builders.event(acme, "ann", "App Opened", "2026-08-01 20:00", category="food")
    fold(acme)
    builders.event(acme, "ann", "App Opened", "2026-08-01 08:00", category="beauty", app_version="5")
    fold(acme)
    [row] = days(acme, "ann").values()
    assert (row.visits, row.hours, row.categories, row.app_version) == (2, [8, 20], ["beauty", "food"], "5")


def test_a_removed_event_leaves_no_trace(acme):
    kept = builders.event(acme, "ann", "App Opened", "2026-08-01")
    builders.remove_event(acme, builders.event(acme, "ann", "Order Completed", "2026-08-02", total=9))
    gone = builders.event(acme, "ann", "Order Completed", "2026-08-03", total=9)
    fold(acme)
    builders.remove_event(acme, gone)
    fold(acme)
    with workspace_scope(acme):
        assert [row.day for row in PersonDay.objects.all()] == [kept.at.date()]
        assert not Purchase.objects.exists()


def test_a_name_with_another_meaning_is_folded_anew(acme):
    builders.event(acme, "ann", "Milk Bought", "2026-08-01", total=3)
    fold(acme)
    with workspace_scope(acme):
        assert not Purchase.objects.exists()
    builders.name(acme, "Milk Bought", is_order=True, is_core=True)
    fold(acme)
    with workspace_scope(acme):
        assert [(row.kind, row.amount_minor) for row in Purchase.objects.all()] == [("order", 300)]
    assert days(acme, "ann")["2026-08-01"].core == 1


def test_another_zone_moves_days_and_hours(acme):
    builders.event(acme, "ann", "App Opened", "2026-08-01 03:00")
    fold(acme)
    acme.zone = "UTC"
    builders.touch_all(acme)
    fold(acme)
    assert [(day, row.hours) for day, row in days(acme, "ann").items()] == [("2026-07-31", [19])]


@pytest.mark.parametrize(
    ("coupon", "expected"),
    [
        ({}, (False, False)),
        ({"coupon_id": ""}, (False, False)),
        ({"coupon_id": None, "coupon_kind": "public"}, (False, False)),
        ({"coupon_id": "c"}, (True, True)),
        ({"coupon_id": 7, "coupon_kind": ""}, (True, True)),
        ({"coupon_id": "c", "coupon_kind": "public"}, (True, False)),
        ({"coupon_id": "c", "coupon_kind": "targeted"}, (True, True)),
        ({"coupon_kind": "targeted"}, (False, True)),
    ],
)
def test_what_counts_as_a_coupon(acme, coupon, expected):
    builders.event(acme, "ann", "Order Completed", "2026-08-01", total=9, **coupon)
    fold(acme)
    with workspace_scope(acme):
        [row] = Purchase.objects.all()
    assert (row.with_coupon, row.targeted) == expected


def test_one_workspace_folds_nothing_of_another(world):
    builders.event(world.acme, "ann", "App Opened", "2026-08-01")
    builders.event(world.other, "ann", "App Opened", "2026-08-01")
    night(world.acme, "2026-08-31")
    assert facts(world.acme, "ann").visits == 1
    assert facts(world.other, "ann") is None and days(world.other, "ann") == {}
    with workspace_scope(world.other):
        assert Touched.objects.count() == 1


def test_packing_asks_for_the_usual_day_once(scope: Workspace) -> None:
    """Joined to the people, it was counted anew for each of a million: the night of a workspace did not end."""
    told = {"workspace": scope.pk, "most": 10, "zone": "UTC", "by_time": True}
    plan = execute("explain (costs off) " + read_sql("users/fold_pack"), told)
    assert not [line for row in plan for line in row.values() if "Nested Loop" in line]
