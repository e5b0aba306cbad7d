"""Reads for the pages of value: the model of the published day, who makes the money to come, and sources with their costs."""

from __future__ import annotations

from datetime import date
from typing import Any

from django.db.models import Max

from lifecycle.models import PersonValue, ValueModel
from workspaces.sql import run_sql

LISTED = 20
BANDS = 8
# Round amounts, as a fraction of the next power of ten.
STEPS = (1, 2, 5)


def model_of(day: date | None) -> ValueModel | None:
    """What the night of the day found out; None before the first that looked."""
    return ValueModel.objects.filter(day=day).first()


def bands() -> list[dict[str, Any]]:
    """{least, below, people, minor} by expected spend, between round amounts; the first band is from 0, the last open."""
    most = PersonValue.objects.aggregate(most=Max("expected_revenue_minor"))["most"] or 0
    edges = [step * 10**power for power in range(15) for step in STEPS if step * 10**power <= most][-BANDS:]
    found = {row["band"]: row for row in run_sql("ops_platform/value_bands", edges=edges)}
    bounds: list[int | None] = [None, *edges, None]
    return [
        {"least": bounds[band], "below": bounds[band + 1], **found.get(band, {"people": 0, "minor": 0})}
        for band in range(len(edges) + 1)
    ]


def alive_fifths() -> list[dict[str, Any]]:
    """{least, below, people, minor} of repeat buyers, by chance to buy again in per cent; [] before any is known."""
    found = {row["fifth"]: row for row in run_sql("ops_platform/value_alive")}
    fifths = [{"least": at * 20, "below": at * 20 + 20, "people": 0, "minor": 0} for at in range(5)]
    return [fifth | found.get(at, {}) for at, fifth in enumerate(fifths, 1)] if found else []


def best(most: int = LISTED) -> list[dict[str, Any]]:
    return run_sql("ops_platform/value_best", most=most)
