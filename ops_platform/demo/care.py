"""What people say: reviews, complaints and the NPS question."""

from __future__ import annotations

import numpy as np

from ops_platform.demo import catalogue
from ops_platform.demo.days import DAYS, TODAY, utc_ms
from ops_platform.demo.journal import Journal
from ops_platform.demo.sessions import Visits
from ops_platform.demo.world import Kind, World

REVIEW_RATE, TICKET_RATE, RESOLVED_RATE = 0.14, 0.03, 0.93
HOUR_MS = 3_600_000


def write_reviews(world: World, visits: Visits, journal: Journal) -> None:
    """Review Submitted{stars} on the next visit after an order."""
    rng = world.rng("reviews")
    person, days, order = _after_orders(world, rng, REVIEW_RATE)
    stars = rng.choice([1, 2, 3, 4, 5], person.size, p=[0.05, 0.05, 0.1, 0.28, 0.52])
    texts = [f'{{"order_id":"{world.orders["id"][o]}","stars":{s}}}' for o, s in zip(order, stars, strict=True)]
    journal.add("Review Submitted", person, utc_ms(days, visits.start_of[person, days] + 150), texts)


def write_tickets(world: World, visits: Visits, journal: Journal) -> None:
    """Ticket Opened and Resolved{topic}. Of the valuable people slipping, 26 left with one that nobody answered."""
    rng = world.rng("tickets")
    person, days, _ = _after_orders(world, rng, TICKET_RATE)
    waiting = world.planted["complaints"]
    last = DAYS - 1 - np.argmax(world.active[waiting][:, ::-1], axis=1)
    ours = np.isin(person, world.planted["slipping"])
    person, days = np.r_[person, waiting], np.r_[days, last]
    opened = utc_ms(days, visits.start_of[person, days] + 110)
    answered = rng.random(person.size) < RESOLVED_RATE
    answered[: ours.size] |= ours
    answered[ours.size :] = False
    resolved = opened + rng.integers(2 * HOUR_MS, 40 * HOUR_MS, person.size)
    answered &= resolved < int(utc_ms(TODAY + 1, 0))
    topics = rng.choice(catalogue.TOPICS, person.size)
    texts = np.array([f'{{"ticket_id":"t{n:05d}","topic":"{topic}"}}' for n, topic in enumerate(topics, 1)], object)
    journal.add("Ticket Opened", person, opened, list(texts))
    journal.add("Ticket Resolved", person[answered], resolved[answered], list(texts[answered]))


def write_nps(world: World, visits: Visits, journal: Journal) -> None:
    """NPS Answered{score}: asked on one visit in a hundred of people who have bought; advocates like the shop best."""
    rng = world.rng("nps")
    buyers = np.bincount(world.orders["person"], minlength=world.size) > 0
    asked = np.flatnonzero(buyers[visits.person] & (rng.random(visits.person.size) < 0.015))
    kind = world.kind[visits.person[asked]]
    mean = np.select(
        [kind == Kind.ADVOCATE, np.isin(kind, (Kind.CHURNED, Kind.CHURNED_ONCE)), kind >= Kind.HABIT],
        [9.4, 5.8, 8.2],
        7.0,
    )
    score = np.clip(np.round(rng.normal(mean, 1.9)), 0, 10).astype(int)
    at = utc_ms(visits.day[asked], visits.start[asked] + 300)
    journal.add("NPS Answered", visits.person[asked], at, [f'{{"score":{s}}}' for s in score])


def _after_orders(world: World, rng: np.random.Generator, rate: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """People, days of their next visit within a fortnight, and the orders behind it, for a share of the orders."""
    days = np.arange(DAYS)
    upcoming = np.where(world.active, days, DAYS + 99)
    following = np.minimum.accumulate(upcoming[:, ::-1], axis=1)[:, ::-1]
    order = np.flatnonzero((rng.random(world.orders["day"].size) < rate) & (world.orders["day"] < TODAY))
    person, day = world.orders["person"][order], world.orders["day"][order]
    next_day = following[person, day + 1]
    soon = next_day <= day + 14
    return person[soon], next_day[soon], order[soon]
