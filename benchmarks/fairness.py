"""Nights of many small workspaces beside that of a large one, by the product's own two workers.

Small: SMALL_WORKSPACES (20) of SMALL_PEOPLE (500); large: LARGE_PEOPLE (110,000). The claim is about 200 of 5,000 beside
1,000,000: all small ones are done within 1.10 × their time alone plus the seconds of the large night, and none waits for
the large one to end.
"""

from __future__ import annotations

import os
import secrets
import time
from datetime import UTC, date, datetime, timedelta

from django.db.models import Model

from ops_platform.nights import RUN_NIGHT
from ops_platform.schedule import night_queue
from ops_platform.serving import Children, start_workers
from ops_platform.tasks import ring
from tests import builders
from users.models import EndUser, Event, person_id
from workspaces.models import Workspace
from workspaces.scoping import workspace_scope
from workspaces.services import create_workspace
from workspaces.sql import execute

SMALL = int(os.environ.get("SMALL_WORKSPACES", 20)), int(os.environ.get("SMALL_PEOPLE", 500))
LARGE = int(os.environ.get("LARGE_PEOPLE", 110_000))
DAY = date(2026, 8, 31)
# Copies of one person and of one event of theirs, which the product's own code stored; the event is found by key.
PEOPLE = """
insert into end_user ({columns}) select {values} from end_user t, generate_series(2, %(people)s) n
where t.workspace_id = %(workspace)s and t.id = %(first)s
"""
EVENTS = """
insert into event ({columns}) select {values} from event t, generate_series(1, 3) n, lateral (
    select id, (hashtext(id::text || n) & 1023) * interval '1 hour' as back from end_user
    where workspace_id = %(workspace)s and id <> t.end_user_id
) p
where t.workspace_id = %(workspace)s and t.end_user_id = %(first)s
"""
TOUCH = """
insert into touched (workspace_id, id, people)
select %(workspace)s, gen_random_uuid(), array_agg(id) from end_user
where workspace_id = %(workspace)s and hashtext(id::text || %(day)s) %% %(every)s = 0
"""


def run() -> None:
    """Print the seconds of the small nights alone, of the large one alone, and of the small ones beside it."""
    small = [fill(f"small-{number}", SMALL[1]) for number in range(SMALL[0])]
    large = fill("large", LARGE)
    with Children() as workers:
        start_workers(workers)
        wait([*small, large], ask([*small, large], 0))  # first builds
        alone, _first = wait(small, ask(small, 1))
        long, _first = wait([large], ask([large], 1))
        began = ask([large], 2)
        ask(small, 2)
        beside, unfinished = wait(small, began, beside=large)
        wait([large], began)
    bound = 1.10 * alone + long
    print(f"{SMALL[0]} nights of {SMALL[1]:,} people   {alone:.1f} s with two workers")
    print(f"one night of {LARGE:,} people   {long:.1f} s alone")
    print(
        f"small nights beside the large one   {beside:.1f} s, {beside / bound:.2f} of what is allowed ({bound:.1f} s)"
    )
    print(f"the large one was {'still running' if unfinished else 'done'} when the last small one ended")


def fill(name: str, people: int) -> Workspace:
    slug = f"{name}-{secrets.token_hex(3)}"
    workspace = create_workspace(slug, slug, zone="UTC", frozen_on=DAY + timedelta(days=2))
    builders.ensure_months(datetime(2026, month, 1, tzinfo=UTC) for month in (7, 8, 9))
    builders.event(workspace, "p1", "Order Completed", DAY, total=10)
    with workspace_scope(workspace):
        names = {"workspace": str(workspace.pk), "people": people, "first": str(person_id(workspace.pk, "p1"))}
        execute(copying(PEOPLE, EndUser, id="gen_random_uuid()", external_id="'p' || n"), names)
        execute("set local enable_nestloop = off", {})
        ids = dict.fromkeys(("event_id", "message_id", "order_id"), "gen_random_uuid()")
        times = {"client_at": "t.at - back", "at": "t.at - back", "received_at": "t.at - back"}
        execute(copying(EVENTS, Event, end_user_id="p.id", amount_minor="100 + n * 37", **ids, **times), names)
        touch(workspace, DAY, 1)
    return workspace


def copying(sql: str, model: type[Model], **changed: str) -> str:
    """The statement with the columns of a table, and the values that a copy of its row `t` has."""
    columns = [str(field.column) for field in model._meta.concrete_fields]
    values = [changed.get(column, f"t.{column}") for column in columns]
    return sql.format(columns=", ".join(columns), values=", ".join(values))


def touch(workspace: Workspace, day: date, every: int) -> None:
    execute(TOUCH, {"workspace": str(workspace.pk), "day": day.isoformat(), "every": every})


def ask(workspaces: list[Workspace], later: int) -> float:
    """Ring for a night of each; a tenth of the people are touched. Returns the moment."""
    day = DAY + timedelta(days=later)
    queues = {}
    for workspace in workspaces:
        with workspace_scope(workspace):
            touch(workspace, day, 10)
            queues[workspace.pk] = night_queue(workspace)
    began = time.perf_counter()
    for workspace in workspaces:
        assert ring(RUN_NIGHT, str(workspace.pk), day.isoformat(), "bench", queue=queues[workspace.pk])
        workspace.wanted = day  # type: ignore[attr-defined]
    return began


def wait(workspaces: list[Workspace], began: float, beside: Workspace | None = None) -> tuple[float, bool]:
    """(seconds until all are published, whether the one beside is not)."""
    wanted = {workspace.pk: workspace.wanted for workspace in workspaces}  # type: ignore[attr-defined]
    while wanted:
        time.sleep(0.1)
        for pk, day in Workspace.objects.filter(pk__in=wanted).values_list("pk", "current_day"):
            if day == wanted[pk]:
                del wanted[pk]
    took = time.perf_counter() - began
    return took, bool(beside) and Workspace.objects.get(pk=beside.pk).current_day != beside.wanted  # type: ignore[attr-defined]
