"""A changed setting's preview says what the apply does, person by person, and a preview changes nothing."""

from __future__ import annotations

import random
from collections import Counter
from datetime import date
from typing import Any

import pytest
from django.apps import apps
from django.db import connection

from ops_platform import nightly, rules_change
from ops_platform.models import RulesChange, RulesMove
from tests import builders
from tests.conftest import ground
from tests.night.against_oracle import departures
from tests.night.random_world import make_people, make_rows
from tests.night.reading import night
from users.mapping import apply_preset, roles_now, set_roles
from workspaces.errors import Conflict, DomainError
from workspaces.models import AuditEntry, Workspace
from workspaces.scoping import workspace_scope
from workspaces.sql import execute, read_sql

DAY = date(2026, 8, 20)
CUTS = {"r": [3, 9, 27, 81], "f": [1, 2, 3, 4], "m": [100, 900, 2000, 5000]}
CHANGES: list[tuple[dict[str, Any], str]] = [
    ({"habit_days": 2}, ""),
    ({"habit_window": 60, "recommendation_days": 30}, ""),
    ({"limit_rule": "fixed", "limit_days": 9}, ""),
    ({"limit_rule": "personal", "limit_min": 2, "limit_max": 12}, ""),
    ({"limit_rule": "with_balance", "balance_floor": 5}, ""),
    ({"slipping_percent": 20}, ""),
    ({"pay_stage": True, "subsidy_percent": 30}, ""),
    ({"pay_stage": False}, ""),
    ({"rfm_window": 40}, ""),
    ({"rfm_window": None}, ""),
    ({"rfm_method": "fixed", "rfm_cuts": CUTS}, ""),
    ({"value_class_by": "scores"}, ""),
    (
        {
            "rfm_method": "quantile",
            "value_class_by": "mean",
            "rfm_axes": ["last_seen_on", "active_days_90", "core_days"],
        },
        "",
    ),
    ({"rfm_axes": ["visits", "first_seen_on", "last_core_on"]}, ""),
    ({}, "game"),
    ({"limit_days": 12}, "ugc"),
]
# Where the numbers of a person stand; what previews themselves keep is not among it.
OWN = {"rules_change", "rules_move"}


@ground
def random_shop(world: Any) -> Workspace:
    acme, dice = world.acme, random.Random(11)
    with workspace_scope(acme):
        apply_preset(acme.industry)
        set_roles({"pay": ["Membership Purchased"]})
    ids = make_people(acme, dice, 70)
    builders.events(acme, make_rows(acme, dice, ids))
    builders.touch_all(acme)
    night(acme, DAY.isoformat())
    return Workspace.objects.get(pk=acme.pk)


@pytest.fixture
def shop(random_shop: Workspace) -> Workspace:
    return random_shop


def propose(shop: Workspace, changes: dict[str, Any], industry: str = "") -> RulesChange:
    with workspace_scope(shop):
        change = rules_change.propose(changes, industry)
    assert change is not None
    return change


def preview(shop: Workspace, changes: dict[str, Any], industry: str = "") -> RulesChange:
    change = propose(shop, changes, industry)
    rules_change.run_change(shop, change.pk)
    with workspace_scope(shop):
        change.refresh_from_db()
    assert change.state == "ready"
    return change


def apply(shop: Workspace, change: RulesChange) -> None:
    with workspace_scope(shop):
        rules_change.ask_to_apply(change)
    rules_change.run_change(shop, change.pk)
    shop.refresh_from_db()


def tiers(shop: Workspace) -> dict[Any, tuple[str, ...]]:
    with workspace_scope(shop):
        rows = execute(read_sql("ops_platform/rules_tiers"), {"workspace": shop.pk})
    return {row["end_user_id"]: tuple(row[board] for board in rules_change.BOARDS) for row in rows}


def moved(before: dict[Any, tuple[str, ...]], after: dict[Any, tuple[str, ...]]) -> set[tuple[Any, ...]]:
    none = ("",) * len(rules_change.BOARDS)
    return {
        (person, board, was, now)
        for person in before.keys() | after.keys()
        for board, was, now in zip(rules_change.BOARDS, before.get(person, none), after.get(person, none), strict=True)
        if was != now
    }


def told(shop: Workspace, change: RulesChange) -> set[tuple[Any, ...]]:
    with workspace_scope(shop):
        rows = RulesMove.objects.filter(change=change)
        return set(rows.values_list("end_user_id", "board", "from_key", "to_key"))


def everything(shop: Workspace) -> dict[str, str]:
    """A checksum of each table, save those that keep the previews themselves."""
    names = {model._meta.db_table for model in apps.get_models() if model._meta.managed} - OWN
    with workspace_scope(shop), connection.cursor() as cursor:
        sums = {}
        for name in sorted(names):
            cursor.execute(f"select coalesce(md5(string_agg(t::text, '|' order by t::text)), '') from {name} t")
            sums[name] = cursor.fetchone()[0]
    return sums


