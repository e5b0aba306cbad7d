"""Doorbells of imports, exports, erasures and identities. The rows say what is due; a lost task costs a minute."""

from __future__ import annotations

from celery import shared_task
from django.utils import timezone

from users.erasure import due_erasures, run_erasure
from users.export_run import due_exports, expire_exports, run_export
from users.identity import merge_pending
from users.import_run import due_imports, run_import
from users.imports import forget_files
from users.retention import tidy_events as tidy
from workspaces.models import Workspace
from workspaces.scoping import workspace_scope
from workspaces.task_base import WorkspaceTask


@shared_task(base=WorkspaceTask, by_hand=True)
def run_imports(workspace: Workspace) -> dict[str, int]:
    """Work through every import that is due, and let go of old files."""
    with workspace_scope(workspace):
        due = due_imports(timezone.now())
        forget_files(timezone.now())
    return {"imports": sum(run_import(workspace, pk) is not None for pk in due)}


@shared_task(base=WorkspaceTask, by_hand=True)
def run_exports(workspace: Workspace) -> dict[str, int]:
    """Write every list that was asked for, and let go of old files."""
    with workspace_scope(workspace):
        due = due_exports(timezone.now())
        expire_exports(workspace, timezone.now())
    for pk in due:
        run_export(workspace, pk)
    return {"exports": len(due)}


@shared_task(base=WorkspaceTask, by_hand=True)
def run_erasures(workspace: Workspace) -> dict[str, int]:
    """Erase everybody whose erasure was asked for and is not done."""
    with workspace_scope(workspace):
        due = due_erasures(timezone.now())
    for pk in due:
        run_erasure(workspace, pk)
    return {"erasures": len(due)}


@shared_task(base=WorkspaceTask, by_hand=True)
def merge_identities(workspace: Workspace) -> dict[str, int]:
    """Merge the ids that messages said are one person."""
    return merge_pending(workspace, strays=False)


@shared_task(base=WorkspaceTask, by_hand=True)
def tidy_events(workspace: Workspace) -> dict[str, int]:
    """Make the months of events to come, and let those go that the workspace keeps no longer."""
    return tidy(workspace)
