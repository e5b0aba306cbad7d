"""On which days people order. Rows say how many orders fall into which window; raking makes the days add up."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from ops_platform.demo import catalogue
from ops_platform.demo.chance import pick_rows, rake
from ops_platform.demo.days import BASELINE, COUPONS_STOP, DAYS, HABIT_WINDOW, HANGOVER, RECENT, SALE, TODAY, WEEKDAY
from ops_platform.demo.plans import ONE_TIME
from ops_platform.demo.world import Kind, Tag, World

# 06-16 … 06-20 as multiples of a normal day. The windows of the rows give the peak less than it asks for: 9.5.
SALE_SHAPE = np.array([2.2, 2.9, 11.7, 2.1, 1.5])
# Asking for less than 0.65 for the same reason.
HANGOVER_LEVEL = 0.635
JULY_OTHERS = 0.885
EARLY = RECENT - 1


@dataclass
class Rows:
    """Order rows: `count` orders of `person` on distinct days within [low, high]."""

    person: list[np.ndarray] = field(default_factory=list)
    low: list[np.ndarray] = field(default_factory=list)
    high: list[np.ndarray] = field(default_factory=list)
    count: list[np.ndarray] = field(default_factory=list)

    def add(self, person: np.ndarray, low: np.ndarray | int, high: np.ndarray | int, count: np.ndarray | int) -> None:
        low, high, count = (np.broadcast_to(value, person.shape) for value in (low, high, count))
        real = (high >= low) & (count > 0)
        for column, value in zip(
            (self.person, self.low, self.high, self.count), (person, low, high, count), strict=True
        ):
            column.append(value[real])

    def columns(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        person, low, high, count = (np.concatenate(c) for c in (self.person, self.low, self.high, self.count))
        return person, low, high, count


def draw_first_days(world: World, allowed: np.ndarray) -> np.ndarray:
    """The day of everyone's first order, -1 without; `allowed` (size, 180) says which days are open to whom."""
    rng = world.rng("first orders")
    first = np.full(world.size, -1)
    buyers = np.flatnonzero((world.kind != Kind.CONTACT) & ~world.excluded & (world.tag != Tag.PAYDAY))
    once = np.isin(world.kind[buyers], ONE_TIME)
    age = np.arange(DAYS)[None, :] - world.registered_on[buyers, None]
    weights = np.exp(-age / 5) + np.where(once, 0.008, 0.02)[:, None]
    weights *= (age >= 0) & (age <= np.where(once, 120, 28)[:, None])
    room = np.where(once, 0, np.where(world.kind[buyers] == Kind.CHURNED, 22, 12))
    weights *= np.arange(DAYS)[None, :] <= (world.last_day[buyers] - room)[:, None]
    sale = np.zeros(DAYS)
    sale[SALE[0] : SALE[1] + 1] = SALE_SHAPE
    in_sale = world.tag[buyers] == Tag.SALE_FIRST
    weights[in_sale] = np.where(age[in_sale] >= 0, sale, 0.0)
    weights[~in_sale, SALE[0] : SALE[1] + 1] = 0
    open_weights = weights * allowed[buyers]
    # Somebody kept away by the crash through the whole window orders in it all the same.
    stuck = open_weights.sum(axis=1) == 0
    open_weights[stuck] = weights[stuck]
    rows, days = pick_rows(rng, open_weights, np.ones(buyers.size, int))
    first[buyers[rows]] = days
    return first


def plain_rows(world: World, first: np.ndarray) -> Rows:
    """What people without a special rhythm order after the first time, by kind."""
    rng = world.rng("repeat orders")
    rows = Rows()
    low = _add_quick_friends(world, rows, first)
    plain = (first >= 0) & (world.tag != Tag.ADDICT)

    def of(kind: Kind) -> np.ndarray:
        return np.flatnonzero(plain & (world.kind == kind))

    twice = of(Kind.TWICE)
    rows.add(twice, low[twice], np.minimum(low[twice] + 90, TODAY), np.where(low[twice] == first[twice] + 1, 1, 0))
    lapsed = of(Kind.LAPSED)
    rows.add(lapsed, low[lapsed], np.minimum(low[lapsed] + 70, EARLY), 3 + rng.poisson(0.7, lapsed.size))
    rows.add(lapsed, RECENT, TODAY, rng.integers(0, 2, lapsed.size))
    paying = of(Kind.PAYING)
    rows.add(paying, low[paying], TODAY, 1 + rng.poisson(3.2, paying.size))
    for kind, early, recent in ((Kind.HABIT, 0.9, 1.1), (Kind.ADVOCATE, 2.8, 1.8)):
        people = of(kind)
        rows.add(people, low[people], EARLY, rng.poisson(early, people.size))
        least = np.where(first[people] >= RECENT, 2, 3)
        rows.add(people, np.maximum(low[people], RECENT), TODAY, least + rng.poisson(recent, people.size))
    _add_churned(rng, rows, of(Kind.CHURNED), first, low, world.last_day)
    return rows


