"""The tasks of the roof: the tick of the schedule, and the night."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from datetime import date, datetime
from typing import Any

from celery import current_app, shared_task
from kombu.exceptions import OperationalError

from ops_platform import nightly
from ops_platform.alerts import mail_alerts, note_jumps, note_late
from ops_platform.rules_change import due_changes
from ops_platform.rules_change import run_change as decide
from ops_platform.schedule import JOBS, NIGHT, Bell, Job, give_back, take_due
from users.night import NIGHT_LEASE
from workspaces.errors import Conflict
from workspaces.leases import forget_expired, list_expired
from workspaces.models import Workspace
from workspaces.scoping import workspace_scope
from workspaces.sql import database_now
from workspaces.task_base import WorkspaceTask

logger = logging.getLogger(__name__)


@shared_task
def tick() -> None:
    """Take what is due of every job in every workspace and ring for it. Two ticks at once are harmless.

    A workspace in which something is wrong keeps no other one waiting.
    """
    for workspace in Workspace.objects.order_by("slug"):
        ring_due(workspace, JOBS)


@shared_task
def sweep() -> None:
    """Between two ticks, go on with nights whose workers are heard of no longer."""
    for workspace in Workspace.objects.filter(pk__in=list_expired(NIGHT_LEASE)):
        ring_due(workspace, [NIGHT])
        with workspace_scope(workspace):
            forget_expired(workspace, NIGHT_LEASE)


def ring_due(workspace: Workspace, jobs: Iterable[Job]) -> None:
    try:
        for bell in take_due(workspace, database_now(), jobs):
            ring_bell(bell)
    except Exception:
        logger.exception("The schedule of %s", workspace.slug)


def ring_bell(bell: Bell) -> None:
    if not ring(bell.job.task, str(bell.workspace.pk), *bell.arguments, queue=bell.queue):
        give_back(bell)


def ring(task: str, *arguments: str, queue: str = "celery") -> bool:
    """Enqueue a task; False with the broker away, when nothing is lost since the tables still say what is due."""
    try:
        current_app.send_task(task, args=arguments, queue=queue)
    except OperationalError as error:
        logger.warning("The broker is away, %s waits for the next tick: %s", task, error)
        return False
    return True


@shared_task(base=WorkspaceTask, by_hand=True)
def run_night(
    workspace: Workspace, day: str, trigger: str = "schedule", only: str = "", asked_at: str = ""
) -> dict[str, Any] | None:
    """Run one night, or one step of it; None when it need not run: another is running, or has done it already.

    A night that was missed as well follows at once.
    """
    asked = datetime.fromisoformat(asked_at) if asked_at else None
    try:
        summary = nightly.run_night(workspace, date.fromisoformat(day), trigger, only, asked)
    except Conflict as conflict:
        logger.info("%s %s: %s", workspace.slug, day, conflict.message)
        return None
    if not only:
        tell_jumps(workspace, date.fromisoformat(day))
        ring_due(Workspace.objects.get(pk=workspace.pk), [NIGHT])
    return summary


def tell_jumps(workspace: Workspace, day: date) -> None:
    """After a night: what jumped, on the pages and by mail. An alert that fails spoils no night."""
    try:
        with workspace_scope(workspace):
            note_jumps(workspace, day)
        mail_alerts(workspace)
    except Exception:
        logger.exception("Alerts of %s", workspace.slug)


@shared_task(base=WorkspaceTask, by_hand=True)
def tell_late(workspace: Workspace, day: str) -> None:
    """Tell that a night is late or failed, unless it is there by now."""
    if workspace.current_day is None or workspace.current_day >= date.fromisoformat(day):
        return
    with workspace_scope(workspace):
        note_late(workspace, date.fromisoformat(day))
    mail_alerts(workspace)


@shared_task(base=WorkspaceTask, by_hand=True)
def run_rules_changes(workspace: Workspace) -> dict[str, int]:
    """Preview or apply every change of settings that waits. While a night runs they wait for the next tick."""
    with workspace_scope(workspace):
        due = due_changes()
    done = 0
    for pk in due:
        try:
            decide(workspace, pk)
            done += 1
        except Conflict as conflict:
            logger.info("%s: %s", workspace.slug, conflict.message)
        except Exception:
            logger.exception("The change of settings %s failed", pk)
    return {"changes": done}
