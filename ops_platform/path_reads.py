"""Reads for the page of paths: how long people stay in a stage, which ways they go, and what precedes a step (C9)."""

from __future__ import annotations

from datetime import date
from typing import Any

from campaigns.experiments import Arm, interval
from ops_platform import day_reads, names
from ops_platform.people_steps import BEFORE_DAYS, event_months
from workspaces.models import Workspace
from workspaces.sql import run_sql

# So many people are looked at on each side of a comparison.
SAMPLE = 2000
# Fewer people than this on either side say nothing about an event.
ENOUGH_PEOPLE = 20
PATHS, LASTS, DEEDS = 12, 6, 15
# Days in a stage, as the picture groups them; the last has no end.
AGES = (0, 7, 14, 30, 60, 90, 180, 365)


def age_groups() -> list[tuple[int, int | None]]:
    """(first, last) day of each group of days in a stage."""
    return [(first, AGES[at + 1] - 1 if at + 1 < len(AGES) else None) for at, first in enumerate(AGES)]


def stage_ages(day: date) -> list[dict[str, Any]]:
    """Per stage: {key, people, median (days), ages: [people per group], begun: who is there since the first night or longer}."""
    first = next(iter(day_reads.told_days()), None)
    since: dict[str, list[tuple[int, int]]] = {}
    begun: dict[str, int] = {}
    for row in run_sql("ops_platform/stage_ages"):
        since.setdefault(row["stage"], []).append(((day - row["stage_since"]).days, row["people"]))
        if row["stage_since"] == first:
            begun[row["stage"]] = row["people"]
    return [
        {
            "key": key,
            "people": sum(people for _days, people in since[key]),
            "median": weighted_median(since[key]),
            "ages": [
                sum(people for days, people in since[key] if days >= low and (high is None or days <= high))
                for low, high in age_groups()
            ],
            "begun": begun.get(key, 0),
        }
        for key in names.STAGES
        if key in since
    ]


def weighted_median(values: list[tuple[int, int]]) -> float:
    """The median (type 7) of values told as (value, times)."""
    total = sum(times for _value, times in values)
    wanted, seen, found = ((total - 1) // 2, total // 2), 0, []
    for value, times in sorted(values):
        found += [value] * sum(seen <= at < seen + times for at in wanted)
        seen += times
    return sum(found) / 2


def paths(since: date, until: date) -> list[dict[str, Any]]:
    """{path, people, days (median from the first change to the last), walkers (all who changed twice or more)}."""
    return run_sql("ops_platform/stage_paths", first_day=since, last_day=until, most=PATHS)


def steps(since: date, until: date) -> list[dict[str, Any]]:
    """{from_stage, to_stage, people} of the steps up and of coming back, the most people first."""
    found = run_sql("ops_platform/stage_steps", first_day=since, last_day=until)
    upward = [row for row in found if day_reads.way(row["from_stage"], row["to_stage"]) in ("up", "returned")]
    return sorted(upward, key=lambda row: (-row["people"], row["from_stage"], row["to_stage"]))


def before_step(workspace: Workspace, since: date, until: date, source: str, target: str) -> dict[str, Any]:
    """What preceded a step: {people, days, movers, stayers, deeds, lasts}.

    `people` took it (at most SAMPLE are looked at), after `days` in the stage before (median). `movers` of them came in the
    week before, `stayers` are people who stayed and came in the same days. `deeds`: per event how many of each side did
    it, their shares, the difference with its 95 % interval and how many times as common; the clearest first. `lasts`: the
    last three distinct events before.
    """
    months = event_months(since, until)
    asked = {
        "first_day": since,
        "last_day": until,
        "from_stage": source,
        "to_stage": target,
        "most": SAMPLE,
        "days": BEFORE_DAYS,
        "zone": workspace.zone,
        "first_key": months["step_first"],
        "last_key": months["step_last"],
    }
    found = run_sql("ops_platform/step_deeds", **asked)
    lasts = run_sql("ops_platform/step_lasts", **asked, shown=LASTS + 1)
    size = found[0] if found else {"movers": 0, "stayers": 0}
    deeds = [compare_deed(row) for row in found if min(row["movers"], row["stayers"]) >= ENOUGH_PEOPLE]
    return {
        "people": lasts[0]["people"],
        "days": lasts[0]["days"],
        "movers": size["movers"],
        "stayers": size["stayers"],
        "deeds": sorted(deeds, key=lambda row: (not row["clear"], -abs(row["difference"]), row["name"]))[:DEEDS],
        "lasts": [row for row in lasts if row["events"]][:LASTS],
    }


def compare_deed(row: dict[str, Any]) -> dict[str, Any]:
    moved, stayed = Arm(row["movers"], row["moved"]), Arm(row["stayers"], row["stayed"])
    low, high = interval(moved, stayed)
    before, beside = row["moved"] / row["movers"], row["stayed"] / row["stayers"]
    return row | {
        "share": before,
        "beside": beside,
        "difference": before - beside,
        "low": low,
        "high": high,
        "lift": before / beside if beside else None,
        "clear": low > 0 or high < 0,
    }
