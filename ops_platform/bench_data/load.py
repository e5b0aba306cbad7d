"""Storing a made-up crowd: its past in bulk, and after that day by day as ingest would.

In bulk nobody is looked up: whoever did something is known to have joined before, and nothing comes twice. All else is the
write path's own functions, and a test holds that its tables end up the same.
"""

from __future__ import annotations

import math
import multiprocessing
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any

from django.db import connections

from ops_platform.bench_data import texts
from ops_platform.bench_data.crowd import LAST_DAY, LATEST, Crowd
from users.differences import introduce
from users.identity import merge_pending
from users.ingest.normal import NormalEvent, Result, Told
from users.ingest.people import People, hashed
from users.ingest.write import ACCEPTED, ensure_months, find_names, make_rows, store
from users.mapping import apply_preset
from users.models import person_id
from users.services import exclude, in_scope, record_events
from workspaces.models import Workspace
from workspaces.scoping import set_local, workspace_scope
from workspaces.services import create_workspace

# Rows a transaction, about what a second of ingest brings.
CHUNK = 10_000
# Of an added day, one event in so many comes twice.
EVENTS_A_REPEAT = 50


@dataclass(frozen=True)
class Size:
    """How many people there are, how many events they did in `days` days, and how many times so long the history is."""

    users: int = 1_000_000
    events: int = 20_000_000
    days: int = 180
    history: int = 1
    seed: int = 7

    def crowd(self, workspace: Workspace) -> Crowd:
        return Crowd(self.users, self.events, self.days, self.seed, workspace.tzinfo)

    @property
    def first_ago(self) -> int:
        return self.days * self.history - 1


def make_workspace(slug: str, size: Size) -> Workspace:
    """An empty shop whose today is LAST_DAY, its event names known and mapped as a shop's are. Raises Conflict."""
    workspace = create_workspace(slug, "Benchmark", frozen_on=LAST_DAY, industry="ecommerce")
    with workspace_scope(workspace):
        apply_preset(workspace.industry)
        find_names(workspace, texts.ALL_NAMES)
        months = range(size.first_ago + LATEST + 2)
        ensure_months({f"{LAST_DAY + timedelta(days=1 - ago):%Y-%m}" for ago in months})
    return workspace


def load(workspace: Workspace, size: Size, processes: int, tell: Callable[[str], None]) -> None:
    """Store everybody and their past. `processes`: 1 stays within this one, and its transaction. `tell` hears of progress."""
    crowd = size.crowd(workspace)
    earlier = crowd.known(size.first_ago + 1)
    jobs: list[Any] = [("people", n, min(n + CHUNK, earlier)) for n in range(0, earlier, CHUNK)]
    jobs += [("day", ago, 0) for ago in range(size.first_ago, -1, -1)]
    began, stored = time.monotonic(), 0
    for done, (kind, events) in enumerate(run(partial(work, workspace, size), jobs, processes), 1):
        stored += events
        if kind == "day" and (done == len(jobs) or done % 10 == 0):
            rate = stored / (time.monotonic() - began)
            left = (size.events * size.history - stored) / max(rate, 1)
            tell(f"{stored:,} events, {rate:,.0f} a second, {left:.0f} s left")
    with workspace_scope(workspace):
        leave_out(workspace, crowd.staff(0))
        introduce()


def run(work: Callable[[Any], Any], jobs: Sequence[Any], processes: int) -> Iterator[Any]:
    """The answers to all jobs, in order; by so many processes, each with stretches of jobs that follow each other."""
    if processes == 1:
        yield from map(work, jobs)
        return
    connections.close_all()
    with ProcessPoolExecutor(processes, multiprocessing.get_context("fork")) as pool:
        yield from pool.map(work, jobs, chunksize=max(1, min(10, math.ceil(len(jobs) / processes / 4))))


_crowds: dict[tuple[Any, Size], Crowd] = {}


def work(workspace: Workspace, size: Size, job: tuple[str, int, int]) -> tuple[str, int]:
    """Store the people of a range, or what happened on a day; (the kind of job, how many events)."""
    crowd = _crowds.setdefault((workspace.pk, size), size.crowd(workspace))
    kind, first, last = job
    if kind == "people":
        record_events(workspace, crowd.profiles(first, last), crowd.start(size.first_ago))
        return kind, 0
    day = crowd.day(first)
    end = crowd.start(first - 1)
    if day.people:
        record_events(workspace, day.people, end)
    for n in range(0, len(day.events), CHUNK):
        in_scope(workspace, partial(copy_events, workspace, day.events[n : n + CHUNK], end))
    return kind, sum(type(item) is NormalEvent for item in day.people) + len(day.events)


def copy_events(workspace: Workspace, events: list[NormalEvent], received_at: Any) -> None:
    """Store events of people who exist, none of which is stored already, in the open scope.

    Without waiting for the disk: whoever loses them makes the same again.
    """
    set_local("synchronous_commit", "off")
    find = hashed(workspace)
    ids = {event.person: find(f"user:{event.person.external_id}") for event in events}
    rows = make_rows(workspace, events, People(ids), received_at, [ACCEPTED] * len(events))
    assert store(rows) == [], "events that were stored before"


def add_day(workspace: Workspace, size: Size) -> dict[str, int]:
    """Send the day after today's as products would: with events of days before, repeats and identities, and make it today.

    Merges what the day says of identities, as the minute's tick would; returns {accepted, duplicate, merged}.
    """
    crowd = size.crowd(workspace)
    today = workspace.today() + timedelta(days=1)
    ago = (LAST_DAY - today).days
    day, before = crowd.day(ago), crowd.day(ago + 1)
    repeats = before.events[::EVENTS_A_REPEAT]
    results: list[Result] = record_events(workspace, day.people, crowd.start(ago - 1))
    told: list[Told] = [*day.events, *repeats, *day.events[::EVENTS_A_REPEAT]]
    for n in range(0, len(told), CHUNK):
        results += record_events(workspace, told[n : n + CHUNK], crowd.start(ago - 1))
    with workspace_scope(workspace):
        leave_out(workspace, crowd.staff(ago) - crowd.staff(ago + 1))
    Workspace.objects.filter(pk=workspace.pk).update(frozen_on=today)
    workspace.refresh_from_db()
    merged = merge_pending(workspace, strays=False)["merged"]
    counts = {status: sum(result.status == status for result in results) for status in ("accepted", "duplicate")}
    return counts | {"merged": merged}


def leave_out(workspace: Workspace, staff: set[str]) -> None:
    exclude([person_id(workspace.pk, external_id) for external_id in sorted(staff)], "staff")
