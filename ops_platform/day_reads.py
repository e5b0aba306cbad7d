"""Reads of what was kept of days: sizes, flows, segments, audits. They cost by days and groups, however many people."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from datetime import date, timedelta

from lifecycle.models import DayCount, DayFlow, FlagAudit
from ops_platform import names
from segmentation.models import SegmentDay

# What a day's flow between stages comes to, by the words of the people list (ops_platform/people_moves.py: MOVES).
WAYS = ("up", "returned", "down", "churned")


def told_days() -> list[date]:
    """The days that stages were counted for, in order; counts come with every night."""
    return list(DayCount.objects.filter(board="stage").order_by("day").values_list("day", flat=True).distinct())


def told_on(days: list[date], day: date) -> date:
    """The last of the days with a night up to a day: what was told then still stood."""
    before = bisect_right(days, day)
    return days[before - 1] if before else day


def told_beside(days: list[date], day: date) -> tuple[date | None, date | None]:
    """The nights before and after a day."""
    before, after = bisect_left(days, day), bisect_right(days, day)
    return days[before - 1] if before else None, days[after] if after < len(days) else None


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


def flow_series(days: list[date]) -> tuple[list[str], dict[str, list[int]]]:
    """Days with a night as ISO and, per way, the people who went it that day; the very first night, when all join, told too."""
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
