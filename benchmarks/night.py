"""A night after one more day, against computing everything anew by DuckDB, by one SQL statement and by polars.

Each night adds a day of events to a made-up workspace, runs the product's night, and lets the others compute the same from
all events; every column of everybody has to agree (benchmarks/columns.py). Times are those of one run on one machine.

`python -m benchmarks night --users 1000000 --events 20000000 --history 1 --nights 8`.
"""

from __future__ import annotations

import argparse
import importlib
import json
import secrets
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from django.conf import settings

from benchmarks import by_sql
from benchmarks.columns import COLUMNS
from benchmarks.ingest import superuser
from ops_platform.bench_data.crowd import LAST_DAY, LATEST
from ops_platform.bench_data.load import Size, add_day, load, make_workspace
from workspaces.models import Workspace

OURS = """
drop table if exists bench.ours;
create table bench.ours as
select f.end_user_id as id, {columns}
from facts f
left join standing s on s.end_user_id = f.end_user_id and s.workspace_id = f.workspace_id
left join rfm_score r on r.end_user_id = f.end_user_id and r.workspace_id = f.workspace_id
where f.workspace_id = %s
"""
DIFFERENT = """
select count(*), {counts} from bench.ours a full join bench.{other} b using (id) where ({ours}) is distinct from ({theirs})
"""
LARGE = """
select c.oid::regclass::text from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attname = 'workspace_id'
where c.relkind = 'r' and c.relnamespace in ('public'::regnamespace, 'parts'::regnamespace) and pg_relation_size(c.oid) > 1e7
"""
# Steps that fit models: timed apart.
MODELS = {"value"}


@dataclass
class Times:
    """Seconds by way of computing, a night a place."""

    seconds: dict[str, list[float]] = field(default_factory=dict)

    def add(self, name: str, seconds: float) -> None:
        self.seconds.setdefault(name, []).append(seconds)

    def of(self, name: str) -> float:
        return statistics.median(self.seconds[name])


def run(arguments: list[str]) -> None:
    """Print the figures of `measure` with the size that is asked for."""
    parser = argparse.ArgumentParser(prog="make bench PART=night")
    parser.add_argument("--users", type=int, default=Size.users)
    parser.add_argument("--events", type=int, default=Size.events)
    parser.add_argument("--history", type=int, default=Size.history)
    parser.add_argument("--nights", type=int, default=8)
    parser.add_argument("--without", default="", help="contenders to leave out, such as polars,sql")
    parser.add_argument(
        "--workspace", default="", help="one of that size which make_bench_data made, and which is kept"
    )
    asked = parser.parse_args(arguments)
    size = Size(asked.users, asked.events, history=asked.history)
    there = Workspace.objects.get(slug=asked.workspace) if asked.workspace else None
    measure(size, asked.nights, {*filter(None, asked.without.split(","))}, print, there=there)


