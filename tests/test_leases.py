"""Leases of the database: one holder, renewed by a thread, taken over when nobody heard of it."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Any

import pytest
import time_machine

from workspaces import leases
from workspaces.leases import LeaseLost, LeaseTaken, forget_expired, is_held, lease, list_expired
from workspaces.models import Lease, Workspace
from workspaces.progress import listening, progress
from workspaces.scoping import workspace_scope
from workspaces.sql import database_now


def held(workspace: Workspace) -> bool:
    with workspace_scope(workspace):
        return is_held(workspace, "night")


def test_one_holds_it_at_a_time_in_each_workspace(world: Any) -> None:
    with lease(world.acme, "night"):
        assert held(world.acme) and not held(world.other)
        with pytest.raises(LeaseTaken), lease(world.acme, "night"):
            pass
        with lease(world.other, "night"), lease(world.acme, "other"):
            pass
        assert held(world.acme)
    assert not held(world.acme)


def test_the_clock_of_a_worker_steals_nothing(acme: Workspace) -> None:
    with lease(acme, "night"):
        for away in (timedelta(days=40), timedelta(hours=-2)):
            with time_machine.travel(database_now() + away), pytest.raises(LeaseTaken), lease(acme, "night"):
                pass


def test_whoever_was_taken_over_from_finds_out(acme: Workspace) -> None:
    with lease(acme, "night") as old:
        with workspace_scope(acme):
            Lease.objects.update(until=database_now() - timedelta(seconds=1))
        with lease(acme, "night") as new, workspace_scope(acme):
            new.make_sure()
            with pytest.raises(LeaseLost):
                old.make_sure()


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leases, "BEAT_SECONDS", 0.02)
    monkeypatch.setattr(leases, "RENEW_SECONDS", 0.04)


@pytest.mark.django_db(transaction=True)
def test_a_thread_renews_it_while_its_holder_works(world: Any, quick: None) -> None:
    told: list[int] = []

    def until() -> Any:
        with workspace_scope(world.acme):
            return Lease.objects.get().until

    with lease(world.acme, "night", lambda: told.append(1)):
        before, deadline = until(), time.monotonic() + 20
        while until() == before or not told:
            assert time.monotonic() < deadline
            time.sleep(0.01)
    with workspace_scope(world.acme):
        assert not Lease.objects.exists()


def test_those_that_ran_out_are_found_in_all_workspaces_and_no_others_are_seen(world: Any) -> None:
    with lease(world.acme, "night"), lease(world.other, "night"):
        assert list_expired("night") == []
        with workspace_scope(world.acme):
            Lease.objects.update(until=database_now() - timedelta(seconds=1))
        assert list_expired("night") == [world.acme.pk] and list_expired("other") == []
        for workspace in (world.acme, world.other):
            with workspace_scope(workspace):
                forget_expired(workspace, "night")
        assert not held(world.acme) and held(world.other) and list_expired("night") == []


def test_progress_is_heard_by_who_listens() -> None:
    told: list[tuple[int, int]] = []
    progress(1, 2)
    with listening(lambda done, total: told.append((done, total))):
        progress(3, 4)
    progress(5, 6)
    assert told == [(3, 4)]
