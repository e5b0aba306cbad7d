"""F1–F3: web processes and PostgreSQL are killed, restarted and stopped while clients send. What was acknowledged is
there, once, with its effects; and each scenario has a sabotage with which it must fail."""

from __future__ import annotations

import os
import random
import signal
import time
from types import SimpleNamespace

import pytest

from .books import CLEAN, books
from .clients import Clients, Journal, events, make_batches
from .cluster import Cluster, wait_for
from .conftest import FULL
from .web import Web

pytestmark = [pytest.mark.faults, pytest.mark.django_db(transaction=True)]

F1_KILLS = 80 if FULL else 1


def kill_and_go_on(web: Web, clients: Clients, kills: int) -> tuple[float, int]:
    """Kill the worker, or everything as when a container ends, again and again; whoever died is replaced.

    Returns the longest time from a kill to the next answer, and how often granian gave up on a worker that kept dying.
    """
    chance, longest, gave_up = random.Random(1), 0.0, 0
    for kill in range(kills):
        time.sleep(chance.uniform(0.5, 2) if FULL else 0.5)
        began = time.monotonic()
        if kill % 2 == 0:
            os.kill(worker := web.worker(), signal.SIGKILL)
            wait_for(lambda worker=worker: web.process.poll() or web.worker() not in (0, worker), 5, "no new worker")
        if kill % 2 or web.process.poll():
            gave_up += web.process.poll() is not None
            web.kill()
            web.start()
        wait_for(lambda began=began: answered_since(clients.journal, began), 30, "nobody answers")
        longest = max(longest, clients.journal.first_after(began))
    return longest, gave_up


def answered_since(journal: Journal, moment: float) -> bool:
    return any(a.status == 200 and a.at > moment for a in list(journal.attempts[-50:]))


def test_f1_killed_web_processes_lose_nothing_and_store_nothing_twice(
    cluster: Cluster, web: Web, shop: SimpleNamespace
) -> None:
    """Full: 80 kills, half of them of the worker, half of everything, 0.5-2 s after the last was overcome; 4 clients
    send batches of 50 as fast as they can all the while."""
    with Clients(web.port, shop.key, make_batches(events("F1")), pace_s=0 if FULL else 0.02) as clients:
        longest, gave_up = kill_and_go_on(web, clients, F1_KILLS)
        clients.stop_feeding()
        journal = clients.finish()
    print(
        f"F1: {len(journal.acked)} events, {F1_KILLS} kills, {journal.statuses()}, back after {longest:.1f} s at most"
    )
    print(f"F1: granian gave up {gave_up} times on a worker that was killed while it was new")
    assert books(cluster, shop, journal.acked) == CLEAN
    assert set(journal.statuses()) == {0, 200}


def test_f1_turns_red_when_the_answer_leaves_before_the_commit(
    cluster: Cluster, planted: Web, shop: SimpleNamespace
) -> None:
    planted.plant("answer_first")
    with Clients(planted.port, shop.key, make_batches(events("F1"))) as clients:
        wait_for(lambda: len(clients.journal.acked) >= 500, 20, "nothing is acknowledged")
        os.kill(planted.worker(), signal.SIGKILL)
        clients.stop_feeding()
    assert books(cluster, shop, clients.journal.acked)["lost"] > 0
