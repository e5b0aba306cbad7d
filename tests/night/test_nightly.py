"""The run itself: order, ledger, publishing, failing, and running again."""

from __future__ import annotations

import json
from datetime import date
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from lifecycle.models import StageChange
from ops_platform import nightly, tasks
from ops_platform.models import Night, NightStep
from tests import builders
from tests.night.reading import facts, night, standing
from workspaces.errors import Conflict, DomainError
from workspaces.models import Workspace
from workspaces.scoping import workspace_scope

STEPS = [
    "identities", "facts", "attributes", "activity", "stages", "rfm", "value", "segments", "campaigns", "snapshots",
]  # fmt: skip


@pytest.fixture
def shop(acme):  # type: ignore[no-untyped-def]
    builders.event(acme, "ann", "Order Completed", "2026-08-01", total=20)
    builders.event(acme, "bob", "App Opened", "2026-08-05")
    return acme


def ledger(workspace: Workspace, day: str) -> list[tuple[str, str]]:
    with workspace_scope(workspace):
        rows = NightStep.objects.filter(day=day).order_by("position")
        return [(row.step, row.state) for row in rows]


def test_a_night_runs_every_step_and_publishes_its_day(shop):
    summary = night(shop, "2026-08-10")
    assert [step["step"] for step in summary["steps"]] == STEPS
    assert summary["changes"] == sum(step["counts"]["changes"] for step in summary["steps"]) > 0
    assert ledger(shop, "2026-08-10") == [(step, "done") for step in STEPS]
    assert Workspace.objects.get(pk=shop.pk).current_day == shop.current_day == date(2026, 8, 10)
    with workspace_scope(shop):
        told = Night.objects.get()
        assert (told.state, told.trigger, told.error) == ("done", "command", "") and told.seconds > 0


def test_the_same_night_again_changes_nothing(shop):
    night(shop, "2026-08-10")
    again = night(shop, "2026-08-10")
    assert again["changes"] == 0
    with workspace_scope(shop):
        assert Night.objects.count() == 1 and NightStep.objects.count() == len(STEPS)


@pytest.mark.parametrize("step", STEPS)
def test_each_step_alone_and_twice_does_no_harm(shop, step):
    night(shop, "2026-08-10")
    for _ in range(2):
        summary = night(shop, "2026-08-10", only=step)
        assert [done["step"] for done in summary["steps"]] == [step] and summary["changes"] == 0


def test_a_step_alone_publishes_nothing(shop):
    night(shop, "2026-08-10")
    night(shop, "2026-08-11", only="facts")
    assert Workspace.objects.get(pk=shop.pk).current_day == date(2026, 8, 10)
    with workspace_scope(shop):
        assert not Night.objects.filter(day="2026-08-11").exists()
    assert ledger(shop, "2026-08-11") == [("facts", "done")]


def test_late_rows_are_counted_by_the_same_night_run_again(shop):
    night(shop, "2026-08-10")
    builders.event(shop, "bob", "Order Completed", "2026-08-09", total=5)
    again = night(shop, "2026-08-10")
    assert again["changes"] > 0 and standing(shop, "bob").stage == "use"
    with workspace_scope(shop):
        moves = StageChange.objects.filter(end_user_id=standing(shop, "bob").end_user_id)
        assert [(row.from_stage, row.to_stage) for row in moves] == [("", "use")]


def test_a_day_that_has_passed_is_refused(shop):
    night(shop, "2026-08-10")
    with pytest.raises(Conflict, match="2026-08-10"):
        night(shop, "2026-08-09")
    assert facts(shop, "ann").orders == 1


def test_a_step_that_fails_is_told_and_nothing_is_published(shop, monkeypatch):
    night(shop, "2026-08-10")

    def fail(workspace, day):  # type: ignore[no-untyped-def]
        with connection.cursor() as cursor:
            cursor.execute("select 1 / 0")

    broken = [nightly.Step(step.key, step.label, fail if step.key == "stages" else step.run) for step in nightly.STEPS]
    with monkeypatch.context() as patch:
        patch.setattr(nightly, "STEPS", tuple(broken))
        with pytest.raises(Exception, match="division by zero"):
            night(shop, "2026-08-11")
    assert ledger(shop, "2026-08-11")[:5] == [
        ("identities", "done"),
        ("facts", "done"),
        ("attributes", "done"),
        ("activity", "done"),
        ("stages", "failed"),
    ]
    with workspace_scope(shop):
        told = Night.objects.get(day="2026-08-11")
        assert told.state == "failed" and "division by zero" in told.error
    assert Workspace.objects.get(pk=shop.pk).current_day == date(2026, 8, 10)
    night(shop, "2026-08-11")
    assert ledger(shop, "2026-08-11") == [(step, "done") for step in STEPS]


def test_a_second_night_beside_a_running_one_is_refused(shop):
    other = connection.copy()
    try:
        with other.cursor() as cursor:
            cursor.execute("select pg_advisory_lock(hashtextextended(%s, 0))", [f"night:{shop.pk}"])
            with pytest.raises(Conflict):
                night(shop, "2026-08-10")
            assert tasks.run_night(str(shop.pk), "2026-08-10") is None
            cursor.execute("select pg_advisory_unlock_all()")
            assert night(shop, "2026-08-10")["changes"] > 0
    finally:
        other.close()


def test_a_night_left_running_by_a_killed_process_is_told_as_failed(shop):
    night(shop, "2026-08-10")
    with workspace_scope(shop):
        Night.objects.update(state="running")
    night(shop, "2026-08-11")
    with workspace_scope(shop):
        states = {str(row.day): row.state for row in Night.objects.all()}
    assert states == {"2026-08-10": "failed", "2026-08-11": "done"}


def test_an_unknown_step_is_refused(shop):
    with pytest.raises(DomainError, match="facts, attributes, activity"):
        night(shop, "2026-08-10", only="nonsense")


def test_one_workspace_is_not_touched_by_the_night_of_another(world):
    for workspace in (world.acme, world.other):
        builders.event(workspace, "ann", "Order Completed", "2026-08-01", total=20)
    night(world.other, "2026-08-10")
    before = facts(world.other, "ann").window_orders, standing(world.other, "ann").activity
    night(world.acme, "2027-08-10")
    assert (facts(world.other, "ann").window_orders, standing(world.other, "ann").activity) == before == (1, "active")
    assert Workspace.objects.get(pk=world.other.pk).current_day == date(2026, 8, 10)
    assert facts(world.acme, "ann").window_orders == 0


def test_the_command_prints_json_and_words(shop):
    out = StringIO()
    call_command("night", workspace="acme", day=date(2026, 8, 10), json=True, stdout=out)
    summary = json.loads(out.getvalue())
    assert summary["workspace"] == "acme" and summary["day"] == "2026-08-10" and summary["changes"] > 0
    assert all({"step", "seconds", "counts"} == set(step) for step in summary["steps"])
    out = StringIO()
    call_command("night", "--workspace", "acme", "--day", "2026-08-10", "--step", "rfm", stdout=out)
    assert "rfm" in out.getvalue() and "acme 2026-08-10: 0 changes" in out.getvalue()


def test_the_command_says_what_is_wrong(shop):
    with pytest.raises(CommandError, match="nowhere"):
        call_command("night", workspace="nowhere", day=date(2026, 8, 10))
    night(shop, "2026-08-10")
    with pytest.raises(CommandError, match="2026-08-10"):
        call_command("night", workspace="acme", day=date(2026, 8, 9))
