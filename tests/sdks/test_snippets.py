"""The code that the connect page gives developers to copy, run as it stands against the real server."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from tempfile import NamedTemporaryFile, TemporaryDirectory
from typing import Any

import pytest

from ops_platform.snippets import snippets
from users.identity import merge_pending
from users.models import EndUser, Event, person_id
from workspaces.models import Workspace
from workspaces.scoping import workspace_scope

from .conftest import FULL
from .lab import HERE, WITH_NODE, Server, serve_pages, wait_until

pytestmark = pytest.mark.django_db(transaction=True)
PYTHON = ("segment-python", "rudder-python", "posthog-python", "sensors-python")
BROWSER = ("segment-js", "posthog-js", "sensors-js")
# PostHog's SDK sends nothing for browsers that a program drives.
PERSON = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36"
NO_ROBOT = """for (const [name, value] of [["webdriver", false], ["userAgentData", undefined]])
    Object.defineProperty(Navigator.prototype, name, { get: () => value });"""
ESBUILD = HERE / "node_modules/esbuild-wasm/bin/esbuild"


def orders(workspace: Workspace) -> list[Event]:
    with workspace_scope(workspace):
        return list(Event.objects.filter(name__name__in=("Order Completed", "OrderCompleted")))


def run_snippet(server: Server, world: Any, key: str, file: Path, *command: str) -> None:
    write_snippet(server, world, key, file)
    run(*command, str(file))
    check(world, key)


def write_snippet(server: Server, world: Any, key: str, file: Path) -> None:
    [code] = [one.code for one in snippets(server.address, world.acme_write_key) if one.key == key]
    file.write_text(code)


def run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


def check(world: Any, key: str) -> None:
    """Look for the order and the name of the person that it sends."""
    wait_until(lambda: bool(orders(world.acme)), f"{key}: no order came in", 20)
    merge_pending(world.acme)
    [order] = orders(world.acme)
    assert (order.order_id, order.amount_minor) == ("A-1001", 9950)

    def person() -> EndUser | None:
        with workspace_scope(world.acme):
            return EndUser.objects.filter(pk=person_id(world.acme.pk, "user-1"), name="Li Na").first()

    wait_until(lambda: person() is not None, f"{key}: no name came in", 20)
    found = person()
    assert found and order.end_user_id == found.pk


@pytest.mark.parametrize("key", PYTHON)
def test_a_python_snippet_sends_what_it_says(server: Server, world: Any, key: str, tmp_path: Path) -> None:
    run_snippet(server, world, key, tmp_path / "snippet.py", sys.executable)


def test_the_node_snippet_sends_what_it_says(packages: None, server: Server, world: Any) -> None:
    with NamedTemporaryFile(suffix=".mjs", dir=HERE) as file:  # beside the packages, or it finds none
        run_snippet(server, world, "segment-node", Path(file.name), WITH_NODE, "node")


@pytest.mark.skipif(not FULL, reason="the packages of these run under `make sdks`")
@pytest.mark.parametrize("key", BROWSER)
def test_a_browser_snippet_sends_what_it_says(
    packages: None, server: Server, world: Any, browser: Any, key: str
) -> None:
    """Bundled as a shop's developer bundles it, on a page of another origin than the server's."""
    with TemporaryDirectory(dir=HERE) as folder, serve_pages() as site:
        file = Path(folder) / "snippet.mjs"
        write_snippet(server, world, key, file)
        run(
            WITH_NODE, "node", str(ESBUILD), str(file), "--bundle", f"--outfile={folder}/bundle.js", "--log-level=error"
        )
        (Path(folder) / "page.html").write_text(
            '<!doctype html><meta charset="utf-8"><script src="bundle.js"></script>'
        )
        context = browser.new_context(locale="zh-CN", user_agent=PERSON)
        context.add_init_script(NO_ROBOT)
        context.new_page().goto(f"{site}/{Path(folder).name}/page.html")
        check(world, key)
        context.close()
