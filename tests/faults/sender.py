"""A process that sends, to be killed: it loads the product once and forks a sender for each line on its input.

A line is JSON: {"workspace": id, "failpoint": "name:before|after" or "", "sabotage": name or ""}. Each fork works like
the worker's task until nothing is open, then exits 0; its pid is printed first, and "done PID STATUS" at the end.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
import traceback
from typing import Any

import django

LEASE_SECONDS = 1.5


def main() -> None:
    django.setup()
    import campaigns.tasks  # noqa: F401 - everything a sender needs, loaded before the forks

    signal.signal(signal.SIGCHLD, reap)
    print("ready", flush=True)
    while line := read_line():
        order = json.loads(line)
        pid = os.fork()
        if pid == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            os._exit(run(order))
        print(f"pid {pid}", flush=True)


def read_line() -> str:
    return sys.stdin.readline()


def reap(number: int, frame: Any) -> None:
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            return
        os.write(1, f"done {pid} {os.waitstatus_to_exitcode(status)}\n".encode())


def run(order: dict[str, Any]) -> int:
    from campaigns import sending
    from campaigns.models import Delivery
    from campaigns.services import sweep
    from workspaces.models import Workspace
    from workspaces.scoping import workspace_scope

    try:
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
    except Exception:
        traceback.print_exc()
        return 1


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
    main()
