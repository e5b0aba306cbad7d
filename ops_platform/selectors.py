"""Reads for the home page: what the last night says, and what is worth doing about it. One query each, or none."""

from __future__ import annotations

import statistics
from collections.abc import Iterable
from datetime import date, timedelta
from typing import Any

from django.db.models import Count, Max, Q, Sum

from campaigns.models import Campaign, Run
from campaigns.selectors import progress_of
from lifecycle.models import DayCount
from ops_platform.models import Alert, Night
from segmentation.models import Segment
from users.models import EventName, Facts
from workspaces.models import Workspace
from workspaces.scoping import current_workspace
from workspaces.sql import execute, read_sql, run_sql

# R, F and M against the mean: F and M high means "important", whatever R says.
VALUABLE = ("111", "011")
ODD_SHARE = 0.25


def first_run(workspace: Workspace) -> dict[str, bool]:
    """The checklist of a new workspace; every line fills itself."""
    names = EventName.objects.aggregate(any=Count("id"), core=Count("id", filter=Q(is_core=True)))
    return {
        "events": names["any"] > 0,
        "core": names["core"] > 0,
        "night": workspace.current_day is not None,
        "segment": Segment.objects.filter(archived_at=None).exists(),
        "campaign": Run.objects.exists(),
    }


def last_night(workspace: Workspace) -> Night | None:
    """The night of the published day."""
    return Night.objects.filter(day=workspace.current_day).first()


def latest_night_day() -> date | None:
    """The latest day that operators were told something about, or that a night was begun for."""
    days = [Night.objects.aggregate(day=Max("day"))["day"], Alert.objects.aggregate(day=Max("day"))["day"]]
    return max((day for day in days if day), default=None)


def day_totals(day: date) -> list[dict[str, Any]]:
    """Totals of the day and of the same weekday in the four weeks before, newest first."""
    days = [day - timedelta(days=7 * week) for week in range(5)]
    sql = read_sql("ops_platform/day_totals").replace("{orders}", read_sql("ops_platform/day_orders"))
    own = {"workspace": current_workspace().pk, "days": days, "order_days": days, "orders_as_of": day}
    return execute(sql, own)


def anomalies(totals: list[dict[str, Any]], most: int = 2) -> list[dict[str, Any]]:
    """Totals far from their own four weeks: more than three deviations and a quarter away. The furthest first."""
    found: list[dict[str, Any]] = []
    for key in ("revenue_minor", "orders", "active", "joined"):
        now, before = float(totals[0][key]), [float(row[key]) for row in totals[1:]]
        usual = statistics.fmean(before)
        spread = max(statistics.pstdev(before), usual * 0.05)
        if usual and sum(before) > 40 and abs(now - usual) > max(3 * spread, ODD_SHARE * usual):
            found.append({"key": key, "now": now, "usual": usual, "share": (now - usual) / usual})
    return sorted(found, key=lambda odd: -abs(odd["share"]))[:most]


def board_counts(day: date) -> dict[str, dict[str, DayCount]]:
    """{board: {key: DayCount}} of a day; stage, activity and rfm are always there, cells and bits where they were kept."""
    boards: dict[str, dict[str, DayCount]] = {"stage": {}, "activity": {}, "rfm": {}}
    for row in DayCount.objects.filter(day=day):
        boards.setdefault(row.board, {})[row.key] = row
    return boards


def moves_on(day: date) -> list[dict[str, Any]]:
    """Changes of stage told by one night: {from_stage, to_stage, people}."""
    return stage_moves(day - timedelta(days=1), day)


def stage_moves(first_day: date, last_day: date) -> list[dict[str, Any]]:
    """Net changes between the ends of two days; empty stages are "joined" and "left"."""
    if last_day - first_day == timedelta(days=1):
        return run_sql("lifecycle/moves_of_day", day=last_day)
    return run_sql("lifecycle/moves", first_day=first_day, last_day=last_day)


def count_moves(moves: Iterable[dict[str, Any]], order: list[str]) -> dict[str, int]:
    """People who climbed, fell, churned, came back and joined, by the order of the stages (churned last)."""
    rank = {key: at for at, key in enumerate(order) if key != "churned"}
    sums = {"up": 0, "down": 0, "churned": 0, "returned": 0, "joined": 0}
    for move in moves:
        before, after, people = move["from_stage"], move["to_stage"], move["people"]
        if not before:
            sums["joined"] += people
        elif after == "churned":
            sums["churned"] += people
        elif before == "churned":
            sums["returned"] += people if after else 0
        elif after:
            sums["up" if rank.get(after, 0) > rank.get(before, 0) else "down"] += people
    return sums


def risk_by_group() -> list[dict[str, Any]]:
    """Slipping people and value at risk by RFM group, the dearest first; how much of it is of valuable people."""
    return run_sql("ops_platform/risk_by_group")


def rfm_cells() -> dict[tuple[int, int], dict[str, Any]]:
    """{(R score, F score): {people, money_minor}} of everybody on the board."""
    return {(row["r_score"], row["f_score"]): row for row in run_sql("ops_platform/rfm_cells")}


def newcomers_without_second(day: date) -> dict[str, Any]:
    """People whose first order is 7 to 30 days old and who have not ordered again."""
    return Facts.objects.filter(
        orders=1, first_order_on__lte=day - timedelta(days=7), first_order_on__gte=day - timedelta(days=30)
    ).aggregate(people=Count("end_user_id"), money=Sum("revenue_minor"))


def repeat_users() -> int:
    """People who did the core action on more than one day."""
    return Facts.objects.filter(core_days__gte=2).count()


def latest_campaigns(most: int = 5) -> list[dict[str, Any]]:
    """Campaigns that send or wait for their time, the soonest first, then those that ended last: {campaign, progress}."""
    rows = Campaign.objects.select_related("segment")
    found = list(rows.filter(state__in=["running", "scheduled", "paused"]).order_by("state", "scheduled_at")[:most])
    found += rows.filter(state="finished").order_by("-created_at")[: most - len(found)]
    progress = progress_of(campaign.pk for campaign in found)
    return [{"campaign": campaign, "progress": progress.get(campaign.pk)} for campaign in found]
