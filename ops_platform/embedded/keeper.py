"""The process that holds the servers, for as long as anybody uses them.

Everybody who uses the servers holds a shared lock on `users.lock`. The keeper waits for the exclusive one: when it
gets it, nobody is left, and it stops the servers. The kernel drops a lock however its holder dies, so neither counting
nor cleaning up after a crash is needed. Should the keeper die by kill -9, the servers are told to stop by the kernel.
"""

import contextlib
import fcntl
import os
import signal
import sys
import time
from pathlib import Path
from types import FrameType
from typing import IO

from ops_platform.embedded import places
from ops_platform.embedded.postgres import Postgres
from ops_platform.embedded.valkey import Valkey

LOOK_EVERY_S = 0.2


def keep(home: Path, *, durable: bool) -> None:
    """Start both servers, say so in `ready`, start again what dies, and stop both when the last user has gone.

    The caller has handed over the locked `keeper.lock` as an open file: it makes this the only keeper of `home`.
    """
    signal.signal(signal.SIGTERM, _leave)
    for folder in (home / "log", sockets := places.socket_home(home)):
        folder.mkdir(mode=0o711, exist_ok=True)
        folder.chmod(0o711)
    servers: list[Valkey | Postgres] = [
        Valkey(home, sockets, durable=durable),
        Postgres(home, sockets, durable=durable),
    ]
    ready = home / "ready"
    with (home / "users.lock").open("w") as users:
        try:
            for server in servers:
                server.start()
            ready.write_text(str(os.getpid()))
            while not try_lock(users, fcntl.LOCK_EX):
                for server in servers:
                    if not server.alive():
                        print(f"{type(server).__name__} died; starting it again", file=sys.stderr, flush=True)
                        server.start()
                time.sleep(LOOK_EVERY_S)
        finally:
            ready.unlink(missing_ok=True)
            for server in servers:
                server.stop()


def try_lock(file: IO[str], kind: int) -> bool:
    """Take a lock if it is free; `kind` is LOCK_SH or LOCK_EX."""
    with contextlib.suppress(BlockingIOError):
        fcntl.flock(file, kind | fcntl.LOCK_NB)
        return True
    return False


def _leave(number: int, frame: FrameType | None) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # once is enough; the servers are being stopped
    raise SystemExit(128 + number)
