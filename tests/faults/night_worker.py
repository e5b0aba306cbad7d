"""A process that is beat and worker of the nights, to be killed (forks.py).

An order is {"workspace": id, "failpoint": …, "sabotage": …, "clock": seconds that its clock is ahead, "day": until which
day, "job": one of JOBS}. Bells are answered at once, in the same process; leases are short.
"""

from __future__ import annotations

import os
import signal
import time
from datetime import UTC, date, datetime, timedelta
from typing import Any
from unittest import mock

import time_machine

from tests.faults import forks

LEASE_SECONDS = 1.5


def load() -> None:
    # Everything a night needs, loaded before the forks; the models of value are else loaded by the first step that fits one.
    import campaigns.tasks  # noqa: F401
    import lifecycle.buying  # noqa: F401
    import ops_platform.tasks  # noqa: F401


def work(order: dict[str, Any]) -> int:
    from workspaces import leases

    if not order.get("long_lease"):
        leases.LEASE_SECONDS, leases.RENEW_SECONDS, leases.BEAT_SECONDS = LEASE_SECONDS, 0.3, 0.1
    SABOTAGE[order["sabotage"] or "none"]()
    if order["failpoint"]:
        plant(*order["failpoint"].split(":"))
    if not order.get("clock"):
        return JOBS[order.get("job", "go_on")](order)
    with time_machine.travel(datetime.now(UTC) + timedelta(seconds=order["clock"]), tick=True):
        return JOBS[order.get("job", "go_on")](order)


def go_on(order: dict[str, Any]) -> int:
    """Tick until the day is published, whatever happens to the database."""
    from django.db import Error, connection

    from ops_platform import tasks

    answer_bells(order["workspace"])
    deadline = time.monotonic() + (500 if os.environ.get("TIER") else 50)
    while time.monotonic() < deadline:
        try:
            tasks.tick()
            if published(order["workspace"]) == date.fromisoformat(order["day"]):
                return 0
        except Error:
            connection.close()
        time.sleep(0.05)
    return 3


def tick_once(order: dict[str, Any]) -> int:
    """One beat and what it rings for, at a moment that others were given as well."""
    from ops_platform import tasks

    answer_bells(order["workspace"])
    wait_for(order)
    tasks.tick()
    return 0


def answer_again(order: dict[str, Any]) -> int:
    """A bell that was delivered once more, or that somebody rang by hand."""
    from ops_platform import tasks

    wait_for(order)
    asked = datetime.fromtimestamp(order["at"], UTC).isoformat() if order["trigger"] == "button" else ""
    tasks.run_night(order["workspace"], order["day"], order["trigger"], "", asked)
    return 0


def again_and_again(order: dict[str, Any]) -> int:
    """The same day, so many times."""
    from ops_platform.nightly import run_night
    from workspaces.models import Workspace

    workspace = Workspace.objects.get(pk=order["workspace"])
    for _cut in range(order["cuts"]):
        run_night(workspace, date.fromisoformat(order["day"]))
        time.sleep(order["pause"])
    return 0


JOBS = {"go_on": go_on, "tick_once": tick_once, "answer_again": answer_again, "again_and_again": again_and_again}


def wait_for(order: dict[str, Any]) -> None:
    while time.time() < order["at"]:
        time.sleep(0.001)


def answer_bells(workspace_id: str) -> None:
    """In place of the broker: what is rung for is done at once, for one workspace. Other nights go on being due."""
    from ops_platform import tasks

    def ring(task: str, *arguments: str, queue: str = "") -> bool:
        if not task.endswith("run_night"):
            return True
        if arguments[0] == workspace_id:
            tasks.run_night(*arguments)
        return arguments[0] == workspace_id

    tasks.ring = ring


def published(workspace_id: str) -> date | None:
    from workspaces.models import Workspace

    return Workspace.objects.get(pk=workspace_id).current_day


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def plant(step: str, place: str) -> None:
    """Die in a step when its work is done and not told, or wait there for half a second; die before a step that has a
    transaction of its own, when those before are committed; die around the publish."""
    from ops_platform import ledger, nightly

    finish, start, publish = ledger.finish, ledger.start_step, nightly._publish

    def deadly_finish(day: Any, key: str, *told: Any, **values: Any) -> None:
        if (key, place) == (step, "working"):
            die()
        if (key, place) == (step, "waiting"):
            time.sleep(0.5)
        finish(day, key, *told, **values)

    def deadly_start(workspace: Any, day: Any, key: str, position: int) -> int:
        if (key, place) == (step, "committed"):
            die()
        return start(workspace, day, key, position)

    def deadly_publish(*args: Any) -> None:
        if (step, place) == ("publish", "before"):
            die()
        publish(*args)
        if (step, place) == ("publish", "after"):
            die()

    ledger.finish, ledger.start_step, nightly._publish = deadly_finish, deadly_start, deadly_publish


