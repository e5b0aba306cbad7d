"""Two planted accidents: the Android 5.3.0 checkout crash of April and the payment outage on the eve of 618."""

from __future__ import annotations

import numpy as np

from ops_platform.demo.chance import pick
from ops_platform.demo.days import CRASH, DAYS, OUTAGE_DAY, OUTAGE_S, SALE_PEAK
from ops_platform.demo.world import Kind, World

CRASH_RATE = 0.22
RETURN_AFTER_CRASH, RETURN_OTHERWISE, RETURN_DAYS = 0.31, 0.52, 14


def plan_crash(world: World) -> None:
    """In a week of discounts 2,300 people reach the broken Android checkout, which crashes for 22 %; 1,400 that of iOS.

    Those who do not come back within 14 days are blocked for as long.
    """
    rng = world.rng("crash")
    start, end = CRASH
    eligible = (world.registered_on <= end - 1) & ~world.excluded
    android = pick(rng, (eligible & world.android).astype(float), world.count(2300))
    apple = pick(rng, (eligible & ~world.android).astype(float), world.count(1400))
    people = np.concatenate([android, apple])
    days = rng.integers(np.maximum(world.registered_on[people], start), end + 1)
    crashed = np.zeros(people.size, bool)
    # A little more than the rate: some of them check out again in the same week, and that goes well.
    crashed[pick(rng, np.ones(android.size), round(android.size * CRASH_RATE * 1.15))] = True
    # Regulars come back more often than passers-by.
    fond = np.where(world.kind[people] >= Kind.TWICE, 3.0, 1.0)
    returns = np.zeros(people.size, bool)
    for group, rate in ((crashed, RETURN_AFTER_CRASH), (~crashed, RETURN_OTHERWISE)):
        returns[pick(rng, np.where(group, fond, 0.0), round(group.sum() * rate))] = True
    offsets = np.arange(1, RETURN_DAYS + 1)
    away = np.flatnonzero(~returns)
    world.blocked[np.repeat(people[away], RETURN_DAYS), (days[away, None] + offsets).ravel()] = True
    world.planted["crash"] = {"people": people, "days": days, "crashed": crashed, "returns": returns}


def enforce_crash(world: World) -> None:
    """Puts the checkout visit, and for those who return at least one visit within 14 days, into the matrix."""
    rng = world.rng("crash returns")
    plot = world.planted["crash"]
    people, days = plot["people"], plot["days"]
    world.active[people, days] = True
    for person, at in zip(people[plot["returns"]], days[plot["returns"]], strict=True):
        if not world.active[person, at + 1 : at + RETURN_DAYS + 1].any():
            world.active[person, at + rng.integers(1, RETURN_DAYS + 1)] = True


def plan_outage(world: World) -> None:
    """One provider fails 82 % for 85 minutes: 310 people hit, 214 never try again, 96 succeed later, 68 get through."""
    rng = world.rng("outage")
    ordered = np.zeros((world.size, DAYS), bool)
    ordered[world.orders["person"], world.orders["day"]] = True
    known = (world.registered_on < OUTAGE_DAY) & ~world.excluded & ~world.blocked[:, OUTAGE_DAY]
    never_after = known & ~ordered[:, OUTAGE_DAY:].any(axis=1) & world.is_kind(Kind.CONTACT, Kind.ONCE)
    lost = pick(rng, never_after * np.where(world.kind == Kind.CONTACT, 1.0, 0.3), world.count(214))
    same_day = known & ordered[:, OUTAGE_DAY]
    next_day = known & ordered[:, SALE_PEAK] & ~ordered[:, OUTAGE_DAY]
    later = pick(rng, next_day.astype(float), world.count(48))
    buyers = pick(rng, same_day.astype(float), world.count(48) + world.count(68))
    buyers = rng.permutation(buyers)
    soon, through = buyers[: world.count(48)], buyers[world.count(48) :]
    hit = np.concatenate([lost, soon, later])
    world.active[hit, OUTAGE_DAY] = True
    start, end = OUTAGE_S
    world.planted["outage"] = {
        "hit": hit,
        "failed_s": np.sort(rng.integers(start, end - 240, hit.size)),
        "lost": lost,
        "soon": soon,
        "through": through,
        "through_s": rng.integers(start + 30, end - 30, through.size),
    }
