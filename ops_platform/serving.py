"""The product's own processes on one machine: web, worker and beat as children that all end together."""

from __future__ import annotations

import errno
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType, TracebackType
from typing import Self
from urllib.error import URLError
from urllib.request import urlopen

from django.conf import settings
from django.core.management import CommandError

from ops_platform.embedded.processes import signal_when_parent_dies

BIN = Path(sys.executable).parent
PATIENCE_S = 30
# So long a server that was just stopped may still hold its port.
LEAVING_S = 5
TAKEN = "Port {port} is taken: another server listens there. Stop it, or take another port (make serve PORT=8001)."


def free_port() -> int:
    """A loopback port that nobody listens on right now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def is_taken(port: int) -> bool:
    """Whether somebody listens there, be it one that would share the port."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            return True
    return False


class Children:
    """Child processes of one `with` block: each in its own group, all stopped at the end, in reverse order.

    SIGTERM ends the block like an exception. After a SIGKILL, where nothing here can end, the kernel tells them to stop.
    """

    def __init__(self) -> None:
        self.running: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Self:
        self.before = signal.signal(signal.SIGTERM, leave)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        signal.signal(signal.SIGTERM, self.before)

    def start(self, *command: str, **environment: str) -> subprocess.Popen[bytes]:
        child = subprocess.Popen(
            command,
            cwd=settings.BASE_DIR,
            env=os.environ | environment,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            preexec_fn=signal_when_parent_dies(signal.SIGTERM),
        )
        self.running.append(child)
        return child

    def stop(self) -> None:
        """SIGTERM to every group, SIGKILL to what is left after ten seconds."""
        for child in reversed(self.running):
            if child.poll() is None:
                os.killpg(child.pid, signal.SIGTERM)
        deadline = time.monotonic() + 10
        for child in reversed(self.running):
            try:
                child.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                os.killpg(child.pid, signal.SIGKILL)
                child.wait()
        self.running.clear()

    def wait(self) -> None:
        """Return when a child ends or the process is told to stop."""
        stop: list[int] = []
        before = {name: signal.signal(name, lambda number, _frame: stop.append(number)) for name in STOP_SIGNALS}
        try:
            while not stop and all(child.poll() is None for child in self.running):
                time.sleep(0.2)
        finally:
            for name, handler in before.items():
                signal.signal(name, handler)


def leave(number: int, frame: FrameType | None) -> None:
    raise SystemExit(128 + number)


STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)


def start_web(children: Children, port: int) -> str:
    """Start the web server; returns its address once it answers. Raises CommandError when the port is taken, and
    RuntimeError when the server does not start."""
    try:
        wait_until(lambda: not is_taken(port), "", LEAVING_S)
    except RuntimeError:
        raise CommandError(TAKEN.format(port=port)) from None
    child = children.start(
        sys.executable, "-m", "ops_platform.web",
        "--port", str(port),
        "ops_platform.asgi:application",
        BASE_URL=f"http://127.0.0.1:{port}",
    )  # fmt: skip
    address = f"http://127.0.0.1:{port}"
    wait_until(lambda: answers(address) or child.poll() is not None, "The web server did not start.")
    if child.poll() is not None:
        raise RuntimeError("The web server did not start; it says above why.")
    return address


def start_workers(children: Children) -> None:
    """Start two Celery workers, one of which takes no long nights, and beat. The schedule file is beat's own; the slots in
    the database decide."""
    celery = [str(BIN / "celery"), "-A", "ops_platform"]
    worker = [*celery, "worker", "--concurrency", "1", "--loglevel", "warning", "--hostname"]
    children.start(*worker, "any@%h")
    children.start(*worker, "short@%h", "--exclude-queues", "long_nights")
    children.start(
        *celery, "beat", "--loglevel", "warning", "--schedule", str(settings.DATA_DIR / "beat"), "--pidfile="
    )


def answers(address: str) -> bool:
    try:
        with urlopen(f"{address}/health/", timeout=1) as answer:  # noqa: S310
            return answer.status == 200
    except (URLError, OSError):
        return False


def wait_until(true: Callable[[], bool], complaint: str, seconds: float = PATIENCE_S) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        if time.monotonic() > deadline:
            raise RuntimeError(complaint)
        time.sleep(0.05)
