"""Coupons from claim to use or expiry, and the points spent on some of them."""

from __future__ import annotations

import numpy as np

from ops_platform.demo import catalogue
from ops_platform.demo.days import DAY_S, TODAY, as_date, utc_ms
from ops_platform.demo.journal import Journal
from ops_platform.demo.sessions import Visits
from ops_platform.demo.world import World

VALID_DAYS = 7
UNUSED_RATE = 0.05


def write_coupons(world: World, visits: Visits, journal: Journal) -> list[str]:
    """Claims and redemptions behind the orders, and claims that run out. Returns the coupon id of each order, or ''."""
    rng = world.rng("coupons")
    orders = world.orders
    used = np.flatnonzero(orders["coupon"] > 0)
    idle = np.flatnonzero(~visits.buys & (rng.random(visits.person.size) < UNUSED_RATE))
    person = np.concatenate([orders["person"][used], visits.person[idle]])
    days = np.concatenate([orders["day"][used], visits.day[idle]])
    targeted = np.concatenate([orders["coupon"][used] == 2, np.zeros(idle.size, bool)])
    ids = np.array([f"c{number:06d}" for number in range(1, person.size + 1)], object)
    at = utc_ms(days, visits.start_of[person, days] + rng.integers(20, 200, person.size))
    _write_claims(rng, journal, ids, person, days, at, targeted)
    redeemed, unused = ids[: used.size], np.arange(used.size, ids.size)
    journal.add("Coupon Redeemed", person[: used.size], orders["at_ms"][used], _named(redeemed))
    expired = unused[days[unused] + VALID_DAYS <= TODAY]
    journal.add("Coupon Expired", person[expired], utc_ms(days[expired] + VALID_DAYS, DAY_S - 1), _named(ids[expired]))
    by_order = np.full(orders["person"].size, "", object)
    by_order[used] = redeemed
    return list(by_order)


def _named(ids: np.ndarray) -> list[str]:
    return [f'{{"coupon_id":"{coupon}"}}' for coupon in ids]


def _write_claims(
    rng: np.random.Generator,
    journal: Journal,
    ids: np.ndarray,
    person: np.ndarray,
    days: np.ndarray,
    at: np.ndarray,
    targeted: np.ndarray,
) -> None:
    """Coupon Claimed for all; Points Spent for those that cost points. Targeted ones come from a campaign."""
    earned = np.where(targeted, catalogue.EARNED_BY[-1], rng.choice(catalogue.EARNED_BY[:-1], person.size))
    points = np.where(earned == "points", rng.integers(1, 6, person.size) * 100, 0)
    texts = [
        f'{{"coupon_id":"{coupon}","coupon_kind":"{catalogue.COUPON_KINDS[1 + kind]}","earned_by":"{how}",'
        f'"points":{cost},"expires_at":"{as_date(on + VALID_DAYS)}"}}'
        for coupon, kind, how, cost, on in zip(ids, targeted.astype(int), earned, points, days, strict=True)
    ]
    journal.add("Coupon Claimed", person, at, texts)
    paid = np.flatnonzero(points > 0)
    told = [f'{{"points":{cost},"coupon_id":"{coupon}"}}' for cost, coupon in zip(points[paid], ids[paid], strict=True)]
    journal.add("Points Spent", person[paid], at[paid], told)
