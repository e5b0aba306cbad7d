"""Starting and ending server processes so that none is ever left behind."""

import contextlib
import ctypes
import os
import pwd
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO

from ops_platform.embedded import places

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
KEEPER = b"ops_platform.embedded\0keep\0"  # its command line


def start(
    command: list[str],
    farewell: signal.Signals,
    log: IO[bytes],
    environment: Mapping[str, str],
    account: pwd.struct_passwd | None = None,
) -> subprocess.Popen[bytes]:
    """Start a server away from the terminal's Ctrl-C; it gets `farewell` if this process dies without stopping it."""
    return subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        env=environment,
        start_new_session=True,
        umask=0o077,
        preexec_fn=signal_when_parent_dies(farewell),
        **places.as_account(account),
    )


def signal_when_parent_dies(number: signal.Signals) -> Callable[[], None] | None:
    """Return what a child calls to be sent `number` when its parent, who calls this, dies, even by kill -9 (Linux only)."""
    if not sys.platform.startswith("linux"):
        return None
    prctl, parent = ctypes.CDLL(None).prctl, os.getpid()

    def ask() -> None:
        prctl(PR_SET_PDEATHSIG, int(number))
        if os.getppid() != parent:  # it died before it could be asked for
            os.kill(os.getpid(), number)

    return ask


def end(process: subprocess.Popen[bytes], number: signal.Signals, *, patience_s: float) -> int:
    """Ask a child to stop, kill it when it does not listen, and return its exit code."""
    if process.poll() is None:
        process.send_signal(number)
    try:
        return process.wait(patience_s)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait()


def end_stranger(pid: int, number: signal.Signals, *, patience_s: float) -> None:
    """The same for a process that is not our child: all one can do is ask, watch and at last kill."""
    for signal_number, patience in ((number, patience_s), (signal.SIGKILL, 10.0)):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal_number)
        deadline = time.monotonic() + patience
        while time.monotonic() < deadline:
            if not is_alive(pid):
                return
            time.sleep(0.02)
    raise RuntimeError(f"process {pid} cannot be stopped")


def adopt_orphans() -> None:
    """Become the parent of every descendant whose own parent dies, so that none can slip away (Linux only)."""
    if sys.platform.startswith("linux"):
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1)


def end_orphans(*, patience_s: float) -> None:
    """End all our children and what falls to us when they end, except keepers: those go when nobody needs them."""
    asked: set[int] = set()
    deadline = time.monotonic() + patience_s
    while children := _children():
        for pid in children:
            kill = time.monotonic() > deadline
            if kill or pid not in asked:
                asked.add(pid)
                os.kill(pid, signal.SIGKILL if kill else signal.SIGTERM)
        time.sleep(0.05)


def _children() -> list[int]:
    """Our living children that are not keepers; those that have ended are collected on the way."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(entry.read_text().rsplit(")", 1)[1].split()[1])
            if parent == os.getpid() and KEEPER not in entry.with_name("cmdline").read_bytes():
                pid = int(entry.parent.name)
                if os.waitpid(pid, os.WNOHANG) == (0, 0):
                    found.append(pid)
        except (OSError, ValueError):
            continue
    return found


def is_alive(pid: int) -> bool:
    """Tell whether a process runs; one that is dead and waits for its parent to notice does not."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return not Path("/proc/self").exists()


def is_ours(pid: int, marker: str) -> bool:
    """Tell whether process `pid` runs and names `marker`, a path of ours, on its command line (pids are used again)."""
    try:
        return is_alive(pid) and os.fsencode(marker) in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


def tail(log: Path, lines: int = 6) -> str:
    """Return the end of a log file for an error message."""
    try:
        return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])
    except FileNotFoundError:
        return f"({log} was not written)"
