"""F5, F9, F10: the broker hangs, the disk is full, strangers send too slowly and too much. Ingest goes on, or says that it
cannot; and each scenario has a sabotage with which it must fail."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import pytest

from .books import CLEAN, books
from .clients import Clients, Journal, events, make_batches
from .cluster import Cluster, SmallDisk, can_mount, wait_for
from .conftest import FULL, only_in_the_lab
from .strangers import Strangers
from .web import Web

pytestmark = [pytest.mark.faults, pytest.mark.django_db(transaction=True), only_in_the_lab]

F5_SECONDS = 60 if FULL else 3
F10_SECONDS = 75 if FULL else 5
MIB_MORE = 64


def without_valkey(cluster: Cluster, web: Web, shop: SimpleNamespace, seconds: float) -> tuple[Journal, list[float]]:
    """Valkey there, then stopped, then gone, each for so many seconds; the 99th percentile of the answers of each."""
    valkey = cluster.valkey
    assert valkey.process
    batches = make_batches(events("F5"), 5)
    with Clients(web.port, shop.key, batches, clients=6, pace_s=0.04) as clients:
        wait_for(lambda: len(clients.journal.acked) > 100, 20, "nothing is acknowledged")
        marks = [time.monotonic()]
        for number in (0, signal.SIGSTOP, signal.SIGKILL):
            os.kill(valkey.process.pid, number)
            time.sleep(seconds)
            marks.append(time.monotonic())
        valkey.process.wait()
        valkey.start()
        clients.stop_feeding()
        journal = clients.finish()
    # Without those that were under way when things changed.
    return journal, [journal.percentile(0.99, marks[n], marks[n + 1] - 0.5) for n in range(3)]


def test_f5_ingest_does_not_know_whether_the_broker_is_there(cluster: Cluster, web: Web, shop: SimpleNamespace) -> None:
    """Full: Valkey stopped for 60 s, then gone for 60 s, after 60 s for comparison; 150 requests a second."""
    journal, (usual, stopped, gone) = without_valkey(cluster, web, shop, F5_SECONDS)
    print(f"F5: {journal.statuses()}, p99 {usual:.3f} s, stopped {stopped:.3f} s, gone {gone:.3f} s")
    assert books(cluster, shop, journal.acked) == CLEAN
    assert set(journal.statuses()) == {200}
    assert max(stopped, gone) <= max(2 * usual, 0.5)


def test_f5_turns_red_when_a_request_waits_for_the_broker(
    cluster: Cluster, planted: Web, shop: SimpleNamespace
) -> None:
    planted.plant("wait_for_the_broker")
    journal, (usual, stopped, _gone) = without_valkey(cluster, planted, shop, 3)
    assert set(journal.statuses()) != {200} or stopped > max(2 * usual, 0.5)


@pytest.fixture(scope="module")
def small(django_db_setup: None, django_db_blocker: Any) -> Iterator[Cluster]:
    """Servers whose PostgreSQL has a small disk."""
    if os.environ.get("EMBEDDED") != "1" or not can_mount():
        pytest.skip("NO MOUNT NAMESPACES: no disk could be filled, F9 did not run")
    with django_db_blocker.unblock(), Cluster(SmallDisk) as running:
        running.postgres.move()
        yield running


def fill_and_free(small: Cluster, web: Web, shop: SimpleNamespace, times: int) -> tuple[Journal, list[float]]:
    """Fill the disk while clients send, read, free it; the journal, and the seconds from then to the next 200."""
    waits = []
    clients = Clients(web.port, shop.key, make_batches(events("F9")), pace_s=0.05)
    # A session of before: PostgreSQL may refuse a new one while it cannot write down what it knows of its catalogue.
    with clients, small.look() as reader:
        for _time in range(times):
            known = len(clients.journal.acked)
            wait_for(lambda known=known: len(clients.journal.acked) > known + 300, 20, "nothing is acknowledged")
            small.postgres.fill()
            time.sleep(10 if FULL else 3)
            reader.execute("select count(*) from event")
            assert web.answers() and reader.fetchone()[0] >= known, "reading does not work"
            small.postgres.free()
            freed = time.monotonic()
            wait_for(lambda freed=freed: clients.answered_since(freed), 30, "nothing is acknowledged")
            waits.append(clients.journal.first_after(freed))
        clients.stop_feeding()
        return clients.finish(), waits


def test_f9_a_full_disk_is_told_and_nothing_is_lost(small: Cluster) -> None:
    """Full: the disk of PostgreSQL full for 10 s, five times."""
    shop, process = small.make_shop(f"f9-{uuid4().hex}"), small.postgres.process
    with Web(small.url, small.redis_url) as web:
        journal, waits = fill_and_free(small, web, shop, 5 if FULL else 1)
    print(f"F9: {len(journal.acked)} events, {journal.statuses()}, writes again after {max(waits):.1f} s at most")
    assert books(small, shop, journal.acked) == CLEAN
    assert set(journal.statuses()) == {200, 503}
    assert all(b"storage_full" in a.body and a.retry_after == "5" for a in journal.attempts if a.status == 503)
    assert max(waits) <= 10 and small.postgres.process is process and small.postgres.alive()


def test_f9_turns_red_when_a_full_disk_is_overlooked(small: Cluster) -> None:
    shop = small.make_shop(f"f9-{uuid4().hex}")
    with Web(small.url, small.redis_url, planted=True) as web:
        web.plant("overlook_a_full_disk")
        journal, _waits = fill_and_free(small, web, shop, 1)
    assert books(small, shop, journal.acked)["lost"] > 0


def test_f9_full_logs_stop_nothing(cluster: Cluster, shop: SimpleNamespace) -> None:
    """Whatever the server wants to log finds no room; and there is much to log, because its sessions are cut."""
    batches = make_batches(events("F9"))
    with Web(cluster.url, cluster.redis_url, mute=True) as web, Clients(web.port, shop.key, batches) as clients:
        for _cut in range(10 if FULL else 3):
            time.sleep(0.3)
            cluster.cut()
        clients.stop_feeding()
        journal = clients.finish()
    assert books(cluster, shop, journal.acked) == CLEAN
    assert set(journal.statuses()) == {200, 503}


def under_attack(web: Web, shop: SimpleNamespace, seconds: float) -> tuple[Journal, float, Strangers]:
    """Usual clients beside strangers who send too slowly and too much; how many MiB the worker grew by at most."""
    with Clients(web.port, shop.key, make_batches(events("F10"), 10), clients=2, pace_s=0.05) as clients:
        wait_for(lambda: len(clients.journal.acked) > 500, 20, "nothing is acknowledged")
        before, most = web.rss_mib(), 0.0
        with Strangers(web.port, shop.key) as strangers:
            until = time.monotonic() + seconds
            while time.monotonic() < until:
                most = max(most, web.rss_mib())
                time.sleep(0.02)
        clients.stop_feeding()
        return clients.finish(), most - before, strangers


def test_f10_slow_and_monstrous_requests_harm_nobody_else(cluster: Cluster, web: Web, shop: SimpleNamespace) -> None:
    """Full: 75 s of 200 connections that drip, gzip bombs of 64 MiB, chunked bodies of 100 MiB, 4 million brackets within one
    another, a million items."""
    worker = web.worker()
    journal, grown, strangers = under_attack(web, shop, F10_SECONDS)
    usual = journal.percentile(0.99)
    print(f"F10: {journal.statuses()}, p99 {usual:.2f} s, {grown:.0f} MiB more, strangers: {strangers.told}")
    assert books(cluster, shop, journal.acked) == CLEAN
    assert set(journal.statuses()) == {200} and usual <= 1
    assert grown <= MIB_MORE and web.worker() == worker
    assert {status for _kind, status in strangers.told} <= {0, 400, 408, 413}
    assert {"bomb", "chunks", "deep", "many"} <= {kind for kind, _status in strangers.told}


def test_f10_turns_red_when_bodies_have_no_limit(cluster: Cluster, planted: Web, shop: SimpleNamespace) -> None:
    planted.plant("take_everything")
    _journal, grown, _strangers = under_attack(planted, shop, 5)
    assert grown > MIB_MORE
