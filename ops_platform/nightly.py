"""The night (数据更新): an ordered list of steps that brings one workspace's numbers up to the end of one day.

Each step is `(workspace, day) -> counts`, may be run alone and may run twice: the second time it finds nothing to change.
The first ones prepare, in transactions of their own; then one transaction publishes what they found, decides everything that
follows from it and moves the day, so that nobody ever reads of two nights at once. A step may tell how far it is
(`workspaces/progress.py`). What happened is told in the ledger (`ops_platform/ledger.py`), which is also how a night goes on
after its worker was killed.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from functools import partial
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from campaigns.services import settle_night
from lifecycle.services import assign_stages, flag_activity
from lifecycle.value import predict_value
from ops_platform import ledger
from ops_platform.models import Night
from ops_platform.snapshots import keep_snapshot
from segmentation.rfm import find_scores, score_rfm
from segmentation.services import refresh_segments
from users.ahead import Reading, coming_facts, reading_ahead
from users.attributes import count_attributes
from users.differences import introduce
from users.identity import merge_pending
from users.night import NIGHT_LEASE, decide_for_all, publish_facts, refresh_facts
from users.spells import find_spells
from workspaces.errors import Conflict, DomainError
from workspaces.leases import Lease, LeaseLost, LeaseTaken, lease
from workspaces.models import Workspace
from workspaces.progress import listening
from workspaces.scoping import set_local, workspace_scope
from workspaces.sql import database_now, is_interruption

Counts = dict[str, int]


@dataclass(frozen=True)
class Step:
    """One step. `counts["changes"]` is how many rows it wrote or removed, whatever else it counts.

    `prepares`: it opens its own transactions, chunk by chunk, and nothing of what it writes is on a page yet. All others
    share the transaction that publishes.
    """

    key: str
    label: Any
    run: Callable[[Workspace, date], Counts]
    prepares: bool = False


def merge_identities(workspace: Workspace, day: date) -> Counts:
    """Ids that turned out to be one person count as one, from the day their links are known."""
    with workspace_scope(workspace):
        introduce()
    return merge_pending(workspace)


STEPS: tuple[Step, ...] = (
    Step("identities", gettext_lazy("Identities"), merge_identities, prepares=True),
    Step("facts", gettext_lazy("Metrics"), refresh_facts, prepares=True),
    Step("attributes", gettext_lazy("Attributes"), count_attributes, prepares=True),
    Step("activity", gettext_lazy("Activity flags"), flag_activity),
    Step("stages", gettext_lazy("Lifecycle stages"), assign_stages),
    Step("rfm", gettext_lazy("RFM"), score_rfm),
    Step("value", gettext_lazy("Expected value"), predict_value),
    Step("segments", gettext_lazy("Segments"), refresh_segments),
    Step("campaigns", gettext_lazy("Campaigns"), settle_night),
    Step("snapshots", gettext_lazy("Snapshots"), keep_snapshot),
)


def run_night(
    workspace: Workspace, day: date, trigger: str = "command", only: str = "", asked_at: datetime | None = None
) -> dict[str, Any]:
    """Run all steps for the day and publish it, or only the step named; returns the summary that `night --json` prints.

    A night whose worker was killed is gone on with at the chunk that was under way. Opens its own scopes, so call it
    outside of one. Raises Conflict when a night of this workspace is running, when the day needs none (`ledger.open_night`),
    when a later day is published already (told history is not rewritten), and for a step that does not run alone on that
    day (`runs_alone`). What a step raises goes through, the ledger filled in.
    """
    if only and only not in {step.key for step in STEPS}:
        names = ", ".join(step.key for step in STEPS)
        raise DomainError(
            "unknown_step", _("There is no such step. Choose one of: %(names)s.") % {"names": names}, "step"
        )
    watch = ledger.Watch(workspace, day)
    with alone(workspace, watch.write) as held:
        workspace.refresh_from_db()
        if workspace.current_day is not None and day < workspace.current_day:
            later = {"day": workspace.current_day.isoformat()}
            raise Conflict("day_passed", _("The numbers already stand at a later day: %(day)s.") % later, "day")
        if only and not runs_alone(workspace, day, only):
            raise not_alone()
        night = _Run(workspace, day, held, watch)
        return night.one(only) if only else night.whole(trigger, asked_at)


def runs_alone(workspace: Workspace, day: date, key: str) -> bool:
    """Whether one step may run for the day without the others: what is decided goes on from the published numbers, and
    decided of a day that lies ahead it would stand there while the days before it are told."""
    return day == workspace.current_day or any(step.prepares for step in STEPS if step.key == key)


def not_alone() -> Conflict:
    text = _("This step needs the numbers of its day, which are not there yet. Run the whole daily update of that day.")
    return Conflict("day_not_published", text, "day")


@contextmanager
def alone(workspace: Workspace, on_beat: Callable[[], None] | None = None) -> Iterator[Lease]:
    """Hold the lease under which everybody is decided. Raises Conflict when somebody else holds it, or takes it over."""
    try:
        with lease(workspace, NIGHT_LEASE, on_beat) as held:
            yield held
    except LeaseTaken as taken:
        raise Conflict("night_running", _("A daily update of this project is running already.")) from taken
    except LeaseLost as lost:
        raise Conflict("night_taken_over", _("Another worker has taken over this daily update.")) from lost


@dataclass
class _Run:
    """One worker's way through a night, under the lease."""

    workspace: Workspace
    day: date
    held: Lease
    watch: ledger.Watch

    def whole(self, trigger: str, asked_at: datetime | None) -> dict[str, Any]:
        night = ledger.open_night(self.workspace, self.day, trigger, [step.key for step in STEPS], asked_at)
        # Of an interrupted night also those that were done: they find what came since, and that is little.
        done = [self.prepare(step, whole=True) for step in STEPS if step.prepares]
        done += self.decide([step for step in STEPS if not step.prepares], night)
        return self.summary(done, night.seconds or 0.0)

    def one(self, key: str) -> dict[str, Any]:
        [step] = [step for step in STEPS if step.key == key]
        done = [self.prepare(step, whole=False)] if step.prepares else self.decide([step], None)
        if key == "facts" and self.day == self.workspace.current_day:
            with workspace_scope(self.workspace):
                work_on_sets()
                publish_facts(self.workspace, self.day, alone=True)
                self.held.make_sure()
        return self.summary(done, done[0]["seconds"])

    def prepare(self, step: Step, *, whole: bool) -> dict[str, Any]:
        """A step that opens transactions of its own, and its line in the ledger."""
        started = time.perf_counter()
        self.begin(step, whole=whole)
        try:
            with listening(self.watch.hear):
                counts = step.run(self.workspace, self.day)
            seconds = round(time.perf_counter() - started, 3)
            # No word of how far it is may come after that it is done.
            self.watch.begin("")
            with workspace_scope(self.workspace):
                self.held.make_sure()
                ledger.finish(self.day, step.key, seconds, counts)
        except Exception as error:
            self.tell(step, error, started, whole=whole)
            raise
        return self.told(step.key, seconds, counts)

    def decide(self, steps: list[Step], night: Night | None) -> list[dict[str, Any]]:
        """Publish what was prepared and run the steps that go on from it, in one transaction: all of it is seen, or nothing.

        Without a `night` the step is run alone, for everybody, and nothing is published.
        """
        done: list[dict[str, Any]] = []
        step, started = steps[0], time.perf_counter()
        attempts = self.begin(step, whole=night is not None)
        try:
            with (
                reading_ahead(self.workspace, self.readings() if night else {}),
                workspace_scope(self.workspace),
                listening(self.watch.hear),
            ):
                work_on_sets()
                if night:
                    publish_facts(self.workspace, self.day)
                else:
                    decide_for_all()
                for step in steps:
                    self.watch.begin(step.key)
                    counts = step.run(self.workspace, self.day)
                    done.append(self.told(step.key, round(time.perf_counter() - started, 3), counts))
                    started = time.perf_counter()
                # From here on the rows of the ledger are ours until the commit, so nobody else may wait for them.
                self.watch.begin("")
                for told in done:
                    ledger.finish(self.day, told["step"], told["seconds"], told["counts"], attempts=attempts)
                if night:
                    night.seconds = (database_now() - night.started_at).total_seconds()
                    _publish(self.workspace, self.day, night.seconds)
                self.held.make_sure()
        except Exception as error:
            self.tell(step, error, started, whole=night is not None)
            raise
        return done

    def readings(self) -> dict[str, Reading]:
        """What rests on what was prepared alone is worked out while that is published, and flags and stages are decided."""
        return {
            "spells": partial(find_spells, self.day, self.workspace.current_day),
            "rfm": partial(find_scores, self.workspace, self.day, coming_facts),
        }

    def begin(self, step: Step, *, whole: bool) -> int:
        """Tell that a step is under way; returns the number of the attempt. Raises GaveUp after too many killed workers."""
        attempts = ledger.start_step(self.workspace, self.day, step.key, STEPS.index(step))
        self.watch.begin(step.key)
        if attempts > ledger.MOST_ATTEMPTS:
            error = GaveUp(ledger.INTERRUPTED)
            ledger.fail(self.workspace, self.day, step.key, str(error), 0.0, whole=whole)
            raise error
        return attempts

    def tell(self, step: Step, error: Exception, started: float, *, whole: bool) -> None:
        """What was interrupted stays as a killed process leaves it, and is gone on with in the same way."""
        self.watch.begin("")
        if not (isinstance(error, LeaseLost) or is_interruption(error)):
            took = time.perf_counter() - started
            ledger.fail(self.workspace, self.day, step.key, str(error), took, whole=whole)

    def told(self, key: str, seconds: float | None, counts: Counts) -> dict[str, Any]:
        return {"step": key, "seconds": seconds or 0.0, "counts": counts}

    def summary(self, done: list[dict[str, Any]], seconds: float) -> dict[str, Any]:
        return {
            "workspace": self.workspace.slug,
            "day": self.day.isoformat(),
            "seconds": round(seconds, 3),
            "steps": done,
            "changes": sum(step["counts"].get("changes", 0) for step in done),
        }


