"""The small world of segments: six people who count, one excluded and one visitor who must never turn up.

Monday 2026-08-31 is today, in Shanghai. The examples of every condition name these people.
"""

from __future__ import annotations

import uuid
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.db import connection
from django.utils import timezone

from campaigns.models import Suppression
from lifecycle.models import PersonValue, Standing
from segmentation.models import RfmScore, Segment, SegmentMember
from users.models import Consent, EndUser, Event, EventName, Facts, person_id
from workspaces.models import Workspace

TODAY = date(2026, 8, 31)
SHANGHAI = ZoneInfo("Asia/Shanghai")
ZERO = {"limit_days": 30, "limit_kind": "default", "activity_since": date(2026, 8, 1), "idle_from": date(2026, 8, 1)}

PEOPLE: dict[str, dict[str, Any]] = {
    "An": {
        "city": "上海",
        "source": "小红书",
        "email": "an@acme.test",
        "phone": "+8613800000001",
        "tags": ["vip", "美妆达人"],
        "attributes": {"level": 3, "member_until": "2026-12-31"},
    },
    "Bo": {
        "city": "上海",
        "source": "地推",
        "email": "bo@acme.test",
        "phone": "+8613800000002",
        "tags": ["美妆达人"],
        "attributes": {"level": "2", "member_until": "2026-08-30T10:00:00Z"},
    },
    "Chen": {
        "city": "北京",
        "push_token": "token-chen",
        "phone": "+8613800000003",
        "tags": ["vip"],
        "attributes": {"level": 1},
    },
    "Di": {
        "city": "杭州",
        "source": "小红书",
        "email": "d_i@acme.test",
        "push_token": "Token-Di",
        "attributes": {"level": "'; drop table end_user; --", "member_until": "2026-99-99 is no day"},
    },
    "Fang": {},
    "Guo": {},
    "Eve": {
        "city": "上海",
        "source": "小红书",
        "email": "eve@acme.test",
        "excluded": True,
        "tags": ["vip"],
        "attributes": {"level": 9},
    },
    "Hu": {
        "city": "上海",
        "source": "小红书",
        "email": "hu@acme.test",
        "identified": False,
        "tags": ["vip"],
        "attributes": {"level": 9},
    },
}
# (person, event, local time, properties)
EVENTS = (
    ("An", "Order Completed", "2026-08-05 10:00", {"category": "美妆", "total": 200, "sku": "50x off"}),
    ("An", "Order Completed", "2026-08-20 23:59", {"category": "零食", "total": "150.50"}),
    ("An", "App Opened", "2026-08-31 23:30", {}),
    ("Bo", "Order Completed", "2026-06-01 10:00", {"total": 120, "sku": "SALE 50%_off"}),
    ("Bo", "Order Completed", "2026-06-20 10:00", {"total": 80}),
    ("Chen", "Order Completed", "2026-08-30 00:10", {"total": 50}),
    ("Chen", "Order Completed", "2026-09-01 00:00", {"total": 50}),  # tomorrow: no rule as of today sees it
    ("Eve", "Order Completed", "2026-08-30 10:00", {"total": 5000, "category": "美妆"}),
    ("Hu", "Order Completed", "2026-08-30 10:00", {"total": 5000, "category": "美妆"}),
)
FACTS: dict[str, dict[str, Any]] = {
    "An": {
        "orders": 2,
        "revenue_minor": 35050,
        "last_order_on": date(2026, 8, 20),
        "favourite_category": "美妆",
        "favourite_weekday": 0,
        "subsidy_dependent": False,
    },
    "Bo": {
        "orders": 2,
        "revenue_minor": 20000,
        "last_order_on": date(2026, 6, 20),
        "favourite_category": "零食",
        "subsidy_dependent": True,
    },
    "Chen": {"orders": 1, "revenue_minor": 5000, "last_order_on": date(2026, 8, 30), "favourite_weekday": 6},
}
STANDINGS = {
    "An": ("paying", date(2026, 5, 1), "active", date(2026, 8, 1)),
    "Bo": ("habit", date(2026, 6, 20), "slipping", date(2026, 8, 1)),
    "Chen": ("churned", date(2026, 8, 28), "dormant", date(2026, 8, 28)),
    "Di": ("use", date(2026, 3, 1), "active", date(2026, 8, 1)),
    "Fang": ("contact", date(2026, 3, 1), "active", date(2026, 8, 1)),
    "Eve": ("paying", date(2026, 8, 30), "slipping", date(2026, 8, 30)),
}
SCORES = {"An": ("champions", "111"), "Bo": ("at_risk", "011"), "Chen": ("new", "100"), "Eve": ("champions", "111")}


