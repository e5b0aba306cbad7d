"""The story of 示例电商 from 2026-03-05 to 2026-08-31, told as tables. `generate()` is the door.

The end state is drawn first (`plans`), then the days of orders (`habits`, `orders`) and visits (`visits`), the
accidents between (`incidents`), who brought whom (`referrals`), and last the touches that make the activity flags come
out (`rhythm`). Only then is every visit and order written down as events (`sessions`, `shopping`, `coupons`, `care`).
Same seed, same story.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from ops_platform.demo import care, catalogue, incidents, orders, past, referrals, rhythm, sessions, shopping, visits
from ops_platform.demo.days import DAYS, FIRST_DAY, LAST_DAY, ZONE, as_date
from ops_platform.demo.journal import Journal
from ops_platform.demo.people import draw_people, people_frame
from ops_platform.demo.plans import draw_plans
from ops_platform.demo.world import Tag, World

__all__ = ["EVENT_ROLES", "FIRST_DAY", "LAST_DAY", "PASSIVE_EVENTS", "SEED", "ZONE", "Story", "generate", "last_days"]

SEED = 20260831
PASSIVE_EVENTS = ("Coupon Expired", "Order Refunded", "Points Earned", "Ticket Resolved")
EVENT_ROLES: dict[str, tuple[str, ...]] = {
    "core": ("Order Completed",),
    "habit": ("Order Completed",),
    "order": ("Order Completed",),
    "refund": ("Order Refunded",),
    "pay": ("Membership Purchased",),
    "passive": PASSIVE_EVENTS,
}


@dataclass(frozen=True)
class Story:
    """Tables of the demo shop.

    people: one row per identified person. events: sorted by `at` (UTC), properties as compact JSON text.
    anonymous_links: visitor id, person and moment of the merge. past_campaigns: three dicts with arms and conversions.
    spend: yuan per source and month. planted: external ids behind the findable incidents.
    """

    people: pd.DataFrame
    events: pd.DataFrame
    anonymous_links: pd.DataFrame
    past_campaigns: list[dict[str, Any]]
    spend: pd.DataFrame
    planted: dict[str, list[str]]


def generate(seed: int = SEED, people: int = 20_000) -> Story:
    """The whole story; head counts scale with `people` (at least 1,000, below that chapters run out of actors)."""
    world = World(seed, people)
    draw_people(world)
    draw_plans(world)
    incidents.plan_crash(world)
    orders.draw_orders(world)
    orders.price_orders(world)
    visits.draw_visits(world)
    incidents.plan_outage(world)
    incidents.enforce_crash(world)
    visits.calibrate_return(world)
    visitors = sessions.draw_visitors(world)
    rhythm.settle(world)
    referrals.assign_inviters(world)
    table = people_frame(world)
    anonymous_ids = np.full(world.size, "", object)
    anonymous_ids[visitors] = [f"v{number:05d}" for number in range(1, visitors.size + 1)]
    events = _write(world, table, visitors, anonymous_ids)
    addresses = {channel: table[f"consent_{channel}"].to_numpy() for channel in ("sms", "push", "email")}
    return Story(
        people=table,
        events=events,
        anonymous_links=_links(table, visitors, anonymous_ids),
        past_campaigns=past.tell_campaigns(world, addresses),
        spend=_spend(world),
        planted=_planted(world),
    )


def last_days(story: Story, days: int = 2) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Events split into (all before, those of the last `days` local days)."""
    cut = pd.Timestamp(as_date(DAYS - days), tz=ZONE)
    live = story.events["at"] >= cut
    return story.events[~live], story.events[live]


def _write(world: World, table: pd.DataFrame, visitors: np.ndarray, anonymous_ids: np.ndarray) -> pd.DataFrame:
    journal = Journal()
    told = sessions.draw_starts(world)
    sessions.write_visitors(world, journal, visitors, told.start_of)
    sessions.write_registrations(world, table, journal)
    referrals.write_referrals(world, told, journal)
    sessions.write_browsing(world, told, journal)
    sessions.write_check_ins(world, told, journal)
    shopping.write_orders(world, told, journal)
    shopping.write_abandoned(world, told, journal)
    shopping.write_incidents(world, told, journal)
    shopping.write_memberships(world, told, journal)
    shopping.write_old_orders(world, journal)
    care.write_reviews(world, told, journal)
    care.write_tickets(world, told, journal)
    care.write_nps(world, told, journal)
    return journal.bind(world.ids, anonymous_ids)


def _links(table: pd.DataFrame, visitors: np.ndarray, anonymous_ids: np.ndarray) -> pd.DataFrame:
    known = table.iloc[visitors]
    return pd.DataFrame(
        {
            "anonymous_id": anonymous_ids[visitors],
            "external_id": known["external_id"].to_numpy(),
            "at": known["registered_at"].to_numpy(),
        }
    )


def _spend(world: World) -> pd.DataFrame:
    """What each source cost per month: advertising and cash rewards, yuan."""
    months = np.array([as_date(d).strftime("%Y-%m") for d in range(DAYS)])[world.registered_on]
    counts = pd.Series(1, index=pd.MultiIndex.from_arrays([months, world.source])).groupby(level=[0, 1]).sum()
    rows = [
        (month, source.name, round(n * source.spend, 2), round(n * source.reward, 2))
        for (month, number), n in counts.items()
        for source in (catalogue.SOURCES[number],)
    ]
    return pd.DataFrame(rows, columns=["month", "source", "spend", "reward"])


def _planted(world: World) -> dict[str, list[str]]:
    crash, outage, referral = (world.planted[key] for key in ("crash", "outage", "referral"))
    groups = {
        "broken_checkout": crash["people"][world.android[crash["people"]]],
        "crashed": crash["people"][crash["crashed"]],
        "outage_hit": outage["hit"],
        "outage_lost": outage["lost"],
        "fake_inviters": referral["eleven"],
        "fake_invitees": referral["fakes"],
        "coupon_addicts": np.flatnonzero(world.tag == Tag.ADDICT),
        "payday_buyers": np.flatnonzero(world.tag == Tag.PAYDAY),
        "thrifty_beauty": world.planted["thrifty_beauty"],
        "slipping_valuable": world.planted["slipping"],
        "open_complaints": world.planted["complaints"],
        "old_customers": world.planted["old_customers"],
    }
    ids = world.ids
    return {name: ids[np.sort(people)].tolist() for name, people in groups.items()}
