"""What is due when, and that two beats are one."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from kombu.exceptions import OperationalError

from ops_platform import schedule, tasks
from ops_platform.celery import app
from ops_platform.models import Night, Slot
from tests import builders
from tests.night.reading import night
from workspaces.models import Workspace
from workspaces.scoping import workspace_scope


def at(workspace: Workspace, local: str) -> datetime:
    return builders.moment(workspace, local).astimezone(UTC)


def due(workspace: Workspace, local: str) -> list[str]:
    return [arguments[0] for _slot, arguments in schedule.due_nights(workspace, at(workspace, local))]


@pytest.fixture
def rung(monkeypatch):  # type: ignore[no-untyped-def]
    """What the tick enqueues, without a broker: (task, arguments)."""
    calls: list[tuple[str, tuple[str, ...]]] = []

    def ring(task: str, *arguments: str) -> bool:
        calls.append((task, arguments))
        return True

    monkeypatch.setattr(tasks, "ring", ring)
    return calls


def test_the_night_is_due_at_three_for_the_day_before(acme):
    acme.current_day = date(2026, 8, 9)
    assert due(acme, "2026-08-11 02:59") == []
    assert due(acme, "2026-08-11 03:00") == ["2026-08-10"]
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
def test_no_day_of_two_years_is_skipped_or_doubled(zone, monkeypatch):
    monkeypatch.setattr(schedule, "ran_early", lambda workspace, day: False)
    workspace = Workspace(zone=zone, current_day=date(2025, 12, 31))
    told = []
    now = datetime(2026, 1, 1, 15, tzinfo=UTC)
    while now < datetime(2028, 1, 1, tzinfo=UTC):
        for day in (date.fromisoformat(text) for _slot, [text] in schedule.due_nights(workspace, now)):
            told.append(day)
            workspace.current_day = day
        now += timedelta(hours=1)
    assert told == [date(2026, 1, 1) + timedelta(days=number) for number in range(len(told))] and len(told) >= 728


def test_a_tick_rings_once_for_each_job_and_the_second_beat_for_none(world, rung):
    tasks.tick()
    jobs = {task for task, _arguments in rung}
    assert jobs == {job.task for job in schedule.JOBS} and len(rung) == 2 * len(schedule.JOBS)
    tasks.tick()
    assert len(rung) == 2 * len(schedule.JOBS)


def test_every_job_names_a_task_that_exists():
    app.loader.import_default_modules()
    assert {job.task for job in schedule.JOBS} <= set(app.tasks)
    assert app.conf.beat_schedule["tick"]["task"] in app.tasks


def test_a_slot_whose_work_is_still_due_is_taken_again_after_a_while(acme):
    job, now = schedule.JOBS[0], at(acme, "2026-08-11 03:00")
    assert schedule.take_slot(acme, job, now, now)
    assert not schedule.take_slot(acme, job, now, now + timedelta(minutes=59))
    assert schedule.take_slot(acme, job, now, now + timedelta(minutes=61))
    with workspace_scope(acme):
        assert Slot.objects.count() == 1


def test_a_tick_without_a_broker_gives_its_slots_back(acme, monkeypatch):
    def away(*args: object, **kwargs: object) -> None:
        raise OperationalError("away")

    monkeypatch.setattr(tasks.current_app, "send_task", away)
    tasks.tick()
    with workspace_scope(acme):
        assert not Slot.objects.exists()


def test_the_tick_catches_up_night_by_night(acme, rung):
    acme.current_day = acme.yesterday() - timedelta(days=3)
    acme.save()
    for _ in range(5):
        tasks.tick()
        for task, arguments in rung:
            if task.endswith("run_night") and arguments[0] == str(acme.pk):
                tasks.run_night(*arguments)
        rung.clear()
    with workspace_scope(acme):
        days = list(Night.objects.order_by("day").values_list("day", flat=True))
    last = days[-1]
    assert days == [last - timedelta(days=2), last - timedelta(days=1), last] or len(days) == 2  # before 03:00 one less
    assert last in (acme.yesterday(), acme.yesterday() - timedelta(days=1))
