"""PostgreSQL and Valkey of the laboratory's own, crash-safe as in production, to be killed, stopped and filled up."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

import psycopg2
from django.conf import settings
from django.db import connection, connections

from ops_platform.embedded import places, processes, roles
from ops_platform.embedded.postgres import DATABASE, PORT, SUPERUSER, Postgres
from ops_platform.embedded.valkey import Valkey
from workspaces.scoping import workspace_scope
from workspaces.services import create_key, create_workspace

# A shell in a mount namespace of its own; the script follows.
APART = ["unshare", "-m", "--propagation", "private", "sh", "-ec"]


class LabPostgres(Postgres):
    """Asynchronous commits, should a session ask for them, stay unwritten for long: what that loses is then seen."""

    def _settings(self) -> dict[str, str | int]:
        return super()._settings() | {"wal_writer_delay": "10s", "wal_writer_flush_after": "1GB"}


class Cluster:
    """Both servers, started; the database has the tables of the suite's own and no rows."""

    def __init__(self, postgres: type[Postgres] = LabPostgres, valkey: type[Valkey] = Valkey) -> None:
        self.data_dir = Path(tempfile.mkdtemp(prefix="lab-", dir=settings.DATA_DIR))
        home = places.server_home(self.data_dir)
        sockets = places.socket_home(home)
        for folder in {home / "log", sockets}:
            folder.mkdir(mode=0o711, exist_ok=True)
            folder.chmod(0o711)
        self.postgres, self.valkey = postgres(home, sockets, durable=True), valkey(home, sockets, durable=True)
        self.url = f"postgresql://{roles.APP}:@/{DATABASE}?host={quote(str(sockets / 'postgres'))}&port={PORT}"
        self.redis_url = f"unix://{quote(str(self.valkey.socket))}"

    def __enter__(self) -> Cluster:
        try:
            self.valkey.start()
            self.postgres.start()
            self._make_tables()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *error: Any) -> None:
        for server in (self.postgres, self.valkey):
            if server.process:
                with suppress(ProcessLookupError):
                    signal_family(server.process.pid, signal.SIGCONT)
            server.stop()
        places.remove_data(self.data_dir)

    def _make_tables(self) -> None:
        binaries = self.postgres.binaries / "bin"
        source = f"host={suite_socket()} port={PORT} user={SUPERUSER} dbname={connection.settings_dict['NAME']}"
        dump = subprocess.run([binaries / "pg_dump", "--schema-only", source], capture_output=True, check=True)
        target = f"host={self.postgres.socket_dir} port={PORT} user={SUPERUSER} dbname={DATABASE}"
        subprocess.run(
            [binaries / "psql", "-q", "-v", "ON_ERROR_STOP=1", target],
            input=dump.stdout,
            capture_output=True,
            check=True,
        )

    @contextmanager
    def look(self) -> Iterator[Any]:
        """A cursor of the superuser's, who sees everything: an observer independent of the product."""
        with self.postgres.superuser(DATABASE) as found, found.cursor() as cursor:
            yield cursor

    @contextmanager
    def here(self) -> Iterator[None]:
        """The product's own code works on this database instead of the suite's."""
        plain = connection.settings_dict
        connection.close()
        here = {"OPTIONS": plain["OPTIONS"] | {"host": str(self.postgres.socket_dir)}, "NAME": DATABASE, "HOST": ""}
        # Also for the threads that a night starts.
        connections.settings["default"] = connection.settings_dict = plain | here
        try:
            yield
        finally:
            connection.close()
            connections.settings["default"] = connection.settings_dict = plain

    def make_shop(self, slug: str) -> SimpleNamespace:
        """A workspace with a write key, made by the product's own services: {id, key}."""
        with self.here():
            workspace = create_workspace(slug, slug, zone="UTC", currency="CNY", industry="ecommerce")
            with workspace_scope(workspace):
                return SimpleNamespace(id=workspace.pk, key=create_key("write", "site")[1])

    def kill(self) -> None:
        """SIGKILL for PostgreSQL's postmaster and every child of its, which would keep the shared memory otherwise."""
        assert self.postgres.process
        signal_family(self.postgres.process.pid, signal.SIGSTOP)
        signal_family(self.postgres.process.pid, signal.SIGKILL)
        self.postgres.process.wait()

    def restart(self, number: signal.Signals) -> None:
        """SIGINT cuts the sessions and writes everything out; SIGQUIT leaves that to the recovery."""
        assert self.postgres.process
        self.postgres.process.send_signal(number)
        self.postgres.process.wait()
        self.postgres.start()

    def freeze(self, seconds: float) -> None:
        """Nothing of PostgreSQL moves for a while; its sockets stay open."""
        assert self.postgres.process
        signal_family(self.postgres.process.pid, signal.SIGSTOP)
        time.sleep(seconds)
        signal_family(self.postgres.process.pid, signal.SIGCONT)

    def cut(self) -> None:
        """End every session but this one."""
        with self.look() as cursor:
            cursor.execute(
                "select pg_terminate_backend(pid) from pg_stat_activity where backend_type = 'client backend'"
                " and pid <> pg_backend_pid()"
            )

    def accepts(self) -> bool:
        with suppress(psycopg2.Error), self.look() as cursor:
            cursor.execute("select 1")
            return True
        return False


