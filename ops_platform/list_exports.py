"""Lists that join all apps, as files: users as the list of users shows them, single events, and the audit trail."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, time, timedelta

from django.db.models import Q, TextField, Value
from django.db.models.fields.json import KeyTextTransform
from django.db.models.functions import Coalesce, Left
from django.utils.translation import gettext_lazy

from ops_platform.people_deeds import VALUE_LENGTH
from ops_platform.people_list import PeopleQuery
from ops_platform.people_parts import BadValue, day_of
from segmentation.selectors import as_id
from segmentation.tagging import all_tags, ruled_tags
from users.export_kinds import Kind, Query, Rows, keep, register_kind
from users.models import EndUser, Event, EventName
from workspaces.models import AuditEntry, Workspace
from workspaces.sql import run_sql

PEOPLE_HEADER = (
    "external_id", "name", "email", "phone", "city", "source", "tags", "stage", "stage_since", "activity", "rfm_group",
    "orders", "revenue_minor", "first_order_on", "last_order_on", "first_seen_on", "last_seen_on", "created_at",
)  # fmt: skip
EVENTS_HEADER = ("external_id", "event", "at", "message_id", "amount_minor", "order_id", "properties")
AUDIT_HEADER = ("at", "operator", "action", "target", "detail")


def read_people(workspace: Workspace, asked: Mapping[str, str]) -> Query:
    parts = PeopleQuery(workspace, asked).parts
    keys = {key for part in parts for key in part.keys} | {"who"}
    return {key: asked[key] for key in keys if key in asked}


def name_people(workspace: Workspace, query: Query) -> str:
    return ", ".join(part.text for part in PeopleQuery(workspace, query).parts)


def count_people(workspace: Workspace, query: Query) -> int:
    listed = PeopleQuery(workspace, query)
    joins, where, params = listed.pieces()
    return listed.run(f"select count(*) as n from end_user u {joins} where {where}", params)[0]["n"]


def page_people(workspace: Workspace, query: Query, after: str, limit: int) -> tuple[Rows, str]:
    """In the order of ids, which a night in between does not change."""
    listed = PeopleQuery(workspace, query)
    joins, where, params = listed.pieces()
    if after:
        where, params = f"{where} and u.id > %(after)s::uuid", params | {"after": after}
    found = listed.run(f"select u.id from end_user u {joins} where {where} order by u.id limit {limit + 1}", params)
    ids = [str(row["id"]) for row in found[:limit]]
    rows = run_sql("ops_platform/people_export", ids=ids)
    ruled = ruled_tags(row["id"] for row in rows)
    for row in rows:
        row["tags"] = ", ".join(map(str, all_tags(json.loads(row["tags"]), ruled.get(row["id"], ()))))
    return [[row[column] for column in PEOPLE_HEADER] for row in rows], ids[-1] if len(found) > limit else ""


def read_events(workspace: Workspace, asked: Mapping[str, str]) -> Query:
    """An empty `is` asks for events without the property."""
    value = {"is": asked["is"]} if asked.get("by") and "is" in asked else {}
    return keep("event", "since", "until", "by")(workspace, asked) | value


def find_name(query: Query) -> EventName:
    name = EventName.objects.filter(name=query.get("event", "")).first()
    if name is None:
        raise LookupError(query.get("event"))
    return name


def moments(workspace: Workspace, query: Query) -> tuple[datetime, datetime]:
    """The first moment of the first day and the end of the last; without days, all of time."""
    try:
        first = datetime.combine(day_of(query.get("since")), time(), workspace.tzinfo)
    except BadValue:
        first = datetime(1970, 1, 1, tzinfo=UTC)
    try:
        last = datetime.combine(day_of(query.get("until")) + timedelta(days=1), time(), workspace.tzinfo)
    except BadValue:
        last = datetime(2201, 1, 1, tzinfo=UTC)
    return first, last


def name_events(workspace: Workspace, query: Query) -> str:
    days = "–".join(filter(None, (query.get("since"), query.get("until"))))
    return f"{find_name(query).name} {days}".strip()


def events(workspace: Workspace, query: Query):  # type: ignore[no-untyped-def]
    first, last = moments(workspace, query)
    rows = Event.objects.filter(name=find_name(query), at__gte=first, at__lt=last)
    if query.get("by") and "is" in query:
        value = Coalesce(KeyTextTransform(query["by"], "properties"), Value(""), output_field=TextField())
        rows = rows.annotate(asked=Left(value, VALUE_LENGTH)).filter(asked=query["is"][:VALUE_LENGTH])
    return rows


def count_events(workspace: Workspace, query: Query) -> int:
    return events(workspace, query).count()


def page_events(workspace: Workspace, query: Query, after: str, limit: int) -> tuple[Rows, str]:
    rows = events(workspace, query)
    if after:
        person, client_at, event = after.split("|")
        later = Q(client_at__gt=client_at) | Q(client_at=client_at, event_id__gt=event)
        rows = rows.filter(Q(end_user_id__gt=person) | Q(later, end_user_id=person))
    found = list(rows.order_by("end_user_id", "client_at", "event_id")[: limit + 1])
    shown = found[:limit]
    people = dict(EndUser.objects.filter(pk__in={one.end_user_id for one in shown}).values_list("pk", "external_id"))
    lines: Rows = [
        [
            people.get(one.end_user_id, ""),
            query["event"],
            *(one.at.astimezone(workspace.tzinfo), one.message_id, one.amount_minor, one.order_id),
            json.dumps(one.properties, ensure_ascii=False),
        ]
        for one in shown
    ]
    last = shown[-1] if len(found) > limit else None
    return lines, f"{last.end_user_id}|{last.client_at.isoformat()}|{last.event_id}" if last else ""


def audit_entries(query: Query):  # type: ignore[no-untyped-def]
    words = query.get("q", "")
    found = Q(action__icontains=words) | Q(target__icontains=words)
    return AuditEntry.objects.filter(found | Q(operator__email__icontains=words) | Q(operator__name__icontains=words))


def count_audit(workspace: Workspace, query: Query) -> int:
    return audit_entries(query).count()


def page_audit(workspace: Workspace, query: Query, after: str, limit: int) -> tuple[Rows, str]:
    """Oldest first, so that what is added meanwhile comes at the end."""
    rows = audit_entries(query).select_related("operator").order_by("at", "id")
    at, _bar, pk = after.partition("|")
    if after:
        rows = rows.filter(Q(at__gt=at) | Q(at=at, id__gt=as_id(pk)))
    found = list(rows[: limit + 1])
    lines: Rows = [
        [
            entry.at.astimezone(workspace.tzinfo),
            entry.operator.email if entry.operator else "",
            *(entry.action, entry.target, json.dumps(entry.detail, ensure_ascii=False)),
        ]
        for entry in found[:limit]
    ]
    last = found[limit - 1] if len(found) > limit else None
    return lines, f"{last.at.isoformat()}|{last.pk}" if last else ""


KINDS = (
    Kind(
        "people",
        gettext_lazy("Users"),
        "users.view",
        read_people,
        PEOPLE_HEADER,
        name_people,
        count_people,
        page_people,
    ),
    Kind(
        "events",
        gettext_lazy("Events"),
        "events.view",
        read_events,
        EVENTS_HEADER,
        name_events,
        count_events,
        page_events,
    ),
    Kind(
        "audit",
        gettext_lazy("Audit trail"),
        "audit.view",
        keep("q"),
        AUDIT_HEADER,
        lambda workspace, query: query.get("q", ""),
        count_audit,
        page_audit,
    ),
)


def register() -> None:
    for kind in KINDS:
        register_kind(kind)
