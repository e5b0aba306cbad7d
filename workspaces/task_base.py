"""The door of the workers: a task about a workspace takes its id first and gets the workspace itself, scope open."""

from __future__ import annotations

from typing import Any

from celery.contrib.django.task import DjangoTask
from django.db import transaction

from workspaces.models import Workspace
from workspaces.scoping import workspace_scope


class PlainTask(DjangoTask):
    """Arguments are ids and ISO dates only. To enqueue after a commit use `WorkspaceTask.ring`: `delay_on_commit` raises
    when the broker is away, after everything has been stored."""

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

    def ring(self, workspace: Workspace) -> None:
        """Ask a worker, after the open transaction if there is one. Without a broker the minute's tick will do it."""

        def delay() -> None:  # Django names the function in its log when it fails
            self.delay(str(workspace.pk))

        transaction.on_commit(delay, robust=True)
