"""From checkout to refund: orders, failed payments, crashes, coupons and the card 省钱卡."""

from __future__ import annotations

import numpy as np

from ops_platform.demo import catalogue
from ops_platform.demo.chance import pick
from ops_platform.demo.coupons import write_coupons
from ops_platform.demo.days import CRASH, OUTAGE_DAY, OUTAGE_S, TODAY, day, utc_ms
from ops_platform.demo.journal import Journal
from ops_platform.demo.sessions import Visits, platform_json
from ops_platform.demo.world import Kind, Tag, World

ABANDON_RATE, ABANDON_FAILS, ABANDON_CRASHES, ORDER_FAILS = 0.13, 0.03, 0.013, 0.03


def yuan(cents: np.ndarray) -> list[str]:
    return [f"{c // 100}.{c % 100:02d}" for c in cents.tolist()]


def write_orders(world: World, visits: Visits, journal: Journal) -> None:
    """Checkout Started, Payment Failed now and then, Order Completed, Order Refunded; the coupon's own events."""
    rng = world.rng("order events")
    person, days = world.orders["person"], world.orders["day"]
    checkout = visits.start_of[person, days] + rng.integers(240, 420, person.size)
    done = checkout + rng.integers(20, 80, person.size)
    provider = rng.choice(3, person.size, p=catalogue.PROVIDER_SHARES)
    checkout, done, provider = _bend_to_outage(world, person, days, checkout, done, provider)
    world.orders["at_ms"] = utc_ms(days, done)
    world.orders["id"] = np.array([f"o{n:06d}" for n in range(1, person.size + 1)], object)
    _write_checkouts(world, journal, person, days, checkout)
    failed = np.flatnonzero((rng.random(person.size) < ORDER_FAILS) & (days != OUTAGE_DAY))
    _write_failures(rng, journal, person[failed], utc_ms(days[failed], checkout[failed] + 12), provider[failed])
    coupon_ids = write_coupons(world, visits, journal)
    journal.add("Order Completed", person, world.orders["at_ms"], _order_texts(world, rng, provider, coupon_ids))
    _write_refunds(world, rng, journal)


