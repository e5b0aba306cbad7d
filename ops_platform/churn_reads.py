"""Reads for the page of churn: who is about to go and why, the recall ladder, who still comes back, which versions lose."""

from __future__ import annotations

import uuid
from datetime import date, timedelta
from typing import Any

from campaigns.experiments import Arm, interval
from lifecycle import churn
from lifecycle.models import ReturnRate
from workspaces.models import Workspace
from workspaces.sql import joining_sets, run_sql

LISTED = 20
# Fewer absences than this say nothing about a rate; nor do the few left over from very many, who are special ones.
ENOUGH_SPELLS = 30
ENOUGH_SHARE = 0.01
# Rungs are looked back at over so many days.
LADDER_DAYS = 30
# People who came in the 30 days that ended 30 days ago, so that each visit has 30 days to be followed by another: an old
# version is not worse only because those who left it long ago never updated.
COHORT_DAYS = (59, 30)
ENOUGH_PEOPLE = 30
SPLITS = 12

Edge = tuple[int, uuid.UUID]


def warnings(workspace: Workspace, day: date, most: int = LISTED, after: Edge | None = None) -> list[dict[str, Any]]:
    """Slipping people ranked by value at risk, behind the edge (value, id) of a page before: with the reason in words,
    their days away, and the rung of the recall ladder they stand on (None below the first)."""
    value, person = after or (None, None)
    rows = run_sql("ops_platform/warnings", most=most, after_value=value, after_id=person)
    for row in rows:
        row["idle"] = max(0, (day - row["idle_from"]).days)
        row["rung"] = rung_of(workspace, row["idle"], float(row["limit_days"]))
        row["reason"] = churn.reason(
            day,
            seen=row["last_seen_on"] is not None,
            **{key: row[key] for key in ("idle_from", "limit_kind", "limit_days", "gap_median", "signals")},
        )
    return rows


def rung_of(workspace: Workspace, idle: int, limit: float) -> int | None:
    """The highest rung that somebody so many days away has reached; rungs below their slipping point are none."""
    rules = workspace.rules
    reached = [n for n in rules.recall_days if n <= idle and limit * rules.slipping_percent <= n * 100]
    return max(reached, default=None)


def ladder(workspace: Workspace, day: date) -> list[dict[str, Any]]:
    """{rung, people, lately, seen_again} per rung: who reached it on the day, in the days up to it, and came back since."""
    rungs = list(workspace.rules.recall_days)
    return run_sql("ops_platform/recall_ladder", day=day, since=day - timedelta(days=LADDER_DAYS), rungs=rungs)


def return_rates(day: date) -> list[ReturnRate]:
    """The curve of a day, as far as there are enough absences to speak of."""
    rates = list(ReturnRate.objects.filter(day=day, spells__gte=ENOUGH_SPELLS).order_by("idle_days"))
    return [row for row in rates if row.spells >= ENOUGH_SHARE * rates[0].spells]


def smallest_limit(rates: list[ReturnRate], share: float) -> int | None:
    """The fewest days away after which at most this share comes back; None when none is that low."""
    return next((row.idle_days for row in rates if row.returned <= share * row.spells), None)


def cohort(day: date) -> tuple[date, date]:
    """First and last day on which those came who are compared by version and source."""
    return day - timedelta(days=COHORT_DAYS[0]), day - timedelta(days=COHORT_DAYS[1])


def churn_by(day: date) -> dict[str, list[dict[str, Any]]]:
    """{version, source}: {key, people, gone, share, difference, low, high}, the most people first.

    Gone are those who did not come again within 30 days of a visit in the cohort's days; the difference is to everybody
    else of it, with its 95 % interval. Keys with few people are left out.
    """
    first, last = cohort(day)
    found: dict[str, list[dict[str, Any]]] = {"version": [], "source": []}
    with joining_sets():
        rows = run_sql("ops_platform/churn_by", first_day=first, last_day=last)
    for row in rows:
        found[row.pop("kind")].append(row)
    return {kind: compare_to_rest(rows) for kind, rows in found.items()}


def compare_to_rest(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    people, gone = sum(row["people"] for row in rows), sum(row["gone"] for row in rows)
    compared = []
    for row in sorted(rows, key=lambda one: (-one["people"], one["key"])):
        mine, rest = Arm(row["people"], row["gone"]), Arm(people - row["people"], gone - row["gone"])
        if min(mine.people, rest.people) < ENOUGH_PEOPLE:
            continue
        low, high = interval(mine, rest)
        share = row["gone"] / row["people"]
        compared.append(row | {"share": share, "difference": share - (rest.rate or 0), "low": low, "high": high})
    return compared[:SPLITS]
