"""F5, F9, F10: the broker hangs, the disk is full, strangers send too slowly and too much. Ingest goes on, or says that it
cannot; and each scenario has a sabotage with which it must fail."""

from __future__ import annotations

import os
import signal
import time
from types import SimpleNamespace

import pytest

from .books import CLEAN, books
from .clients import Clients, Journal, events, make_batches
from .cluster import Cluster, wait_for
from .conftest import FULL, only_in_the_lab
from .strangers import Strangers
from .web import Web

pytestmark = [pytest.mark.faults, pytest.mark.django_db(transaction=True), only_in_the_lab]

F5_SECONDS = 60 if FULL else 3
F10_SECONDS = 75 if FULL else 5
MIB_MORE = 64


def without_valkey(cluster: Cluster, web: Web, shop: SimpleNamespace) -> tuple[Journal, list[float]]:
    """Valkey there, then stopped, then gone, each for F5_SECONDS; the 99th percentile of the answers of each."""
    valkey = cluster.valkey
    assert valkey.process
    batches = make_batches(events("F5"), 5)
    with Clients(web.port, shop.key, batches, clients=6, pace_s=0.04) as clients:
        wait_for(lambda: len(clients.journal.acked) > 100, 20, "nothing is acknowledged")
        marks = [time.monotonic()]
        for number in (0, signal.SIGSTOP, signal.SIGKILL):
            os.kill(valkey.process.pid, number)
            time.sleep(F5_SECONDS)
            marks.append(time.monotonic())
        valkey.process.wait()
        valkey.start()
        clients.stop_feeding()
        journal = clients.finish()
    return journal, [journal.percentile(0.99, marks[n], marks[n + 1]) for n in range(3)]


def test_f5_ingest_does_not_know_whether_the_broker_is_there(cluster: Cluster, web: Web, shop: SimpleNamespace) -> None:
    """Full: Valkey stopped for 60 s, then gone for 60 s, after 60 s for comparison; 150 requests a second."""
    journal, (usual, stopped, gone) = without_valkey(cluster, web, shop)
    print(f"F5: {journal.statuses()}, p99 {usual:.3f} s, stopped {stopped:.3f} s, gone {gone:.3f} s")
    assert books(cluster, shop, journal.acked) == CLEAN
    assert set(journal.statuses()) == {200}
    assert max(stopped, gone) <= max(2 * usual, 0.5)


def test_f5_turns_red_when_a_request_waits_for_the_broker(
    cluster: Cluster, planted: Web, shop: SimpleNamespace
) -> None:
    planted.plant("wait_for_the_broker")
    journal, (usual, stopped, _gone) = without_valkey(cluster, planted, shop)
    assert set(journal.statuses()) != {200} or stopped > max(2 * usual, 0.5)


def under_attack(web: Web, shop: SimpleNamespace) -> tuple[Journal, float, Strangers]:
    """Usual clients beside strangers who send too slowly and too much; how many MiB the worker grew by at most."""
    with Clients(web.port, shop.key, make_batches(events("F10"), 10), clients=2, pace_s=0.05) as clients:
        wait_for(lambda: len(clients.journal.acked) > 500, 20, "nothing is acknowledged")
        before, most = web.rss_mib(), 0.0
        with Strangers(web.port, shop.key) as strangers:
            until = time.monotonic() + F10_SECONDS
            while time.monotonic() < until:
                most = max(most, web.rss_mib())
                time.sleep(0.02)
        clients.stop_feeding()
        return clients.finish(), most - before, strangers


def test_f10_slow_and_monstrous_requests_harm_nobody_else(cluster: Cluster, web: Web, shop: SimpleNamespace) -> None:
    """Full: 75 s of 200 connections that drip, gzip bombs of 64 MiB, brackets 4 million deep and endless chunked bodies."""
    worker = web.worker()
    journal, grown, strangers = under_attack(web, shop)
    usual = journal.percentile(0.99)
    print(f"F10: {journal.statuses()}, p99 {usual:.2f} s, {grown:.0f} MiB more, strangers: {strangers.told}")
    assert books(cluster, shop, journal.acked) == CLEAN
    assert set(journal.statuses()) == {200} and usual <= 1
    assert grown <= MIB_MORE and web.worker() == worker
    assert {status for _kind, status in strangers.told} <= {0, 400, 408, 413}
    assert {"bomb", "chunks", "deep"} <= {kind for kind, _status in strangers.told}


def test_f10_turns_red_when_bodies_have_no_limit(cluster: Cluster, planted: Web, shop: SimpleNamespace) -> None:
    planted.plant("take_everything")
    _journal, grown, _strangers = under_attack(planted, shop)
    assert grown > MIB_MORE
