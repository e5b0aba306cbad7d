"""The processes behind one port: replaced without a refused connection, and kept where their successors do not start."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path

import pytest
from django.conf import settings

from ops_platform.serving import Children, free_port, wait_until

APPLICATION = """
import os, django
django.setup()
async def application(scope, receive, send):
    told = b"%s %%d" %% os.getpid()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%%d" %% len(told))]})
    await send({"type": "http.response.body", "body": told})
"""
NEEDS_FILES = APPLICATION.replace("    told =", "    files = [open(os.devnull) for _ in range(20)]\n    told =")
BROKEN = """
from pathlib import Path
Path(__file__).with_name("tried").touch()
raise RuntimeError("This version does not start.")
"""


class Web:
    """The server with an application that says its version and its process."""

    def __init__(self, folder: Path, children: Children) -> None:
        self.file, self.port, self.children = folder / "versioned.py", free_port(), children

    def write(self, text: str) -> None:
        self.file.write_text(text)

    def start(self, most_files: int = 1024) -> None:
        limited = ("sh", "-c", f'ulimit -n {most_files}; exec "$@"', "sh")
        command = (*limited, sys.executable, "-m", "ops_platform.web", "--port", str(self.port), "--workers", "2")
        path = os.pathsep.join((str(self.file.parent), str(settings.BASE_DIR)))
        self.process = self.children.start(
            *command, "versioned:application", PYTHONPATH=path, PYTHONDONTWRITEBYTECODE="1"
        )

    def ask(self) -> tuple[str, int]:
        """(version, process) of whoever answers on a new connection."""
        line = HTTPConnection("127.0.0.1", self.port, timeout=10)
        line.request("GET", "/")
        version, _, pid = line.getresponse().read().decode().partition(" ")
        line.close()
        return version, int(pid)

    def answers(self) -> bool:
        try:
            return bool(self.ask())
        except OSError:
            return False

    def workers(self) -> set[int]:
        path = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return {int(pid) for pid in path.read_text().split()}


@pytest.fixture
def web(tmp_path: Path) -> Iterator[Web]:
    with Children() as children:
        found = Web(tmp_path, children)
        found.write(APPLICATION % "first")
        yield found


def test_a_new_version_takes_over_without_a_refused_connection(web: Web) -> None:
    web.start()
    wait_until(lambda: web.answers() and len(web.workers()) == 2, "it does not start")
    before, told, over = web.workers(), [], threading.Event()

    def go_on_asking() -> None:
        while not over.is_set():
            try:
                told.append(web.ask()[0])
            except OSError as problem:
                told.append(repr(problem))

    asking = threading.Thread(target=go_on_asking)
    asking.start()
    web.write(APPLICATION % "second")
    web.process.send_signal(signal.SIGHUP)
    fewest = 2

    def is_replaced() -> bool:
        nonlocal fewest
        fewest = min(fewest, len(web.workers()))
        return len(web.workers()) == 2 and not web.workers() & before

    wait_until(is_replaced, "the old ones are still there")
    wait_until(lambda: told[-1] == "second", "the old version answers")
    over.set()
    asking.join()
    assert {*told} == {"first", "second"} and fewest == 2


def test_a_version_that_does_not_start_replaces_nobody(web: Web) -> None:
    web.start()
    wait_until(lambda: web.answers() and len(web.workers()) == 2, "it does not start")
    before = web.workers()
    web.write(BROKEN)
    web.process.send_signal(signal.SIGHUP)
    wait_until(web.file.with_name("tried").exists, "nothing is tried")
    wait_until(lambda: web.workers() == before, "it does not end")
    assert web.ask()[0] == "first"
    os.kill(min(before), signal.SIGKILL)  # and the other one goes on alone
    wait_until(lambda: min(before) not in web.workers(), "it is not let go of")
    assert {web.ask()[1] for _ in range(5)} == {max(before)}
    web.write(APPLICATION % "second")
    wait_until(lambda: len(web.workers()) == 2 and not web.workers() & before, "the mended one does not take over")
    assert web.ask()[0] == "second"


def test_a_server_of_which_nothing_starts_ends_and_says_why(web: Web) -> None:
    web.write(BROKEN)
    web.start()
    assert web.process.wait(20) == 1


def test_connections_are_spread_over_all_processes(web: Web) -> None:
    web.start()
    wait_until(lambda: web.answers() and len(web.workers()) == 2, "it does not start")
    wait_until(lambda: len({web.ask()[1] for _ in range(20)}) == 2, "only one of them answers")
    lines = [HTTPConnection("127.0.0.1", web.port, timeout=10) for _ in range(60)]
    answered: Counter[str] = Counter()
    for line in lines:
        line.request("GET", "/")
        answered[line.getresponse().read().decode()] += 1
    assert min(answered.values()) >= 20, answered
    for line in lines:
        line.close()


def test_many_connections_leave_files_to_those_who_answer(web: Web) -> None:
    web.write(NEEDS_FILES % "first")
    web.start(most_files=160)
    wait_until(lambda: web.answers() and len(web.workers()) == 2, "it does not start")
    asking = HTTPConnection("127.0.0.1", web.port, timeout=10)
    asking.connect()
    silent = [socket.create_connection(("127.0.0.1", web.port), timeout=10) for _ in range(350)]
    time.sleep(1)
    asking.request("GET", "/")
    assert asking.getresponse().status == 200
    for line in silent:
        line.close()
    wait_until(web.answers, "who comes later is not answered")
    asking.close()


def test_a_signal_that_comes_early_or_to_all_of_them_ends_nobody(web: Web) -> None:
    web.start()
    time.sleep(0.3)  # libraries are being loaded
    web.process.send_signal(signal.SIGHUP)
    wait_until(lambda: web.answers() and len(web.workers()) == 2, "it does not start")
    wait_until(lambda: len({web.ask()[1] for _ in range(20)}) == 2, "only one of them answers")
    before = web.workers()
    for pid in before:
        os.kill(pid, signal.SIGHUP)
    time.sleep(0.5)
    assert web.workers() == before


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_with_all_its_processes(web: Web, number: signal.Signals) -> None:
    web.start()
    wait_until(lambda: web.answers() and len(web.workers()) == 2, "it does not start")
    workers = web.workers()
    web.process.send_signal(number)
    assert web.process.wait(20) == 0
    assert not any(Path(f"/proc/{pid}").exists() for pid in workers)


def test_processes_end_with_a_parent_that_is_killed(web: Web) -> None:
    web.start()
    wait_until(lambda: web.answers() and len(web.workers()) == 2, "it does not start")
    workers = web.workers()
    web.process.kill()
    deadline = time.monotonic() + 10
    while any(is_running(pid) for pid in workers):
        assert time.monotonic() < deadline, "they are still there"
        time.sleep(0.05)


def is_running(pid: int) -> bool:
    told = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False).stdout
    return bool(told.strip()) and not told.startswith("Z")
