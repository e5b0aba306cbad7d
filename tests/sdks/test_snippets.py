"""The code that the connect page gives developers to copy, run as it stands against the real server."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

import pytest

from ops_platform.snippets import snippets
from users.models import EndUser, Event, person_id
from workspaces.models import Workspace
from workspaces.scoping import workspace_scope

from .lab import HERE, WITH_NODE, Server, wait_until

pytestmark = pytest.mark.django_db(transaction=True)
PYTHON = ("segment-python", "rudder-python", "posthog-python", "sensors-python")


def orders(workspace: Workspace) -> list[Event]:
    with workspace_scope(workspace):
        return list(Event.objects.filter(name__name__in=("Order Completed", "OrderCompleted")))


def run_snippet(server: Server, world: Any, key: str, file: Path, *command: str) -> None:
    """Run it, and look for the order and the name of the person that it sends."""
    [code] = [one.code for one in snippets(server.address, world.acme_write_key) if one.key == key]
    file.write_text(code)
    done = subprocess.run([*command, str(file)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    wait_until(lambda: bool(orders(world.acme)), f"{key}: no order came in", 20)
    [order] = orders(world.acme)
    assert (order.order_id, order.amount_minor) == ("A-1001", 9950)
    with workspace_scope(world.acme):
        person = EndUser.objects.get(pk=person_id(world.acme.pk, "user-1"))
    assert (order.end_user_id, person.name) == (person.pk, "Li Na")


@pytest.mark.parametrize("key", PYTHON)
def test_a_python_snippet_sends_what_it_says(server: Server, world: Any, key: str, tmp_path: Path) -> None:
    run_snippet(server, world, key, tmp_path / "snippet.py", sys.executable)


def test_the_node_snippet_sends_what_it_says(packages: None, server: Server, world: Any) -> None:
    with NamedTemporaryFile(suffix=".mjs", dir=HERE) as file:  # beside the packages, or it finds none
        run_snippet(server, world, "segment-node", Path(file.name), WITH_NODE, "node")
