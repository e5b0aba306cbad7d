"""The laboratory: a mail server that watches and strikes, and stables of workers to strike at."""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit, urlunsplit

from django.conf import settings
from django.db import connection

from campaigns.local_servers import LocalInbox
from campaigns.models import Delivery
from workspaces.models import Workspace
from workspaces.scoping import workspace_scope

PATIENCE_S = 600 if os.environ.get("TIER") else 60


class WatchedInbox(LocalInbox):
    """Calls `strikes[n]` when the n-th message has arrived, before the sender hears that it has."""

    def __init__(self, folder: Path, **options: Any) -> None:
        self.arrived: list[tuple[str, float]] = []
        self.strikes: dict[int, Callable[[], None]] = {}
        super().__init__(folder, **options)

    def _store(self, channel: str, message: dict[str, Any]) -> None:
        self.arrived.append((message["delivery_id"], time.time()))
        if strike := self.strikes.pop(len(self.arrived), None):
            strike()

    def ids(self) -> list[str]:
        return [delivery_id for delivery_id, _at in self.arrived]


class Stable:
    """One process that forks workers (tests/faults/forks.py); all of them end with the block."""

    module = ""

    def __init__(self, url: str = "") -> None:
        """`url`: of another database than the suite's own."""
        server = urlsplit(os.environ["DATABASE_URL"])
        self.url = url or urlunsplit(server._replace(path=f"/{connection.settings_dict['NAME']}"))

    def __enter__(self) -> Self:
        environment = os.environ | {
            "DATABASE_URL": self.url,
            "DATABASE_ROLE": "app",
            "DJANGO_SETTINGS_MODULE": "ops_platform.settings",
            "PYTHONPATH": str(settings.BASE_DIR),
        }
        self.process = subprocess.Popen(
            [sys.executable, "-m", self.module],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=settings.BASE_DIR,
            env=environment,
            start_new_session=True,
        )
        self.lines: queue.Queue[str] = queue.Queue()
        self.ended: dict[int, int] = {}
        threading.Thread(target=self._read, daemon=True).start()
        assert self.lines.get(timeout=PATIENCE_S) == "ready"
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def _read(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            word, *rest = line.split()
            if word == "done":
                self.ended[int(rest[0])] = int(rest[1])
            else:
                self.lines.put(line.strip())

    def start(self, workspace: Workspace, failpoint: str = "", sabotage: str = "", **further: Any) -> int:
        """Fork a worker; returns its pid."""
        assert self.process.stdin
        order = {"workspace": str(workspace.pk), "failpoint": failpoint, "sabotage": sabotage, **further}
        self.process.stdin.write(json.dumps(order) + "\n")
        self.process.stdin.flush()
        return int(self.lines.get(timeout=PATIENCE_S).split()[1])

    def wait(self, pid: int) -> int:
        """The exit status of a worker; a negative number names the signal that killed it."""
        wait_until(lambda: pid in self.ended, f"worker {pid} did not end")
        return self.ended[pid]


class Senders(Stable):
    module = "tests.faults.sender"


class NightWorkers(Stable):
    module = "tests.faults.night_worker"


def wait_until(true: Callable[[], bool], complaint: str) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not true():
        assert time.monotonic() < deadline, complaint
        time.sleep(0.02)


def accounting(workspace: Workspace, inbox: WatchedInbox) -> dict[str, int]:
    """The books: what the table says against what the server saw. Everything but `sent` and `unknown` must be 0."""
    with workspace_scope(workspace):
        rows = dict(Delivery.objects.values_list("delivery_id", "state"))
    states = {str(delivery_id): state for delivery_id, state in rows.items()}
    seen = inbox.ids()
    return {
        "sent": sum(state == "sent" for state in states.values()),
        "unknown": sum(state == "unknown" for state in states.values()),
        "open": sum(state in ("pending", "claimed", "sending", "deferred") for state in states.values()),
        "phantom": sum(state == "sent" and delivery_id not in set(seen) for delivery_id, state in states.items()),
        "unrecorded": sum(states[delivery_id] not in ("sent", "unknown") for delivery_id in seen),
        "double": len(seen) - len(set(seen)),
    }
