"""Reads for one user's page: where they stand and why, their metrics, what they did, what was sent and why not."""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from django.db.models import Q
from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from campaigns.selectors import deliveries_to
from lifecycle import churn
from lifecycle.models import PersonValue, StageChange, Standing
from lifecycle.stages import all_stages
from ops_platform import numbers
from ops_platform.person_ids import read_ids
from ops_platform.rfm_words import score_words
from segmentation.models import RfmChange, RfmScore, SegmentMember
from segmentation.tagging import ruled_tags
from users.consent import CHANNELS, list_topics
from users.devices import TRAITS, list_devices
from users.facts import FACTS
from users.models import Attribute, Consent, EndUser, Event, Facts, Topic
from users.traits import clean_phone, region_of
from workspaces.models import Workspace
from workspaces.scoping import current_workspace
from workspaces.zones import read_moment

EVENTS = 30
REPEATED = ("name", "email", "phone", "city", "source", "referred_by")
# How the page groups the catalogue; what is not named here is not shown, only used in segments.
GROUPS = (
    (
        "orders",
        "revenue_minor",
        "average_order_minor",
        "last_order_on",
        "first_order_on",
        "revenue_365_minor",
        "coupon_percent",
        "subsidy_dependent",
    ),
    (
        "last_seen_on",
        "active_days_30",
        "active_days",
        "visits_30",
        "visits",
        "gap_median",
        "gap_p90",
        "favourite_hour",
        "favourite_weekday",
    ),
    (
        "registered_on",
        "first_seen_on",
        "first_core_on",
        "last_core_on",
        "core_days",
        "habit_days",
        "ever_habit",
        "ever_paid",
        "effective",
    ),
    ("recommendations", "favourite_category", "app_version"),
)


def read_person(workspace: Workspace, person: EndUser) -> dict[str, Any]:
    """What templates/people/detail.html shows of one person; about fifteen queries."""
    day = workspace.current_day or workspace.today()
    facts = Facts.objects.filter(end_user=person.pk).first()
    standing = Standing.objects.filter(end_user=person.pk).first()
    score = RfmScore.objects.filter(end_user=person.pk).first()
    return {
        "facts": facts,
        "standing": standing,
        "reason": activity_reason(standing, facts, day),
        "score": score,
        "value": PersonValue.objects.filter(end_user=person.pk).first(),
        "rfm": score_words(workspace, score, day),
        "groups": fact_groups(workspace, facts),
        "history": read_history(person.pk),
        "timeline": read_timeline(workspace, person.pk),
        "ids": (ids := read_ids(person)),
        "deliveries": deliveries_to(*(one.pk for one in ids if one.ended_at is None)),
        "ruled_tags": [tag for tag in ruled_tags([person.pk]).get(person.pk, ()) if tag not in person.tags],
        "consents": read_consents(person.pk, topics := list_topics()),
        "topics": topics,
        "channels": CHANNELS,
        "segments": list(
            SegmentMember.objects.filter(end_user=person.pk, segment__archived_at=None).select_related("segment")
        ),
        "attributes": read_attributes(person),
        "addresses": [(channel, value) for channel, value in (("email", person.email), ("sms", person.phone)) if value],
        "devices": list_devices(one.pk for one in ids if one.ended_at is None),
    }


def read_consents(person_id: uuid.UUID, topics: list[Topic]) -> list[dict[str, Any]]:
    """The words that stand, channels before their topics; a topic that has no name yet goes by its key."""
    names = {topic.key: topic.name for topic in topics}
    words = Consent.objects.filter(end_user=person_id).order_by("channel")
    rows = []
    for word in words.values("channel", "opted_in", "source", "at"):
        channel, _slash, key = word["channel"].partition("/")
        rows.append(word | {"channel": channel, "topic": names.get(key, key)})
    return rows


def read_attributes(person: EndUser) -> list[tuple[str, Any]]:
    """(name as operators call it, value) of what was told, without what is hidden and what the page shows already."""
    known = {row.name: row for row in Attribute.objects.filter(name__in=list(person.attributes))}
    return sorted(
        (str(known.get(key, key)), value)
        for key, value in person.attributes.items()
        if not shown_already(person, key, value) and not (key in known and known[key].hidden)
    )


def shown_already(person: EndUser, key: str, value: Any) -> bool:
    """Whether an attribute only repeats a column of the person that the page shows, or is a token, which it shows short."""
    if key == "phone" and person.phone:  # kept as E.164, told in any way
        return clean_phone(value, region_of(current_workspace().currency)) == person.phone
    return key in TRAITS or (key in REPEATED and str(value) == getattr(person, key))