def _add_quick_friends(world: World, rows: Rows, first: np.ndarray) -> np.ndarray:
    """Invited friends who like it come again within the month, which makes their inviter an advocate.

    Returns per person the first day that is free for further rows.
    """
    month_end = world.registered_on + 28
    quick = (first >= 0) & (world.tag != Tag.ADDICT) & (world.source == catalogue.REFERRAL) & (first < month_end)
    quick &= world.is_kind(Kind.TWICE, Kind.PAYING, Kind.CHURNED) | (world.is_kind(Kind.HABIT) & (month_end <= EARLY))
    people = np.flatnonzero(quick)
    rows.add(people, first[people] + 1, np.minimum(month_end, world.last_day)[people], 1)
    return np.where(quick, month_end + 1, first + 1)


def _add_churned(
    rng: np.random.Generator,
    rows: Rows,
    people: np.ndarray,
    first: np.ndarray,
    low: np.ndarray,
    last_day: np.ndarray,
) -> None:
    """Three order days within 90 make the habit they later lose; some went on for longer."""
    last = last_day[people]
    turn = np.minimum(first[people] + 75, last)
    rows.add(people, low[people], turn, 2 + rng.poisson(0.9, people.size))
    rows.add(people, turn + 1, last, rng.poisson(np.clip((last - turn) / 25, 0, 3)))


def addict_rows(world: World, first: np.ndarray) -> Rows:
    """640 people who buy while targeted coupons last; 210 of them look like champions at the end of June."""
    rng = world.rng("addicts")
    rows = Rows()
    june_end = COUPONS_STOP - 1
    addicts = np.flatnonzero(world.tag == Tag.ADDICT)
    low = first + 1

    def of(kind: Kind) -> np.ndarray:
        return addicts[world.kind[addicts] == kind]

    for kind, more, after in ((Kind.CHURNED, 2.6, 1.05), (Kind.PAYING, 2.4, 1.2)):
        people = of(kind)
        rows.add(people, low[people], june_end, 3 + rng.poisson(more, people.size))
        rows.add(people, COUPONS_STOP, world.last_day[people], rng.poisson(after, people.size))
    lapsed = of(Kind.LAPSED)
    rows.add(lapsed, low[lapsed], EARLY, 3 + rng.poisson(1.4, lapsed.size))
    rows.add(lapsed, RECENT, june_end, rng.integers(0, 2, lapsed.size))
    rows.add(lapsed, COUPONS_STOP, TODAY, rng.integers(0, 2, lapsed.size))
    habit = of(Kind.HABIT)
    rows.add(habit, low[habit], EARLY, 2 + rng.poisson(1.3, habit.size))
    rows.add(habit, RECENT, june_end, rng.integers(2, 4, habit.size))
    rows.add(habit, COUPONS_STOP, TODAY, 1 + (rng.random(habit.size) < 0.3))
    return rows


def sample_rows(world: World, chapter: str, rows: Rows, allowed: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Order matrix (size, 180) of the rows, raked so that the days follow `target`."""
    person, low, high, count = rows.columns()
    days = np.arange(DAYS)[None, :]
    window = (days >= low[:, None]) & (days <= high[:, None])
    weights = np.where(window & allowed[person], 1.0, 0.0)
    stuck = weights.sum(axis=1) < count
    weights[stuck] = window[stuck]
    fitted = rake(weights, count, target) + weights * 1e-6
    chosen_rows, chosen_days = pick_rows(world.rng(chapter), fitted, count)
    ordered = np.zeros((world.size, DAYS), bool)
    ordered[person[chosen_rows], chosen_days] = True
    return ordered


def addict_target() -> np.ndarray:
    """The shape of the addicts' days: growing until May, even until June, then whatever the July rows hold."""
    return np.clip(np.arange(DAYS) / 55, 0.08, 1.0)


def plain_target(per_day: np.ndarray, others: np.ndarray, total: int) -> np.ndarray:
    """Repeat orders per day, `total` in all. `per_day`: plain first orders; `others`: payday and addict orders."""
    days = np.arange(DAYS)
    normal = slice(BASELINE[0], BASELINE[1] + 1)
    ramp = np.clip(0.5 + days / 110, 0, 1.0) * np.where(WEEKDAY >= 5, 1.1, 0.97)
    ramp[COUPONS_STOP:] *= JULY_OTHERS
    level = total / DAYS
    for _ in range(30):
        wanted = level * ramp
        usual = level + others[normal].mean()
        wanted[SALE[0] : SALE[1] + 1] = SALE_SHAPE * usual - others[SALE[0] : SALE[1] + 1]
        wanted[HANGOVER[0] : HANGOVER[1] + 1] = HANGOVER_LEVEL * usual - others[HANGOVER[0] : HANGOVER[1] + 1]
        rest = np.clip(wanted - per_day, 0.02 * level, None)
        level *= total / rest.sum()
    return rest


def habit_reached(ordered: np.ndarray) -> np.ndarray:
    """Whether any 90 days held at least 3 order days; `ordered` (size, 180)."""
    sums = np.pad(np.cumsum(ordered, axis=1), ((0, 0), (1, 0)))
    ends = np.arange(1, DAYS + 1)
    return ((sums[:, ends] - sums[:, np.maximum(ends - HABIT_WINDOW, 0)]) >= 3).any(axis=1)
