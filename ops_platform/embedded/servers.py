"""What everybody else uses: servers that are there for the length of a `with` block."""

import fcntl
import os
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import IO, Self
from urllib.parse import quote

from ops_platform.embedded import places, processes, roles
from ops_platform.embedded.keeper import try_lock

REPOSITORY = Path(__file__).resolve().parents[2]
PATIENCE_S = 120


class EmbeddedServers:
    """PostgreSQL and Valkey with their files in `data_dir`, shared by all processes that ask for the same folder.

    The first user starts them, the last one stops them, and a user that dies in any way counts as gone.
    `durable=False` trades crash safety for speed (tests); whoever starts the servers decides it.
    """

    def __init__(self, data_dir: Path | str, *, durable: bool = True) -> None:
        self.data_dir = Path(data_dir).absolute()
        self.durable = durable
        self._users: IO[str] | None = None
        self._keeper: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Start the servers, or join those that run; return when they answer.

        Raises RuntimeError with the end of the log when they cannot start.
        """
        self.home = places.server_home(self.data_dir)
        self._users = (self.home / "users.lock").open("w")
        fcntl.flock(self._users, fcntl.LOCK_SH)  # waits while a keeper is busy stopping
        try:
            self._wait_for_a_keeper()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Let go of the servers; if nobody else uses them, return only when no process is left."""
        if self._users is None:
            return
        fcntl.flock(self._users, fcntl.LOCK_UN)
        while self._keeper_runs() and not self._somebody_uses():
            time.sleep(0.02)
        self._users.close()
        self._users = None
        if self._keeper is not None:
            self._keeper.poll()  # collects its exit code if it has gone

    def environment(self) -> dict[str, str]:
        """Return DATABASE_URL (app role), DATABASE_OWNER_URL (owner role), REDIS_URL and EMBEDDED=1."""
        sockets = places.socket_home(self.home)
        where = f"host={quote(str(sockets / 'postgres'))}&port=5432"
        return {
            "DATABASE_URL": f"postgresql://{roles.APP}:@/uop?{where}",
            "DATABASE_OWNER_URL": f"postgresql://{roles.OWNER}:@/uop?{where}",
            "REDIS_URL": f"unix://{quote(str(sockets / 'valkey/valkey.sock'))}",
            "EMBEDDED": "1",
        }

    def _wait_for_a_keeper(self) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            with (self.home / "keeper.lock").open("w") as lock:
                if try_lock(lock, fcntl.LOCK_EX):
                    if self._keeper is not None:
                        break  # ours has given up
                    (self.home / "ready").unlink(missing_ok=True)
                    self._keeper = self._spawn_keeper(lock)
            if self._keeper_is_ready():
                return
            time.sleep(0.02)
        raise RuntimeError(f"the embedded servers did not start:\n{processes.tail(self.home / 'keeper.log')}")

    def _spawn_keeper(self, lock: IO[str]) -> subprocess.Popen[bytes]:
        """Start the keeper with the locked file in its hands, so that at no moment two can believe to be the one."""
        command = [sys.executable, "-m", "ops_platform.embedded", "keep", str(self.home)]
        command += [] if self.durable else ["--fast"]
        with (self.home / "keeper.log").open("wb") as log:
            return subprocess.Popen(
                command,
                cwd=REPOSITORY,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=[lock.fileno()],
                start_new_session=True,
            )

    def _keeper_is_ready(self) -> bool:
        try:
            return processes.is_alive(int((self.home / "ready").read_text()))
        except (FileNotFoundError, ValueError):
            return False

    def _keeper_runs(self) -> bool:
        with (self.home / "keeper.lock").open("w") as lock:
            return not try_lock(lock, fcntl.LOCK_EX)

    def _somebody_uses(self) -> bool:
        """Tell whether another user is there; a keeper that is stopping holds the lock too, but exclusively."""
        with (self.home / "users.lock").open("w") as users:
            return not try_lock(users, fcntl.LOCK_EX) and try_lock(users, fcntl.LOCK_SH)


def clean(data_dir: Path) -> None:
    """Delete a data folder and the copied binaries. Raises RuntimeError while somebody uses servers in it."""
    for home in places.homes_in(data_dir):
        with (home / "users.lock").open("w") as users:
            if not try_lock(users, fcntl.LOCK_EX):
                raise RuntimeError(f"the servers of {data_dir} are in use; stop `make demo` or `make serve` first")
    places.remove_data(data_dir)
    places.remove_binaries()


def default_data_dir() -> Path:
    """Return DATA_DIR, or .data in the checkout."""
    return Path(os.environ.get("DATA_DIR") or REPOSITORY / ".data")


def outside_servers() -> bool:
    """Tell whether DATABASE_URL and REDIS_URL name servers of the outside; only one of the two is a mistake."""
    given = [name for name in ("DATABASE_URL", "REDIS_URL") if os.environ.get(name)]
    if len(given) == 1:
        raise RuntimeError(f"only {given[0]} is set: set both DATABASE_URL and REDIS_URL, or neither")
    return len(given) == 2
