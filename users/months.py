"""The months that the event table is cut into."""

from __future__ import annotations

from datetime import date, datetime

from django.utils import timezone

from workspaces.rules import LEAST_MONTHS


def month_from(day: date, months: int) -> date:
    """The first day of the month so many months after (or, below zero, before) that of a day."""
    number = day.year * 12 + day.month - 1 + months
    return date(number // 12, number % 12 + 1, 1)


def oldest_sure(now: datetime | None = None) -> date:
    """The first month that no workspace lets go (users/retention.py): its partition, once made, stays."""
    return month_from((now or timezone.now()).date(), -LEAST_MONTHS)