def heavy(arguments: list[str]) -> None:
    """A history three times as long, and a tenth of the people: each beside the usual size, five nights."""
    parser = argparse.ArgumentParser(prog="make bench-heavy")
    parser.add_argument("--users", type=int, default=Size.users)
    parser.add_argument("--events", type=int, default=Size.events)
    parser.add_argument("--without", default="polars,sql", help="contenders to leave out; duckdb,polars,sql for all")
    asked = parser.parse_args(arguments)
    without = {*filter(None, asked.without.split(","))}
    usual = Size(asked.users, asked.events)
    nights = {}
    for name, size in (
        ("usual", usual),
        ("three times the history", Size(asked.users, asked.events, history=3)),
        ("a tenth of the people", Size(asked.users // 10, asked.events // 10)),
    ):
        print(f"\n{name}: {size.users:,} people, {size.events * size.history:,} events", flush=True)
        nights[name] = measure(size, 5, without, print).of("ours")
    print(f"\nthree times the history  {nights['three times the history'] / nights['usual']:.2f} x the usual night")
    print(f"a tenth of the people    {nights['a tenth of the people'] / nights['usual']:.2f} x the usual night")


def night_alone(workspace: Workspace) -> tuple[dict[str, Any], float]:
    """(summary of the night of today, the most megabytes it had), in a process of its own as the product runs it."""
    command = [sys.executable, "manage.py", "night", "--json"]
    command += ["--workspace", workspace.slug, "--day", str(workspace.today())]
    child, peak = subprocess.Popen(command, stdout=subprocess.PIPE, text=True), 0.0
    while child.poll() is None:
        with suppress(OSError, StopIteration):
            lines = Path(f"/proc/{child.pid}/status").read_text().splitlines()
            peak = next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) / 1024
        time.sleep(0.02)
    assert child.stdout is not None and child.returncode == 0, "the night failed"
    return json.loads(child.stdout.read()), peak


def measure(
    size: Size,
    nights: int,
    without: set[str],
    tell: Callable[[str], None],
    processes: int = 2,
    night_of: Callable[[Workspace], tuple[dict[str, Any], float]] = night_alone,
    there: Workspace | None = None,
) -> Times:
    """Make a workspace, run its first night and then so many; tell the figures. Raises AssertionError when results differ.

    `there`: one that was made before, which is kept, and has its first night only where it had none.
    """
    times, connection = Times(), superuser()
    workspace = there or made(size, processes, tell)
    with TemporaryDirectory(dir=settings.DATA_DIR, prefix="night-") as folder, schema(connection):
        contenders = Contenders(workspace, Path(folder), connection, without, tell)
        first = night_of(workspace)[0] if workspace.current_day is None else None
        # After the night, which merges ids: who is who is no part of what is compared.
        contenders.follow(LAST_DAY - timedelta(days=size.first_ago + LATEST + 2), workspace.today())
        if first is not None:
            facts = sum(step["seconds"] for step in first["steps"] if step["step"] in ("identities", "facts"))
            tell(f"first night              {first['seconds']:.1f} s ({told_steps(first)})")
            told = contenders.night(workspace.today(), Times())
            if "sql" in told:
                ratios = facts / told["sql"], first["seconds"] / told["sql"]
                tell("first build / one SQL    {:.2f} until the facts are made; the whole night {:.2f}".format(*ratios))
        for _ in range(nights):
            began = time.perf_counter()
            counts = add_day(workspace, size)
            tell(f"\n{workspace.today()}: {counts}, {time.perf_counter() - began:.1f} s")
            add_night(times, *night_of(workspace), tell)
            contenders.follow(workspace.today() - timedelta(days=LATEST + 2), workspace.today())
            contenders.night(workspace.today(), times)
    if nights:
        report(times, tell)
    if there is None:
        forget(connection, workspace)
    connection.close()
    return times


def made(size: Size, processes: int, tell: Callable[[str], None]) -> Workspace:
    workspace = make_workspace(f"bench-{secrets.token_hex(3)}", size)
    began = time.perf_counter()
    load(workspace, size, processes, lambda line: None)
    tell(f"load                     {size.events * size.history:,} events in {time.perf_counter() - began:.0f} s")
    return workspace


def add_night(times: Times, night: dict[str, Any], megabytes: float, tell: Callable[[str], None]) -> None:
    models = sum(step["seconds"] for step in night["steps"] if step["step"] in MODELS)
    times.add("ours", night["seconds"] - models)
    times.add("memory", megabytes)
    tell(f"  ours {night['seconds'] - models:.2f} s ({told_steps(night)}), {megabytes:.0f} MB")


def told_steps(night: dict[str, Any]) -> str:
    return ", ".join(f"{step['step']} {step['seconds']:.2f}" for step in night["steps"])


def forget(connection: Any, workspace: Workspace) -> None:
    """Give back the disk that the workspace took: the next size needs it."""
    with connection, connection.cursor() as cursor:
        cursor.execute(LARGE)
        for (table,) in cursor.fetchall():
            cursor.execute(f"select exists (select from {table} where workspace_id <> %s)", [str(workspace.pk)])
            shared = cursor.fetchone()[0]
            cursor.execute(
                f"delete from {table} where workspace_id = '{workspace.pk}'" if shared else f"truncate {table}"
            )


@contextmanager
def schema(connection: Any) -> Iterator[None]:
    """The schema `bench`, in which results are compared, for a while."""
    drop = "drop schema if exists bench cascade"
    with connection, connection.cursor() as cursor:
        cursor.execute(f"{drop}; create schema bench")
    try:
        yield
    finally:
        connection.rollback()
        with connection, connection.cursor() as cursor:
            cursor.execute(drop)


def report(times: Times, tell: Callable[[str], None]) -> None:
    ours = times.of("ours")
    nights, most = len(times.seconds["ours"]), max(times.seconds["memory"])
    tell(f"\nnight                    {ours:.2f} s (median of {nights}), {most:.0f} MB at most")
    for name in times.seconds.keys() - {"ours", "memory"}:
        tell(f"{name:24} {times.of(name):.2f} s; ours is {ours / times.of(name):.2f} x of it")


@dataclass
class Contenders:
    """The other ways of computing a night, on a folder of Parquet or in the database, and their results beside ours."""

    workspace: Workspace
    folder: Path
    connection: Any
    without: set[str]
    tell: Callable[[str], None]

    def __post_init__(self) -> None:
        self.modules = {}
        for name in ("duckdb", "polars"):
            try:
                if name not in self.without:
                    self.modules[name] = importlib.import_module(f"benchmarks.by_{name}")
            except ImportError as problem:
                self.tell(f"NOT COMPARED with {name}: {problem}")
        self.rows = None
        if self.modules:
            self.rows = importlib.import_module("benchmarks.rows").Rows(self.workspace, self.folder, self.connection)

    def follow(self, first: date, last: date) -> None:
        if self.rows is not None:
            self.rows.follow(first, last)

    def night(self, day: date, times: Times) -> dict[str, float]:
        """Seconds of each; raises AssertionError naming the columns in which one departs from the product."""
        told = {}
        with self.connection, self.connection.cursor() as cursor:
            cursor.execute(
                OURS.format(columns=", ".join(f"{own}::{kind} as {c}" for c, (kind, own) in COLUMNS.items())),
                [str(self.workspace.pk)],
            )
        for name, module in self.modules.items():
            began = time.perf_counter()
            path = module.compute(self.folder, day)
            computed = time.perf_counter() - began
            self.copy_back(name, path)
            told[name] = time.perf_counter() - began
            self.tell(f"  {name} {told[name]:.2f} s ({computed:.2f} computing, the rest COPY)")
        if "sql" not in self.without:
            began = time.perf_counter()
            by_sql.compute(self.connection, str(self.workspace.pk), day)
            told["sql"] = time.perf_counter() - began
            self.tell(f"  sql {told['sql']:.2f} s")
        for name, seconds in told.items():
            times.add(name, seconds)
            self.agree(name)
        return told

    def copy_back(self, name: str, path: Path) -> None:
        kinds = ", ".join(f"{column} {kind}" for column, (kind, _own) in COLUMNS.items())
        with self.connection, self.connection.cursor() as cursor, path.open() as lines:
            cursor.execute(f"drop table if exists bench.by_{name}; create table bench.by_{name} (id uuid, {kinds})")
            cursor.copy_expert(
                f"copy bench.by_{name} from stdin (format csv, force_not_null (favourite_category, app_version))", lines
            )

    def agree(self, name: str) -> None:
        ours, theirs = (", ".join(f"{side}.{column}" for column in COLUMNS) for side in "ab")
        counts = ", ".join(f"count(*) filter (where a.{c} is distinct from b.{c})" for c in COLUMNS)
        sql = DIFFERENT.format(counts=counts, other=f"by_{name}", ours=ours, theirs=theirs)
        with self.connection, self.connection.cursor() as cursor:
            cursor.execute(sql)
            people, *columns = cursor.fetchone()
            cursor.execute(f"select (select count(*) from bench.ours), (select count(*) from bench.by_{name})")
            both = cursor.fetchone()
        found = {c: n for c, n in zip(COLUMNS, columns, strict=True) if n}
        assert not people and both[0] == both[1], f"{name}: {people} people differ {found}; rows {both}"