def _bend_to_outage(
    world: World,
    person: np.ndarray,
    days: np.ndarray,
    checkout: np.ndarray,
    done: np.ndarray,
    provider: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """On the evening of the outage: who got through used the failing provider, all others in that hour did not."""
    plot = world.planted["outage"]
    moment = np.full(world.size, -1)
    moment[plot["through"]] = plot["through_s"]
    moment[plot["hit"]] = plot["failed_s"]
    today = days == OUTAGE_DAY
    through, soon = today & np.isin(person, plot["through"]), today & np.isin(person, plot["soon"])
    done = np.where(through, moment[person], np.where(soon, moment[person] + 150, done))
    checkout = np.where(through | soon, done - 25, checkout)
    window = today & (done >= OUTAGE_S[0]) & (done <= OUTAGE_S[1])
    provider = np.where(through, catalogue.FAILING_PROVIDER, np.where(window, np.minimum(provider, 1), provider))
    return checkout, done, provider


def _order_texts(world: World, rng: np.random.Generator, provider: np.ndarray, coupon_ids: list[str]) -> list[str]:
    cents = world.orders["cents"]
    off = np.where(world.orders["coupon"] > 0, np.maximum(rng.integers(5, 21, cents.size) * 100, cents // 10), 0)
    return [
        f'{{"order_id":"{oid}","total":{total},"list_total":{listed},"discount":{cut},"currency":"CNY",'
        + (f'"coupon_id":"{coupon}","coupon_kind":"{catalogue.COUPON_KINDS[kind]}",' if coupon else "")
        + f'"category":"{catalogue.CATEGORIES[category]}","provider":"{catalogue.PROVIDERS[by]}"}}'
        for oid, total, listed, cut, coupon, kind, category, by in zip(
            world.orders["id"],
            yuan(cents),
            yuan(cents + off),
            yuan(off),
            coupon_ids,
            world.orders["coupon"],
            world.orders["category"],
            provider,
            strict=True,
        )
    ]


def _write_checkouts(world: World, journal: Journal, person: np.ndarray, days: np.ndarray, seconds: np.ndarray) -> None:
    texts = ["{" + text + "}" for text in platform_json(world, person, days)]
    journal.add("Checkout Started", person, utc_ms(days, seconds), texts)


def _write_failures(
    rng: np.random.Generator, journal: Journal, person: np.ndarray, at_ms: np.ndarray, provider: np.ndarray
) -> None:
    reasons = rng.choice(catalogue.FAIL_REASONS, person.size)
    texts = [
        f'{{"reason":"{r}","provider":"{p}"}}' for r, p in zip(reasons, catalogue.PROVIDERS[provider], strict=True)
    ]
    journal.add("Payment Failed", person, at_ms, texts)


def _write_refunds(world: World, rng: np.random.Generator, journal: Journal) -> None:
    orders = world.orders
    back = np.flatnonzero(orders["refund_cents"] > 0)
    at = utc_ms(orders["refunded_on"][back], rng.integers(9 * 3600, 21 * 3600, back.size))
    reasons = rng.choice(catalogue.REFUND_REASONS, back.size)
    texts = [
        f'{{"order_id":"{oid}","total":{total},"currency":"CNY","reason":"{reason}"}}'
        for oid, total, reason in zip(orders["id"][back], yuan(orders["refund_cents"][back]), reasons, strict=True)
    ]
    journal.add("Order Refunded", orders["person"][back], at, texts)


def write_abandoned(world: World, visits: Visits, journal: Journal) -> None:
    """Checkouts that end in no order: given up, failed or crashed. Nobody lost in the outage ever tries again."""
    rng = world.rng("abandoned")
    person, days = visits.person, visits.day
    lost = np.zeros(world.size, bool)
    lost[world.planted["outage"]["lost"]] = True
    # The checkouts of the week of the crash are all planned.
    quiet = (days >= CRASH[0]) & (days <= CRASH[1])
    quiet |= (lost[person] & (days >= OUTAGE_DAY)) | visits.buys
    tried = np.flatnonzero((rng.random(person.size) < ABANDON_RATE) & ~quiet)
    who, when, seconds = person[tried], days[tried], visits.start[tried] + rng.integers(240, 420, tried.size)
    _write_checkouts(world, journal, who, when, seconds)
    fate = rng.random(tried.size)
    failed, crashed = fate < ABANDON_FAILS, fate > 1 - ABANDON_CRASHES
    provider = rng.choice(3, tried.size, p=catalogue.PROVIDER_SHARES)
    provider = np.where(when == OUTAGE_DAY, np.minimum(provider, 1), provider)
    _write_failures(rng, journal, who[failed], utc_ms(when[failed], seconds[failed] + 15), provider[failed])
    _write_crashes(world, journal, who[crashed], when[crashed], seconds[crashed] + 9)


def _write_crashes(world: World, journal: Journal, person: np.ndarray, days: np.ndarray, seconds: np.ndarray) -> None:
    texts = ["{" + text + ',"screen":"checkout"}' for text in platform_json(world, person, days)]
    journal.add("App Crashed", person, utc_ms(days, seconds), texts)


def write_incidents(world: World, visits: Visits, journal: Journal) -> None:
    """The broken checkout of April and the failed payments of 06-17."""
    rng = world.rng("incident events")
    crash = world.planted["crash"]
    idle = ~visits.ordered[crash["people"], crash["days"]]
    who, when = crash["people"][idle], crash["days"][idle]
    seconds = visits.start_of[who, when] + 300
    _write_checkouts(world, journal, who, when, seconds)
    crashed = crash["crashed"][idle]
    _write_crashes(world, journal, who[crashed], when[crashed], seconds[crashed] + 11)
    outage = world.planted["outage"]
    hit, failed_s = outage["hit"], outage["failed_s"]
    evening = np.full(hit.size, OUTAGE_DAY)
    _write_checkouts(world, journal, hit, evening, failed_s - 20)
    providers = np.full(hit.size, catalogue.FAILING_PROVIDER)
    _write_failures(rng, journal, hit, utc_ms(evening, failed_s), providers)


def write_memberships(world: World, visits: Visits, journal: Journal) -> None:
    """Membership Purchased{plan}: the year card for the steady ones, month cards for most."""
    rng = world.rng("memberships")
    members = np.flatnonzero(world.member_on >= 0)
    days = world.member_on[members]
    plans = rng.choice(3, members.size, p=[0.55, 0.25, 0.2])
    texts = [f'{{"plan":"{catalogue.PLANS[p][0]}","total":{catalogue.PLANS[p][1]},"currency":"CNY"}}' for p in plans]
    journal.add("Membership Purchased", members, utc_ms(days, visits.start_of[members, days] + 200), texts)


def write_old_orders(world: World, journal: Journal) -> None:
    """Order Completed once in the spring of 2025, in the shop before the app: 回头客 when they buy again this August."""
    rng = world.rng("old orders")
    late = np.zeros(world.size, bool)
    late[world.orders["person"][world.orders["day"] > TODAY - 14]] = True
    late &= (world.kind == Kind.ONCE) & (world.tag == Tag.NONE) & (world.source != catalogue.REFERRAL)
    late &= world.active[:, -7:].any(axis=1)
    old = np.sort(pick(rng, late.astype(float), world.count(40)))
    world.planted["old_customers"] = old
    days = rng.integers(day(3, 1) - 365, day(6, 1) - 365, old.size)
    totals = yuan(rng.integers(3_900, 19_900, old.size))
    texts = [
        f'{{"order_id":"w{n:04d}","total":{total},"list_total":{total},"discount":0.00,"currency":"CNY","channel":"wap"}}'
        for n, total in enumerate(totals, 1)
    ]
    journal.add("Order Completed", old, utc_ms(days, rng.integers(9 * 3600, 22 * 3600, old.size)), texts)
