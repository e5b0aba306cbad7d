"""A file of events taken in by the real command, against raw COPY of the same rows, in one run on one machine.

Both end in the same partitioned and indexed table. COPY goes past every check, knows ids and money already, makes no
people, and stores the rows under ids of its own; ROWS_PER_COMMIT as in benchmarks.ingest.
"""

from __future__ import annotations

import contextlib
import csv
import io
import json
import secrets
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from multiprocessing import get_context
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

from django.db import connection

from benchmarks.ingest import family, pss_of, superuser
from benchmarks.load import EVENTS, PEOPLE
from users.import_run import run_import
from users.imports import undo_import
from users.ingest.write import ensure_months
from users.models import Import
from workspaces.models import Workspace
from workspaces.scoping import workspace_scope
from workspaces.selectors import workspace_named
from workspaces.services import create_workspace

ROWS, ROWS_PER_COMMIT = 1_000_000, 400_000
DAYS = 365
CATEGORIES = ("美妆", "数码", "家居", "服饰", "食品")
HEADER = ("user_id", "event", "time", "category", "price", "sku", "position")
MAPPED = ("--map", "external_id=user_id", "--map", "event=event", "--map", "time=time")


def run() -> None:
    """Print rows a second of COPY, of the import, of the same file again and of taking it back, and the memory of each."""
    workspace = create_workspace(f"bench-{secrets.token_hex(3)}", "Bench", zone="UTC")
    end = datetime.now(UTC).replace(microsecond=0)
    with workspace_scope(workspace):
        ensure_months({f"{end - timedelta(days=n):%Y-%m}" for n in range(DAYS + 2)})
    with TemporaryDirectory() as folder:
        path = Path(folder) / "events.csv"
        with path.open("w", newline="", encoding="utf-8") as out:
            csv.writer(out).writerow(HEADER)
            csv.writer(out).writerows(rows(end))
        base = copy_rate(workspace, end)
        peak, told = import_file(workspace, path)
        print(f"COPY, one connection     {base:,.0f} rows/s at {ROWS_PER_COMMIT:,} per commit")
        rate = told["rows"] / told["seconds"]
        print(
            f"import of a CSV file     {rate:,.0f} rows/s = {rate / base:.2f} x COPY; {told['accepted']:,} events,"
            f" {told['new_people']:,} new people, {path.stat().st_size / 1e6:.0f} MB"
        )
        print(f"memory of the import     {megabytes(peak)}")
        again = import_file(workspace, path)[1]
        rate = again["rows"] / again["seconds"]
        print(f"the same file again      {rate:,.0f} rows/s; {again['accepted']:,} events")
        began = time.perf_counter()
        peak, file = undo_first(workspace)
        rate = file.undone / (time.perf_counter() - began)
        print(
            f"taking it back           {rate:,.0f} rows/s; {file.state}: {file.undone:,} events, {file.undone_people:,} people"
        )
        print(f"memory of that           {megabytes(peak)}")


def rows(end: datetime) -> Iterator[tuple[object, ...]]:
    """Rows as a shop's export has them: in order of time over a year, the shape of benchmarks.load's events."""
    rng = Random(11)
    for n in range(ROWS):
        at = end - timedelta(days=DAYS) + timedelta(days=DAYS) * (n / ROWS)
        yield (
            f"user-{rng.randrange(PEOPLE)}",
            rng.choice(EVENTS),
            at.isoformat(timespec="seconds"),
            rng.choice(CATEGORIES),
            rng.randrange(10_000) / 100,
            f"s{rng.randrange(5000)}",
            rng.randrange(1, 20),
        )


def copy_rate(workspace: Workspace, end: datetime) -> float:
    """Rows a second by COPY as a superuser. What is timed has its lines made already."""
    session, seconds, left = superuser(), 0.0, rows(end)
    rng = Random(13)
    while chunk := list(islice(left, ROWS_PER_COMMIT)):
        lines = io.StringIO("".join(copy_line(workspace, rng, row) for row in chunk))
        began = time.perf_counter()
        with session, session.cursor() as cursor:
            cursor.copy_expert("copy event from stdin", lines)
        seconds += time.perf_counter() - began
    session.close()
    return ROWS / seconds


def copy_line(workspace: Workspace, rng: Random, row: tuple[object, ...]) -> str:
    user, event, at, category, price, sku, position = row
    event_id, message = (uuid.UUID(int=rng.getrandbits(128), version=5) for _ in range(2))
    person = uuid.uuid5(workspace.pk, f"copied:{user}")
    properties = f'{{"category":"{category}","price":{price},"sku":"{sku}","position":{position}}}'
    name = EVENTS.index(str(event)) + 1
    fields = (workspace.pk, person, at, event_id, at, at, name, f"csv-{message.hex}", properties, *["\\N"] * 3)
    return "\t".join(map(str, fields)) + "\n"


def import_file(workspace: Workspace, path: Path) -> tuple[list[float], dict]:
    """(the most memory in each tenth of the way, the command's summary); timed by the command itself, start to end."""
    child = subprocess.Popen(
        [sys.executable, "manage.py", "import_events", str(path), "--workspace", workspace.slug, *MAPPED],
        stdout=subprocess.PIPE,
        text=True,
    )
    peak = tenths(child.pid, lambda: child.poll() is None)
    assert child.stdout is not None
    return peak, json.loads(child.stdout.read())


def undo_first(workspace: Workspace) -> tuple[list[float], Import]:
    """(the most memory in each tenth of the way, the workspace's first import, taken back by a process of its own)."""
    with workspace_scope(workspace):
        file = Import.objects.order_by("created_at")[0]
        undo_import(file)
    child = get_context("fork").Process(target=work, args=(workspace.slug, str(file.pk)))
    connection.close()  # one session is not for two processes
    child.start()
    peak = tenths(child.pid or 0, child.is_alive)
    with workspace_scope(workspace):
        return peak, Import.objects.get(pk=file.pk)


def work(slug: str, pk: str) -> None:
    run_import(workspace_named(slug), uuid.UUID(pk))


def tenths(pid: int, alive: Callable[[], bool]) -> list[float]:
    """The most memory (PSS, MB) of a process and those that it started in each tenth of its life."""
    seen: list[float] = []
    while alive():
        with contextlib.suppress(OSError, StopIteration):
            seen.append(sum(map(pss_of, family(pid))) / 1024)
        time.sleep(0.25)
    size = max(1, len(seen) // 10)
    return [max(seen[n : n + size]) for n in range(0, len(seen), size)][:11]


def megabytes(peak: list[float]) -> str:
    return f"{' '.join(f'{mb:.0f}' for mb in peak)} MB (PSS by tenths of the way)"
