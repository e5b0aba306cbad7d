"""What pages and the API read about stages and activity. All need an open scope."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from django.db.models import Max

from lifecycle import stages
from lifecycle.churn import sentence
from lifecycle.models import ActivityChange, DayCount, ReturnRate, StageChange
from users.models import Facts
from workspaces.sql import run_sql


@dataclass(frozen=True)
class Tally:
    """People and money (minor units) behind one key of a board."""

    people: int = 0
    money_minor: int = 0


@dataclass(frozen=True)
class Flow:
    """升降 between the ends of two days: `people[(from stage, to stage)]`; "" is a joiner's row and a leaver's column."""

    first_day: date
    last_day: date
    people: dict[tuple[str, str], int]

    def moved(self) -> int:
        """How many stand elsewhere than before, joiners and leavers among them."""
        return sum(count for (before, after), count in self.people.items() if before != after)


@dataclass(frozen=True)
class Told:
    """One change in a person's history. `kind` is stage or activity; `reason` is in the current language."""

    day: date
    kind: str
    before: str
    after: str
    returned: bool
    reason: str


@dataclass(frozen=True)
class ReturnPoint:
    """回访率 of one length: of `spells` that reached so many idle days, the share that ended in a visit (None without spells)."""

    idle_days: int
    spells: int
    rate: float | None


def counts(board: str, day: date) -> dict[str, Tally]:
    """The snapshot of a board (stage, activity or rfm) that the night of the day left, by key; {} when there was none."""
    return {row.key: Tally(row.people, row.money_minor) for row in DayCount.objects.filter(board=board, day=day)}


def counts_between(board: str, first_day: date, last_day: date) -> dict[date, dict[str, int]]:
    """People per key for every day in the span that has a snapshot, oldest first: a chart over time."""
    rows = DayCount.objects.filter(board=board, day__range=(first_day, last_day)).order_by("day")
    days: dict[date, dict[str, int]] = {}
    for row in rows:
        days.setdefault(row.day, {})[row.key] = row.people
    return days


def night_before(day: date) -> date | None:
    """The latest day before this one that has a snapshot: what "since last night" compares with."""
    return DayCount.objects.filter(board="stage", day__lt=day).aggregate(latest=Max("day"))["latest"]


def flow(first_day: date, last_day: date) -> Flow:
    """Who went from which stage to which between the ends of two days; those who stayed are on the diagonal.

    Stands on told history: on a day without a night, everybody stands where the night before it put them.
    """
    moves = run_sql("lifecycle/moves", first_day=first_day, last_day=last_day)
    people = {(row["from_stage"], row["to_stage"]): row["people"] for row in moves}
    known = night_before(first_day + timedelta(days=1))
    for key, tally in (counts("stage", known) if known else {}).items():
        gone = sum(count for (before, _after), count in people.items() if before == key)
        if tally.people > gone:
            people[key, key] = tally.people - gone
    return Flow(first_day, last_day, people)


def history(person_id: uuid.UUID) -> list[Told]:
    """Every told change of one person's stage and activity flag, latest first."""
    moves = [
        Told(row.day, "stage", row.from_stage, row.to_stage, row.returned, stage_reason(row))
        for row in StageChange.objects.filter(end_user_id=person_id)
    ]
    flags = [
        Told(row.day, "activity", row.from_activity, row.to_activity, False, sentence(row.why))
        for row in ActivityChange.objects.filter(end_user_id=person_id)
    ]
    return sorted([*moves, *flags], key=lambda told: (told.day, told.kind == "stage"), reverse=True)


def stage_reason(change: StageChange) -> str:
    """Why a change of stage happened, in the current language; "" for somebody who left."""
    stage = stages.all_stages().get(change.to_stage)
    return stage.reason(change.why) if stage and change.why else ""


def return_curve(day: date) -> list[ReturnPoint]:
    """回访率 by idle days, 1 to 180, as the night of the day found it; [] when there was none."""
    rows = ReturnRate.objects.filter(day=day).order_by("idle_days")
    return [ReturnPoint(row.idle_days, row.spells, row.returned / row.spells if row.spells else None) for row in rows]


def suggested_limit(curve: Sequence[ReturnPoint], share: float = 0.10) -> int | None:
    """The smallest number of idle days at which no more than `share` came back; None when the curve never gets there."""
    return next((point.idle_days for point in curve if point.rate is not None and point.rate <= share), None)


def false_churn(day: date) -> dict[str, Any]:
    """误判率: of the people who became dormant 30 days before, how many were seen again by the day (`rate` None without any)."""
    flagged_on = day - timedelta(days=30)
    flagged = ActivityChange.objects.filter(day=flagged_on, to_activity="dormant").values("end_user_id")
    people = flagged.count()
    back = Facts.objects.filter(end_user_id__in=flagged, last_seen_on__gt=flagged_on).count()
    return {"flagged_on": flagged_on, "people": people, "back": back, "rate": back / people if people else None}
