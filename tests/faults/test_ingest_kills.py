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
from .conftest import FULL, only_in_the_lab
from .web import Web

pytestmark = [pytest.mark.faults, pytest.mark.django_db(transaction=True)]

F1_KILLS = 50 if FULL else 1


def kill_and_go_on(web: Web, clients: Clients, kills: int) -> tuple[float, int]:
    """Kill the worker, or everything as when a container ends, again and again; whoever died is replaced.

    Returns the longest time from a kill to the next answer, and how often the server gave up on a worker that kept dying.
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
        wait_for(lambda began=began: clients.answered_since(began), 30, "nobody answers")
        longest = max(longest, clients.journal.first_after(began))
    return longest, gave_up


def test_f1_killed_web_processes_lose_nothing_and_store_nothing_twice(
    cluster: Cluster, web: Web, shop: SimpleNamespace
) -> None:
    """Full: 50 kills, half of them of the worker, half of everything, 0.5-2 s after the last was overcome; 4 clients
    send batches of 50 as fast as they can all the while."""
    with Clients(web.port, shop.key, make_batches(events("F1")), pace_s=0 if FULL else 0.02) as clients:
        longest, gave_up = kill_and_go_on(web, clients, F1_KILLS)
        clients.stop_feeding()
        journal = clients.finish()
    print(
        f"F1: {len(journal.acked)} events, {F1_KILLS} kills, {journal.statuses()}, back after {longest:.1f} s at most"
    )
    print(f"F1: the server gave up {gave_up} times on a worker that was killed while it was new")
    assert books(cluster, shop, journal.acked) == CLEAN
    assert set(journal.statuses()) == {0, 200}


@only_in_the_lab
def test_f1_turns_red_when_the_answer_leaves_before_the_commit(
    cluster: Cluster, planted: Web, shop: SimpleNamespace
) -> None:
    planted.plant("answer_first")
    with Clients(planted.port, shop.key, make_batches(events("F1"))) as clients:
        wait_for(lambda: len(clients.journal.acked) >= 500, 20, "nothing is acknowledged")
        os.kill(planted.worker(), signal.SIGKILL)
        clients.stop_feeding()
    assert books(cluster, shop, clients.journal.acked)["lost"] > 0


F2_KILLS = 20 if FULL else 1


def kill_postgres(cluster: Cluster, clients: Clients) -> float:
    """Kill all of PostgreSQL amid acknowledgements, start it again as its keeper does; returns how many seconds after
    it accepts connections the first batch is acknowledged."""
    acked = len(clients.journal.acked)
    wait_for(lambda: len(clients.journal.acked) > acked + 300, 20, "nothing is acknowledged")
    cluster.kill()
    cluster.postgres.start()
    accepts = time.monotonic()
    wait_for(lambda: clients.answered_since(accepts), 20, "nothing is acknowledged after the start")
    return clients.journal.first_after(accepts)


def check_answers(journal: Journal, *more: int) -> None:
    """Nothing but 200, and 503 that says when to come back, and both within ten seconds."""
    assert set(journal.statuses()) <= {200, 503, *more}
    assert {a.retry_after for a in journal.attempts if a.status == 503} <= {"5"}
    assert journal.slowest() <= 10


def test_f2_a_killed_postgres_loses_nothing_that_was_acknowledged(
    cluster: Cluster, web: Web, shop: SimpleNamespace
) -> None:
    """Full: 20 kills, each amid acknowledgements of 4 clients that send batches of 50 all the time."""
    with Clients(web.port, shop.key, make_batches(events("F2")), pace_s=0 if FULL else 0.02) as clients:
        waits = [kill_postgres(cluster, clients) for _kill in range(F2_KILLS)]
        clients.stop_feeding()
        journal = clients.finish()
    print(
        f"F2: {len(journal.acked)} events, {F2_KILLS} kills, {journal.statuses()}, slowest {journal.slowest():.1f} s,"
    )
    print(f"F2: acknowledged {max(waits):.1f} s at most after PostgreSQL accepts connections")
    assert books(cluster, shop, journal.acked) == CLEAN
    check_answers(journal)
    assert journal.statuses()[503] and max(waits) <= 10


@only_in_the_lab
def test_f2_turns_red_when_commits_are_not_waited_for(cluster: Cluster, planted: Web, shop: SimpleNamespace) -> None:
    planted.plant("asynchronous_commit")
    with Clients(planted.port, shop.key, make_batches(events("F2"))) as clients:
        wait_for(lambda: len(clients.journal.acked) > 300, 20, "nothing is acknowledged")
        cluster.kill()
        clients.stop_feeding()
        cluster.postgres.start()
    assert books(cluster, shop, clients.journal.acked)["lost"] > 0


STRIKES = {
    "restart": lambda cluster, seconds: cluster.restart(signal.SIGINT),
    "restart at once": lambda cluster, seconds: cluster.restart(signal.SIGQUIT),
    "stopped": lambda cluster, seconds: cluster.freeze(seconds),
    "sessions cut": lambda cluster, seconds: cluster.cut(),
}


def strike(cluster: Cluster, web: Web, shop: SimpleNamespace, what: str, times: int, frozen_s: float) -> Journal:
    with Clients(web.port, shop.key, make_batches(events("F3")), pace_s=0.05) as clients:
        for _time in range(times):
            time.sleep(1)
            STRIKES[what](cluster, frozen_s)
            since = time.monotonic()
            wait_for(lambda since=since: clients.answered_since(since), 20, "nobody answers any more")
        clients.stop_feeding()
        return clients.finish()


@only_in_the_lab
@pytest.mark.parametrize("what", STRIKES)
def test_f3_every_request_ends_while_postgres_is_away(
    cluster: Cluster, web: Web, shop: SimpleNamespace, what: str
) -> None:
    """Full: 5 times each, stopped for 20 s; 4 clients, a batch of 50 each 50 ms."""
    process, worker = web.process.pid, web.worker()
    journal = strike(cluster, web, shop, what, 5 if FULL else 1, 20 if FULL else 9)
    print(f"F3 {what}: {len(journal.acked)} events, {journal.statuses()}, slowest {journal.slowest():.1f} s")
    assert books(cluster, shop, journal.acked) == CLEAN
    check_answers(journal)
    assert (web.process.pid, web.worker()) == (process, worker)


@only_in_the_lab
def test_f3_turns_red_when_nothing_limits_the_wait(cluster: Cluster, planted: Web, shop: SimpleNamespace) -> None:
    planted.plant("endless_patience")
    assert strike(cluster, planted, shop, "stopped", 1, 11).slowest() > 10
