"""Reads for the tiers: lifecycle, RFM, churn. Each page's numbers in a handful of queries."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

from django.db.models import Max, Min

from lifecycle import churn
from lifecycle.models import DayCount, ReturnRate
from ops_platform import names
from segmentation.models import RfmCuts
from workspaces.models import Workspace
from workspaces.scoping import current_workspace
from workspaces.sql import execute, read_sql, run_sql

LISTED = 20
# Fewer absences than this say nothing about a rate; nor do the few left over from very many, who are special ones.
ENOUGH_SPELLS = 30
ENOUGH_SHARE = 0.01


def told_days() -> tuple[date | None, date | None]:
    """The first and the last day that stages were counted for; counts come with every night."""
    days = DayCount.objects.filter(board="stage").aggregate(first=Min("day"), last=Max("day"))
    return days["first"], days["last"]


def stage_series(first: date, last: date) -> tuple[list[str], dict[str, list[int | None]]]:
    """Days as ISO and, per stage, the people at the end of each; None for a day without a night."""
    counts: dict[date, dict[str, int]] = {}
    for row in DayCount.objects.filter(board="stage", day__gte=first, day__lte=last).order_by("day"):
        counts.setdefault(row.day, {})[row.key] = row.people
    days = list(counts)
    return [day.isoformat() for day in days], {key: [counts[day].get(key) for day in days] for key in names.STAGES}


def flow_matrix(
    moves: list[dict[str, Any]],
    after: dict[str, int],
    keys: Sequence[str] = tuple(names.STAGES),
    ends: tuple[str, str] = ("from_stage", "to_stage"),
) -> list[dict[str, Any]]:
    """Rows (from, joiners last) of cells (to, leavers last): {key, cells: [{key, people, stayed}], total}.

    `after`: people per stage (or group) on the later day; who did not move in is who stayed.
    """
    counts = {(move[ends[0]], move[ends[1]]): move["people"] for move in moves}
    arrived = {key: sum(people for (_before, to), people in counts.items() if to == key) for key in keys}
    rows = []
    for before in [*keys, ""]:
        cells = []
        for to in [*keys, ""]:
            stayed = before == to and before != ""
            people = max(0, after.get(to, 0) - arrived[to]) if stayed else counts.get((before, to), 0)
            cells.append({"key": to, "people": people, "stayed": stayed, "blank": not before and not to})
        rows.append({"key": before, "cells": cells, "total": sum(cell["people"] for cell in cells)})
    return rows


def rfm_table(key: str) -> list[dict[str, Any]]:
    """`key` rfm_group or rfm_bits: people, share, money, average and reach per channel, in the order of the names."""
    kind = {"rfm_group": names.GROUPS, "rfm_bits": names.VALUE_CLASSES}[key]
    sql = read_sql("ops_platform/rfm_groups").replace("{key}", key)
    workspace = current_workspace()
    params = {"workspace": workspace.id, "consent_required": workspace.rules.consent_required}
    rows = {row["key"]: row for row in execute(sql, params)}
    total = sum(row["people"] for row in rows.values())
    money = sum(row["money_minor"] for row in rows.values())
    return [
        {
            **rows[name],
            "share": rows[name]["people"] / total,
            "money_share": rows[name]["money_minor"] / money if money else None,
        }
        for name in kind
        if name in rows
    ]


def rfm_moves(first: date, last: date) -> list[dict[str, Any]]:
    """Net moves between groups between two days, the largest first."""
    return run_sql("ops_platform/rfm_moves", first_day=first, last_day=last)


def rfm_cuts(day: date) -> RfmCuts | None:
    """The cut points of a day's scores."""
    return RfmCuts.objects.filter(day=day).first()


def risk_list(day: date, most: int = LISTED) -> list[dict[str, Any]]:
    """Slipping people ranked by value at risk, each with the reason in words."""
    rows = run_sql("ops_platform/risk_list", most=most)
    for row in rows:
        row["reason"] = churn.sentence(
            {
                "seen": row["last_seen_on"] is not None,
                "idle": max(0, (day - row["idle_from"]).days),
                "kind": row["limit_kind"],
                "limit": float(row["limit_days"]),
                "median": float(row["gap_median"]) if row["gap_median"] is not None else None,
            }
        )
    return rows


def ladder(workspace: Workspace, day: date) -> list[dict[str, Any]]:
    """{days, people} per rung of the recall ladder."""
    rules = workspace.rules
    return run_sql(
        "ops_platform/recall_ladder",
        day=day,
        rungs=list(rules.recall_days),
        slipping_share=rules.slipping_percent / 100,
    )


def false_churn(day: date) -> dict[str, int]:
    """{flagged, seen_again}: of those newly dormant 30 days ago, who came back by themselves."""
    return run_sql("ops_platform/false_churn", day=day - timedelta(days=30))[0]


def return_rates(day: date) -> list[ReturnRate]:
    """The curve of a day, as far as there are enough absences to speak of."""
    rates = list(ReturnRate.objects.filter(day=day, spells__gte=ENOUGH_SPELLS).order_by("idle_days"))
    return [row for row in rates if row.spells >= ENOUGH_SHARE * rates[0].spells]


def smallest_limit(rates: list[ReturnRate], share: float) -> int | None:
    """The fewest days away after which at most this share comes back; None when none is that low."""
    return next((row.idle_days for row in rates if row.returned <= share * row.spells), None)
