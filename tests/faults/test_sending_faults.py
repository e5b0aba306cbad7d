"""F17–F28: senders that are killed, stopped and doubled. Every mail is accounted for, and each scenario has a sabotage
with which it must fail: one that stays green under sabotage is itself red."""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.test import Client

from campaigns.links import make_token
from campaigns.models import Delivery, Run
from campaigns.services import launch
from tests.campaigns.sender import connect, make_campaign, make_people, start
from workspaces.errors import Conflict
from workspaces.models import Workspace
from workspaces.scoping import workspace_scope
from workspaces.sql import execute

from .conftest import FULL
from .lab import Senders, WatchedInbox, accounting

pytestmark = [pytest.mark.faults, pytest.mark.django_db(transaction=True)]

MAILS, KILLS = (10_000, 100) if FULL else (200, 2)
IN_FLIGHT = 20
UNDER_WAY = """
    select exists (
        select from pg_stat_activity
        where datname = current_database() and pid <> pg_backend_pid() and xact_start is not null
    ) as found
"""


@pytest.fixture(scope="module")
def senders(django_db_setup: None) -> Iterator[Senders]:
    with Senders() as running:
        yield running


@pytest.fixture
def inbox(tmp_path: Path) -> Iterator[WatchedInbox]:
    with WatchedInbox(tmp_path) as running:
        yield running


@pytest.fixture
def shop(world: Any, inbox: WatchedInbox) -> Workspace:
    connect(world.acme, inbox, timeout=20)
    return world.acme


def prepare(shop: Workspace, mails: int) -> Run:
    make_people(shop, mails)
    return start(shop, make_campaign(shop))