def suite_socket() -> str:
    """The folder of the socket of the suite's own PostgreSQL."""
    return parse_qs(urlsplit(os.environ["DATABASE_URL"]).query)["host"][0]


def signal_family(pid: int, number: signal.Signals) -> None:
    """Send a process and all its children a signal, the parent first, so that it cannot react to what they do."""
    os.kill(pid, number if number != signal.SIGKILL else signal.SIGSTOP)
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        with suppress(ProcessLookupError):
            os.kill(int(child), number)
    os.kill(pid, number)


def wait_for(true: Any, seconds: float, complaint: str) -> float:
    """Wait until it is true; returns how long that took."""
    began = time.monotonic()
    while not true():
        assert time.monotonic() < began + seconds, complaint
        time.sleep(0.02)
    return time.monotonic() - began


class SmallDisk(LabPostgres):
    """PostgreSQL on a small disk of its own: a tmpfs that only its processes see, in their own mount namespace."""

    ROOM_MIB = 96

    def move(self) -> None:
        """Go on from the small disk, with what there is."""
        self.stop()
        used = sum(path.lstat().st_size for path in self.cluster.rglob("*")) // 2**20
        before = self.cluster.rename(self.cluster.with_name("before"))
        self.cluster.mkdir(mode=0o700)
        owner = before.stat()
        script = f"""
            mount -t tmpfs -o size={used + self.ROOM_MIB}m,mode=700,uid={owner.st_uid},gid={owner.st_gid} tmpfs "$1"
            cp -a "$2/." "$1/" && shift 2 && exec "$@"
        """
        become = ["setpriv", f"--reuid={owner.st_uid}", f"--regid={owner.st_gid}", "--clear-groups"]
        command = [*become, str(self.binaries / "bin/postgres"), "-D", str(self.cluster), "-k", f'"{self.socket_dir}"']
        for name, value in self._settings().items():
            command += ["-c", f"{name}={value}"]
        inside = [*APART, script, "sh", str(self.cluster), str(before)]
        with self.log.open("ab") as log:
            self.process = processes.start(inside + command, signal.SIGINT, log, os.environ)
        assert self._wait_until_it_answers(), processes.tail(self.log)

    def _disk(self) -> Path:
        """The small disk as root sees it from outside."""
        assert self.process
        return Path(f"/proc/{self.process.pid}/root{self.cluster}")

    def fill(self) -> None:
        """Not a byte is free any more."""
        fill(self._disk())

    def free(self) -> None:
        (self._disk() / "filler").unlink()


class SmallQueue(Valkey):
    """Valkey that keeps its append-only file on a small disk of its own."""

    def start(self) -> None:
        super().start()
        self.stop()
        configuration = self.folder / "valkey.conf"
        kept = configuration.rename(self.folder.with_name("valkey.conf"))
        script = 'mount -t tmpfs -o size=4m tmpfs "$1" && cp "$2" "$1/valkey.conf" && exec "$3" "$1/valkey.conf"'
        binary = Path(self.process.args[0])  # type: ignore[union-attr, index]
        with self.log.open("ab") as log:
            self.process = processes.start(
                [*APART, script, "sh", str(self.folder), str(kept), str(binary)], signal.SIGTERM, log, os.environ
            )
        self._wait_until_it_answers()

    def disk(self) -> Path:
        assert self.process
        return Path(f"/proc/{self.process.pid}/root{self.folder}")


@contextmanager
def small_folder(mib: int = 1) -> Iterator[Path]:
    """A folder on a disk of its own, as it is seen from outside of the namespace that it is mounted in."""
    with tempfile.TemporaryDirectory() as place:
        script = f'mount -t tmpfs -o size={mib}m tmpfs "$1" && echo && exec sleep 3600'
        keeper = subprocess.Popen([*APART, script, "sh", place], stdout=subprocess.PIPE)
        try:
            assert keeper.stdout and keeper.stdout.readline() == b"\n"
            yield Path(f"/proc/{keeper.pid}/root{place}")
        finally:
            keeper.kill()
            keeper.wait()


def fill(folder: Path) -> Path:
    """Leave not a byte free on the disk of a folder; returns what to delete to free it."""
    filler = folder / "filler"
    with filler.open("wb", buffering=0) as out, suppress(OSError):
        while True:
            out.write(bytes(2**16))
    return filler


def can_mount() -> bool:
    """Whether this machine lets us have a mount namespace with a disk of our own in it."""
    tried = ["unshare", "-m", "--propagation", "private", "mount", "-t", "tmpfs", "tmpfs", "/mnt"]
    try:
        return subprocess.run(tried, capture_output=True).returncode == 0
    except FileNotFoundError:
        return False
