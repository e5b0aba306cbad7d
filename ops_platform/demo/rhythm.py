"""The limit and idle days of everyone, by the definitions, and the last touches that make the activity flags true."""

from __future__ import annotations

import numpy as np

from ops_platform.demo.chance import pick
from ops_platform.demo.days import DAYS, TODAY
from ops_platform.demo.plans import MEMBERS
from ops_platform.demo.world import Kind, World

LIMIT, LIMIT_MIN, LIMIT_MAX = 60, 14, 180
SLIPPING = 0.6
STILL_HERE = (Kind.LAPSED, Kind.HABIT, Kind.PAYING, Kind.PAYING_ONCE, Kind.ADVOCATE)
GONE = (Kind.CHURNED, Kind.CHURNED_ONCE)


def idle_days(active: np.ndarray) -> np.ndarray:
    """Days since the last active day; everyone has one."""
    return TODAY - (DAYS - 1 - np.argmax(active[:, ::-1], axis=1))


def limits(active: np.ndarray) -> np.ndarray:
    """Personal limit in days from the last 30 gaps: max(3 × median, 1.5 × p90), 14 to 180; under 4 active days 60."""
    people, days = np.nonzero(active)
    same = people[1:] == people[:-1]
    owner, gap = people[1:][same], np.diff(days)[same]
    total = np.bincount(owner, minlength=active.shape[0])
    before = np.arange(owner.size) - np.repeat(np.cumsum(total) - total, total)
    recent = total[owner] - before <= 30
    owner, gap = owner[recent], gap[recent]
    kept = np.bincount(owner, minlength=active.shape[0])
    gap = gap[np.lexsort((gap, owner))]
    start = np.cumsum(kept) - kept
    median, p90 = (_quantile(gap, start, kept, q) for q in (0.5, 0.9))
    personal = np.clip(np.maximum(3 * median, 1.5 * p90), LIMIT_MIN, LIMIT_MAX)
    return np.where(total >= 3, personal, LIMIT)


def _quantile(values: np.ndarray, start: np.ndarray, count: np.ndarray, q: float) -> np.ndarray:
    """Type 7 quantile of each run of `values`; 0 for empty runs."""
    result = np.zeros(count.size)
    has = count > 0
    rank = q * (count[has] - 1)
    low = np.floor(rank).astype(int)
    high = np.minimum(low + 1, count[has] - 1)
    at_low, at_high = values[start[has] + low], values[start[has] + high]
    result[has] = at_low + (rank - low) * (at_high - at_low)
    return result


def settle(world: World) -> None:
    """Churned people dormant, the others not, and exactly the planted valuable people slipping on the last day."""
    rng = world.rng("settle")
    _leave_lately(world, rng)
    gone = np.flatnonzero(world.is_kind(*GONE))
    _tighten(world, gone[idle_days(world.active[gone]) < limits(world.active[gone])])
    valuable = valuable_people(world)
    slipping = _let_slip(world, rng, valuable)
    idle, limit = idle_days(world.active), limits(world.active)
    stays = world.is_kind(*STILL_HERE)
    stays[slipping] = False
    _greet(world, rng, np.flatnonzero(stays & ((idle >= limit) | (valuable & (idle >= SLIPPING * limit)))))


def valuable_people(world: World) -> np.ndarray:
    """F and M above the mean of all buyers: the value classes 重要价值 and 重要保持."""
    counted = ~world.excluded[world.orders["person"]] & (world.orders["refund_cents"] < world.orders["cents"])
    person = world.orders["person"][counted]
    net = (world.orders["cents"] - world.orders["refund_cents"])[counted]
    orders = np.bincount(person, minlength=world.size)
    money = np.bincount(person, net, minlength=world.size)
    buyers = orders > 0
    return (orders > orders[buyers].mean()) & (money > money[buyers].mean())


def _tighten(world: World, people: np.ndarray) -> None:
    """A visit at least every fourth day until the last one, so that the limit is short."""
    days = np.arange(DAYS)
    for person in people:
        seen = np.flatnonzero(world.active[person])
        world.active[person] |= (
            (days >= seen[0]) & (days < seen[-1]) & ((seen[-1] - days) % 4 == 0) & ~world.blocked[person]
        )


def _leave_lately(world: World, rng: np.random.Generator) -> None:
    """About twenty people a night cross their limit in the last fortnight, so that every night has somebody to lose."""
    recent = world.is_kind(Kind.CHURNED) & (idle_days(world.active) <= 75)
    leaving = pick(rng, recent.astype(float), world.count(280))
    last = TODAY - LIMIT_MIN - rng.integers(0, 14, leaving.size)
    world.active[leaving, last] = True
    _tighten(world, leaving)


def _greet(world: World, rng: np.random.Generator, people: np.ndarray) -> None:
    world.active[people, rng.integers(TODAY - 6, TODAY + 1, people.size)] = True


def _let_slip(world: World, rng: np.random.Generator, valuable: np.ndarray) -> np.ndarray:
    """58 valuable people were last seen 9 to 13 days ago against a limit of 14; 26 of them left with a complaint."""
    person, days = world.orders["person"], world.orders["day"]
    last_order = np.zeros(world.size, int)
    np.maximum.at(last_order, person, days)
    bought = (last_order <= TODAY - 15) & (world.member_on <= TODAY - 15)
    able = valuable & bought & world.is_kind(Kind.HABIT, *MEMBERS[:1], Kind.ADVOCATE)
    chosen = pick(rng, able.astype(float), world.count(58))
    for who in chosen:
        last = TODAY - rng.integers(9, 14)
        world.active[who, last - 2 :] = False
        world.active[who, last] = True
        world.blocked[who, last + 1 :] = True
    _tighten(world, chosen)
    world.planted["slipping"] = chosen
    world.planted["complaints"] = chosen[: max(1, round(chosen.size * 26 / 58))]
    return chosen