def settle(workspace: Workspace) -> Segment:
    """Put the small world into the open workspace, today being its published day; returns its segment "Regulars"."""
    workspace.frozen_on = workspace.current_day = TODAY
    workspace.save()
    add_people(workspace, *PEOPLE)
    for month in (6, 8, 9):
        with connection.cursor() as cursor:
            cursor.execute("select ensure_event_month(%s)", [date(2026, month, 1)])
    for name, event, at, properties in EVENTS:
        add_event(workspace, name, event, at, properties)
    for name in PEOPLE:
        Facts.objects.create(end_user_id=pk(workspace, name), **FACTS.get(name, {}))
    for name, (stage, since, activity, active_since) in STANDINGS.items():
        values = {**ZERO, "stage": stage, "stage_since": since, "activity": activity, "activity_since": active_since}
        Standing.objects.create(end_user_id=pk(workspace, name), **values)
    for name, (group, bits) in SCORES.items():
        scores = {"r_score": 3, "f_score": 3, "m_score": 3, "f_orders": 1, "m_minor": 1, "last_order_on": TODAY}
        RfmScore.objects.create(end_user_id=pk(workspace, name), group=group, bits=bits, **scores)
    value = {"expected_orders": "2.50", "expected_revenue_minor": 30000, "alive_percent": 80}
    PersonValue.objects.create(end_user_id=pk(workspace, "An"), **value)
    Consent.objects.create(end_user_id=pk(workspace, "Bo"), channel="email", opted_in=False, source="form")
    Consent.objects.create(end_user_id=pk(workspace, "An"), channel="email", opted_in=True, source="form")
    Suppression.objects.create(channel="email", address="d_i@acme.test", reason="bounce")
    Suppression.objects.create(channel="push", address="token-di", reason="bounce")  # the list is in lower case
    Suppression.objects.create(channel="sms", address="+8613800000003", reason="complaint")
    return add_segment(workspace, "Regulars", "An", "Chen")


def pk(workspace: Workspace, name: str) -> uuid.UUID:
    return person_id(workspace.id, name.lower())


def add_people(workspace: Workspace, *names: str) -> None:
    for name in names:
        EndUser.objects.create(id=pk(workspace, name), external_id=name.lower(), name=name, **PEOPLE.get(name, {}))


def add_event(workspace: Workspace, name: str, event: str, at: str, properties: dict[str, Any]) -> None:
    moment = datetime.fromisoformat(at).replace(tzinfo=SHANGHAI)
    event_name, _new = EventName.objects.get_or_create(name=event, defaults={"workspace": workspace})
    Event.objects.create(
        end_user_id=pk(workspace, name),
        client_at=moment,
        event_id=uuid.uuid4(),
        at=moment,
        received_at=timezone.now(),
        name=event_name,
        message_id="m",
        properties=properties,
    )


def add_segment(workspace: Workspace, title: str, *names: str) -> Segment:
    """A segment whose members were put in by hand."""
    segment = Segment.objects.create(
        name=title, definition={"all": [{"kind": "stage", "stages": ["habit"]}]}, size=len(names)
    )
    for name in names:
        SegmentMember.objects.create(end_user_id=pk(workspace, name), segment=segment, entered_on=TODAY)
    return segment
