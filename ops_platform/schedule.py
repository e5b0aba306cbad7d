"""Every timed job, in one table. One tick a minute looks for what is due; a slot row makes a second beat harmless.

The queue is a doorbell: a tick that was lost, or a worker that died, is made good by a later tick, because what is due is
read from the tables and never from the queue.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from django.db.models import Q

from ops_platform.ledger import ran_early
from ops_platform.models import Night, Slot
from users.models import EndUser
from users.night import NIGHT_LEASE
from workspaces.leases import is_held
from workspaces.models import Workspace
from workspaces.scoping import workspace_scope
from workspaces.sql import run_sql

NIGHT_HOUR = time(3)
# After the night, so that what is let go has been counted.
TIDY_HOUR = time(4)
# Older missed nights are not made up: the next one counts their events, only the day-by-day history has a hole.
CATCH_UP_NIGHTS = 7
# A night that failed of itself is tried again so much later.
FAILED_AGAIN_AFTER = timedelta(hours=1)
# A slot that was taken and whose work is still due: the bell was lost with the broker, or waits in a long queue, where a
# second one does no harm.
TAKE_AGAIN_AFTER = timedelta(minutes=2)
# Nights of more people than this go to a queue of their own, which only some of the workers serve.
MANY_PEOPLE = 100_000


@dataclass(frozen=True)
class Job:
    """One timed job. `due` names the slots whose work is outstanding, with the task's further arguments, oldest first.

    It is asked in the open scope, and names one slot at most. `queue` says where its bell hangs.
    """

    name: str
    when: str
    task: str
    due: Callable[[Workspace, datetime], Iterable[tuple[datetime, list[str]]]]
    again_after: timedelta = TAKE_AGAIN_AFTER
    queue: Callable[[Workspace], str] = lambda workspace: "celery"


@dataclass(frozen=True)
class Bell:
    """Work that was taken and is to be rung for."""

    workspace: Workspace
    job: Job
    slot: datetime
    arguments: list[str]
    queue: str


def night_slot(workspace: Workspace, day: date) -> datetime:
    """When the night of a day is due: 03:00 of the next day in the workspace's zone."""
    return datetime.combine(day + timedelta(days=1), NIGHT_HOUR, workspace.tzinfo)


def due_nights(workspace: Workspace, now: datetime) -> list[tuple[datetime, list[str]]]:
    """The oldest night that is outstanding, as [(slot, [day])]; one at a time, since each stands on the one before.

    A frozen workspace has none but those that were interrupted: nothing happens in it, and its nights are run by hand.
    Nothing is due while a night runs, and for a while after one has failed.
    """
    if is_held(workspace, NIGHT_LEASE):
        return []
    published = workspace.current_day
    known = {night.day: night for night in Night.objects.filter(Q(state="running") | Q(day=published))}
    interrupted = [day for day, night in known.items() if night.state == "running" and day >= (published or day)]
    if interrupted:
        return [(night_slot(workspace, max(interrupted)), [max(interrupted).isoformat()])]
    first = outstanding(workspace, now, known.get(published) if published else None)
    if (
        first is None
        or Night.objects.filter(day=first, state="failed", finished_at__gt=now - FAILED_AGAIN_AFTER).exists()
    ):
        return []
    return [(night_slot(workspace, first), [first.isoformat()])]


def outstanding(workspace: Workspace, now: datetime, newest: Night | None) -> date | None:
    """The first day that has ended, whose hour has come and that is not published; `newest`: the published night."""
    if workspace.frozen_on is not None:
        return None
    last = now.astimezone(workspace.tzinfo).date() - timedelta(days=1)
    if night_slot(workspace, last) > now:
        last -= timedelta(days=1)
    published = workspace.current_day
    if published is None:
        return last
    early = newest is not None and newest.state == "done" and ran_early(workspace, newest)
    first = max(published + timedelta(days=not early), last - timedelta(days=CATCH_UP_NIGHTS - 1))
    return first if first <= last else None


