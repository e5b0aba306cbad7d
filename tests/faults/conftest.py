"""Kill things and count what was lost. Smoke size by default; TIER=full (or all) for the figures of the plan."""

from __future__ import annotations

import os
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import pytest

from .cluster import Cluster, wait_for
from .web import Web

FULL = os.environ.get("TIER", "smoke") in ("full", "all")

# What takes longer than a suite run many times a day should wait for.
only_in_the_lab = pytest.mark.skipif("TIER" not in os.environ, reason="takes long: runs under `make faults`")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", "faults: kills or stops processes of its own; `make faults` runs them at full size"
    )


@pytest.fixture(scope="session")
def cluster(django_db_setup: None, django_db_blocker: Any) -> Iterator[Cluster]:
    """Servers of the laboratory's own, for all tests of ingest; each of them has a workspace for itself."""
    if os.environ.get("EMBEDDED") != "1":
        pytest.skip("NO EMBEDDED SERVERS: nothing was killed, the fault tests of ingest did not run")
    with django_db_blocker.unblock(), Cluster() as running:
        yield running


@pytest.fixture(scope="session")
def web(cluster: Cluster) -> Iterator[Web]:
    """The product's server."""
    with Web(cluster.url, cluster.redis_url) as running:
        yield running


@pytest.fixture(scope="session")
def garden(cluster: Cluster) -> Iterator[Web]:
    with Web(cluster.url, cluster.redis_url, planted=True) as running:
        yield running


@pytest.fixture
def planted(garden: Web) -> Web:
    """The server that can be made wrong; right at first, also when its worker was killed."""
    wait_for(garden.answers, 60, "no worker in the place of the one that was killed")
    garden.plant("none")
    return garden


@pytest.fixture
def shop(cluster: Cluster) -> SimpleNamespace:
    """A workspace and its write key."""
    return cluster.make_shop(f"shop-{uuid4().hex}")


@pytest.fixture
def other_shop(cluster: Cluster) -> SimpleNamespace:
    return cluster.make_shop(f"shop-{uuid4().hex}")