class GaveUp(Exception):
    """A step in which one worker after the other was killed."""


def work_on_sets() -> None:
    """How PostgreSQL works on whole sets, and when it stops working for nobody; for the open transaction."""
    # A workspace that the statistics have not met yet looks empty to the planner, which then loops over 20,000 people once
    # for each of them: minutes, where a hash join takes half a second.
    set_local("work_mem", "128MB")
    set_local("enable_nestloop", "off")
    # What reads a whole table is shared by two: one transaction keeps one core busy, and nothing else goes on then.
    set_local("parallel_setup_cost", "200")
    set_local("parallel_tuple_cost", "0.01")
    # A worker that was killed: its statement ends with it, and whoever takes over need not wait for its locks.
    set_local("client_connection_check_interval", "2s")
    # One that stands still, or a statement without end, holds nobody up for longer.
    set_local("idle_in_transaction_session_timeout", "10min")
    set_local("statement_timeout", "30min")


def _publish(workspace: Workspace, day: date, seconds: float) -> None:
    """Close the ledger and move the day that every page says its numbers are of, in one transaction."""
    with workspace_scope(workspace):
        Night.objects.filter(day=day).update(state="done", finished_at=database_now(), seconds=round(seconds, 3))
        Workspace.objects.filter(pk=workspace.pk).update(current_day=day)
    workspace.current_day = day
