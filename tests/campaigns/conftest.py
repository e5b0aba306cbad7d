"""A local inbox for the tests of channels."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from campaigns.local_servers import LocalInbox


@pytest.fixture(scope="module")
def made_secrets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("secrets")
    LocalInbox(folder).__enter__().__exit__()
    return folder / "secrets.json"


@pytest.fixture(scope="module")
def servers(made_secrets: Path) -> Iterator[LocalInbox]:
    with LocalInbox(made_secrets.parent) as running:
        yield running


@pytest.fixture
def inbox(servers: LocalInbox) -> LocalInbox:
    servers.clear()
    return servers
