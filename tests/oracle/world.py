"""A tiny world told in a few lines: people do things at local times; the frames are what the exports would hold."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pandas as pd

from .definitions import compute

ROLES = {
    "core": ["Ran"],
    "habit": [],
    "order": ["Order Completed"],
    "refund": ["Order Refunded"],
    "pay": ["Membership Purchased"],
    "passive": ["Push Delivered"],
}


def settings(**changes: Any) -> dict[str, Any]:
    """Core action `Ran`, habit 4 in 14, personal limits 30 (7 to 90), pay stage on; Shanghai, CNY."""
    roles = {**ROLES, **changes.pop("roles", {})}
    churn = {"rule": "personal", "n": 30, "min": 7, "max": 90, **changes.pop("churn", {})}
    defaults = {"zone": "Asia/Shanghai", "currency": "CNY", "habit_days": 4, "habit_window": 14, "pay_stage": True}
    return {**defaults, "rfm_window": 365, **changes, "roles": roles, "churn": churn}


class World:
    """Rows of one workspace, collected by `did` and `person`, judged by `on`."""

    def __init__(self, zone: str = "Asia/Shanghai") -> None:
        self.zone = ZoneInfo(zone)
        self.events: list[tuple] = []
        self.people: dict[str, dict] = {}

    def person(self, who: str, created_on: str = "2026-01-01", excluded: int = 0, **attributes: Any) -> World:
        """Somebody created at local noon of a day, with attributes."""
        at = datetime.fromisoformat(f"{created_on} 12:00").replace(tzinfo=self.zone)
        told = {"created_at": at.astimezone(UTC).isoformat(), "excluded": str(excluded)}
        self.people[who] = {"external_id": who, **told, "attributes": json.dumps(attributes)}
        return self

    def did(self, who: str, when: str, event: str, message_id: str | None = None, **properties: Any) -> World:
        """An event at local `YYYY-MM-DD[ HH:MM]` (noon without a time); message ids count up unless given."""
        if who not in self.people:
            self.person(who)
        at = datetime.fromisoformat(when if " " in when else f"{when} 12:00").replace(tzinfo=self.zone)
        utc = at.astimezone(UTC).isoformat(timespec="microseconds")
        message = message_id or f"m{len(self.events):05d}"
        self.events.append((who, event, utc, message, json.dumps(properties, ensure_ascii=False)))
        return self

    def order(self, who: str, when: str, total: Any, order_id: str | None = None, **properties: Any) -> World:
        """An `Order Completed`."""
        named = {"order_id": order_id} if order_id else {}
        return self.did(who, when, "Order Completed", total=total, **named, **properties)

    def refund(self, who: str, when: str, order_id: str, **properties: Any) -> World:
        """An `Order Refunded` naming an order."""
        return self.did(who, when, "Order Refunded", order_id=order_id, **properties)

    def daily(self, who: str, event: str, first: str, offsets: list[int]) -> World:
        """The same event at noon of several days, counted from the first."""
        start = date.fromisoformat(first)
        for offset in offsets:
            self.did(who, str(start + timedelta(days=offset)), event)
        return self

    def frames(self) -> tuple[pd.DataFrame, pd.DataFrame]:
        """(events, people) as the exports hold them; events in reverse, since their order must not matter."""
        columns = ["external_id", "event", "at", "message_id", "properties"]
        people = pd.DataFrame(
            list(self.people.values()), columns=["external_id", "created_at", "excluded", "attributes"], dtype=object
        )
        return pd.DataFrame(self.events[::-1], columns=columns, dtype=object), people

    def on(self, day: str, **changes: Any) -> pd.DataFrame:
        """The oracle's answer for a day, under `settings(**changes)`."""
        events, people = self.frames()
        return compute(events, people, settings(**changes), date.fromisoformat(day))
