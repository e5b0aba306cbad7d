"""What is worked out beside the transaction that publishes: the same as within it, and nothing of it when it fails."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from django.db import OperationalError, connection

from ops_platform import nightly
from ops_platform.models import Night
from segmentation.models import RfmScore
from tests.faults.histories import make_history, noon
from tests.faults.lab import wait_until
from tests.night.test_lanes import live
from users import ahead
from workspaces.models import Workspace
from workspaces.scoping import workspace_scope
from workspaces.sql import execute

pytestmark = pytest.mark.django_db(transaction=True)


def test_what_is_read_ahead_is_what_would_be_read_in_the_transaction(monkeypatch):
    taken: list[str] = []
    read_ahead = ahead.read_ahead

    def noted(name: str) -> bool:
        done = read_ahead(name)
        taken.append(f"{name} {done}")
        return done

    for module in ("users.night", "segmentation.rfm"):
        monkeypatch.setattr(f"{module}.read_ahead", noted)
    found = live(make_history("shop", 40, noon(1)))
    assert set(taken) == {"spells True", "rfm True"}
    taken.clear()
    monkeypatch.setattr(nightly._Run, "readings", lambda run: {})
    assert live(make_history("twin", 40, noon(1))) == found
    assert set(taken) == {"spells False", "rfm False"}


def test_the_steps_alone_find_nothing_to_change_in_what_was_read_ahead():
    shop = make_history("shop", 40, noon(1))
    day = noon(1).date()
    for back in (3, 2, 0):
        nightly.run_night(shop, day - timedelta(days=back))
        for step in ("activity", "rfm"):
            assert nightly.run_night(shop, day - timedelta(days=back), only=step)["changes"] == 0


def test_a_reading_that_fails_fails_the_night_and_leaves_no_connection(monkeypatch):
    shop = make_history("shop", 10, noon(1))
    pids: list[int] = []

    def fail(*args: object) -> list[str]:
        with connection.cursor() as cursor:
            cursor.execute("select pg_backend_pid()")
            pids.append(cursor.fetchone()[0])
            cursor.execute("select 1 / 0")
        return []

    with monkeypatch.context() as patch:
        patch.setattr(nightly, "find_scores", fail)
        with pytest.raises(Exception, match="division by zero"):
            nightly.run_night(shop, noon(1).date())
    with workspace_scope(shop):
        assert Night.objects.get().state == "failed" and not RfmScore.objects.exists()
    assert Workspace.objects.get(pk=shop.pk).current_day is None

    def closed() -> bool:
        with connection.cursor() as cursor:
            cursor.execute("select count(*) from pg_stat_activity where pid = any(%s)", [pids])
            return bool(cursor.fetchone() == (0,))

    wait_until(closed, "the reading left its connection open")
    nightly.run_night(shop, noon(1).date())
    with workspace_scope(shop):
        assert Night.objects.get().state == "done" and RfmScore.objects.exists()


def test_a_reading_that_waits_for_the_transaction_that_waits_for_it_gives_up(acme, monkeypatch):
    monkeypatch.setattr(ahead, "LOCK_WAIT", "200ms")
    locked = threading.Event()

    def find() -> list[str]:
        locked.wait(20)
        execute("select count(*) from rfm_score where workspace_id = %(workspace)s", {"workspace": acme.pk})
        return []

    with ahead.reading_ahead(acme, {"rfm": find}), workspace_scope(acme):
        execute("lock table rfm_score in access exclusive mode", {})
        locked.set()
        with pytest.raises(OperationalError, match="lock timeout"):
            ahead.read_ahead("rfm")
