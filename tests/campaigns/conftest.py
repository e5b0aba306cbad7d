"""A local inbox, and a shop with an owner at the desk."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from campaigns.local_servers import LocalInbox
from campaigns.tasks import send_campaigns
from tests import builders
from workspaces.models import Workspace

from .sender import connect


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


@pytest.fixture
def english(client: Client) -> None:
    client.cookies["django_language"] = "en"


@pytest.fixture
def rung(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Workspaces that a worker was asked to send for."""
    asked: list[str] = []
    monkeypatch.setattr(send_campaigns, "delay", asked.append)
    return asked


@pytest.fixture
def shop(acme: Workspace, inbox: LocalInbox) -> Workspace:
    connect(acme, inbox)
    builders.name(acme, "Order Completed")
    return acme


@pytest.fixture
def owner(shop: Workspace, as_role: Any, rung: list[str]) -> Client:
    return as_role("owner")
