"""The door of the workers: a task about a workspace takes its id first and gets the workspace itself, scope open."""

from __future__ import annotations

from typing import Any

from celery.contrib.django.task import DjangoTask

from workspaces.models import Workspace
from workspaces.scoping import workspace_scope


class PlainTask(DjangoTask):
    """Adds delay_on_commit; arguments are ids and ISO dates only."""

    abstract = True


class WorkspaceTask(PlainTask):
    """`@shared_task(base=WorkspaceTask)`: called with a workspace id, runs with the Workspace in an open scope.

    Tasks that do network I/O set `by_hand = True` and leave the scopes to their service.
    """

    abstract = True
    by_hand = False

    def __call__(self, workspace_id: str, *args: Any, **kwargs: Any) -> Any:
        workspace = Workspace.objects.get(pk=workspace_id)
        if self.by_hand:
            return self.run(workspace, *args, **kwargs)
        with workspace_scope(workspace):
            return self.run(workspace, *args, **kwargs)