def test_the_preview_is_what_the_apply_does_person_by_person(shop: Workspace) -> None:
    """Change after change, each on top of those before; and a whole night with the new settings finds nothing to do."""
    for changes, industry in CHANGES:
        before, untouched = tiers(shop), everything(shop)
        change = preview(shop, changes, industry)
        assert everything(shop) == untouched, f"the preview of {changes} changed something"
        apply(shop, change)
        after = tiers(shop)
        assert told(shop, change) == moved(before, after) != set(), (changes, industry)
        assert kept_counts(shop, change) == counted(moved(before, after))
        again = night(shop, DAY.isoformat())
        assert again["changes"] == 0 and tiers(shop) == after, (changes, industry)
        if shop.rules.rfm_method == "quantile" and shop.rules.value_class_by == "mean":
            found = departures(shop, DAY)
            assert found.empty, f"{changes}\n{found.to_string()}"


def kept_counts(shop: Workspace, change: RulesChange) -> dict[tuple[str, str, str], int]:
    with workspace_scope(shop):
        change.refresh_from_db()
    return {(board, was, now): people for board, rows in change.moves.items() for was, now, people in rows}


def counted(moves: set[tuple[Any, ...]]) -> dict[tuple[str, str, str], int]:
    return dict(Counter(move[1:] for move in moves))


def test_a_preview_that_ignores_a_setting_is_noticed(shop: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    """The sabotage of the test above: a decision that leaves one setting out finds other people."""
    changes: dict[str, Any] = {
        "habit_days": 2, "limit_days": 9, "limit_rule": "fixed", "rfm_axes": ["last_seen_on", "active_days_90", "orders"],
    }  # fmt: skip
    whole = told(shop, preview(shop, changes, "game"))
    decide = rules_change._decide
    for ignored in ("habit_days", "limit_days", "rfm_axes", "industry"):

        def forgetful(workspace: Workspace, change: RulesChange, tell: Any, left_out: str = ignored) -> Any:
            change.changes = {key: value for key, value in change.changes.items() if key != left_out}
            change.industry = "" if left_out == "industry" else change.industry
            return decide(workspace, change, tell)

        with monkeypatch.context() as patch:
            patch.setattr(rules_change, "_decide", forgetful)
            assert told(shop, preview(shop, changes, "game")) != whole, ignored


def test_an_outdated_preview_is_not_applied(shop: Workspace) -> None:
    change = preview(shop, {"habit_days": 2})
    apply(shop, preview(shop, {"slipping_percent": 30}))
    with workspace_scope(shop), pytest.raises(Conflict) as raised:
        rules_change.ask_to_apply(change)
    assert raised.value.code == "outdated"
    change = preview(shop, {"habit_days": 2})
    night(shop, "2026-08-21")
    with workspace_scope(shop), pytest.raises(Conflict):
        rules_change.ask_to_apply(change)
    assert Workspace.objects.get(pk=shop.pk).rules.habit_days == 3


def test_an_apply_that_breaks_leaves_everything_as_it_was(shop: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    change = preview(shop, {"habit_days": 1, "habit_window": 5})
    with workspace_scope(shop):
        rules_change.ask_to_apply(change)
    before = everything(shop)

    def broken(workspace: Workspace, day: date) -> dict[str, int]:
        raise RuntimeError("no room")

    steps = tuple(
        step if step.key != "segments" else nightly.Step("segments", step.label, broken) for step in nightly.STEPS
    )
    monkeypatch.setattr(nightly, "STEPS", steps)
    with pytest.raises(RuntimeError):
        rules_change.run_change(shop, change.pk)
    assert everything(shop) == before
    with workspace_scope(shop):
        change.refresh_from_db()
        assert (change.state, change.error) == ("failed", "no room")


def test_what_moves_nobody_is_stored_at_once(shop: Workspace) -> None:
    with workspace_scope(shop):
        assert rules_change.propose({"conversion_days": 5, "rfm_best_group": "111"}) is None
        assert rules_change.propose({"habit_days": shop.rules.habit_days}) is None
        assert not RulesChange.objects.exists() and AuditEntry.objects.filter(action="settings.change").exists()
    assert Workspace.objects.get(pk=shop.pk).rules.conversion_days == 5


@pytest.mark.parametrize(
    ("changes", "industry", "path"),
    [
        ({"rfm_axes": ["last_order_on", "window_orders", "email"]}, "", "rfm_axes"),
        ({"rfm_axes": ["orders", "orders", "visits"]}, "", "rfm_axes"),
        ({"rfm_axes": "orders"}, "", "rfm_axes"),
        ({"rfm_best_group": "returned"}, "", "rfm_best_group"),
        ({"rfm_method": "fixed"}, "", "rfm_cuts"),
        ({"rfm_cuts": {"r": [4, 3, 2, 1]}}, "", "rfm_cuts"),
        ({"pay_stage": 1}, "", "pay_stage"),
        ({"recall_days": [7, 7]}, "", "recall_days"),
        ({"habit_days": True}, "", "habit_days"),
        ({"habit_days": 90, "habit_window": 14}, "", "habit_days"),
        ({"nonsense": 1}, "", "nonsense"),
        ({}, "farming", "industry"),
    ],
)
def test_a_wrong_value_is_refused_by_name(acme: Workspace, changes: Any, industry: str, path: str) -> None:
    with workspace_scope(acme), pytest.raises(DomainError) as raised:
        rules_change.propose(changes, industry)
    assert raised.value.path == path


def test_before_the_first_night_everything_is_stored_at_once(acme: Workspace) -> None:
    with workspace_scope(acme):
        assert rules_change.propose({"habit_days": 1}, "tool") is None
        assert roles_now()["core"] == ["Tool Run"]
    assert (acme.industry, acme.rules.habit_days, acme.rules.habit_window) == ("tool", 1, 28)
