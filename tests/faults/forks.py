"""A process that loads the product once and forks a worker for each line on its input, to be killed.

A line is JSON, the worker's order. Its pid is printed first, and "done PID STATUS" at the end.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import traceback
from collections.abc import Callable
from typing import Any

import django


def main(load: Callable[[], object], work: Callable[[dict[str, Any]], int]) -> None:
    """Fork for ever; `load` imports what every worker needs, `work` returns an exit status."""
    django.setup()
    load()
    signal.signal(signal.SIGCHLD, reap)
    print("ready", flush=True)
    while line := sys.stdin.readline():
        order = json.loads(line)
        pid = os.fork()
        if pid == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            os._exit(attempt(work, order))
        print(f"pid {pid}", flush=True)


def attempt(work: Callable[[dict[str, Any]], int], order: dict[str, Any]) -> int:
    try:
        return work(order)
    except Exception:
        traceback.print_exc()
        return 1


def reap(number: int, frame: Any) -> None:
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            return
        os.write(1, f"done {pid} {os.waitstatus_to_exitcode(status)}\n".encode())
