"""Reads of the events page: one event over days, and what one of its properties was."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any

from django.db import OperationalError, transaction

from ops_platform.people_deeds import VALUE_LENGTH
from segmentation.selectors import QUERY_CANCELED
from users.models import EventName
from workspaces.models import Workspace
from workspaces.scoping import set_local
from workspaces.sql import run_sql, sqlstate

MOST_VALUES = 20
MOST_PROPERTIES = 50
PATIENCE_MS = 10_000


@dataclass(frozen=True)
class Question:
    """Which event, between which days (both counted), split by which property, and of which of its values only."""

    name: EventName
    first: date
    last: date
    by: str = ""
    value: str | None = None

    def moments(self, workspace: Workspace) -> dict[str, datetime]:
        """The first moment of the first day and the end of the last, in the workspace's zone."""
        start = datetime.combine(self.first, time(), workspace.tzinfo)
        return {"start": start, "stop": datetime.combine(self.last + timedelta(days=1), time(), workspace.tzinfo)}


Rows = list[dict[str, Any]]


def read(question: Question, workspace: Workspace) -> tuple[Rows, list[str], Rows] | None:
    """Its days, the properties it can be split by, and the values of the one that it is split by; None when that took too
    long."""
    try:
        with transaction.atomic():
            set_local("statement_timeout", str(PATIENCE_MS))
            return per_day(question, workspace), properties(question, workspace), values(question, workspace)
    except OperationalError as error:
        if sqlstate(error) != QUERY_CANCELED:
            raise
        return None


def per_day(question: Question, workspace: Workspace) -> Rows:
    """{day, events, people} for every day asked for, also those without any."""
    filtered = question.value is not None and question.by
    return run_sql(
        "ops_platform/event_days",
        zone=workspace.zone,
        name_id=question.name.pk,
        first=question.first,
        last=question.last,
        property=question.by if filtered else None,
        value=question.value if filtered else None,
        length=VALUE_LENGTH,
        **question.moments(workspace),
    )


def values(question: Question, workspace: Workspace) -> Rows:
    """{value, events, people, all_events} of the property the question splits by, the commonest first."""
    if not question.by:
        return []
    return run_sql(
        "ops_platform/event_values",
        name_id=question.name.pk,
        property=question.by,
        length=VALUE_LENGTH,
        most=MOST_VALUES,
        **question.moments(workspace),
    )


def properties(question: Question, workspace: Workspace) -> list[str]:
    """Names of the properties that a sample of these events carries; the one asked for is always among them."""
    sampled = run_sql(
        "segmentation/event_properties",
        name_id=question.name.pk,
        most=MOST_PROPERTIES,
        **question.moments(workspace),
    )
    found = [row["name"] for row in sampled]
    return found if not question.by or question.by in found else [question.by, *found]
