"""What is due when, and that two beats are one."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from uuid import uuid4

import pytest
import time_machine
import yaml
from django.conf import settings
from kombu.exceptions import OperationalError

from ops_platform import schedule, serving, tasks
from ops_platform.celery import app
from ops_platform.models import Night, Slot
from tests import builders
from tests.night.reading import night
from workspaces.models import Lease, Workspace
from workspaces.scoping import workspace_scope
from workspaces.sql import database_now


def at(workspace: Workspace, local: str) -> datetime:
    return builders.moment(workspace, local).astimezone(UTC)


def due(workspace: Workspace, local: str) -> list[str]:
    with workspace_scope(workspace):
        return [arguments[0] for _slot, arguments in schedule.due_nights(workspace, at(workspace, local))]


@pytest.fixture
def rung(monkeypatch):  # type: ignore[no-untyped-def]
    """What the tick enqueues, without a broker: (task, arguments)."""
    calls: list[tuple[str, tuple[str, ...]]] = []

    def ring(task: str, *arguments: str, queue: str = "celery") -> bool:
        calls.append((task, arguments))
        return True

    monkeypatch.setattr(tasks, "ring", ring)
    return calls


def test_the_night_is_due_at_three_for_the_day_before(acme):
    acme.current_day = date(2026, 8, 9)
    assert due(acme, "2026-08-11 02:59") == []
    assert due(acme, "2026-08-11 03:00") == ["2026-08-10"]
    with workspace_scope(acme):
        [(slot, _arguments)] = schedule.due_nights(acme, at(acme, "2026-08-11 20:00"))
    assert slot == at(acme, "2026-08-11 03:00")


def test_a_workspace_that_never_had_a_night_gets_that_of_yesterday(acme):
    assert due(acme, "2026-08-11 12:00") == ["2026-08-10"]


def test_missed_nights_come_oldest_first_and_at_most_seven(acme):
    acme.current_day = date(2026, 8, 8)
    assert due(acme, "2026-08-11 12:00") == ["2026-08-09"]
    acme.current_day = date(2026, 7, 1)
    assert due(acme, "2026-08-11 12:00") == ["2026-08-04"]  # 4 … 10 August are seven


def test_a_frozen_workspace_has_no_nights(acme):
    acme.frozen_on = date(2026, 8, 31)
    assert due(acme, "2026-09-11 12:00") == []


def test_a_published_day_is_not_due_again_unless_it_was_run_before_it_ended(acme):
    night(acme, "2026-08-10")
    with workspace_scope(acme):
        Night.objects.update(started_at=at(acme, "2026-08-10 18:00"))
    assert due(acme, "2026-08-10 20:00") == []
    assert due(acme, "2026-08-11 03:00") == ["2026-08-10"]
    with workspace_scope(acme):
        Night.objects.update(started_at=at(acme, "2026-08-11 03:00"))
    assert due(acme, "2026-08-11 03:05") == []


@pytest.mark.parametrize(
    "zone", ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Pacific/Apia", "Asia/Shanghai"]
)
def test_no_day_of_800_is_skipped_or_doubled(zone):
    workspace = Workspace(zone=zone, current_day=date(2025, 12, 31))
    told = []
    now = datetime(2026, 1, 1, 15, tzinfo=UTC)
    while len(told) < 800:
        if day := schedule.outstanding(workspace, now, None):
            assert now >= schedule.night_slot(workspace, day)
            told.append(day)
            workspace.current_day = day
        now += timedelta(minutes=30)
    assert told == [date(2026, 1, 1) + timedelta(days=number) for number in range(800)]
    assert now - datetime(2026, 1, 1, tzinfo=UTC) < timedelta(days=802)


def test_a_tick_rings_once_for_each_job_and_the_second_beat_for_none(world, rung):
    tasks.tick()
    jobs = {task for task, _arguments in rung}
    due = {job.task for job in schedule.JOBS if job.name != "alerts"}  # nothing is late here
    assert jobs == due and len(rung) == 2 * len(due)
    tasks.tick()
    assert len(rung) == 2 * len(due)


def test_every_job_names_a_task_that_exists():
    app.loader.import_default_modules()
    assert {job.task for job in schedule.JOBS} <= set(app.tasks)
    assert {entry["task"] for entry in app.conf.beat_schedule.values()} <= set(app.tasks)


def test_a_slot_whose_work_is_still_due_is_taken_again_after_a_while(acme):
    [first] = schedule.take_due(acme, database_now(), [schedule.NIGHT])
    assert schedule.take_due(acme, database_now(), [schedule.NIGHT]) == []
    with workspace_scope(acme):
        Slot.objects.update(taken_at=database_now() - timedelta(minutes=3))
    assert schedule.take_due(acme, database_now(), [schedule.NIGHT]) == [first]
    with workspace_scope(acme):
        assert Slot.objects.count() == 1


def leave_behind(workspace: Workspace, since: timedelta) -> None:
    """A night whose worker was killed, its lease running out then."""
    with workspace_scope(workspace):
        Night.objects.create(day=workspace.yesterday(), state="running")
        Lease.objects.create(name="night", token=uuid4(), until=database_now() - since)


def test_a_night_whose_worker_is_heard_of_no_longer_is_taken_again_at_once_and_then_once(acme):
    assert schedule.take_due(acme, database_now(), [schedule.NIGHT])
    leave_behind(acme, timedelta(seconds=-5))
    assert schedule.take_due(acme, database_now(), [schedule.NIGHT]) == []  # it may live
    with workspace_scope(acme):
        Slot.objects.update(taken_at=database_now() - timedelta(seconds=30))
        Lease.objects.update(until=database_now() - timedelta(seconds=1))
    [bell] = schedule.take_due(acme, database_now(), [schedule.NIGHT])
    assert bell.arguments == [acme.yesterday().isoformat()]
    assert schedule.take_due(acme, database_now(), [schedule.NIGHT]) == []


def test_a_sweep_rings_once_for_a_night_whose_worker_was_killed_and_for_nobody_elses(world, rung):
    leave_behind(world.acme, timedelta(seconds=1))
    leave_behind(world.other, timedelta(seconds=-5))
    tasks.sweep()
    tasks.sweep()
    assert rung == [("ops_platform.tasks.run_night", (str(world.acme.pk), world.acme.yesterday().isoformat()))]


def test_a_night_by_hand_that_was_killed_is_gone_on_with_even_in_a_frozen_workspace(acme):
    acme.frozen_on = acme.current_day = date(2026, 8, 31)
    leave_behind(acme, timedelta(seconds=1))
    [bell] = schedule.take_due(acme, database_now(), [schedule.NIGHT])
    assert bell.arguments == ["2026-08-31"]


def test_a_night_that_failed_is_tried_again_an_hour_later(acme):
    acme.current_day = date(2026, 8, 9)
    with workspace_scope(acme):
        Night.objects.create(day=date(2026, 8, 10), state="failed", finished_at=at(acme, "2026-08-11 03:01"))
    assert due(acme, "2026-08-11 03:50") == []
    assert due(acme, "2026-08-11 04:02") == ["2026-08-10"]


def test_the_clock_of_a_worker_decides_nothing(acme, rung):
    with time_machine.travel(datetime.now(UTC) + timedelta(days=40)):
        tasks.tick()
    days = [arguments[1] for task, arguments in rung if task.endswith("run_night") and arguments[0] == str(acme.pk)]
    assert days in ([acme.yesterday().isoformat()], [(acme.yesterday() - timedelta(days=1)).isoformat()])


def test_a_workspace_in_which_something_is_wrong_keeps_no_other_waiting(world, rung, caplog):
    Workspace.objects.filter(slug="acme").update(zone="Nowhere/Nothing")
    tasks.tick()
    assert {arguments[0] for _task, arguments in rung} == {str(world.other.pk)}
    assert "The schedule of acme" in caplog.text


def test_nights_of_many_people_hang_their_bells_elsewhere(acme, monkeypatch):
    for name in ("ann", "bob", "cleo"):
        builders.person(acme, name)
    with workspace_scope(acme):
        assert schedule.night_queue(acme) == "nights"
        monkeypatch.setattr(schedule, "MANY_PEOPLE", 2)
        assert schedule.night_queue(acme) == "long_nights"


def test_a_tick_without_a_broker_gives_its_slots_back(acme, monkeypatch):
    def away(*args: object, **kwargs: object) -> None:
        raise OperationalError("away")

    monkeypatch.setattr(tasks.current_app, "send_task", away)
    tasks.tick()
    with workspace_scope(acme):
        assert not Slot.objects.exists()


def test_nights_that_were_missed_follow_one_another_at_once(acme, rung):
    acme.current_day = acme.yesterday() - timedelta(days=4)
    acme.save()
    tasks.tick()
    for task, arguments in rung:  # grows while it is worked off
        if task.endswith("run_night") and arguments[0] == str(acme.pk):
            tasks.run_night(*arguments)
    with workspace_scope(acme):
        days = list(Night.objects.order_by("day").values_list("day", flat=True))
    assert days == [acme.yesterday() - timedelta(days=3 - number) for number in range(len(days))]
    assert len(days) in (3, 4)  # before 03:00 one less


class Recorder:
    """Takes down what would be started."""

    def __init__(self) -> None:
        self.commands: list[tuple[str, ...]] = []

    def start(self, *command: str, **environment: str) -> None:
        self.commands.append(command)


def test_of_two_workers_one_serves_every_queue_and_the_other_all_but_the_long_nights():
    recorder = Recorder()
    serving.start_workers(recorder)
    workers = [command for command in recorder.commands if "worker" in command]
    left_out = [command[command.index("--exclude-queues") + 1] for command in workers if "--exclude-queues" in command]
    assert len(workers) == 2 and left_out == ["long_nights"]
    assert set(app.amqp.queues) == {"celery", "nights", "long_nights"}
    compose = yaml.safe_load((settings.BASE_DIR / "docker-compose.yml").read_text())["services"]
    assert ["long_nights" in compose[name]["command"] for name in ("worker", "worker-short")] == [False, True]
