"""The run itself: order, ledger, publishing, failing, and running again."""

from __future__ import annotations

import dataclasses
import functools
import json
import uuid
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import InterfaceError, connection
from django.utils import timezone
from django.utils.translation import override

from lifecycle.models import StageChange
from ops_platform import nightly, tasks
from ops_platform.ledger import MOST_ATTEMPTS, Watch
from ops_platform.models import Night, NightStep
from segmentation.models import RfmScore
from segmentation.rfm import score_rfm
from tests import builders
from tests.night.reading import facts, night, standing
from users.night import NIGHT_LEASE
from workspaces.errors import Conflict, DomainError
from workspaces.leases import lease
from workspaces.models import Lease, Workspace
from workspaces.scoping import workspace_scope

STEPS = [
    "identities", "facts", "attributes", "activity", "stages", "rfm", "value", "segments", "campaigns", "snapshots",
]  # fmt: skip
PREPARING = STEPS[:3]


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


def test_a_night_tells_how_many_people_it_has_done(shop, monkeypatch):
    monkeypatch.setattr("users.fold.FOLD_CHUNK", 1)
    monkeypatch.setattr("users.night.FACTS_CHUNK", 1)
    told: list[tuple[int, int]] = []
    monkeypatch.setattr(Watch, "hear", lambda watch, done, total: told.append((done, total)))
    night(shop, "2026-08-10")
    # Both are folded and then counted, one at a time.
    assert told == [(1, 4), (2, 4), (3, 4), (4, 4)]


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

    broken = [replace(step, run=fail) if step.key == "stages" else step for step in nightly.STEPS]
    with monkeypatch.context() as patch:
        patch.setattr(nightly, "STEPS", tuple(broken))
        with pytest.raises(Exception, match="division by zero"):
            night(shop, "2026-08-11")
    assert ledger(shop, "2026-08-11")[:5] == [
        ("identities", "done"),
        ("facts", "done"),
        ("attributes", "done"),
        ("activity", "waiting"),
        ("stages", "failed"),
    ], "what shares the transaction that publishes went with it"
    with workspace_scope(shop):
        told = Night.objects.get(day="2026-08-11")
        assert told.state == "failed" and "division by zero" in told.error
    assert Workspace.objects.get(pk=shop.pk).current_day == date(2026, 8, 10)
    night(shop, "2026-08-11")
    assert ledger(shop, "2026-08-11") == [(step, "done") for step in STEPS]


def test_a_second_night_beside_a_running_one_is_refused(shop):
    with lease(shop, NIGHT_LEASE):
        with pytest.raises(Conflict):
            night(shop, "2026-08-10")
        assert tasks.run_night(str(shop.pk), "2026-08-10") is None
    assert night(shop, "2026-08-10")["changes"] > 0


def test_of_two_bells_for_a_slot_one_runs_the_night_and_a_button_runs_it_again(shop):
    assert tasks.run_night(str(shop.pk), "2026-08-10")["changes"] > 0
    assert tasks.run_night(str(shop.pk), "2026-08-10") is None
    with workspace_scope(shop):
        finished = Night.objects.get().finished_at
    asked = [finished - timedelta(seconds=1), finished + timedelta(seconds=1)]
    answers = [tasks.run_night(str(shop.pk), "2026-08-10", "button", "", moment.isoformat()) for moment in asked]
    assert answers[0] is None and answers[1]["changes"] == 0
    with workspace_scope(shop):
        assert (Night.objects.get().runs, Night.objects.get().trigger) == (2, "button")


def kill_in(monkeypatch, step, *, before=False):  # type: ignore[no-untyped-def]
    """A night whose worker dies in a step: what the database keeps is what it had committed by then."""

    def die(workspace, day, plain):  # type: ignore[no-untyped-def]
        if not before:
            plain(workspace, day)
        raise InterfaceError("connection already closed")

    broken = [
        dataclasses.replace(known, run=functools.partial(die, plain=known.run)) if known.key == step else known
        for known in nightly.STEPS
    ]
    monkeypatch.setattr(nightly, "STEPS", tuple(broken))


def forget_lease(workspace):  # type: ignore[no-untyped-def]
    with workspace_scope(workspace):
        Lease.objects.update(until=timezone.now() - timedelta(seconds=1))


