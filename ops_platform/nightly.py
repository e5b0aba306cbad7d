"""The night (数据更新): an ordered list of steps that brings one workspace's numbers up to the end of one day.

Each step is `(workspace, day) -> counts`, works in a transaction of its own, may be run alone and may run twice: the
second time it finds nothing to change. What happened is told in the ledger, `Night` and `NightStep`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from typing import Any

from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from campaigns.services import settle_night
from lifecycle.services import assign_stages, flag_activity
from lifecycle.value import predict_value
from ops_platform.models import Night, NightStep
from ops_platform.snapshots import keep_snapshot
from segmentation.rfm import score_rfm
from segmentation.services import refresh_segments
from users.attributes import count_attributes
from users.identity import merge_pending
from users.night import NIGHT_LOCK, refresh_facts
from workspaces.errors import Conflict, DomainError
from workspaces.models import Workspace
from workspaces.scoping import set_local, workspace_scope
from workspaces.sql import execute

Counts = dict[str, int]


@dataclass(frozen=True)
class Step:
    """One step. `counts["changes"]` is how many rows it wrote or removed, whatever else it counts."""

    key: str
    label: Any
    run: Callable[[Workspace, date], Counts]


def merge_identities(workspace: Workspace, day: date) -> Counts:
    """Ids that turned out to be one person count as one, from the day their links are known."""
    return merge_pending(workspace)


STEPS: tuple[Step, ...] = (
    Step("identities", gettext_lazy("Identities"), merge_identities),
    Step("facts", gettext_lazy("Metrics"), refresh_facts),
    Step("attributes", gettext_lazy("Attributes"), count_attributes),
    Step("activity", gettext_lazy("Activity flags"), flag_activity),
    Step("stages", gettext_lazy("Lifecycle stages"), assign_stages),
    Step("rfm", gettext_lazy("RFM"), score_rfm),
    Step("value", gettext_lazy("Expected value"), predict_value),
    Step("segments", gettext_lazy("Segments"), refresh_segments),
    Step("campaigns", gettext_lazy("Campaigns"), settle_night),
    Step("snapshots", gettext_lazy("Snapshots"), keep_snapshot),
)


def run_night(workspace: Workspace, day: date, trigger: str = "command", only: str = "") -> dict[str, Any]:
    """Run all steps for the day and publish it, or only the step named; returns the summary that `night --json` prints.

    Opens its own scopes, so call it outside of one. Raises Conflict when a night of this workspace is running, or when
    a later day is published already: told history is not rewritten. What a step raises goes through, the ledger filled in.
    """
    steps = [step for step in STEPS if only in ("", step.key)]
    if not steps:
        names = ", ".join(step.key for step in STEPS)
        raise DomainError(
            "unknown_step", _("There is no such step. Choose one of: %(names)s.") % {"names": names}, "step"
        )
    started = time.perf_counter()
    with _alone(workspace):
        workspace.refresh_from_db()
        if workspace.current_day is not None and day < workspace.current_day:
            later = {"day": workspace.current_day.isoformat()}
            raise Conflict("day_passed", _("The numbers already stand at a later day: %(day)s.") % later, "day")
        if not only:
            _open_night(workspace, day, trigger)
        done = [_run_step(workspace, day, step, whole=not only) for step in steps]
        if not only:
            _publish(workspace, day, time.perf_counter() - started)
    return {
        "workspace": workspace.slug,
        "day": day.isoformat(),
        "seconds": round(time.perf_counter() - started, 3),
        "steps": done,
        "changes": sum(step["counts"].get("changes", 0) for step in done),
    }


@contextmanager
def _alone(workspace: Workspace) -> Iterator[None]:
    """Hold the workspace's lock, which the database lets go of when this process dies. Raises Conflict when it is taken."""
    key = {"key": NIGHT_LOCK.format(workspace.pk)}
    if not execute("select pg_try_advisory_lock(hashtextextended(%(key)s, 0)) as taken", key)[0]["taken"]:
        raise Conflict("night_running", _("A daily update of this project is running already."))
    try:
        yield
    finally:
        execute("select pg_advisory_unlock(hashtextextended(%(key)s, 0))", key)


def _open_night(workspace: Workspace, day: date, trigger: str) -> None:
    """The ledger of this night, all steps waiting; nights that a killed process left running are told as failed."""
    with workspace_scope(workspace):
        NightStep.objects.filter(state="running").update(state="failed", error="interrupted")
        Night.objects.filter(~Q(day=day), state="running").update(
            state="failed", error="interrupted", finished_at=timezone.now()
        )
        Night.objects.update_or_create(
            workspace=workspace,
            day=day,
            defaults={
                "state": "running",
                "trigger": trigger,
                "started_at": timezone.now(),
                "finished_at": None,
                "seconds": None,
                "error": "",
            },
        )
        for step in STEPS:
            _record(workspace, day, step, state="waiting", started_at=None, seconds=None, counts={}, error="")


def _run_step(workspace: Workspace, day: date, step: Step, *, whole: bool) -> dict[str, Any]:
    started = time.perf_counter()
    with workspace_scope(workspace):
        _record(workspace, day, step, state="running", started_at=timezone.now(), seconds=None, counts={}, error="")
    try:
        with workspace_scope(workspace):
            # Steps work on whole sets. A workspace that the statistics have not met yet looks empty to the planner, which
            # then loops over 20,000 people once for each of them: minutes, where a hash join takes half a second.
            set_local("work_mem", "128MB")
            set_local("enable_nestloop", "off")
            counts = step.run(workspace, day)
    except Exception as error:
        _tell_failure(workspace, day, step, str(error)[:500], time.perf_counter() - started, whole=whole)
        raise
    seconds = round(time.perf_counter() - started, 3)
    with workspace_scope(workspace):
        _record(workspace, day, step, state="done", seconds=seconds, counts=counts)
    return {"step": step.key, "seconds": seconds, "counts": counts}


def _record(workspace: Workspace, day: date, step: Step, **values: Any) -> None:
    values["position"] = STEPS.index(step)
    NightStep.objects.update_or_create(workspace=workspace, day=day, step=step.key, defaults=values)


def _tell_failure(workspace: Workspace, day: date, step: Step, error: str, seconds: float, *, whole: bool) -> None:
    with workspace_scope(workspace):
        _record(workspace, day, step, state="failed", seconds=round(seconds, 3), error=error)
        if whole:
            Night.objects.filter(day=day).update(state="failed", error=error, finished_at=timezone.now())


def _publish(workspace: Workspace, day: date, seconds: float) -> None:
    """Close the ledger and move the day that every page says its numbers are of, in one transaction."""
    with workspace_scope(workspace):
        Night.objects.filter(day=day).update(state="done", finished_at=timezone.now(), seconds=round(seconds, 3))
        Workspace.objects.filter(pk=workspace.pk).update(current_day=day)
    workspace.current_day = day
