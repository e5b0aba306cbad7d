"""Who ends where. The end state of the story is drawn first, so that it comes out right; the deeds follow from it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ops_platform.demo import catalogue
from ops_platform.demo.chance import pick
from ops_platform.demo.days import REFERRAL_WEEK, SALE, day
from ops_platform.demo.world import Kind, Tag, World


@dataclass(frozen=True)
class Role:
    """`people` of twenty thousand get this kind and tag, among those registered by day `latest`."""

    kind: Kind
    tag: Tag
    people: int
    latest: int


MAY_5, JUNE_20 = day(5, 5), SALE[1]
# The hardest to place first. Plain one-time buyers come last, the rest stay contacts.
CAST = (
    Role(Kind.LAPSED, Tag.ADDICT, 130, day(4, 20)),
    Role(Kind.LAPSED, Tag.NONE, 100, day(4, 24)),
    Role(Kind.CHURNED, Tag.ADDICT, 330, MAY_5),
    Role(Kind.HABIT, Tag.ADDICT, 140, MAY_5),
    Role(Kind.PAYING, Tag.ADDICT, 40, MAY_5),
    Role(Kind.ADVOCATE, Tag.PAYDAY, 10, day(5, 9)),
    Role(Kind.ADVOCATE, Tag.NONE, 140, day(6, 5)),
    Role(Kind.CHURNED, Tag.PAYDAY, 270, day(5, 8)),
    Role(Kind.HABIT, Tag.PAYDAY, 330, day(6, 8)),
    Role(Kind.PAYING, Tag.PAYDAY, 90, day(6, 8)),
    Role(Kind.TWICE, Tag.PAYDAY, 100, day(7, 8)),
    Role(Kind.CHURNED, Tag.SALE_FIRST, 190, JUNE_20),
    Role(Kind.HABIT, Tag.SALE_FIRST, 170, JUNE_20),
    Role(Kind.PAYING, Tag.SALE_FIRST, 60, JUNE_20),
    Role(Kind.TWICE, Tag.SALE_FIRST, 145, JUNE_20),
    Role(Kind.CHURNED_ONCE, Tag.SALE_FIRST, 15, JUNE_20),
    Role(Kind.PAYING_ONCE, Tag.SALE_FIRST, 20, JUNE_20),
    Role(Kind.CHURNED, Tag.NONE, 930, day(6, 14)),
    Role(Kind.ONCE, Tag.SALE_FIRST, 850, JUNE_20),
    Role(Kind.HABIT, Tag.NONE, 610, day(8, 1)),
    Role(Kind.PAYING, Tag.NONE, 340, day(8, 10)),
    Role(Kind.CHURNED_ONCE, Tag.NONE, 165, day(7, 5)),
    Role(Kind.PAYING_ONCE, Tag.NONE, 150, day(8, 22)),
    Role(Kind.TWICE, Tag.NONE, 195, day(8, 10)),
    Role(Kind.ONCE, Tag.NONE, 4080, day(8, 28)),
)
ONE_TIME = (Kind.ONCE, Kind.PAYING_ONCE, Kind.CHURNED_ONCE)
MEMBERS = (Kind.PAYING, Kind.PAYING_ONCE, Kind.CHURNED_ONCE)


def draw_plans(world: World) -> None:
    """Sets kind and tag of everyone, and for those who will leave the last day on which they may order."""
    rng = world.rng("plans")
    free = _set_aside(world, rng)
    buys = np.array([s.buys for s in catalogue.SOURCES])[world.source]
    repeats = np.array([s.repeats for s in catalogue.SOURCES])[world.source]
    for role in CAST:
        weights = np.where(free & (world.registered_on <= role.latest), buys if role.kind in ONE_TIME else repeats, 0.0)
        if role.tag == Tag.SALE_FIRST:
            weights = weights * np.where(world.registered_on >= SALE[0] - 8, 8.0, 1.0)
        chosen = pick(rng, weights, world.count(role.people))
        world.kind[chosen], world.tag[chosen] = role.kind, role.tag
        free[chosen] = False
    _draw_last_days(world, rng)


def _set_aside(world: World, rng: np.random.Generator) -> np.ndarray:
    """Staff, 刷单 and the 620 fake invitees take no part in the draw. Returns who is free."""
    free = np.ones(world.size, bool)
    start, end = REFERRAL_WEEK
    invited = (world.source == catalogue.REFERRAL) & (world.registered_on >= start) & (world.registered_on <= end)
    fakes = pick(rng, invited.astype(float), world.count(620))
    world.tag[fakes] = Tag.FAKE
    free[fakes] = False
    staff = pick(rng, (free & (world.source == 0) & (world.registered_on <= day(4, 10))).astype(float), world.count(40))
    swapped = free & (world.source == len(catalogue.SOURCES) - 1) & (world.registered_on <= day(8, 10))
    brush = pick(rng, swapped.astype(float), world.count(60))
    world.kind[staff], world.kind[brush] = Kind.STAFF, Kind.BRUSH
    free[staff] = free[brush] = False
    return free


def _draw_last_days(world: World, rng: np.random.Generator) -> None:
    """Churned people order for the last time between six weeks after they joined and early August."""
    leaving = np.flatnonzero(world.is_kind(Kind.CHURNED, Kind.CHURNED_ONCE))
    earliest = np.maximum(world.registered_on[leaving] + 38, day(4, 25))
    earliest = np.where(world.tag[leaving] == Tag.SALE_FIRST, day(7, 8), earliest)
    latest = np.full(leaving.size, day(8, 2))
    world.last_day[leaving] = rng.integers(np.minimum(earliest, latest - 5), latest + 1)
    addicts = leaving[world.tag[leaving] == Tag.ADDICT]
    world.last_day[addicts] = rng.integers(day(7, 2), latest[0] + 1, addicts.size)
    once = leaving[world.kind[leaving] == Kind.CHURNED_ONCE]
    world.last_day[once] = np.maximum(world.last_day[once], world.registered_on[once] + 20)
