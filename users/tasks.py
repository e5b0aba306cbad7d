"""Doorbells of imports, exports, erasures and identities. The rows say what is due; a lost task costs a minute."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable

from celery import shared_task
from django.utils import timezone

from users.attributes import note_attributes as note
from users.erasure import due_erasures, run_erasure
from users.export_run import due_exports, expire_exports, run_export
from users.identity import merge_pending
from users.import_run import due_imports, run_import
from users.imports import forget_files
from users.retention import tidy_events as tidy
from workspaces.models import Workspace
from workspaces.scoping import workspace_scope
from workspaces.task_base import WorkspaceTask

logger = logging.getLogger(__name__)


@shared_task(base=WorkspaceTask, by_hand=True)
def run_imports(workspace: Workspace) -> dict[str, int]:
    """Work through every import that is due, and let go of old files."""
    with workspace_scope(workspace):
        due = due_imports(timezone.now())
        forget_files(timezone.now())
    return {"imports": sum(went_well(run_import, workspace, pk) for pk in due)}


@shared_task(base=WorkspaceTask, by_hand=True)
def run_exports(workspace: Workspace) -> dict[str, int]:
    """Write every list that was asked for, and let go of old files."""
    with workspace_scope(workspace):
        due = due_exports(timezone.now())
        expire_exports(workspace, timezone.now())
    return {"exports": sum(went_well(run_export, workspace, pk) for pk in due)}


@shared_task(base=WorkspaceTask, by_hand=True)
def run_erasures(workspace: Workspace) -> dict[str, int]:
    """Erase everybody whose erasure was asked for and is not done."""
    with workspace_scope(workspace):
        due = due_erasures(timezone.now())
    return {"erasures": sum(went_well(run_erasure, workspace, pk) for pk in due)}


def went_well(work: Callable[[Workspace, uuid.UUID], object], workspace: Workspace, pk: uuid.UUID) -> bool:
    """Do the work; one that fails is logged, keeps no other waiting, and is tried again by the next tick."""
    try:
        work(workspace, pk)
    except Exception:
        logger.exception("%s of %s failed", work.__name__, pk)
        return False
    return True


@shared_task(base=WorkspaceTask, by_hand=True)
def merge_identities(workspace: Workspace) -> dict[str, int]:
    """Merge the ids that messages said are one person."""
    return merge_pending(workspace, strays=False)


@shared_task(base=WorkspaceTask, by_hand=True)
def tidy_events(workspace: Workspace) -> dict[str, int]:
    """Make the months of events to come, and let those go that the workspace keeps no longer."""
    return tidy(workspace)


@shared_task(base=WorkspaceTask)
def note_attributes(workspace: Workspace) -> dict[str, int]:
    """Add the attributes that arrived lately to the catalogue."""
    return note(workspace, timezone.now())
