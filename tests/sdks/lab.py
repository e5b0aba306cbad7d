"""The laboratory: the product's web server as a process of its own, and the SDKs that speak to it."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from hashlib import sha256
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import urlencode, urlsplit, urlunsplit

import pytest
from django.conf import settings
from django.db import connection

from ops_platform.serving import Children, free_port, start_web
from users.models import Event
from workspaces.models import Workspace
from workspaces.scoping import workspace_scope

HERE = Path(__file__).parent
WITH_NODE = str(settings.BASE_DIR / "scripts/with_node.sh")
PATIENCE_S = 120


class Server:
    """The web server with the product in it, on one port for all its lives."""

    def __init__(self, children: Children) -> None:
        self.children, self.port = children, free_port()
        self.start()

    def start(self) -> None:
        database = urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{connection.settings_dict['NAME']}")
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("DATABASE_URL", urlunsplit(database))
            patch.setenv("DATABASE_ROLE", "app")
            patch.setenv("DJANGO_SETTINGS_MODULE", "ops_platform.settings")
            patch.delenv("DJANGO_ALLOW_ASYNC_UNSAFE", raising=False)  # for the browser's sake, not for the server's
            self.address = start_web(self.children, self.port)
        self.process = self.children.running[-1]

    def workers(self) -> set[int]:
        pid = self.process.pid
        return {int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()}

    def begin_restart(self) -> Callable[[], bool]:
        """Tell the server to replace its workers; returns what tells whether it has."""
        before = self.workers()
        self.process.send_signal(signal.SIGHUP)
        return lambda: bool(self.workers()) and not self.workers() & before

    def kill(self) -> None:
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


class Program:
    """An SDK in a program of its own, sending."""

    def __init__(self, sdk: str, server: Server, key: str, events: int, pace_ms: int) -> None:
        self.sdk = sdk
        told = {"ADDRESS": server.address, "WRITE_KEY": key, "EVENTS": str(events), "PACE_MS": str(pace_ms)}
        node = sdk.endswith("-node")
        command = [WITH_NODE, "node", str(HERE / "clients.cjs")] if node else [sys.executable, str(HERE / "clients.py")]
        self.process = subprocess.Popen(
            [*command, sdk], env=os.environ | told, stdout=subprocess.PIPE, text=True, process_group=0
        )

    def finish(self) -> dict[str, Any]:
        """{errors, failed}, when it has ended."""
        try:
            out, _ = self.process.communicate(timeout=PATIENCE_S)
        finally:
            self.end()
        assert out and self.process.returncode == 0, f"{self.sdk} ended with {self.process.returncode}: {out}"
        return json.loads(out.splitlines()[-1])

    def end(self) -> None:
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


class Tab:
    """An SDK on a page in the browser, sending."""

    def __init__(self, sdk: str, server: Server, key: str, events: int, pace_ms: int, browser: Any, site: str) -> None:
        self.sdk, self.context = sdk, browser.new_context(locale="zh-CN")
        page = self.context.new_page()
        self.failures: list[str] = []
        self.outside: list[str] = []
        page.on("requestfailed", lambda request: self.failures.append(f"{request.url[:100]}: {request.failure}"))
        page.on("request", lambda request: self.look_at(request.url))
        told = {"sdk": sdk, "address": server.address, "key": key, "events": events, "pace": pace_ms}
        page.goto(f"{site}/page.html?{urlencode(told)}")
        self.page = page

    def finish(self) -> dict[str, Any]:
        """The same, and why they failed; the page stays, for what the SDK still sends."""
        self.page.wait_for_function("window.done", timeout=PATIENCE_S * 1000)
        assert self.outside == [], f"{self.sdk} speaks to others"
        return self.page.evaluate("window.done") | {"failed": len(self.failures), "why": sorted(set(self.failures))}

    def look_at(self, url: str) -> None:
        if urlsplit(url).hostname != "127.0.0.1":
            self.outside.append(url)

    def end(self) -> None:
        self.context.close()


@contextmanager
def serve_pages() -> Iterator[str]:
    """This folder, at an origin of its own."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *args: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(HERE))) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def install(everything: bool) -> str:
    """Bring the packages of package.json, those of the smoke test or all; returns why that is not possible, or ""."""
    want = sha256((HERE / "package-lock.json").read_bytes()).hexdigest()
    stamps = [HERE / "node_modules" / f"made-from-{part}" for part in ("all", "dependencies")]
    with (settings.BASE_DIR / ".setup.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if any(stamp.exists() and stamp.read_text() == want for stamp in stamps[: 1 if everything else 2]):
            return ""
        options = ["--ignore-scripts", "--loglevel=error", *([] if everything else ["--omit=dev"])]
        done = subprocess.run(
            [WITH_NODE, "npm", "ci", "--prefix", str(HERE), *options], capture_output=True, text=True, cwd=HERE
        )
        if done.returncode:
            shutil.rmtree(HERE / "node_modules", ignore_errors=True)
            return (done.stderr or done.stdout)[-300:]
        stamps[0 if everything else 1].write_text(want)
    return ""


def orders(workspace: Workspace, sdk: str) -> list[Event]:
    with workspace_scope(workspace):
        return list(Event.objects.filter(name__name__in=("Order Completed", "OrderCompleted"), properties__sdk=sdk))


def counts(workspace: Workspace) -> Counter[str]:
    """How many orders of each SDK are stored."""
    with workspace_scope(workspace):
        told = Event.objects.filter(properties__product="手机壳")
        return Counter(told.values_list("properties__sdk", flat=True))


def wait_until(true: Callable[[], bool], complaint: str, patience_s: float = PATIENCE_S) -> None:
    deadline = time.monotonic() + patience_s
    while not true():
        assert time.monotonic() < deadline, complaint
        time.sleep(0.1)
