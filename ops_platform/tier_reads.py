"""Reads for the pages of lifecycle and RFM. Each page's numbers in a handful of queries."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import date
from operator import itemgetter
from typing import Any

from campaigns.suppressions import hashing
from lifecycle.models import DayCount
from ops_platform import names
from segmentation.models import RfmCuts
from users.consent import CHANNELS
from workspaces.scoping import current_workspace
from workspaces.sql import run_sql


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


def scored_alike() -> list[dict[str, Any]]:
    """People, money, orders, risk and reach per channel of everybody who is scored, by group, class and cell of the board.

    Read once for all that the RFM page shows: a million people take as long as they take.
    """
    consent_required = current_workspace().rules.consent_required
    return run_sql("ops_platform/rfm_groups", consent_required=consent_required, **hashing(*CHANNELS))


def rfm_tables(alike: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """Of the groups (`rfm`) and of the value classes (`bits`): people, share, money, average and reach per channel, in the
    order of the names."""
    total, money = sum(row["people"] for row in alike), sum(row["money_minor"] for row in alike)
    tables = {}
    for board in ("rfm", "bits"):
        found = summed(alike, itemgetter(board))
        tables[board] = [
            {
                "key": name,
                **found[name],
                "share": found[name]["people"] / total,
                "money_share": found[name]["money_minor"] / money if money else None,
            }
            for name in names.KINDS[board]
            if name in found
        ]
    return tables


def rfm_cells(alike: list[dict[str, Any]]) -> dict[tuple[int, int], Counter[str]]:
    """{(R score, F score): {people, money_minor}} of everybody on the board."""
    return summed(alike, itemgetter("r_score", "f_score"))


def summed(alike: list[dict[str, Any]], key: Callable[[dict[str, Any]], Any]) -> dict[Any, Counter[str]]:
    """The numbers of those who are alike in what `key` takes of them."""
    sums: dict[Any, Counter[str]] = {}
    for row in alike:
        numbers = {name: row[name] for name in ("people", "money_minor", "orders", "risk_minor", *CHANNELS)}
        sums.setdefault(key(row), Counter()).update(numbers)
    return sums


def rfm_sizes(kind: str, counts: dict[str, DayCount]) -> list[dict[str, Any]]:
    """The same table of a past day, as far as it was kept: people and money. `kind`: rfm or bits."""
    shown = [counts[key] for key in names.KINDS[kind] if key in counts and counts[key].people]
    total, money = sum(row.people for row in shown), sum(row.money_minor for row in shown)
    return [
        {
            "key": row.key,
            "people": row.people,
            "money_minor": row.money_minor,
            "share": row.people / total,
            "money_share": row.money_minor / money if money else None,
        }
        for row in shown
    ]


def rfm_moves(first: date, last: date) -> list[dict[str, Any]]:
    """Net moves between groups between two days, the largest first."""
    return run_sql("ops_platform/rfm_moves", first_day=first, last_day=last)


def rfm_cuts(day: date) -> RfmCuts | None:
    """The cut points of a day's scores."""
    return RfmCuts.objects.filter(day=day).first()
