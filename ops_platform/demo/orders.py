"""Every order of the story: who and on which day (`draw_orders`), then what it cost and what came back."""

from __future__ import annotations

import numpy as np

from ops_platform.demo import catalogue, habits
from ops_platform.demo.chance import pick
from ops_platform.demo.days import COUPONS_STOP, DAYS, HANGOVER, SALE, TODAY, day
from ops_platform.demo.world import Kind, Tag, World

AVERAGE_ORDER = 86.0
PAYDAYS = {month: day(month, 10) for month in range(3, 9)}
REFUND_RATE, SALE_REFUND_RATE = 0.0735, 0.14


def draw_orders(world: World) -> None:
    """Sets `world.orders` with columns person and day, sorted by day then person."""
    allowed = _allowed(world)
    first = habits.draw_first_days(world, allowed)
    ordered = np.zeros((world.size, DAYS), bool)
    ordered[np.flatnonzero(first >= 0), first[first >= 0]] = True
    plain_first = ordered.copy()
    plain_first[world.tag == Tag.ADDICT] = False
    addicts = habits.sample_rows(
        world, "addict days", habits.addict_rows(world, first), allowed, habits.addict_target()
    )
    paydays = _payday_orders(world)
    others = (addicts | paydays | (ordered & ~plain_first)).sum(axis=0)
    rows = habits.plain_rows(world, first)
    target = habits.plain_target(plain_first.sum(axis=0), others, int(rows.columns()[3].sum()))
    ordered |= addicts | paydays | habits.sample_rows(world, "repeat days", rows, allowed, target)
    ordered |= _excluded_orders(world)
    days, people = np.nonzero(ordered.T)
    world.orders = {"person": people, "day": days}


def _allowed(world: World) -> np.ndarray:
    days = np.arange(DAYS)[None, :]
    allowed = ~world.blocked & (days >= world.registered_on[:, None]) & (days <= world.last_day[:, None])
    crash = world.planted["crash"]
    allowed[crash["people"][crash["crashed"]], crash["days"][crash["crashed"]]] = False
    rng = world.rng("addicts before july")
    addicts = world.tag == Tag.ADDICT
    early_leavers = pick(rng, addicts.astype(float), round(addicts.sum() * 0.6))
    allowed[early_leavers, SALE[0] + 1 : HANGOVER[1] + 1] = False
    return allowed


def _payday_orders(world: World) -> np.ndarray:
    """800 people who order on the 10th to the 12th, at most once a month. Sets the last day of those who leave."""
    rng = world.rng("paydays")
    ordered = np.zeros((world.size, DAYS), bool)
    for person in np.flatnonzero(world.tag == Tag.PAYDAY):
        months = [m for m, d in PAYDAYS.items() if world.registered_on[person] <= d]
        chosen = _payday_months(rng, world.kind[person], months)
        days = [PAYDAYS[month] + rng.choice(3, p=[0.6, 0.25, 0.15]) for month in chosen]
        ordered[person, days] = True
        if world.kind[person] == Kind.CHURNED:
            world.last_day[person] = days[-1] + rng.integers(2, 12)
    return ordered


def _payday_months(rng: np.random.Generator, kind: int, months: list[int]) -> list[int]:
    if kind == Kind.CHURNED:
        start = rng.choice([m for m in months if m <= 5])
        return [start, start + 1, start + 2]
    if kind == Kind.TWICE:
        return sorted(rng.choice(months, 2, replace=False))
    if kind == Kind.PAYING:
        return sorted(rng.choice(months, max(2, len(months) - int(rng.integers(0, 3))), replace=False))
    return [m for m in months if m >= 6 or rng.random() < 0.6]


def _excluded_orders(world: World) -> np.ndarray:
    """Staff try things out; 刷单 accounts order in a burst of eight."""
    rng = world.rng("excluded orders")
    ordered = np.zeros((world.size, DAYS), bool)
    for person in np.flatnonzero(world.excluded):
        burst = world.kind[person] == Kind.BRUSH
        start = rng.integers(world.registered_on[person], DAYS - 1)
        span = np.arange(start, min(start + 16, DAYS)) if burst else np.arange(world.registered_on[person], DAYS)
        ordered[person, rng.choice(span, min(8 if burst else 6, span.size), replace=False)] = True
        world.last_day[person] = min(start + 16, TODAY) if burst else TODAY
    return ordered