def activity_reason(standing: Standing | None, facts: Facts | None, day: date) -> str:
    """The flag in words, as of the day: "24 天没来；平时 5 天一次，期限 15 天"."""
    if standing is None:
        return ""
    return churn.reason(
        day,
        seen=bool(facts and facts.last_seen_on),
        idle_from=standing.idle_from,
        limit_kind=standing.limit_kind,
        limit_days=standing.limit_days,
        gap_median=facts.gap_median if facts else None,
        signals=standing.signals,
    )


def fact_groups(workspace: Workspace, facts: Facts | None) -> list[list[dict[str, Any]]]:
    """The metrics that are known, grouped; each with label, words and definition."""
    if facts is None:
        return []
    groups = []
    for keys in GROUPS:
        rows = [
            {
                "label": FACTS[key].label,
                "definition": FACTS[key].sentence,
                "value": write_fact(workspace, key, getattr(facts, key)),
            }
            for key in keys
            if key in FACTS and getattr(facts, key) not in (None, "")
        ]
        groups.append(rows)
    return [rows for rows in groups if rows]


def write_fact(workspace: Workspace, key: str, value: Any) -> str:
    """A metric's value in words, by its unit."""
    unit = FACTS[key].unit
    if unit == "minor":
        return numbers.money(value, workspace)
    if unit == "date":
        return numbers.day(value)
    if unit == "percent":
        return numbers.percent(value / 100)
    if unit == "expected":
        return numbers.number(value, 2)
    if unit == "yes_no":
        return _("yes") if value else _("no")
    if unit == "weekday":
        return numbers.weekday(value)
    if unit == "hour":
        return f"{value:02d}:00"
    if unit == "days":
        return _("%(n)s d") % {"n": f"{float(value):g}"}
    return numbers.number(value) if unit == "times" else str(value)


@dataclass(frozen=True)
class Change:
    """One line of somebody's history: a change of stage or of RFM group, with its reason in words."""

    day: date
    kind: str
    before: str
    after: str
    returned: bool
    why: str


def read_history(person_id: uuid.UUID) -> list[Change]:
    """Changes of stage and RFM group, newest first."""
    stages = [
        Change(row.day, "stage", row.from_stage, row.to_stage, row.returned, stage_reason(row))
        for row in StageChange.objects.filter(end_user=person_id).order_by("-day")[:50]
    ]
    groups = [
        Change(row.day, "rfm", row.from_group, row.to_group, False, "")
        for row in RfmChange.objects.filter(end_user=person_id).order_by("-day")[:50]
    ]
    return sorted(stages + groups, key=lambda change: (change.day, change.kind), reverse=True)


def stage_reason(row: StageChange) -> str:
    stage = all_stages().get(row.to_stage)
    return stage.reason(row.why) if stage and row.why else ""


@dataclass(frozen=True)
class Timeline:
    """Events by day, newest first; `before` is where the next page starts, empty on the last one."""

    days: list[tuple[date, list[dict[str, Any]]]]
    before: str


def read_timeline(workspace: Workspace, person_id: uuid.UUID, before: str = "") -> Timeline:
    """A page of what somebody did. The cursor is the last event's time and id, along the table's key."""
    events = Event.objects.filter(end_user=person_id).select_related("name").order_by("-client_at", "-event_id")
    edge = read_edge(before)
    if edge:
        events = events.filter(Q(client_at__lt=edge[0]) | Q(client_at=edge[0], event_id__lt=edge[1]))
    rows = list(events[: EVENTS + 1])
    shown, days = rows[:EVENTS], {}
    for event in shown:
        local = event.at.astimezone(workspace.tzinfo)
        line = {"at": local, "name": event.name.name, "amount": event.amount_minor, "passive": event.name.is_passive}
        days.setdefault(local.date(), []).append(line | {"words": property_words(event.properties)})
    last = shown[-1] if len(rows) > EVENTS else None
    return Timeline(list(days.items()), f"{last.client_at.isoformat()}|{last.event_id}" if last else "")


def read_edge(token: str) -> tuple[datetime, uuid.UUID] | None:
    try:
        told, event = token.split("|")
        at = read_moment(told)
        return (at, uuid.UUID(event)) if at else None
    except ValueError:
        return None


def property_words(properties: dict[str, Any]) -> str:
    """The properties that say something, short: `category 美妆 · total 86.00`."""
    pairs = [
        f"{key} {value if isinstance(value, str | int | float) else json.dumps(value, ensure_ascii=False)}"
        for key, value in properties.items()
        if value not in (None, "", [], {})
    ]
    return pgettext("properties", " · ").join(pair[:80] for pair in pairs[:6])
