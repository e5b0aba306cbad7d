"""Lists of the tiers as files: early warnings with their reasons, and changes of stage between two days with theirs."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

from django.db.models import Q
from django.utils.translation import gettext_lazy

from lifecycle.models import StageChange, Standing
from lifecycle.stages import all_stages
from ops_platform import churn_reads
from ops_platform.people_parts import BadValue, day_of
from users.export_kinds import Kind, Query, Rows, keep, register_kind
from users.models import EndUser
from workspaces.errors import DomainError
from workspaces.models import Workspace

WARNINGS_HEADER = (
    "external_id", "name", "stage", "rfm_group", "value_at_risk_minor", "idle_days", "limit_days", "rung", "signals", "reason",
    "last_seen_on", "last_order_on", "orders", "revenue_365_minor",
)  # fmt: skip
MOVES_HEADER = ("day", "external_id", "name", "from_stage", "to_stage", "returned", "reason")
SPAN_DAYS = 30


def count_warnings(workspace: Workspace, query: Query) -> int:
    return Standing.objects.filter(activity="slipping").count()


def page_warnings(workspace: Workspace, query: Query, after: str, limit: int) -> tuple[Rows, str]:
    """The dearest first, as of the published day."""
    value, _bar, person = after.partition("|")
    edge = (int(value), uuid.UUID(person)) if after else None
    found = churn_reads.warnings(workspace, workspace.current_day or workspace.today(), limit + 1, edge)
    lines: Rows = [
        [
            *(row[key] for key in ("external_id", "name", "stage", "rfm_group", "value_at_risk_minor", "idle")),
            *(row["limit_days"], row["rung"], ", ".join(row["signals"]), row["reason"]),
            *(row[key] for key in ("last_seen_on", "last_order_on", "orders", "revenue_365_minor")),
        ]
        for row in found[:limit]
    ]
    last = found[limit - 1] if len(found) > limit else None
    return lines, f"{last['value_at_risk_minor']}|{last['id']}" if last else ""


def read_moves(workspace: Workspace, asked: Mapping[str, str]) -> Query:
    """The days asked for, `since` left out; without them the last 30."""
    query = keep("since", "until")(workspace, asked)
    try:
        span(workspace, query)
    except BadValue as error:
        raise DomainError("invalid", "`since` and `until` are days such as 2026-08-31.", "since") from error
    return query


def span(workspace: Workspace, query: Query) -> tuple[date, date]:
    """The days (first left out, last). Raises BadValue."""
    today = workspace.current_day or workspace.today()
    until = day_of(query["until"]) if query.get("until") else today
    return (day_of(query["since"]) if query.get("since") else until - timedelta(days=SPAN_DAYS)), until


def changes(workspace: Workspace, query: Query) -> Any:
    since, until = span(workspace, query)
    return StageChange.objects.filter(day__gt=since, day__lte=until)


def page_moves(workspace: Workspace, query: Query, after: str, limit: int) -> tuple[Rows, str]:
    """By day. Of people who were erased since only the change is left."""
    rows = changes(workspace, query)
    day, _bar, person = after.partition("|")
    if after:
        rows = rows.filter(Q(day__gt=day) | Q(day=day, end_user_id__gt=uuid.UUID(person)))
    found = list(rows.order_by("day", "end_user_id")[: limit + 1])
    shown = found[:limit]
    people = {one.pk: one for one in EndUser.objects.filter(pk__in=[row.end_user_id for row in shown])}
    lines: Rows = []
    for row in shown:
        stage, who = all_stages().get(row.to_stage), people.get(row.end_user_id)
        reason = stage.reason(row.why) if stage and row.why else ""
        name = (who.external_id, who.name) if who else ("", "")
        lines.append([row.day, *name, row.from_stage, row.to_stage, row.returned, reason])
    last = found[limit - 1] if len(found) > limit else None
    return lines, f"{last.day}|{last.end_user_id}" if last else ""


def name_moves(workspace: Workspace, query: Query) -> str:
    return "–".join(day.isoformat() for day in span(workspace, query))


KINDS = (
    Kind(
        "warnings",
        gettext_lazy("Early warnings"),
        "tiers.view",
        keep(),
        WARNINGS_HEADER,
        lambda workspace, query: "",
        count_warnings,
        page_warnings,
    ),
    Kind(
        "moves",
        gettext_lazy("Moves between stages"),
        "tiers.view",
        read_moves,
        MOVES_HEADER,
        name_moves,
        lambda workspace, query: changes(workspace, query).count(),
        page_moves,
    ),
)


def register() -> None:
    for kind in KINDS:
        register_kind(kind)
