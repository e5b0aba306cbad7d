"""Random small histories with everything in them that has a rule: versions, refunds, coupons, invitations, odd attributes."""

from __future__ import annotations

import random
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from tests import builders
from workspaces.models import Workspace

Row = tuple[str, str, datetime, str, Mapping[str, Any]]

VISITS = ("App Opened", "Product Viewed", "Content Viewed", "Chat Started", "Round Played", "Room Entered")
OTHERS = (
    "Order Completed",
    "Order Refunded",
    "Membership Purchased",
    "Push Delivered",
    "Account Registered",
    "Referral Accepted",
    "Investment Made",
)
BALANCES = (0, "0", " -1.5 ", "1e1", 12, "¥3", None, True, "", "0.0", [1], "5.", ".5")
REGISTERED = (
    "2026-03-02", "2026-02-30", "2024-02-29", "2026-05-01T23:30:00Z", "2026-05-01T23:30:00", "2026-05-01 08:00:00+08:00",
    "2026-12-01", "yesterday", 20260301, "2026-04-04T04:04", "2026-04-04T25:04Z", "0000-01-01",
)  # fmt: skip


def make_people(workspace: Workspace, dice: random.Random, count: int) -> list[str]:
    ids = [f"u{number}" for number in range(count)]
    for who in ids:
        attributes: dict[str, Any] = {}
        if dice.random() < 0.6:
            attributes["balance"] = dice.choice(BALANCES)
        if dice.random() < 0.3:
            attributes[dice.choice(("registered_at", "created"))] = dice.choice(REGISTERED)
        inviter = dice.choice([*ids[:8], who, "nobody"]) if dice.random() < 0.25 else ""
        if inviter and dice.random() < 0.5:
            attributes["referred_by"] = inviter  # which the column tells as well, as it does of everybody who is sent
        created = (datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=dice.randrange(240))).strftime("%Y-%m-%d")
        builders.person(
            workspace, who, created, attributes=attributes, referred_by=inviter, excluded=dice.random() < 0.06
        )
    return ids


def make_rows(workspace: Workspace, dice: random.Random, ids: list[str], days: int = 240) -> list[Row]:
    """Histories of everybody: some come often, some once, in bursts or steadily; times cluster around midnight."""
    rows: list[Row] = []
    for who in ids:
        start = dice.randrange(days)
        rhythm = dice.choice((1, 2, 3, 5, 9, 20))
        day = start
        for _ in range(dice.choice((0, 1, 2, 6, 15, 40))):
            for _ in range(dice.choice((1, 1, 2, 3))):
                rows.append(one_row(workspace, dice, who, ids, day, len(rows)))
            day += max(0, round(dice.expovariate(1 / rhythm))) if dice.random() < 0.9 else dice.randrange(60)
    return rows


def one_row(workspace: Workspace, dice: random.Random, who: str, ids: list[str], day: int, number: int) -> Row:
    name = dice.choice(VISITS) if dice.random() < 0.55 else dice.choice(OTHERS)
    hour = dice.choice((0, 0, 9, 12, 20, 23))
    at = datetime(2026, 1, 1, hour, dice.choice((0, 30, 59)), tzinfo=workspace.tzinfo) + timedelta(days=day)
    told: dict[str, Any] = {}
    if dice.random() < 0.5:
        told["category"] = dice.choice(("beauty", "food", "茶", "Zed", 7, "", None, True))
    if dice.random() < 0.5:
        told["app_version"] = dice.choice(("5.3.0", "5.10", 6, ""))
    if name in ("Order Completed", "Order Refunded", "Membership Purchased"):
        told |= money(dice, who, day, name)
    if name == "Referral Accepted":
        told["referred_by"] = dice.choice([*ids[:8], "nobody", "", 3])
    return who, name, at.astimezone(UTC), dice.choice("aAzZ09_é") + f"{number:06d}", told


def money(dice: random.Random, who: str, day: int, name: str) -> dict[str, Any]:
    told: dict[str, Any] = {}
    if dice.random() < 0.85:
        told[dice.choice(("total", "revenue", "value"))] = dice.choice((0, 1, 5, 9.99, 20, 100, 0.5)) * (
            -1 if name == "Order Refunded" and dice.random() < 0.3 else 1
        )
    if dice.random() < 0.8:
        # Few ids, so that versions and refunds meet.
        told["order_id"] = f"{day // 40}-{dice.randrange(3)}"
    if dice.random() < 0.6:
        told["coupon_id"] = dice.choice(("c1", "", 5))
    if dice.random() < 0.5:
        told["coupon_kind"] = dice.choice(("targeted", "public", ""))
    return told
