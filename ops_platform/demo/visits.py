"""On which days people open the app: the matrix of active days, before the last touches of `rhythm`."""

from __future__ import annotations

import numpy as np

from ops_platform.demo import catalogue
from ops_platform.demo.chance import pick
from ops_platform.demo.days import CRASH, DAYS, OUTAGE_DAY, SALE, TODAY
from ops_platform.demo.world import Kind, Tag, World

RETURN_DAY = 30
FAKE_RETURN = 0.018


def draw_visits(world: World) -> None:
    """Fills `world.active`: registration, orders, the card, and visits by temperament."""
    rng = world.rng("visits")
    days = np.arange(DAYS)[None, :]
    first_order, last_order = _order_span(world)
    rate, fade, floor, end = _temperaments(world, rng, last_order)
    age = days - world.registered_on[:, None]
    since_order = days - first_order[:, None]
    chance = rate[:, None] * np.exp(-np.clip(age, 0, None) / fade[:, None]) + floor[:, None]
    chance = chance + np.where(
        (since_order >= 0) & (since_order < 15), 0.1 * np.exp(-np.clip(since_order, 0, 15) / 5), 0
    )
    chance[:, SALE[0] : SALE[1] + 1] *= 1.8
    visit = rng.random((world.size, DAYS)) < chance
    world.active |= visit & (age > 0) & (days <= end[:, None]) & ~world.blocked
    world.active[np.arange(world.size), world.registered_on] = True
    world.active[world.orders["person"], world.orders["day"]] = True
    _draw_members(world)


def _order_span(world: World) -> tuple[np.ndarray, np.ndarray]:
    first, last = np.full(world.size, 10_000), np.full(world.size, -1)
    np.minimum.at(first, world.orders["person"], world.orders["day"])
    np.maximum.at(last, world.orders["person"], world.orders["day"])
    return first, last


def _temperaments(world: World, rng: np.random.Generator, last_order: np.ndarray) -> tuple[np.ndarray, ...]:
    """Per person: chance to visit at the start, days it fades over, steady chance, last possible day."""
    size, draw = world.size, rng.random(world.size)
    rate, fade = np.full(size, 0.4), np.full(size, 4.0)
    floor, end = np.zeros(size), np.minimum(last_order + rng.exponential(8, size).astype(int), TODAY)
    contact = world.kind == Kind.CONTACT
    rate[contact & (draw < 0.45)] = 0.0
    floor[contact & (draw > 0.8)] = rng.uniform(0.02, 0.12, size)[contact & (draw > 0.8)]
    drift = np.minimum(world.registered_on + 5 + rng.exponential(45, size).astype(int), TODAY)
    end[contact] = np.where(draw > 0.9, TODAY, drift)[contact]
    light = world.is_kind(Kind.ONCE, Kind.TWICE)
    floor[light] = np.where(draw < 0.5, 0.03, rng.uniform(0.05, 0.2, size))[light]
    linger = np.minimum(last_order + 10 + rng.exponential(35, size).astype(int), TODAY)
    end[light] = np.where(draw > 0.78, TODAY, np.where(draw > 0.5, linger, end))[light]
    loyal = world.is_kind(Kind.LAPSED, Kind.HABIT, Kind.PAYING, Kind.PAYING_ONCE, Kind.ADVOCATE)
    floor[loyal] = rng.uniform(0.14, 0.42, size)[loyal]
    floor[world.kind == Kind.ADVOCATE] += 0.1
    end[loyal] = TODAY
    gone = world.is_kind(Kind.CHURNED, Kind.CHURNED_ONCE)
    floor[gone] = rng.uniform(0.14, 0.4, size)[gone]
    end[gone] = np.minimum(last_order + rng.integers(0, 9, size), TODAY - 18)[gone]
    floor[world.kind == Kind.STAFF], end[world.kind == Kind.STAFF] = 0.6, TODAY
    rate[world.tag == Tag.FAKE], floor[world.tag == Tag.FAKE] = 0.03, 0.0
    return rate, fade, floor, end


def _draw_members(world: World) -> None:
    """The card is bought on a day they are there, mostly with an order."""
    rng = world.rng("members")
    advocates = pick(rng, (world.kind == Kind.ADVOCATE).astype(float), world.count(60))
    churned = pick(rng, ((world.kind == Kind.CHURNED) & (world.tag != Tag.ADDICT)).astype(float), world.count(170))
    paying = np.flatnonzero(world.is_kind(Kind.PAYING, Kind.PAYING_ONCE, Kind.CHURNED_ONCE))
    ordered = np.zeros_like(world.active)
    ordered[world.orders["person"], world.orders["day"]] = True
    for person in np.concatenate([advocates, churned, paying]):
        days = np.flatnonzero(ordered[person] if rng.random() < 0.8 else world.active[person])
        world.member_on[person] = rng.choice(days)


def calibrate_return(world: World) -> None:
    """Makes the share that is there exactly 30 days after registering what each source is known for."""
    rng = world.rng("return day")
    ordered = np.zeros_like(world.active)
    ordered[world.orders["person"], world.orders["day"]] = True
    ordered[np.flatnonzero(world.member_on >= 0), world.member_on[world.member_on >= 0]] = True
    known = (world.registered_on + RETURN_DAY <= TODAY) & ~world.excluded
    for number, source in enumerate(catalogue.SOURCES):
        group = known & (world.source == number) & (world.tag != Tag.FAKE)
        _calibrate(world, rng, np.flatnonzero(group), source.day30, ordered)
    _calibrate(world, rng, np.flatnonzero(known & (world.tag == Tag.FAKE)), FAKE_RETURN, ordered)


def _calibrate(world: World, rng: np.random.Generator, people: np.ndarray, rate: float, ordered: np.ndarray) -> None:
    days = world.registered_on[people] + RETURN_DAY
    there = world.active[people, days]
    missing = round(people.size * rate) - int(there.sum())
    planted = ordered[people, days] | ((days >= CRASH[0]) & (days <= CRASH[1] + 14)) | (days == OUTAGE_DAY)
    if missing < 0:
        chosen = pick(rng, (there & ~planted).astype(float), -missing)
        world.active[people[chosen], days[chosen]] = False
        return
    leaving = world.is_kind(Kind.CHURNED, Kind.CHURNED_ONCE)[people] & (days > world.last_day[people])
    free = ~there & ~planted & ~world.blocked[people, days] & ~leaving
    chosen = pick(rng, free.astype(float), missing)
    world.active[people[chosen], days[chosen]] = True
