"""Reads of what was kept of days: sizes, flows, segments, audits. They cost by days and groups, however many people."""

from __future__ import annotations

from datetime import date, timedelta

from django.db.models import Max, Min

from lifecycle.models import DayCount, DayFlow, FlagAudit
from ops_platform import names
from segmentation.models import SegmentDay

# What a day's flow between stages comes to, by the words of the people list (ops_platform/people_moves.py: MOVES).
WAYS = ("up", "returned", "down", "churned")


def told_days() -> tuple[date | None, date | None]:
    """The first and the last day that stages were counted for; counts come with every night."""
    days = DayCount.objects.filter(board="stage").aggregate(first=Min("day"), last=Max("day"))
    return days["first"], days["last"]


def told_on(day: date) -> date:
    """The last day with a night up to a day: what was told then still stood."""
    return DayCount.objects.filter(board="stage", day__lte=day).aggregate(last=Max("day"))["last"] or day


def told_beside(day: date) -> tuple[date | None, date | None]:
    """The nights before and after a day."""
    nights = DayCount.objects.filter(board="stage")
    before = nights.filter(day__lt=day).aggregate(day=Max("day"))["day"]
    return before, nights.filter(day__gt=day).aggregate(day=Min("day"))["day"]


def way(before: str, after: str) -> str:
    """What a change of stage is called: up, down, churned, returned, joined or left."""
    if not before:
        return "joined"
    if not after:
        return "left"
    if "churned" in (before, after):
        return "churned" if after == "churned" else "returned"
    ladder = list(names.STAGES)
    known = before in ladder and after in ladder
    return "up" if known and ladder.index(after) > ladder.index(before) else "down"


def flow_series(first: date, last: date) -> tuple[list[str], dict[str, list[int]]]:
    """Days with a night as ISO and, per way, the people who went it that day; the very first night, when all join, told too."""
    days = list(
        DayCount.objects.filter(board="stage", day__gte=first, day__lte=last)
        .order_by("day")
        .values_list("day", flat=True)
        .distinct()
    )
    series = {key: dict.fromkeys(days, 0) for key in WAYS}
    for flow in DayFlow.objects.filter(board="stage", day__in=days):
        key = way(flow.from_key, flow.to_key)
        if key in series:
            series[key][flow.day] += flow.people
    return [day.isoformat() for day in days], {key: list(line.values()) for key, line in series.items()}


def flows_on(day: date) -> dict[str, dict[str, dict[str, int]]]:
    """{board: {key: {came, went}}} of a day."""
    boards: dict[str, dict[str, dict[str, int]]] = {}
    for flow in DayFlow.objects.filter(day=day):
        board = boards.setdefault(flow.board, {})
        board.setdefault(flow.to_key, {"came": 0, "went": 0})["came"] += flow.people
        board.setdefault(flow.from_key, {"came": 0, "went": 0})["went"] += flow.people
    return boards


def segments_on(day: date) -> list[SegmentDay]:
    """Sizes and flows of the segments that were counted that day, the largest first."""
    return list(SegmentDay.objects.filter(day=day).select_related("segment").order_by("-size", "segment__name"))


def audits(day: date, days: int = 90) -> list[FlagAudit]:
    """What became of earlier warnings, as the last nights up to a day told it, oldest first."""
    rows = FlagAudit.objects.filter(day__lte=day, day__gt=day - timedelta(days=days))
    return list(rows.order_by("day", "after_days"))
