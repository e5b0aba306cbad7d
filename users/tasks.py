"""Doorbells of imports and of identities. The rows say what is due; a lost task costs a minute."""

from __future__ import annotations

from celery import shared_task
from django.utils import timezone

from users.attributes import note_attributes as note
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
