"""What a visit looks like: registration, opening the app, searching, looking, daily check-in."""

from __future__ import annotations

import json
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ops_platform.demo import catalogue
from ops_platform.demo.chance import pick
from ops_platform.demo.days import CRASH, DAY_S, DAYS, OUTAGE_DAY, utc_ms
from ops_platform.demo.journal import Journal
from ops_platform.demo.people import draw_seconds
from ops_platform.demo.world import Tag, World

LATEST_START_S = 23 * 3600 + 1500


@dataclass
class Visits:
    """All visits as parallel arrays, plus two lookups by (person, day): start second and whether an order follows."""

    person: np.ndarray
    day: np.ndarray
    start: np.ndarray
    start_of: np.ndarray
    ordered: np.ndarray

    @property
    def buys(self) -> np.ndarray:
        return self.ordered[self.person, self.day]


def draw_starts(world: World) -> Visits:
    """When each visit begins. People keep to their own hour most of the time; the outage sets its own."""
    rng = world.rng("starts")
    person, days = np.nonzero(world.active)
    start = draw_seconds(rng, person.size)
    own_hour = draw_seconds(rng, world.size)
    keeps = rng.random(person.size) < 0.6
    start[keeps] = np.clip(own_hour[person] + rng.normal(0, 3000, person.size), 3600, LATEST_START_S).astype(int)[keeps]
    start_of = np.zeros((world.size, DAYS), np.int32)
    start_of[person, days] = start
    start_of[np.arange(world.size), world.registered_on] = world.registered_s
    plot = world.planted["outage"]
    start_of[plot["hit"], OUTAGE_DAY] = plot["failed_s"] - 400
    start_of[plot["through"], OUTAGE_DAY] = plot["through_s"] - 400
    ordered = np.zeros((world.size, DAYS), bool)
    ordered[world.orders["person"], world.orders["day"]] = True
    known = days >= world.registered_on[person]
    person, days = person[known], days[known]
    return Visits(person, days, start_of[person, days], start_of, ordered)


def version_of(world: World, person: np.ndarray, days: np.ndarray) -> np.ndarray:
    """Index of the app version a person runs on a day. On Android only the 2,300 of the crash ever ran 5.3.0."""
    lag = world.rng("updates").exponential(5, world.size).astype(int)
    lag[world.android] = np.maximum(lag[world.android], CRASH[1] - CRASH[0] + 1)
    in_week = (days >= CRASH[0]) & (days <= CRASH[1])
    exposed = np.zeros(world.size, bool)
    exposed[world.planted["crash"]["people"]] = True
    delay = np.where(in_week & exposed[person], 0, lag[person])
    version = np.searchsorted(catalogue.RELEASE_DAYS, days - delay, side="right") - 1
    pulled = (version == catalogue.BROKEN_VERSION) & world.android[person] & (days > CRASH[1])
    return np.where(pulled, version + 1, version)


def platform_json(world: World, person: np.ndarray, days: np.ndarray) -> np.ndarray:
    """`"app_version":"5.3.0","os":"Android"` per visit."""
    texts = np.array(
        [[f'"app_version":"{v}","os":"{system}"' for system in ("iOS", "Android")] for v in catalogue.VERSIONS], object
    )
    return texts[version_of(world, person, days), world.android[person].astype(int)]


def write_registrations(world: World, people: pd.DataFrame, journal: Journal) -> None:
    """Account Registered carries the traits; `referred_by` only where there is one."""
    texts = []
    for row in people.itertuples():
        traits = {"name": row.name, "city": row.city, "gender": row.gender}
        if row.birthday:
            traits["birthday"] = row.birthday
        told = {"method": row.method, "source": row.source}
        if row.referred_by:
            told["referred_by"] = row.referred_by
        texts.append(json.dumps({**told, "traits": traits}, ensure_ascii=False, separators=(",", ":")))
    everyone = np.arange(world.size)
    journal.add("Account Registered", everyone, utc_ms(world.registered_on, world.registered_s), texts)


def write_browsing(world: World, visits: Visits, journal: Journal) -> None:
    """App Opened, Product Searched, Product Viewed, Product Added."""
    rng = world.rng("browsing")
    platform = platform_json(world, visits.person, visits.day)
    again = np.flatnonzero((rng.random(visits.person.size) < 0.2) & (visits.start < 14 * 3600))
    later = visits.start[again] + rng.integers(7200, 9 * 3600, again.size)
    for which, seconds in ((np.arange(visits.person.size), visits.start + 2), (again, later)):
        at = utc_ms(visits.day[which], seconds)
        journal.add("App Opened", visits.person[which], at, ["{" + text + "}" for text in platform[which]])
    searches = _spread(rng, visits, rng.poisson(np.where(visits.buys, 0.9, 0.55)), 10, 150)
    queries = rng.integers(0, len(catalogue.SEARCHES[0]), searches[0].size)
    categories = _categories(world, rng, searches[0])
    texts = [f'{{"query":"{catalogue.SEARCHES[c][q]}"}}' for c, q in zip(categories, queries, strict=True)]
    journal.add("Product Searched", *searches, texts)
    viewed = _spread(rng, visits, rng.poisson(np.where(visits.buys, 4.0, 1.9)), 20, 330)
    journal.add("Product Viewed", *viewed, product_json(world, rng, viewed[0]))
    tempted = rng.random(visits.person.size) < 0.17
    counts = np.where(visits.buys, rng.integers(1, 3, visits.person.size), tempted)
    added = _spread(rng, visits, counts, 120, 350)
    journal.add("Product Added", *added, product_json(world, rng, added[0]))


