"""Small makers of people and what they did, for tests. Each opens the scope it needs, so tests can call them anywhere.

builders.event(world.acme, "u1", "Order Completed", day="2026-08-01", total=20)
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from django.db import connection

from users.ingest import people
from users.models import EndUser, Event, EventName, event_id, person_id
from workspaces.models import Workspace
from workspaces.rules import PRESETS, ROLES
from workspaces.scoping import workspace_scope

_numbers = itertools.count(1)


def moment(workspace: Workspace, when: str) -> datetime:
    """A local `YYYY-MM-DD[ HH:MM[:SS]]` of the workspace, noon without a time, as an aware datetime."""
    text = when if len(when) > 10 else f"{when} 12:00"
    return datetime.fromisoformat(text).replace(tzinfo=workspace.tzinfo)


def person(workspace: Workspace, external_id: str, created: str = "2026-01-01", **fields: Any) -> EndUser:
    """Somebody identified, created at local noon of a day; changed when they exist already."""
    with workspace_scope(workspace):
        values = {"external_id": external_id, "created_at": moment(workspace, created)} | fields
        found, _new = EndUser.objects.update_or_create(
            id=person_id(workspace.pk, external_id), workspace=workspace, defaults=values
        )
        return found


def name(workspace: Workspace, name: str, **roles: bool) -> EventName:
    """An event name with the roles its industry's preset gives it; `is_core=True` and the like change them."""
    with workspace_scope(workspace):
        preset = PRESETS[workspace.industry].roles
        defaults = {f"is_{role}": name in preset[role] for role in ROLES}
        found, _new = EventName.objects.get_or_create(workspace=workspace, name=name, defaults=defaults)
        if roles:
            EventName.objects.filter(pk=found.pk).update(**roles)
            touch_all(workspace)
        return found


def event(
    workspace: Workspace,
    who: str,
    event_name: str,
    day: str | date | None = None,
    *,
    message_id: str | None = None,
    order_id: str | None = None,
    **properties: Any,
) -> Event:
    """One event at a local `YYYY-MM-DD[ HH:MM]`, stored as ingest stores it; its person is made when new.

    The amount is read from total, revenue or value, in the currency's two-digit minor units.
    """
    at = moment(workspace, str(day or "2026-08-01"))
    with workspace_scope(workspace):
        if not EndUser.objects.filter(id=person_id(workspace.pk, who)).exists():
            person(workspace, who, created=at.strftime("%Y-%m-%d"))
        told = {**({"order_id": order_id} if order_id else {}), **properties}
        [stored] = events(workspace, [(who, event_name, at, message_id or f"message-{next(_numbers):06d}", told)])
        return stored


def events(workspace: Workspace, rows: Iterable[tuple[str, str, datetime, str, Mapping[str, Any]]]) -> list[Event]:
    """Store (external id, event name, time, message id, properties) rows of people who exist, and touch them."""
    with workspace_scope(workspace):
        rows = list(rows)
        ids = {event_name: name(workspace, event_name).pk for event_name in {row[1] for row in rows}}
        ensure_months({row[2] for row in rows})
        stored = [
            Event(
                workspace=workspace,
                end_user_id=person_id(workspace.pk, who),
                client_at=at,
                event_id=event_id(workspace.pk, message_id),
                at=at,
                received_at=at,
                name_id=ids[event_name],
                message_id=message_id,
                properties=dict(told),
                amount_minor=amount_minor(told),
                order_id=None if told.get("order_id") in (None, "") else str(told["order_id"]),
            )
            for who, event_name, at, message_id, told in rows
        ]
        Event.objects.bulk_create(stored, batch_size=5000)
        if times := sorted({row[2] for row in rows}):
            ids = {person_id(workspace.pk, row[0]) for row in rows}
            people.touch(ids, times[0].isoformat(), times[-1].isoformat())
        return stored


def amount_minor(properties: Mapping[str, Any]) -> int | None:
    """total, else revenue, else value, in hundredths, a half rounded away from zero."""
    for key in ("total", "revenue", "value"):
        value = properties.get(key)
        if isinstance(value, (int, float, Decimal)) and not isinstance(value, bool):
            return int((Decimal(str(value)) * 100).quantize(Decimal(1), ROUND_HALF_UP))
    return None


def ensure_months(times: Iterable[datetime]) -> None:
    """Make the monthly parts of the event table that these times fall into."""
    months = {at.astimezone(UTC).date().replace(day=1) for at in times}
    with connection.cursor() as cursor:
        for month in sorted(months):
            cursor.execute("select ensure_event_month(%s)", [month])


def touch(workspace: Workspace, who: Iterable[str]) -> None:
    """Tell the night that these people's events changed."""
    with workspace_scope(workspace):
        people.touch({person_id(workspace.pk, external_id) for external_id in who})


def touch_all(workspace: Workspace) -> None:
    with workspace_scope(workspace):
        touch(workspace, EndUser.objects.values_list("external_id", flat=True))


def remove_event(workspace: Workspace, stored: Event) -> None:
    """Delete an event as erasure does: gone, and its person touched."""
    with workspace_scope(workspace):
        Event.objects.filter(end_user_id=stored.end_user_id, event_id=stored.event_id).delete()
        people.touch([stored.end_user_id])


def unsaved_people(workspace: Workspace, rows: Iterable[tuple[str, str]]) -> list[EndUser]:
    """People from (external id, ISO time of creation), for bulk_create."""
    return [
        EndUser(
            id=person_id(workspace.pk, external_id),
            workspace=workspace,
            external_id=external_id,
            created_at=datetime.fromisoformat(created_at),
        )
        for external_id, created_at in rows
    ]


def rows_of(frame: Any) -> list[tuple[str, str, datetime, str, Mapping[str, Any]]]:
    """Rows for `events` from an exported frame (external_id, event, at, message_id, properties as JSON)."""
    return [
        (row.external_id, row.event, datetime.fromisoformat(row.at), row.message_id, json.loads(row.properties))
        for row in frame.itertuples()
    ]
