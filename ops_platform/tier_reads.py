"""Reads for the pages of lifecycle and RFM. Each page's numbers in a handful of queries."""

from __future__ import annotations

from datetime import date
from typing import Any

from lifecycle.models import DayCount
from ops_platform import names
from segmentation.models import RfmCuts
from workspaces.scoping import current_workspace
from workspaces.sql import execute, read_sql, run_sql


def stage_series(first: date, last: date) -> tuple[list[str], dict[str, list[int | None]]]:
    """Days as ISO and, per stage, the people at the end of each; None for a day without a night."""
    counts: dict[date, dict[str, int]] = {}
    for row in DayCount.objects.filter(board="stage", day__gte=first, day__lte=last).order_by("day"):
        counts.setdefault(row.day, {})[row.key] = row.people
    days = list(counts)
    return [day.isoformat() for day in days], {key: [counts[day].get(key) for day in days] for key in names.STAGES}


def flow_matrix(moves: list[dict[str, Any]], after: dict[str, int]) -> list[dict[str, Any]]:
    """Rows (from, joiners last) of cells (to, leavers last): {key, cells: [{key, people, stayed}], total}.

    `after`: people per stage on the later day; who did not move in is who stayed.
    """
    counts = {(move["from_stage"], move["to_stage"]): move["people"] for move in moves}
    stages = list(names.STAGES)
    arrived = {key: sum(people for (_before, to), people in counts.items() if to == key) for key in stages}
    rows = []
    for before in [*stages, ""]:
        cells = []
        for to in [*stages, ""]:
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


def rfm_moves(first: date, last: date, most: int = 12) -> list[dict[str, Any]]:
    """The largest net moves between groups between two days."""
    return run_sql("ops_platform/rfm_moves", first_day=first, last_day=last)[:most]


def rfm_cuts(day: date) -> RfmCuts | None:
    """The cut points of a day's scores."""
    return RfmCuts.objects.filter(day=day).first()
