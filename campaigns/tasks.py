"""Doorbells for sending. The rows say what is due; a lost task costs a minute."""

from __future__ import annotations

import time

from celery import shared_task

from campaigns.selectors import due_channels
from campaigns.sending import send_due
from campaigns.services import start_due_runs, sweep
from workspaces.models import Workspace
from workspaces.scoping import workspace_scope
from workspaces.task_base import WorkspaceTask

# A task works this long and rings again: workspaces take turns, and a worker that is told to stop can.
SLICE_SECONDS = 5


@shared_task(base=WorkspaceTask, by_hand=True)
def send_campaigns(workspace: Workspace) -> dict[str, int]:
    """Start what is due, send what is open for a few seconds, sweep what a killed sender left."""
    with workspace_scope(workspace):
        started = start_due_runs()
        sweep()
        channels = due_channels()
    began = time.monotonic()
    sent = sum(send_due(workspace, channel, SLICE_SECONDS) for channel in channels)
    with workspace_scope(workspace):
        finished = sweep()["finished"]
    if channels and time.monotonic() - began >= SLICE_SECONDS:
        send_campaigns.ring(workspace)
    return {"started": started, "results": sent, "finished": finished}
