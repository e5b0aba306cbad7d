"""F12: PostgreSQL and Valkey are killed in the middle of a night. It comes out as if nothing had been."""

from __future__ import annotations

import random
import signal
import time
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest

from ops_platform import nightly
from ops_platform.models import Night, NightStep
from workspaces.models import Workspace
from workspaces.scoping import workspace_scope

from .cluster import Cluster, wait_for
from .conftest import FULL
from .histories import make_history, noon, results
from .lab import NightWorkers
from .test_night_faults import due_day

pytestmark = [pytest.mark.faults, pytest.mark.django_db(transaction=True)]

PEOPLE, KILLS = (200_000, 10) if FULL else (40, 1)


@pytest.fixture(scope="module")
def workers(cluster: Cluster) -> Iterator[NightWorkers]:
    with NightWorkers(cluster.url) as running:
        yield running


@pytest.fixture
def shops(cluster: Cluster) -> tuple[Workspace, dict[str, Any]]:
    """A workspace, and what a night makes of the same one when nothing is killed."""
    with cluster.here():
        twin, shop = (make_history(f"shop-{uuid4().hex}", PEOPLE, noon(1)) for _ in range(2))
        nightly.run_night(twin, due_day(twin))
        return shop, results(twin)


def kill_both(cluster: Cluster) -> None:
    cluster.kill()
    assert cluster.valkey.process
    cluster.valkey.process.send_signal(signal.SIGKILL)
    cluster.valkey.process.wait()
    cluster.postgres.start()
    cluster.valkey.start()


def under_way(cluster: Cluster, shop: Workspace, step: str) -> bool:
    with cluster.here(), workspace_scope(shop):
        return NightStep.objects.filter(step=step, state="running").exists()


def test_f12_the_night_survives_its_servers(cluster: Cluster, shops: Any, workers: NightWorkers) -> None:
    (shop, expected), chance = shops, random.Random(12)
    day = due_day(shop)
    pid = workers.start(shop, "facts:waiting", day=day.isoformat())
    wait_for(lambda: under_way(cluster, shop, "facts"), 60, "the night did not begin")
    for _kill in range(KILLS):
        time.sleep(chance.uniform(0, 3.0) if FULL else 0)
        kill_both(cluster)
    assert workers.wait(pid) == 0
    with cluster.here():
        assert results(shop) == expected
        with workspace_scope(shop):
            assert [(row.state, row.runs) for row in Night.objects.all()] == [("done", 1)]


def test_f12_turns_red_when_the_ledger_is_ahead_of_the_work(
    cluster: Cluster, shops: Any, workers: NightWorkers
) -> None:
    shop, expected = shops
    pid = workers.start(shop, "stages:waiting", "checkpoint_first", day=due_day(shop).isoformat())

    def told_ahead() -> bool:
        with cluster.here():
            return Workspace.objects.get(pk=shop.pk).current_day is not None

    wait_for(told_ahead, 60, "the night was not told")
    kill_both(cluster)
    assert workers.wait(pid) == 0
    with cluster.here():
        assert results(shop) != expected
