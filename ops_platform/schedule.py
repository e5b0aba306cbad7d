"""Every timed job, in one table. One tick a minute looks for what is due; a slot row makes a second beat harmless.

The queue is a doorbell: a tick that was lost, or a worker that died, is made good by a later tick, because what is due is
read from the tables and never from the queue.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from ops_platform.models import Night, Slot
from workspaces.models import Workspace
from workspaces.scoping import workspace_scope
from workspaces.sql import run_sql

NIGHT_HOUR = time(3)
# After the night, so that what is let go has been counted.
TIDY_HOUR = time(4)
# Older missed nights are not made up: the next one counts their events, only the day-by-day history has a hole.
CATCH_UP_NIGHTS = 7
# A slot that was taken and whose work is still due belongs to a worker that died; a night refuses to run beside itself.
TAKE_AGAIN_AFTER = timedelta(hours=1)


@dataclass(frozen=True)
class Job:
    """One timed job. `due` names the slots whose work is outstanding, with the task's further arguments, oldest first."""

    name: str
    when: str
    task: str
    due: Callable[[Workspace, datetime], Iterable[tuple[datetime, list[str]]]]
    again_after: timedelta = TAKE_AGAIN_AFTER


def night_slot(workspace: Workspace, day: date) -> datetime:
    """When the night of a day is due: 03:00 of the next day in the workspace's zone."""
    return datetime.combine(day + timedelta(days=1), NIGHT_HOUR, workspace.tzinfo)


def due_nights(workspace: Workspace, now: datetime) -> list[tuple[datetime, list[str]]]:
    """The oldest night that is outstanding, as [(slot, [day])]; one at a time, since each stands on the one before.

    A frozen workspace has none: nothing happens in it, and its nights are run by hand.
    """
    if workspace.frozen_on is not None:
        return []
    last = now.astimezone(workspace.tzinfo).date() - timedelta(days=1)
    if night_slot(workspace, last) > now:
        last -= timedelta(days=1)
    published = workspace.current_day
    if published is None:
        first = last
    elif published > last:
        return []
    else:
        first = max(
            published + timedelta(days=not ran_early(workspace, published)), last - timedelta(days=CATCH_UP_NIGHTS - 1)
        )
    return [(night_slot(workspace, first), [first.isoformat()])] if first <= last else []


def ran_early(workspace: Workspace, day: date) -> bool:
    """Whether the night of a day began before that day had ended, by hand, and so has to be run again."""
    end = datetime.combine(day + timedelta(days=1), time(), workspace.tzinfo)
    with workspace_scope(workspace):
        return Night.objects.filter(day=day, state="done", started_at__lt=end).exists()


def always(workspace: Workspace, now: datetime) -> list[tuple[datetime, list[str]]]:
    """One slot for good, to be taken again and again: the task itself looks whether there is anything to do."""
    return [(datetime(2000, 1, 1, tzinfo=UTC), [])]


def once_a_day(workspace: Workspace, now: datetime) -> list[tuple[datetime, list[str]]]:
    """The last 04:00 in the workspace's zone. A frozen workspace has none."""
    local = now.astimezone(workspace.tzinfo)
    day = local.date() if local.time() >= TIDY_HOUR else local.date() - timedelta(days=1)
    return [] if workspace.frozen_on else [(datetime.combine(day, TIDY_HOUR, workspace.tzinfo), [])]


EVERY_MINUTE = timedelta(seconds=55)
JOBS: tuple[Job, ...] = (
    Job("night", "03:00 in the workspace's zone", "ops_platform.tasks.run_night", due_nights),
    Job("campaigns", "every minute", "campaigns.tasks.send_campaigns", always, EVERY_MINUTE),
    Job("identities", "every minute", "users.tasks.merge_identities", always, EVERY_MINUTE),
    Job("attributes", "every minute", "users.tasks.note_attributes", always, EVERY_MINUTE),
    Job("retention", "04:00 in the workspace's zone", "users.tasks.tidy_events", once_a_day, timedelta(days=2)),
    Job("imports", "every minute", "users.tasks.run_imports", always, EVERY_MINUTE),
    Job("exports", "every minute", "users.tasks.run_exports", always, EVERY_MINUTE),
    Job("rules", "every minute", "ops_platform.tasks.run_rules_changes", always, EVERY_MINUTE),
    Job("erasures", "every minute", "users.tasks.run_erasures", always, EVERY_MINUTE),
)


def take_slot(workspace: Workspace, job: Job, slot: datetime, now: datetime) -> bool:
    """Whether this caller is the one to do the slot's work; of two at the same moment only one is told so."""
    with workspace_scope(workspace):
        return bool(run_sql("ops_platform/take_slot", job=job.name, slot=slot, now=now, stale=now - job.again_after))


def give_back(workspace: Workspace, job: Job, slot: datetime) -> None:
    """Undo `take_slot`, so that the next tick takes it again at once."""
    with workspace_scope(workspace):
        Slot.objects.filter(job=job.name, slot=slot).delete()
