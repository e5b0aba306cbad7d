"""Letting old events go, month by month, where a workspace keeps them for so many months only.

What was made of them stays: person-days and purchases, from which every fact is computed, are sealed before the first event
of theirs goes (`Workspace.events_from`, see users/sql/fold_changed.sql) and are never folded again.
"""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from functools import partial

from django.db import OperationalError, connection, transaction
from django.utils import timezone

from users.models import IngestError
from users.months import month_from, oldest_sure
from users.services import in_scope
from workspaces.models import Workspace
from workspaces.services import audit
from workspaces.sql import execute, run_sql, sqlstate

BATCH = 20_000
KEPT_REJECTS = timedelta(days=7)
# Months whose partition is made before their first event comes.
AHEAD = 2
# Somebody writes to the table at this moment.
BUSY = {"55P03", "40P01"}
MONTHS = """
select c.relname as name from pg_inherits i join pg_class c on c.oid = i.inhrelid
where i.inhparent = 'public.event'::regclass order by c.relname
"""


def tidy_events(workspace: Workspace, now: datetime | None = None) -> dict[str, int]:
    """Make the months to come, let those go that the workspace keeps no longer, and old samples of refused items.

    Returns {deleted, dropped}: events and months.

    A transaction per batch, so that it stands in nobody's way and goes on where it stopped.
    """
    now = now or timezone.now()
    in_scope(workspace, partial(make_months, now))
    in_scope(workspace, partial(forget_rejects, now))
    workspace.refresh_from_db()
    months = workspace.rules.keep_events_months
    if not months:
        return {"deleted": 0, "dropped": 0}
    first = in_scope(workspace, partial(seal, workspace, month_from(workspace.today(now), -months)))
    before, deleted = datetime.combine(first, time(), workspace.tzinfo), 0
    for month in months_until(before):
        while done := in_scope(workspace, partial(delete_some, month, before)):
            deleted += done
    if deleted:
        in_scope(workspace, partial(audit, "events.expire", first.isoformat(), events=deleted))
    dropped = sum(drop_if_empty(month) for month in months_until(before) if month < oldest_sure(now))
    return {"deleted": deleted, "dropped": dropped}


def make_months(now: datetime) -> None:
    for ahead in range(AHEAD + 1):
        execute("select ensure_event_month(%(month)s)", {"month": month_from(now.date(), ahead)})


def forget_rejects(now: datetime) -> None:
    """Samples of refused items may tell of anybody, and nobody can say of whom: they are not kept long."""
    IngestError.objects.filter(at__lt=now - KEPT_REJECTS)._raw_delete("default")


def seal(workspace: Workspace, first: date) -> date:
    """Remember that days before `first` are not folded again; returns the day, which never moves back."""
    execute(
        "select pg_advisory_xact_lock(hashtextextended('fold:' || %(workspace)s, 0))", {"workspace": str(workspace.pk)}
    )
    held = workspace.hold()
    if held.events_from is None or held.events_from < first:
        held.events_from = first
        held.save(update_fields=["events_from"])
    # With more months kept than before, nothing goes that is kept by now.
    return first


def months_until(before: datetime) -> list[date]:
    """The months of the event table that begin before a moment."""
    found = [date(int(row["name"][-6:-2]), int(row["name"][-2:]), 1) for row in execute(MONTHS, {})]
    return [month for month in found if datetime.combine(month, time(), before.tzinfo) < before]


def delete_some(month: date, before: datetime) -> int:
    """Delete some of the month's events, those of people whom the next night looks at excepted; returns how many."""
    params = {"month": month, "next_month": month_from(month, 1), "before": before, "most": BATCH}
    return run_sql("users/expire_events", **params)[0]["rows"]


def drop_if_empty(month: date) -> bool:
    """Drop a month of the table in which nobody has an event; not now when somebody is writing to the table."""
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("select drop_empty_event_month(%s)", [month])
            return cursor.fetchone()[0]
    except OperationalError as error:
        if sqlstate(error) not in BUSY:
            raise
        return False
