"""Real SDKs against the real server. `make test` runs a few events; `make sdks` all SDKs at full size (SDKS=full)."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from ops_platform.serving import Children

from .lab import Program, Server, Tab, install, serve_pages

FULL = os.environ.get("SDKS") == "full"
Open = Callable[..., Program | Tab]


@pytest.fixture(scope="session")
def packages() -> None:
    if problem := install(FULL):
        pytest.skip(f"NO SDKS: npm could not bring them; no SDK of Node and the browser was tried: {problem}")


@pytest.fixture
def server(world: Any) -> Iterator[Server]:
    with Children() as children:
        yield Server(children)


@pytest.fixture
def opened(packages: None, server: Server, world: Any, request: pytest.FixtureRequest) -> Iterator[Open]:
    """`opened(sdk, events, pace_ms)` starts an SDK that sends to the server."""
    running: list[Program | Tab] = []

    def start(sdk: str, events: int, pace_ms: int) -> Program | Tab:
        told = (sdk, server, world.acme_write_key, events, pace_ms)
        if sdk.endswith("-browser"):
            running.append(Tab(*told, request.getfixturevalue("browser"), site))
        else:
            running.append(Program(*told))
        return running[-1]

    with serve_pages() as site:
        yield start
        for one in running:
            one.end()