def night_queue(workspace: Workspace) -> str:
    """Which queue a night goes to, in the open scope: small ones never wait for a large one to end."""
    people = EndUser.objects.order_by()[MANY_PEOPLE : MANY_PEOPLE + 1]
    return "long_nights" if people.exists() else "nights"


def always(workspace: Workspace, now: datetime) -> list[tuple[datetime, list[str]]]:
    """One slot for good, to be taken again and again: the task itself looks whether there is anything to do."""
    return [(datetime(2000, 1, 1, tzinfo=UTC), [])]


def once_a_day(workspace: Workspace, now: datetime) -> list[tuple[datetime, list[str]]]:
    """The last 04:00 in the workspace's zone. A frozen workspace has none."""
    local = now.astimezone(workspace.tzinfo)
    day = local.date() if local.time() >= TIDY_HOUR else local.date() - timedelta(days=1)
    return [] if workspace.frozen_on else [(datetime.combine(day, TIDY_HOUR, workspace.tzinfo), [])]


def late_nights(workspace: Workspace, now: datetime) -> list[tuple[datetime, list[str]]]:
    """When a night is later than the workspace allows: one slot per day, as [(slot, [day])]."""
    if workspace.frozen_on is not None or workspace.current_day is None:
        return []
    late_after = timedelta(minutes=workspace.rules.night_late_minutes)
    day = (now - late_after).astimezone(workspace.tzinfo).date() - timedelta(days=1)
    slot = night_slot(workspace, day) + late_after
    return [(slot, [day.isoformat()])] if slot <= now and workspace.current_day < day else []


EVERY_MINUTE = timedelta(seconds=55)
JOBS: tuple[Job, ...] = (
    Job("night", "03:00 in the workspace's zone", "ops_platform.tasks.run_night", due_nights, queue=night_queue),
    Job("alerts", "later than the workspace allows", "ops_platform.tasks.tell_late", late_nights, timedelta(hours=1)),
    Job("campaigns", "every minute", "campaigns.tasks.send_campaigns", always, EVERY_MINUTE),
    Job("identities", "every minute", "users.tasks.merge_identities", always, EVERY_MINUTE),
    Job("attributes", "every minute", "users.tasks.note_attributes", always, EVERY_MINUTE),
    Job("retention", "04:00 in the workspace's zone", "users.tasks.tidy_events", once_a_day, timedelta(days=2)),
    Job("imports", "every minute", "users.tasks.run_imports", always, EVERY_MINUTE),
    Job("exports", "every minute", "users.tasks.run_exports", always, EVERY_MINUTE),
    Job("rules", "every minute", "ops_platform.tasks.run_rules_changes", always, EVERY_MINUTE),
    Job("erasures", "every minute", "users.tasks.run_erasures", always, EVERY_MINUTE),
)


NIGHT = JOBS[0]


def take_due(workspace: Workspace, now: datetime, jobs: Iterable[Job] = JOBS) -> list[Bell]:
    """Take whatever is due in a workspace; of two callers at the same moment only one is given it."""
    with workspace_scope(workspace):
        due = {job.name: (job, *found) for job in jobs for found in job.due(workspace, now)}
        taken = run_sql(
            "ops_platform/take_slots",
            jobs=list(due),
            slots=[slot for _job, slot, _arguments in due.values()],
            stale=[now - job.again_after for job, _slot, _arguments in due.values()],
        )
        bells = [due[row["job"]] for row in taken]
        return [Bell(workspace, job, slot, arguments, job.queue(workspace)) for job, slot, arguments in bells]


def give_back(bell: Bell) -> None:
    """Undo that it was taken, so that the next tick takes it again at once."""
    with workspace_scope(bell.workspace):
        Slot.objects.filter(job=bell.job.name, slot=bell.slot).delete()