def checkpoint_first() -> None:
    """F11: the ledger says that the night is done before it is."""
    from ops_platform import nightly
    from workspaces.scoping import workspace_scope

    plain = nightly._Run.decide

    def hasty(run: Any, steps: Any, night: Any) -> Any:
        with workspace_scope(run.workspace):
            nightly._publish(run.workspace, run.day, 0.0)
        return plain(run, steps, night)

    nightly._Run.decide = hasty  # type: ignore[method-assign]


def no_lock() -> None:
    """F13: whoever is rung for runs a night, as cron does."""
    from ops_platform import ledger, schedule, tasks
    from ops_platform.models import Night
    from workspaces import leases
    from workspaces.scoping import workspace_scope
    from workspaces.sql import execute

    open_night = ledger.open_night

    def open_anew(workspace: Any, day: date, *told: Any) -> Any:
        # One after the other: whoever came while another's night ran would go on with that one, and count as none.
        with workspace_scope(workspace):
            execute("select pg_advisory_xact_lock(13)", {})
            Night.objects.filter(day=day, state="running").update(state="failed")
            return open_night(workspace, day, *told)

    ledger.open_night = open_anew
    leases.TAKE = "select %(token)s::uuid as token, %(workspace)s, %(name)s, %(seconds)s"
    leases.LOCK = "select %(token)s::uuid as token, %(workspace)s, %(name)s"
    ledger._serves = lambda *args: False
    plain = schedule.take_due

    def take_all(workspace: Any, now: datetime, jobs: Any = schedule.JOBS) -> Any:
        with mock.patch.object(schedule, "run_sql", lambda path, **given: [{"job": name} for name in given["jobs"]]):
            return plain(workspace, now, jobs)

    tasks.take_due = take_all


def only_the_last() -> None:
    """F14: beat knows one next time, and what it missed is gone."""
    from ops_platform import schedule
    from workspaces.models import Workspace

    plain = schedule.outstanding

    def forgetful(workspace: Any, now: datetime, newest: Any) -> date | None:
        return plain(workspace, now, newest) and plain(Workspace(zone=workspace.zone), now, None)

    schedule.outstanding = forgetful


def by_the_watermark() -> None:
    """F15: a night looks at what was received since the one before."""
    from ops_platform import nightly
    from workspaces.scoping import workspace_scope
    from workspaces.sql import database_now, execute

    seen: list[datetime] = []
    forget = """
        delete from touched t where workspace_id = %(shop)s and not exists (
            select from event e where e.end_user_id = any(t.people) and e.received_at > %(seen)s
        )
    """

    def hasty(workspace: Any, day: Any) -> Any:
        with workspace_scope(workspace):
            if seen:
                execute(forget, {"shop": str(workspace.pk), "seen": seen[-1]})
            seen.append(database_now())
        return merge(workspace, day)

    first, *rest = nightly.STEPS
    merge = first.run
    nightly.STEPS = (nightly.Step(first.key, first.label, hasty, prepares=True), *rest)


def clock_of_the_worker() -> None:
    """F16: leases and slots by the clock of whoever asks."""
    from django.utils import timezone

    from ops_platform import tasks
    from workspaces import leases

    class Now:
        def __str__(self) -> str:
            return f"timestamptz '{timezone.now().isoformat()}'"

    plain = leases.execute

    def execute(sql: str, params: dict[str, Any]) -> Any:
        return plain(sql.replace("clock_timestamp()", str(Now())), params)

    leases.execute = execute
    tasks.database_now = timezone.now


SABOTAGE = {
    "none": lambda: None,
    "checkpoint_first": checkpoint_first,
    "no_lock": no_lock,
    "only_the_last": only_the_last,
    "by_the_watermark": by_the_watermark,
    "clock_of_the_worker": clock_of_the_worker,
}

if __name__ == "__main__":
    forks.main(load, work)