@pytest.mark.parametrize("step", STEPS)
def test_a_night_that_was_killed_goes_on_with_the_step_under_way(shop, step, monkeypatch):
    with monkeypatch.context() as patch:
        kill_in(patch, step)
        with pytest.raises(InterfaceError):
            night(shop, "2026-08-10")
    under_way = step if step in PREPARING else "activity"
    assert (under_way, "running") in ledger(shop, "2026-08-10")
    with pytest.raises(Conflict):  # until nobody has heard of its worker for a while
        night(shop, "2026-08-10")
    forget_lease(shop)
    ran = []
    watched = [dataclasses.replace(known, run=note(ran, known)) for known in nightly.STEPS]
    monkeypatch.setattr(nightly, "STEPS", tuple(watched))
    summary = night(shop, "2026-08-10")
    assert ran == [done["step"] for done in summary["steps"]] == STEPS
    with workspace_scope(shop):
        assert Night.objects.get().runs == 1 and Night.objects.get().state == "done"
        assert NightStep.objects.get(step=under_way).attempts == 2
    assert standing(shop, "ann").stage == "use"


def note(ran, step):  # type: ignore[no-untyped-def]
    def run(workspace, day):  # type: ignore[no-untyped-def]
        ran.append(step.key)
        return step.run(workspace, day)

    return run


def test_a_step_that_kills_every_worker_is_given_up(shop, monkeypatch):
    with monkeypatch.context() as patch:
        kill_in(patch, "stages")
        for _ in range(MOST_ATTEMPTS):
            with pytest.raises(InterfaceError):
                night(shop, "2026-08-10")
            forget_lease(shop)
        with pytest.raises(nightly.GaveUp):
            night(shop, "2026-08-10")
    with workspace_scope(shop):
        assert (Night.objects.get().state, Night.objects.get().error) == ("failed", "interrupted")


def test_a_step_that_a_restart_of_the_database_cut_is_never_given_up(shop, monkeypatch):
    with monkeypatch.context() as patch:
        kill_in(patch, "stages")
        for _ in range(MOST_ATTEMPTS + 2):
            with pytest.raises(InterfaceError):
                night(shop, "2026-08-10")
            forget_lease(shop)
            with workspace_scope(shop):
                # As if PostgreSQL had been started after that.
                NightStep.objects.filter(state="running").update(started_at=datetime(2020, 1, 1, tzinfo=UTC))
    night(shop, "2026-08-10")
    with workspace_scope(shop):
        assert (Night.objects.get().state, Night.objects.get().runs) == ("done", 1)
        assert set(NightStep.objects.values_list("attempts", flat=True)) == {1}


def test_a_worker_that_was_taken_over_from_writes_nothing_more(shop, monkeypatch):
    def lose(workspace, day):  # type: ignore[no-untyped-def]
        counts = score_rfm(workspace, day)
        Lease.objects.update(token=uuid.uuid4())
        return counts

    with monkeypatch.context() as patch:
        steps = [dataclasses.replace(step, run=lose) if step.key == "rfm" else step for step in nightly.STEPS]
        patch.setattr(nightly, "STEPS", tuple(steps))
        with pytest.raises(Conflict) as refused:
            night(shop, "2026-08-10")
    assert refused.value.code == "night_taken_over"
    with workspace_scope(shop):
        assert not RfmScore.objects.exists() and Night.objects.get().state == "running"
    assert Workspace.objects.get(pk=shop.pk).current_day is None


def test_a_night_left_running_by_a_killed_process_is_told_as_failed_by_that_of_a_later_day(shop):
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


@pytest.mark.parametrize("step", [known.key for known in nightly.STEPS if not known.prepares])
def test_what_decides_does_not_run_ahead_of_the_numbers(shop, step):
    """A flag that stood at a later day would be told again, and wrongly, by the nights before it."""
    for published in (None, "2026-08-10"):
        if published:
            night(shop, published)
        with override("en"), pytest.raises(Conflict, match="are not there yet"):
            night(shop, "2026-08-13", only=step)
    assert night(shop, "2026-08-10", only=step)["steps"]


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
