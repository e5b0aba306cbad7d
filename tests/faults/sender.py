"""A process that sends, to be killed (forks.py).

An order is {"workspace": id, "failpoint": "name:before|after" or "", "sabotage": name or ""}. Each fork works like the
worker's task until nothing is open, then exits 0.
"""

from __future__ import annotations

import os
import signal
import time
from typing import Any

from tests.faults import forks

LEASE_SECONDS = 1.5


def load() -> None:
    # Everything a sender needs, loaded before the forks; a channel else loads its own with the first message.
    import httpx  # noqa: F401

    import campaigns.mime
    import campaigns.tasks  # noqa: F401


def run(order: dict[str, Any]) -> int:
    from campaigns import sending
    from campaigns.models import Delivery
    from campaigns.services import sweep
    from workspaces.models import Workspace
    from workspaces.scoping import workspace_scope

    sending.lease_seconds = lambda config: LEASE_SECONDS
    if order.get("failpoint"):
        plant(*order["failpoint"].split(":"))
    SABOTAGE[order.get("sabotage") or "none"]()
    workspace = Workspace.objects.get(pk=order["workspace"])
    while True:
        with workspace_scope(workspace):
            sweep()
        sending.send_due(workspace, "email")
        with workspace_scope(workspace):
            sweep()
            if not Delivery.objects.filter(state__in=["pending", "claimed", "sending", "deferred"]).exists():
                return 0
        time.sleep(0.1)


def plant(name: str, place: str) -> None:
    """Die at a statement: before it, or after it while its transaction is still open."""
    from campaigns import sending

    plain = sending.run_sql

    def deadly(path: str, **params: Any) -> Any:
        if path == f"campaigns/{name}" and place == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        found = plain(path, **params)
        if path == f"campaigns/{name}":
            os.kill(os.getpid(), signal.SIGKILL)
        return found

    sending.run_sql = deadly


def retry_what_is_unknown() -> None:
    """The wrong build that sends again whatever has no answer."""
    from campaigns import services

    plain = services.run_sql

    def eager(path: str, **params: Any) -> Any:
        found = plain(path, **params)
        if path == "campaigns/sweep":
            from django.db.models.functions import Now

            from campaigns.models import Delivery

            Delivery.objects.filter(state="unknown").update(state="pending", next_at=Now())
        return found

    services.run_sql = eager


def mark_sent_when_claimed() -> None:
    """The wrong build that moves its checkpoint when it fetches, as some tools do."""
    from campaigns import sending

    plain = sending.start_group

    def hasty(job: Any, ids: list[Any]) -> Any:
        from campaigns.models import Delivery
        from workspaces.scoping import workspace_scope

        ready = plain(job, ids)
        with workspace_scope(job.workspace):
            Delivery.objects.filter(delivery_id__in=ids, state="sending").update(state="sent", lease_token=None)
        return ready

    sending.start_group = hasty


def look_at_opt_outs_only_at_the_freeze() -> None:
    from campaigns import sending

    plain = sending.run_sql
    sending.run_sql = lambda path, **params: [] if path == "campaigns/hold_back" else plain(path, **params)


SABOTAGE = {
    "none": lambda: None,
    "retry_unknown": retry_what_is_unknown,
    "checkpoint_at_fetch": mark_sent_when_claimed,
    "opt_out_at_freeze": look_at_opt_outs_only_at_the_freeze,
}

if __name__ == "__main__":
    forks.main(load, run)
