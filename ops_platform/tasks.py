"""The tasks of the roof: the tick of the schedule, and the night."""

from __future__ import annotations

import logging
from datetime import date
from typing import Any

from celery import current_app, shared_task
from django.utils import timezone
from kombu.exceptions import OperationalError

from ops_platform import nightly
from ops_platform.rules_change import due_changes
from ops_platform.rules_change import run_change as decide
from ops_platform.schedule import JOBS, give_back, take_slot
from workspaces.errors import Conflict
from workspaces.models import Workspace
from workspaces.scoping import workspace_scope
from workspaces.task_base import WorkspaceTask

logger = logging.getLogger(__name__)


@shared_task
def tick() -> None:
    """Take what is due of every job in every workspace and ring for it. Two ticks at once are harmless."""
    now = timezone.now()
    for workspace in Workspace.objects.order_by("slug"):
        for job in JOBS:
            for slot, arguments in job.due(workspace, now):
                if take_slot(workspace, job, slot, now) and not ring(job.task, str(workspace.pk), *arguments):
                    give_back(workspace, job, slot)


def ring(task: str, *arguments: str) -> bool:
    """Enqueue a task; False with the broker away, when nothing is lost since the tables still say what is due."""
    try:
        current_app.send_task(task, args=arguments)
    except OperationalError as error:
        logger.warning("The broker is away, %s waits for the next tick: %s", task, error)
        return False
    return True


@shared_task(base=WorkspaceTask, by_hand=True)
def run_night(workspace: Workspace, day: str, trigger: str = "schedule", only: str = "") -> dict[str, Any] | None:
    """Run one night, or one step of it; None when it need not run: another is running, or a later day stands already."""
    try:
        return nightly.run_night(workspace, date.fromisoformat(day), trigger, only)
    except Conflict as conflict:
        logger.info("%s %s: %s", workspace.slug, day, conflict.message)
        return None


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