def _spread(
    rng: np.random.Generator, visits: Visits, counts: np.ndarray, low: int, high: int
) -> tuple[np.ndarray, np.ndarray]:
    """`counts` moments per visit, `low` to `high` seconds into it: (people, milliseconds)."""
    which = np.repeat(np.arange(visits.person.size), counts)
    seconds = visits.start[which] + rng.integers(low, high, which.size)
    return visits.person[which], utc_ms(visits.day[which], seconds)


def _categories(world: World, rng: np.random.Generator, person: np.ndarray) -> np.ndarray:
    other = rng.choice(len(catalogue.CATEGORIES), person.size, p=catalogue.CATEGORY_SHARES)
    return np.where(rng.random(person.size) < 0.62, world.category[person], other)


def product_json(world: World, rng: np.random.Generator, person: np.ndarray) -> list[str]:
    """One product that the person may like, per entry: sku, category, price."""
    size = catalogue.SKUS_PER_CATEGORY
    price = np.round(catalogue.CATEGORY_PRICE[:, None] * np.linspace(0.4, 1.9, size)[None, :], 1)
    products = np.array(
        [
            f'{{"sku":"{c + 1}{s:03d}","category":"{name}","price":{price[c, s]:.2f}}}'
            for c, name in enumerate(catalogue.CATEGORIES)
            for s in range(size)
        ],
        object,
    )
    return list(products[_categories(world, rng, person) * size + rng.integers(0, size, person.size)])


def write_check_ins(world: World, visits: Visits, journal: Journal) -> None:
    """A fifth of the people collect points by checking in; the streak counts days without a gap."""
    rng = world.rng("check-ins")
    collects = np.zeros(world.size, bool)
    collects[pick(rng, np.ones(world.size), world.size // 5)] = True
    chosen = collects[visits.person] & (rng.random(visits.person.size) < 0.75)
    person, days = visits.person[chosen], visits.day[chosen]
    breaks = np.r_[True, (person[1:] != person[:-1]) | (days[1:] != days[:-1] + 1)]
    began = np.maximum.accumulate(np.where(breaks, np.arange(person.size), 0))
    streak = np.arange(person.size) - began + 1
    at = utc_ms(days, visits.start[chosen] + 8)
    journal.add("Checked In", person, at, [f'{{"streak":{n}}}' for n in streak])
    journal.add("Points Earned", person, at, [f'{{"points":{min(5 + n, 20)},"reason":"check_in"}}' for n in streak])


def write_visitors(world: World, journal: Journal, visitors: np.ndarray, start_of: np.ndarray) -> None:
    """What the merged people did before they registered, under their visitor ids."""
    rng = world.rng("visitors")
    rows, days = np.nonzero(world.active[visitors] & (np.arange(DAYS)[None, :] < world.registered_on[visitors, None]))
    person = visitors[rows]
    start = np.minimum(start_of[person, days], DAY_S - 600)
    platform = platform_json(world, person, days)
    journal.add("App Opened", person, utc_ms(days, start), ["{" + text + "}" for text in platform], anonymous=True)
    which = np.repeat(np.arange(person.size), rng.integers(1, 5, person.size))
    at = utc_ms(days[which], start[which] + rng.integers(20, 400, which.size))
    journal.add("Product Viewed", person[which], at, product_json(world, rng, person[which]), anonymous=True)


def draw_visitors(world: World) -> np.ndarray:
    """2,400 people who looked around on one or two days before they registered; marks those days active."""
    rng = world.rng("who visited")
    able = (world.registered_on >= 2) & ~world.excluded & (world.tag == Tag.NONE)
    visitors = pick(rng, able.astype(float), world.count(2400))
    for _ in range(2):
        days = world.registered_on[visitors] - rng.integers(1, 7, visitors.size)
        world.active[visitors[days >= 0], days[days >= 0]] = True
    # Those whose draws fell before the first day came the day before they registered.
    bare = ~(world.active[visitors] & (np.arange(DAYS)[None, :] < world.registered_on[visitors, None])).any(axis=1)
    world.active[visitors[bare], world.registered_on[visitors[bare]] - 1] = True
    return visitors
