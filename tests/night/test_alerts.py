"""What operators are told about nights: late, failed, and counts that jumped."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from django.core import mail

from lifecycle.models import DayCount
from ops_platform import alerts, schedule, tasks
from ops_platform.models import Alert, Night
from workspaces.errors import DomainError
from workspaces.models import Workspace
from workspaces.scoping import workspace_scope
from workspaces.services import change_settings

DAY = date(2026, 8, 10)


def count(workspace: Workspace, day: date, **people: int) -> None:
    with workspace_scope(workspace):
        for key, number in people.items():
            DayCount.objects.create(day=day, board="stage", key=key, people=number)


def test_only_what_differs_by_more_than_the_bound_has_jumped() -> None:
    before = {"stage:use": 1000, "stage:habit": 40, "stage:paying": 200, "stage:churned": 1000}
    now = {"stage:use": 1300, "stage:habit": 89, "stage:paying": 100, "stage:churned": 690, "stage:advocate": 60}
    assert alerts.jumps(before, now, 30) == [
        ("stage:churned", 1000, 690),
        ("stage:paying", 200, 100),
        ("stage:advocate", 0, 60),
    ]


def test_a_jump_is_told_in_words_with_its_people_and_judged_again_by_the_same_night_run_again(acme: Workspace) -> None:
    count(acme, DAY - timedelta(days=3), use=100, paying=100)
    count(acme, DAY, use=100, paying=175)
    with workspace_scope(acme):
        assert [row.key for row in alerts.note_jumps(acme, DAY)] == ["people", "stage:paying"]
        everybody, paying = alerts.say_alerts(acme, DAY)
        assert "275" in everybody["text"] and everybody["url"].endswith("/users/")
        assert "175" in paying["text"] and "75%" in paying["text"] and paying["url"].endswith("?stage=paying")
        DayCount.objects.filter(day=DAY, key="paying").update(people=101)
        assert alerts.note_jumps(acme, DAY) == [] and alerts.say_alerts(acme, DAY) == []


def test_the_bound_is_a_setting(acme: Workspace) -> None:
    count(acme, DAY - timedelta(days=1), use=100)
    count(acme, DAY, use=175)
    with workspace_scope(acme):
        for wrong in ({"jump_percent": 0}, {"night_late_minutes": 2000}, {"jump_percent": "many"}):
            with pytest.raises(DomainError):
                change_settings(wrong)
        workspace = change_settings({"jump_percent": 80})
        assert alerts.note_jumps(workspace, DAY) == []


def late(workspace: Workspace, minutes: int) -> list[str]:
    now = schedule.night_slot(workspace, DAY) + timedelta(minutes=minutes)
    return [arguments[0] for _slot, arguments in schedule.late_nights(workspace, now)]


def test_a_night_is_late_after_the_minutes_of_the_setting(acme: Workspace) -> None:
    acme.current_day = DAY - timedelta(days=1)
    assert late(acme, 59) == [] and late(acme, 60) == [DAY.isoformat()]
    acme.settings = {"night_late_minutes": 5}
    assert late(acme, 4) == [] and late(acme, 5) == [DAY.isoformat()]
    acme.current_day = DAY
    assert late(acme, 300) == []
    acme.frozen_on = DAY
    assert late(acme, 300) == []


def test_admins_are_mailed_once_and_pages_tell_it_until_the_night_is_there(world: Any) -> None:
    acme = world.acme
    Workspace.objects.filter(pk=acme.pk).update(current_day=DAY - timedelta(days=1))
    for _again in range(2):
        tasks.tell_late(str(acme.pk), DAY.isoformat())
    assert sorted(letter.to[0] for letter in mail.outbox) == ["admin@acme.test", "owner@acme.test"]
    assert DAY.isoformat() in mail.outbox[0].body and "/w/acme/nights/" in mail.outbox[0].body
    with workspace_scope(acme):
        acme.refresh_from_db()
        assert len(alerts.say_alerts(acme, DAY)) == 1
        acme.current_day = DAY
        assert alerts.say_alerts(acme, DAY) == []
    Workspace.objects.filter(pk=acme.pk).update(current_day=DAY)
    mail.outbox.clear()
    tasks.tell_late(str(acme.pk), (DAY - timedelta(days=1)).isoformat())
    assert mail.outbox == []


def test_a_night_that_failed_is_told_as_that(acme: Workspace) -> None:
    with workspace_scope(acme):
        Night.objects.create(day=DAY, state="failed")
        alerts.note_late(acme, DAY)
        assert Alert.objects.get().kind == "failed"


def test_a_night_by_a_worker_tells_what_jumped(acme: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    day = acme.yesterday()
    monkeypatch.setattr(alerts, "counts_of", lambda when: {"stage:use": 100 if when < day else 200})
    count(acme, day - timedelta(days=1), use=100)
    assert tasks.run_night(str(acme.pk), day.isoformat())
    with workspace_scope(acme):
        assert [(row.key, row.before, row.now) for row in Alert.objects.all()] == [("stage:use", 100, 200)]
    assert len(mail.outbox) == 2
