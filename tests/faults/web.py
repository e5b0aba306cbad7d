"""The web server to strike at, as `manage.py serve` starts it, or a wrong build of it from `planted.py`."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from pathlib import Path
from typing import Any
from urllib.parse import quote
from urllib.request import urlopen

import pytest

from ops_platform.serving import Children, answers, free_port, start_web

PRODUCT, PLANTED = "ops_platform.asgi:application", "tests.faults.planted:application"


class Planting(Children):
    """Children that serve what was planted, with the same command line in everything else."""

    def start(self, *command: str, **environment: str) -> subprocess.Popen[bytes]:
        return super().start(*[PLANTED if part == PRODUCT else part for part in command], **environment)


class Muting(Children):
    """Children whose log is full."""

    def start(self, *command: str, **environment: str) -> subprocess.Popen[bytes]:
        return super().start("sh", "-c", 'exec "$@" >/dev/full 2>&1', "sh", *command, **environment)


class Web:
    """The server on one port for all its lives; ends with the block.

    `planted`: the one that can be made wrong. `mute`: there is no room for its log.
    """

    def __init__(self, url: str, redis_url: str, planted: bool = False, mute: bool = False) -> None:
        self.children = Planting() if planted else Muting() if mute else Children()
        self.port = free_port()
        self.environment = {"DATABASE_URL": url, "DATABASE_ROLE": "app", "REDIS_URL": redis_url}
        self.environment |= {"DJANGO_SETTINGS_MODULE": "ops_platform.settings"}

    def __enter__(self) -> Web:
        self.children.__enter__()
        try:
            self.start()
        except BaseException:
            self.children.stop()
            raise
        return self

    def __exit__(self, *error: Any) -> None:
        self.kill()
        self.children.__exit__(*error)

    def start(self) -> None:
        with pytest.MonkeyPatch.context() as patch:
            for name, value in self.environment.items():
                patch.setenv(name, value)
            patch.delenv("DJANGO_ALLOW_ASYNC_UNSAFE", raising=False)  # for the browser's sake, not for the server's
            start_web(self.children, self.port)
        self.process = self.children.running[-1]

    def plant(self, what: str) -> None:
        """Make it wrong in one way, or right again with "none"."""
        with urlopen(f"http://127.0.0.1:{self.port}/planted/{quote(what)}", timeout=10) as answer:
            assert answer.status == 200

    def worker(self) -> int:
        """The process that answers; 0 while there is none."""
        with contextlib.suppress(OSError):
            told = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
            found = [int(pid) for pid in told.split() if b"resource_tracker" not in command_of(int(pid))]
            return found[-1] if found else 0
        return 0

    def answers(self) -> bool:
        return answers(f"http://127.0.0.1:{self.port}")

    def kill(self) -> None:
        """SIGKILL for all of it, as when a container ends."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def rss_mib(self) -> float:
        return int(Path(f"/proc/{self.worker()}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def command_of(pid: int) -> bytes:
    return Path(f"/proc/{pid}/cmdline").read_bytes()