def kill_and_go_on(shop: Workspace, senders: Senders, inbox: WatchedInbox, kills: int, sabotage: str = "") -> int:
    """Kill a sender when the server has a random mail in its hands, start the next; returns how many were killed."""
    killed, chance = 0, random.Random(17)
    while True:
        pid = senders.start(shop, sabotage=sabotage)
        if killed < kills:
            with workspace_scope(shop):
                left = Delivery.objects.filter(state__in=["pending", "claimed"]).count()
            reach = max(1, min(left // (kills - killed), 2 * MAILS // (kills + 1)))
            inbox.strikes[len(inbox.arrived) + chance.randint(1, reach)] = lambda pid=pid: os.kill(pid, signal.SIGKILL)
        status = senders.wait(pid)
        if status == 0:
            return killed
        assert status == -signal.SIGKILL, f"the sender ended with {status}"
        killed += 1


def test_f17_killed_senders_lose_nothing_and_send_nothing_twice(
    shop: Workspace, senders: Senders, inbox: WatchedInbox
) -> None:
    run = prepare(shop, MAILS)
    began = time.monotonic()
    killed = kill_and_go_on(shop, senders, inbox, KILLS)
    books = accounting(shop, inbox)
    print(f"F17: {MAILS} mails, {killed} kills, {books}, {time.monotonic() - began:.1f} s")
    assert killed == KILLS
    assert books["sent"] + books["unknown"] == MAILS
    assert 1 <= books["unknown"] <= IN_FLIGHT * killed
    assert {name: books[name] for name in ("open", "phantom", "unrecorded", "double")} == {
        "open": 0, "phantom": 0, "unrecorded": 0, "double": 0,
    }  # fmt: skip
    with workspace_scope(shop):
        run.refresh_from_db()
    assert run.state == "finished"


@pytest.mark.parametrize(("sabotage", "wrong"), [("retry_unknown", "double"), ("checkpoint_at_fetch", "phantom")])
def test_f17_turns_red_under_sabotage(
    shop: Workspace, senders: Senders, inbox: WatchedInbox, sabotage: str, wrong: str
) -> None:
    prepare(shop, 60)
    inbox.strikes[7] = lambda: os.kill(pid, signal.SIGKILL)
    pid = senders.start(shop, sabotage=sabotage)
    assert senders.wait(pid) == -signal.SIGKILL
    assert senders.wait(senders.start(shop, sabotage=sabotage)) == 0
    assert accounting(shop, inbox)[wrong] > 0


# Where a sender dies, and what that must mean for the group in its hands: (unknown, messages that had arrived by then).
FAILPOINTS = {
    "claim:before": (0, 0),
    "claim:after": (0, 0),
    "start_attempts:before": (0, 0),
    "start_attempts:after": (0, 0),
    "hold_back:before": (20, 0),
    "hold_back:after": (20, 0),
    "record_results:before": (20, 20),
    "record_results:after": (20, 20),
}
SMOKE = ("start_attempts:after", "record_results:before")


@pytest.mark.parametrize("failpoint", FAILPOINTS if FULL else SMOKE)
def test_f18_a_sender_that_dies_at_a_named_place(
    shop: Workspace, senders: Senders, inbox: WatchedInbox, failpoint: str
) -> None:
    unknown, arrived = FAILPOINTS[failpoint]
    prepare(shop, 30)
    assert senders.wait(senders.start(shop, failpoint=failpoint)) == -signal.SIGKILL
    assert len(inbox.arrived) == arrived
    assert senders.wait(senders.start(shop)) == 0
    assert accounting(shop, inbox) == {
        "sent": 30 - unknown, "unknown": unknown, "open": 0, "phantom": 0, "unrecorded": 0, "double": 0,
    }  # fmt: skip


def freeze_a_sender(shop: Workspace, senders: Senders, inbox: WatchedInbox, sabotage: str = "") -> dict[str, int]:
    """F19: SIGSTOP a sender in the middle of a group for longer than its lease, let another work, wake the zombie."""
    stopped = threading.Event()

    def stop() -> None:
        os.kill(zombie, signal.SIGSTOP)
        stopped.set()

    inbox.strikes[5] = stop
    zombie = senders.start(shop, sabotage=sabotage)
    assert stopped.wait(30)
    assert senders.wait(senders.start(shop, sabotage=sabotage)) == 0
    os.kill(zombie, signal.SIGCONT)
    assert senders.wait(zombie) == 0
    return accounting(shop, inbox)


def test_f19_a_zombie_comes_back_and_changes_nothing(shop: Workspace, senders: Senders, inbox: WatchedInbox) -> None:
    for _round in range(20 if FULL else 1):
        with workspace_scope(shop):
            Delivery.objects.all().delete()
        inbox.arrived.clear()
        start(shop, make_campaign(shop)) if _round else prepare(shop, 60)
        books = freeze_a_sender(shop, senders, inbox)
        assert books["sent"] + books["unknown"] == 60 and 1 <= books["unknown"] <= IN_FLIGHT
        assert (books["open"], books["phantom"], books["unrecorded"], books["double"]) == (0, 0, 0, 0)


def test_f19_turns_red_when_what_is_unknown_is_sent_again(
    shop: Workspace, senders: Senders, inbox: WatchedInbox
) -> None:
    prepare(shop, 60)
    assert freeze_a_sender(shop, senders, inbox, "retry_unknown")["double"] > 0


def stop_between_transactions(pid: int) -> None:
    """Stopped within one, a sender would keep its locks from whoever answers."""
    while True:
        os.kill(pid, signal.SIGSTOP)
        if not execute(UNDER_WAY, {})[0]["found"]:
            return
        os.kill(pid, signal.SIGCONT)
        time.sleep(0.005)


def late_mails(shop: Workspace, senders: Senders, inbox: WatchedInbox, sabotage: str = "") -> int:
    """F24: half of the people unsubscribe while their mails are being sent; returns how many got one after all."""
    run = prepare(shop, 120)
    with workspace_scope(shop):
        everybody = list(Delivery.objects.filter(run=run).values_list("delivery_id", flat=True))
    random.Random(24).shuffle(everybody)
    go = threading.Event()
    inbox.strikes[30] = go.set
    pid = senders.start(shop, sabotage=sabotage)
    assert go.wait(30)
    stop_between_transactions(pid)  # so that the answers below are given at one known moment of the run
    client, acknowledged = Client(), set()
    for delivery_id in everybody[:70]:
        answer = client.post(f"/t/u/{make_token('unsubscribe', shop.pk, delivery_id)}")
        assert answer.status_code == 200
        acknowledged.add(str(delivery_id))
    before = len(inbox.arrived)
    os.kill(pid, signal.SIGCONT)
    assert senders.wait(pid) == 0
    return sum(delivery_id in acknowledged for delivery_id in inbox.ids()[before:])


def test_f24_an_acknowledged_unsubscribe_stops_all_but_what_is_leaving(
    shop: Workspace, senders: Senders, inbox: WatchedInbox
) -> None:
    assert late_mails(shop, senders, inbox) <= IN_FLIGHT


def test_f24_turns_red_when_only_the_freeze_looks(shop: Workspace, senders: Senders, inbox: WatchedInbox) -> None:
    assert late_mails(shop, senders, inbox, "opt_out_at_freeze") > IN_FLIGHT


def test_f28_two_clicks_and_two_senders_make_one_run(shop: Workspace, senders: Senders, inbox: WatchedInbox) -> None:
    make_people(shop, 60)
    for _round in range(50 if FULL else 1):
        campaign = make_campaign(shop)
        results: list[str] = []

        def click(campaign: Any = campaign, results: list[str] = results) -> None:
            try:
                with workspace_scope(shop):
                    launch(campaign)
                results.append("launched")
            except Conflict:
                results.append("conflict")
            finally:
                connection.close()

        clicks = [threading.Thread(target=click) for _ in range(3)]
        for thread in clicks:
            thread.start()
        for thread in clicks:
            thread.join()
        assert sorted(results) == ["conflict", "conflict", "launched"]
        with workspace_scope(shop):
            assert Run.objects.filter(campaign=campaign).count() == 1
    pids = [senders.start(shop) for _ in range(2)]
    assert [senders.wait(pid) for pid in pids] == [0, 0]
    books = accounting(shop, inbox)
    assert books["sent"] == len(inbox.arrived) and books["double"] == books["unknown"] == books["open"] == 0
