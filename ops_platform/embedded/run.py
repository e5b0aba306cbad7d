"""One command with the servers around it: signals go through, the exit code comes back, nothing stays behind."""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from types import FrameType

from ops_platform.embedded.processes import adopt_orphans, end_orphans, signal_when_parent_dies

FORWARDED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
PATIENCE_S = 5


def run(command: list[str], environment: dict[str, str]) -> int:
    """Run `command` in a process group of its own, end whatever it leaves behind, return its exit code."""
    adopt_orphans()
    with _forwarded_signals() as started:
        try:
            process = subprocess.Popen(
                command,
                env={**os.environ, **environment},
                process_group=0,
                preexec_fn=signal_when_parent_dies(signal.SIGTERM),
            )
        except OSError as error:
            print(f"cannot run {command[0]}: {error}", file=sys.stderr)
            return 127
        started(process.pid)
        try:
            with _foreground(process.pid):
                code = process.wait()
        finally:
            _signal(process.pid, signal.SIGTERM)
            end_orphans(patience_s=PATIENCE_S)
    return code if code >= 0 else 128 - code


@contextlib.contextmanager
def _forwarded_signals() -> Iterator[Callable[[int], None]]:
    """Send a group what this process is sent; yields the function that names the group.

    What comes before there is a group waits for it: a signal in the middle of a start must not be lost.
    """
    groups: list[int] = []
    waiting: list[int] = []

    def forward(number: int, frame: FrameType | None) -> None:
        if groups:
            _signal(groups[0], number)
        else:
            waiting.append(number)

    def started(group: int) -> None:
        groups.append(group)
        for number in waiting:
            _signal(group, number)

    before = {number: signal.signal(number, forward) for number in FORWARDED}
    try:
        yield started
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def _foreground(group: int) -> Iterator[None]:
    """Lend the terminal to the group, as a shell does, so that Ctrl-C and prompts work in the command."""
    if not sys.stdin or not sys.stdin.isatty() or os.tcgetpgrp(0) != os.getpgrp():
        yield
        return
    before = signal.signal(signal.SIGTTOU, signal.SIG_IGN)  # taking the terminal back would stop us otherwise
    os.tcsetpgrp(0, group)
    try:
        yield
    finally:
        os.tcsetpgrp(0, os.getpgrp())
        signal.signal(signal.SIGTTOU, before)


def _signal(group: int, number: int) -> bool:
    """Signal a process group; False when nobody is in it."""
    try:
        os.killpg(group, number)
    except (ProcessLookupError, PermissionError):
        return False
    return True
