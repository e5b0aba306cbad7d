"""The ledger of the night: what was begun, how far it is, what it counted, and whether it still has to be done.

Every function opens its own scope, unless it says that it works in the open one.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from typing import Any

from django.db.models import Case, F, Q, When
from django.db.models.functions import Now
from django.utils.translation import gettext as _

from ops_platform.models import Night, NightStep
from workspaces.errors import Conflict
from workspaces.models import Workspace
from workspaces.scoping import workspace_scope
from workspaces.sql import database_now, execute

# A step in which so many workers were killed will kill the next one as well.
MOST_ATTEMPTS = 8
INTERRUPTED = "interrupted"


def open_night(workspace: Workspace, day: date, trigger: str, steps: Sequence[str], asked_at: datetime | None) -> Night:
    """The night, all steps waiting; or one that was interrupted, as it was left.

    Raises Conflict when it need not run: the schedule asks once for a day that had ended, and whoever asked while a
    night ran is served by that one.
    """
    with workspace_scope(workspace):
        night = Night.objects.filter(day=day).first()
        if night and night.state == "running":
            return night
        if night and night.state == "done" and _serves(workspace, night, trigger, asked_at):
            raise Conflict("night_done", _("The numbers of this day have just been computed."))
        now = database_now()
        _give_up_others(now, day)
        fresh = {"state": "running", "trigger": trigger, "started_at": now, "finished_at": None, "seconds": None}
        Night.objects.update_or_create(workspace=workspace, day=day, defaults=fresh | {"error": ""})
        Night.objects.filter(day=day).update(runs=F("runs") + 1)
        waiting = [
            NightStep(workspace=workspace, day=day, step=step, position=n, **WAITING) for n, step in enumerate(steps)
        ]
        NightStep.objects.bulk_create(
            waiting,
            update_conflicts=True,
            unique_fields=["workspace", "day", "step"],
            update_fields=["position", *WAITING],
        )
        return Night.objects.get(day=day)


WAITING: dict[str, Any] = {
    "state": "waiting", "started_at": None, "seconds": None, "counts": {}, "error": "", "attempts": 0, "done": 0, "total": 0,
}  # fmt: skip


def _serves(workspace: Workspace, night: Night, trigger: str, asked_at: datetime | None) -> bool:
    if trigger == "schedule":
        return not ran_early(workspace, night)
    return asked_at is not None and night.finished_at is not None and night.finished_at >= asked_at


def ran_early(workspace: Workspace, night: Night) -> bool:
    """Whether it began before its day had ended, by hand, and so has to be run again."""
    return night.started_at < datetime.combine(night.day + timedelta(days=1), time(), workspace.tzinfo)


def _give_up_others(now: datetime, day: date) -> None:
    """Nights of other days that were never finished: a later one counts what they would have."""
    NightStep.objects.filter(~Q(day=day), state="running").update(state="failed", error=INTERRUPTED)
    Night.objects.filter(~Q(day=day), state="running").update(state="failed", error=INTERRUPTED, finished_at=now)


def record(workspace: Workspace, day: date, step: str, **values: Any) -> None:
    """In the open scope."""
    NightStep.objects.update_or_create(workspace=workspace, day=day, step=step, defaults=values)


def finish(day: date, step: str, seconds: float, counts: dict[str, int], **values: Any) -> None:
    """Tell that a step that was begun is done, in the open scope."""
    NightStep.objects.filter(day=day, step=step).update(state="done", seconds=seconds, counts=counts, **values)


def start_step(workspace: Workspace, day: date, step: str, position: int) -> int:
    """Begin a step, perhaps once more; returns the number of the attempt. Steps alone have no row yet."""
    with workspace_scope(workspace):
        before = NightStep.objects.filter(day=day, step=step, state="running").first()
        attempts = before.attempts + (not was_cut(before)) if before else 1
        started = {"state": "running", "started_at": database_now(), "attempts": attempts}
        record(workspace, day, step, position=position, **{**WAITING, **started})
        return attempts


def was_cut(before: NightStep) -> bool:
    """Whether PostgreSQL was started anew since: then that is what ended the attempt, and not what the step does. A backend
    that was killed for what it did takes the sessions of the others along, but not the server."""
    [server] = execute("select pg_postmaster_start_time() as started_at", {})
    return before.started_at is not None and before.started_at < server["started_at"]


def fail(workspace: Workspace, day: date, step: str, error: str, seconds: float, *, whole: bool) -> None:
    """Tell that a step failed, and with it the night when the whole of it was run: what shared its transaction waits again."""
    with workspace_scope(workspace):
        if whole:
            NightStep.objects.filter(day=day, state="running").update(**WAITING)
        record(workspace, day, step, state="failed", seconds=round(seconds, 3), error=error[:500])
        if whole:
            Night.objects.filter(day=day).update(state="failed", error=error[:500], finished_at=database_now())


class Watch:
    """How far the step under way is: told by the work, written by the thread that renews the lease."""

    def __init__(self, workspace: Workspace, day: date) -> None:
        self.workspace, self.day, self.step = workspace, day, ""
        self.told = self.written = (0, 0)
        self.lock = threading.Lock()

    def begin(self, step: str) -> None:
        """Watch this step from now on, or none."""
        with self.lock:
            self.step, self.told, self.written = step, (0, 0), (-1, 0)

    def hear(self, done: int, total: int) -> None:
        self.told = (done, total)

    def write(self) -> None:
        """Into the ledger, outside of the step's transaction, so that pages see it."""
        with self.lock:
            if self.told == self.written or not self.step:
                return
            done, total = self.told
            with workspace_scope(self.workspace):
                rows = NightStep.objects.filter(day=self.day, step=self.step)
                begun = Case(When(state="running", then=F("started_at")), default=Now())
                rows.update(state="running", started_at=begun, done=done, total=total)
            self.written = (done, total)
