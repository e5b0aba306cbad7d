"""Reads of the page 接入: what arrives, what was refused and why, how much per hour and day, and which events there are."""

from __future__ import annotations

import re
import uuid
from collections import Counter
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Any

from django.db import OperationalError, transaction
from django.db.models import F
from django.db.models.functions import Coalesce
from django.utils import timezone

from users.ingest.advice import advice
from users.ingest.arrivals import KEPT
from users.models import Arrival, EndUser, Event, EventName, IngestError, person_id
from workspaces.models import Workspace
from workspaces.scoping import set_local
from workspaces.sql import run_sql

SHOWN = 100
HOURS = timedelta(hours=48)
DAYS = 30
SCHEMA_DAYS = 90
MOST_PROPERTIES = 500
PATIENCE_MS = 8_000
# Write keys that PostHog's and 神策's SDKs put into the items themselves.
KEYS = re.compile(r'("(?:token|api_key|writeKey|write_key)"\s*:\s*")[^"]{4,}(")')


@dataclass(frozen=True)
class Asked:
    """What the live list is narrowed to; "" is everything."""

    event: str = ""
    user: str = ""
    library: str = ""


def live_events(asked: Asked, workspace: Workspace) -> list[dict[str, Any]]:
    """The newest events that SDKs sent, at most SHOWN. Reads the ring, and each event by its key."""
    name = EventName.objects.filter(name=asked.event).first() if asked.event else None
    people = ids_of(asked.user, workspace) if asked.user else None
    if (asked.event and name is None) or people == []:
        return []
    return run_sql(
        "ops_platform/live_events",
        rows=KEPT,
        most=SHOWN,
        library=asked.library or None,
        name_id=name.pk if name else None,
        people=[str(pk) for pk in people] if people is not None else None,
    )


def ids_of(external_id: str, workspace: Workspace) -> list[uuid.UUID]:
    """Every id, user or visitor, that is the person of this external id by now."""
    told = [person_id(workspace.pk, external_id, kind) for kind in ("user", "anonymous")]
    owners = list(EndUser.objects.filter(pk__in=told).values_list(Coalesce("merged_into", F("id")), flat=True))
    merged = EndUser.objects.filter(merged_into__in=owners).values_list("pk", flat=True)
    return [*owners, *merged]


def newest_arrival() -> str:
    """A mark that changes whenever something arrives."""
    newest = Arrival.objects.order_by("-at", "id").values_list("pk", flat=True).first()
    return newest.hex if newest else ""


def choices() -> dict[str, list[str]]:
    """What the live list can be narrowed to: event names and SDKs of the ring."""
    ring = list(Arrival.objects.order_by("-at").values_list("library", "names")[:KEPT])
    ids = {name_id for _library, names in ring for name_id in names}
    return {
        "events": sorted(EventName.objects.filter(pk__in=ids).values_list("name", flat=True)),
        "libraries": sorted({library for library, _names in ring if library}),
    }


def find_event(person: uuid.UUID, client_at: datetime, event: uuid.UUID) -> Event | None:
    """One event by its key, under the id it was sent with or the person that is merged into."""
    owner = EndUser.objects.filter(pk=person).values_list("merged_into", flat=True).first()
    people = [pk for pk in (person, owner) if pk]
    found = Event.objects.filter(end_user__in=people, client_at=client_at, event_id=event)
    return found.select_related("end_user", "name").first()


def errors() -> list[dict[str, Any]]:
    """The refused items that are kept, by SDK and code, the latest first.

    Each: {library, code, count, at, message, example, advice}.
    """
    groups: dict[tuple[str, str], dict[str, Any]] = {}
    counts: Counter[tuple[str, str]] = Counter()
    for error in IngestError.objects.order_by("-at"):
        key = (error.library, error.code)
        counts[key] += 1
        groups.setdefault(
            key,
            {
                "library": error.library,
                "code": error.code,
                "at": error.at,
                "message": error.message,
                "example": KEYS.sub(r"\1…\2", error.example),
                "advice": advice(error.code),
            },
        )
    return [group | {"count": counts[key]} for key, group in groups.items()]


def volume(workspace: Workspace, now: datetime | None = None) -> dict[str, list[dict[str, Any]]]:
    """Items that arrived, {accepted, duplicate, rejected} per hour of two days and per local day of thirty, empty ones too."""
    now = (now or timezone.now()).astimezone(workspace.tzinfo)
    first_day = now.date() - timedelta(days=DAYS - 1)
    rows = run_sql("ops_platform/arrival_hours", since=datetime.combine(first_day, time(), workspace.tzinfo))
    this_hour = now.replace(minute=0, second=0, microsecond=0)
    hours = {f"{this_hour - HOURS + timedelta(hours=n):%m-%d %H:00}": empty() for n in range(1, 49)}
    days = {(first_day + timedelta(days=n)).isoformat(): empty() for n in range(DAYS)}
    for row in rows:
        at = row["hour"].astimezone(workspace.tzinfo)
        # A zone that is off by half an hour: its hours begin in ours.
        recent = f"{at:%m-%d %H:00}" if at > now - HOURS else ""
        for kept in (hours.get(recent, {}), days.get(at.date().isoformat(), {})):
            for status in kept:
                kept[status] += row[status]
    return {"hours": told(hours), "days": told(days)}


def empty() -> dict[str, int]:
    return {"accepted": 0, "duplicate": 0, "rejected": 0}


def told(slots: dict[str, dict[str, int]]) -> list[dict[str, Any]]:
    return [{"label": label} | counts for label, counts in slots.items()]


def catalogue(workspace: Workspace) -> tuple[list[dict[str, Any]], bool]:
    """Every event name with how often it happened in thirty days and when last; and whether that could be counted in time."""
    midnight = datetime.combine(workspace.today() + timedelta(days=1), time(), workspace.tzinfo)
    try:
        with transaction.atomic():
            set_local("statement_timeout", str(PATIENCE_MS))
            counted = run_sql("ops_platform/event_catalogue", start=midnight - timedelta(days=DAYS))
    except OperationalError:
        counted = None
    found = {row["name_id"]: row for row in counted or ()}
    rows = [
        {
            "pk": name.pk,
            "name": name.name,
            "created_at": name.created_at,
            "events": found.get(name.pk, {}).get("events", 0) if counted is not None else None,
            "last_at": found.get(name.pk, {}).get("last_at"),
        }
        for name in EventName.objects.all()
    ]
    return sorted(rows, key=lambda row: (-(row["events"] or 0), row["name"])), counted is not None


def schema(name: EventName, workspace: Workspace) -> list[dict[str, Any]] | None:
    """{name, kinds, example, mixed} of each property in a sample; None when finding one took too long."""
    stop = datetime.combine(workspace.today() + timedelta(days=1), time(), workspace.tzinfo)
    try:
        with transaction.atomic():
            set_local("statement_timeout", str(PATIENCE_MS))
            rows = run_sql(
                "ops_platform/event_schema",
                name_id=name.pk,
                start=stop - timedelta(days=SCHEMA_DAYS),
                stop=stop,
                most=MOST_PROPERTIES,
            )
    except OperationalError:
        return None
    found: dict[str, dict[str, Any]] = {}
    for row in rows:
        one = found.setdefault(row["name"], {"name": row["name"], "kinds": [], "events": 0, "example": row["example"]})
        one["kinds"].append(row["kind"])
        one["events"] += row["events"]
        one["example"] = row["example"] if one["example"] is None else one["example"]
    for one in found.values():
        one["mixed"] = len(set(one["kinds"]) - {"null"}) > 1
    return sorted(found.values(), key=lambda one: (-one["events"], one["name"]))