def price_orders(world: World) -> None:
    """Adds cents, coupon kind, category and refunds (day -1 without) to `world.orders`; marks the 1,150 of C6."""
    rng = world.rng("prices")
    person, days = world.orders["person"], world.orders["day"]
    counts = np.bincount(person, minlength=world.size)
    frequent = (counts >= 4) & ~world.excluded
    thrifty = np.zeros(world.size, bool)
    thrifty[pick(rng, frequent * np.where(world.category == catalogue.BEAUTY, 4.0, 1.0), world.count(1150))] = True
    world.category[thrifty] = catalogue.BEAUTY
    # Nobody else may look like them: other frequent beauty lovers turn to skin care.
    world.category[frequent & ~thrifty & (world.category == catalogue.BEAUTY)] = 1
    level = np.where(thrifty, rng.uniform(28, 46, world.size), rng.lognormal(0, 0.38, world.size) * 80)
    amounts = level[person] * rng.lognormal(-0.06, 0.34, person.size)
    counted = ~world.excluded[person]
    spread = counted & ~thrifty[person]
    wanted = AVERAGE_ORDER * counted.sum() - amounts[counted & thrifty[person]].sum()
    amounts[spread] *= wanted / amounts[spread].sum()
    amounts = np.where(world.kind[person] == Kind.BRUSH, 19.9, np.clip(amounts, 6.9, 1500))
    world.orders["cents"] = np.round(amounts * 100).astype(np.int64)
    own = rng.random(person.size) < np.where(thrifty[person], 0.92, 0.66)
    world.orders["category"] = np.where(
        own, world.category[person], rng.choice(8, person.size, p=catalogue.CATEGORY_SHARES)
    )
    world.orders["coupon"] = _coupons(world, rng, person, days)
    _refunds(world, rng, counts)
    world.planted["thrifty_beauty"] = np.flatnonzero(thrifty)


def _coupons(world: World, rng: np.random.Generator, person: np.ndarray, days: np.ndarray) -> np.ndarray:
    """0 none, 1 general, 2 targeted. Targeted coupons end with June."""
    draw = rng.random(person.size)
    sale = (days >= SALE[0]) & (days <= SALE[1])
    kinds = np.where(draw < np.where(sale, 0.62, 0.23), 1, np.where(draw > 0.94, 2, 0))
    kinds[(world.tag[person] == Tag.ADDICT) & (draw < 0.97)] = 2
    gone = (days >= COUPONS_STOP) & (kinds == 2)
    kinds[gone] = np.where(draw[gone] < 0.1, 1, 0)
    return kinds


def _refunds(world: World, rng: np.random.Generator, counts: np.ndarray) -> None:
    """Some orders come back, 618 ones twice as often. Who has orders to spare, or just one, may get all of it back."""
    person, days, cents = (world.orders[key] for key in ("person", "day", "cents"))
    sale = (days >= SALE[0]) & (days <= SALE[1])
    refunded = rng.random(person.size) < np.where(sale, SALE_REFUND_RATE, REFUND_RATE)
    refunded_on = days + rng.integers(1, 7, person.size)
    refunded &= (refunded_on <= TODAY) & ~world.excluded[person]
    spare = (counts[person] >= 6) | (world.kind[person] == Kind.ONCE)
    once_per_person = np.zeros(person.size, bool)
    _, firsts = np.unique(np.where(refunded, person, -1), return_index=True)
    once_per_person[firsts] = True
    whole = refunded & spare & once_per_person & (rng.random(person.size) < 0.7)
    part = np.round(cents * rng.uniform(0.2, 0.7, person.size)).astype(np.int64)
    world.orders["refunded_on"] = np.where(refunded, refunded_on, -1)
    world.orders["refund_cents"] = np.where(refunded, np.where(whole, cents, part), 0)
