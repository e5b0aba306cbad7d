"""A crowd of buyers, and what is told of them day by day: seeded, so that a day is the same whoever asks for it.

Days are counted back from LAST_DAY: `ago` 0 is that day, 179 the first of half a year, -1 the day after. A day follows from
the size and its `ago` alone: a longer history changes nothing about the days that follow it, nor about its people.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

import numpy as np

from ops_platform.bench_data import texts
from users.ingest.normal import NormalAlias, NormalEvent, NormalProfile, PersonKey, Told

LAST_DAY = date(2026, 6, 30)
# A crowd of N had half as many people so many days ago.
HALF_AGO = 270
# Nobody joined longer ago.
FIRST_AGO = 720
# One person in so many comes every day; the others ever more rarely.
DAILY = 1 / 500
# Most people are awake by day and shop in the evening.
HOURS = np.array([2, 1, 1, 1, 1, 1, 2, 4, 6, 7, 8, 8, 9, 8, 7, 7, 7, 8, 9, 11, 13, 12, 8, 4]) / 145
DAY_MS = 86_400_000
LATE = 0.02
WRONG_CLOCK = 0.01
LATEST = 20
REFUNDED_AFTER = 3
EVENTS_A_REFUND = 700
# Of those who join, one in so many was a visitor before, or somebody under an id of before.
JOINERS_A_VISITOR, JOINERS_AN_ALIAS = 50, 400


class Visits(NamedTuple):
    """What was done on a day, an event a place: who, when (milliseconds into the day), which event, in which session, what
    it came to, and by how many days late it is told."""

    person: np.ndarray
    at: np.ndarray
    name: np.ndarray
    session: np.ndarray
    cents: np.ndarray
    late: np.ndarray
    chance: np.ndarray


class Day(NamedTuple):
    """What is told on a day: of who people are, and of what those did who are known by then."""

    people: list[Told]
    events: list[NormalEvent]


class Crowd:
    """`users` people on LAST_DAY, and `events` events in `days` days."""

    def __init__(self, users: int, events: int, days: int, seed: int, zone: ZoneInfo) -> None:
        """Raises ValueError when there are too few events for everybody who joins to be told of."""
        self.users, self.events, self.days, self.seed, self.zone = users, events, days, seed, zone
        if events * HALF_AGO < users * days * 2:
            raise ValueError(f"So many people need at least {-(-users * days * 2 // HALF_AGO):,} events.")
        weights = 1 / (np.random.default_rng([seed, 0]).random(users * 3 // 2) + DAILY)
        self.weights = np.cumsum(weights)
        self.texts = texts.make(seed)
        self.visits = lru_cache(maxsize=REFUNDED_AFTER + 2)(self.draw)

    def known(self, ago: int) -> int:
        """How many had joined by the end of a day; people are numbered in the order in which they join."""
        return self.users * HALF_AGO // (HALF_AGO + ago) if ago < FIRST_AGO else 0

    def joined_ago(self, people: np.ndarray) -> np.ndarray:
        """On which day each of them joined."""
        ago = (self.users * HALF_AGO) // (people.astype(np.int64) + 1) - HALF_AGO
        return np.minimum(ago, FIRST_AGO - 1)

    def events_on(self, ago: int) -> int:
        return self.events * (ago + 1) // self.days - self.events * ago // self.days

    def start(self, ago: int) -> datetime:
        """When the day began."""
        day = LAST_DAY - timedelta(days=ago)
        return datetime(day.year, day.month, day.day, tzinfo=self.zone).astimezone(UTC)

    def staff(self, ago: int) -> set[str]:
        """Who of those that had joined by then works for the shop."""
        return {f"user-{n}" for n in range(99, self.known(ago), 331)}

    def profiles(self, first: int, last: int) -> list[Told]:
        """What is told of people, by number, when they join."""
        agos = self.joined_ago(np.arange(first, last)).tolist()
        return [self.profile(n, self.joined_at(n, ago)) for n, ago in zip(range(first, last), agos, strict=True)]

    def profile(self, n: int, at: datetime) -> NormalProfile:
        return NormalProfile(PersonKey(f"user-{n}"), at, texts.traits(n, at))

    def joined_at(self, n: int, ago: int) -> datetime:
        return self.start(ago) + timedelta(hours=8, seconds=n * 7919 % 43_200)

    def day(self, ago: int) -> Day:
        """Everything that is told on a day; its events are `events_on(ago)` in number."""
        people, strangers, registered = self.joiners(ago)
        visits = self.visits(ago)
        start, tag = self.start(ago), f"{LAST_DAY - timedelta(days=ago):%Y%m%d}"
        back = [start - timedelta(days=n) for n in range(LATEST + 1)]
        events = [*registered, *self.refunds(ago)]
        names, ready = texts.EVENTS, self.texts
        for n, (person, ms, name, session, cents, late, chance) in enumerate(
            zip(*map(np.ndarray.tolist, visits), strict=True)
        ):
            at = back[late] + timedelta(milliseconds=ms)
            client_at = at + timedelta(minutes=30 * chance - 290) if chance < WRONG_CLOCK * texts.POOL else at
            key = PersonKey(f"user-{person}")
            message = f"{chance * 2654435761 % 2**32:08x}-{tag}-{n:08d}"
            if name == texts.ORDER:
                order = texts.order_id(ago, session)
                text = texts.order(order, cents, chance)
                events.append(NormalEvent(key, names[name], message, at, client_at, text, cents, order or None))
            else:
                events.append(NormalEvent(key, names[name], message, at, client_at, ready[name][chance]))
        return Day([*people, *strangers], events)

    def joiners(self, ago: int) -> tuple[list[Told], list[Told], list[NormalEvent]]:
        """(who they are, what they did before under other ids, that they registered) of those who join on a day."""
        people: list[Told] = []
        before: list[Told] = []
        registered = []
        for n in range(self.known(ago + 1), self.known(ago)):
            at = self.joined_at(n, ago)
            profile = self.profile(n, at)
            key = profile.person
            text, inviter = texts.registration(n)
            if n % JOINERS_A_VISITOR == 0:
                profile.visitor = f"visitor-{n}"
                before.append(self.opening(PersonKey(profile.visitor, False), at - timedelta(hours=1)))
            if n % JOINERS_AN_ALIAS == 1:
                old = PersonKey(f"user-{n}-before")
                before.append(self.opening(old, at - timedelta(hours=2)))
                people.append(NormalAlias(key, old, at))
            name = "Referral Accepted" if inviter else "Account Registered"
            people.append(profile)
            registered.append(NormalEvent(key, name, f"join-{n}", at, at, text))
        return people, before, registered

    def opening(self, key: PersonKey, at: datetime) -> NormalEvent:
        return NormalEvent(key, "App Opened", f"before-{key.external_id}", at, at, self.texts[texts.OPENED][0])

    def refunds(self, ago: int) -> list[NormalEvent]:
        """Money back for orders of some days ago; of the first days, for orders that nobody knows."""
        dice, visits = np.random.default_rng([self.seed, 2, ago + FIRST_AGO]), self.visits(ago + REFUNDED_AFTER)
        orders = np.flatnonzero(visits.name == texts.ORDER)
        if not len(orders):
            return []
        made, start = [], self.start(ago)
        chosen = dice.choice(orders, self.refunds_on(ago)).tolist()
        for n, (place, ms) in enumerate(zip(chosen, dice.integers(0, DAY_MS, len(chosen)).tolist(), strict=True)):
            order = texts.order_id(ago + REFUNDED_AFTER, int(visits.session[place]))
            amount, text = texts.refund(order, int(visits.cents[place]), n)
            at = start + timedelta(milliseconds=ms)
            key = PersonKey(f"user-{visits.person[place]}")
            made.append(NormalEvent(key, "Order Refunded", f"back-{ago}-{n}", at, at, text, amount, order or None))
        return made

    def refunds_on(self, ago: int) -> int:
        return self.events_on(ago) // EVENTS_A_REFUND

    def draw(self, ago: int) -> Visits:
        """Sessions of people who joined before the day, the more active the likelier, in the order of time."""
        dice = np.random.default_rng([self.seed, 1, ago + FIRST_AGO])
        joined = range(self.known(ago + 1), self.known(ago))
        strangers = sum((n % JOINERS_A_VISITOR == 0) + (n % JOINERS_AN_ALIAS == 1) for n in joined)
        n = self.events_on(ago) - len(joined) - strangers - self.refunds_on(ago)
        lengths = dice.geometric(0.23, n // 2 + 50)
        ends = np.cumsum(lengths)
        sessions = int(np.searchsorted(ends, n)) + 1
        session = np.repeat(np.arange(sessions), lengths[:sessions])[:n]
        everybody = self.known(ago + 1)
        who = np.searchsorted(
            self.weights[:everybody], dice.random(sessions) * self.weights[everybody - 1], side="right"
        )
        start = dice.choice(24, sessions, p=HOURS) * 3_600_000 + dice.integers(0, 3_600_000, sessions)
        steps = np.cumsum(dice.integers(2_000, 180_000, n))
        first = np.concatenate([[0], ends[: sessions - 1]])
        at = np.minimum(start[session] + steps - steps[first][session], DAY_MS - 1)
        person = who[session]
        late = np.where(dice.random(n) < LATE, dice.integers(1, LATEST + 1, n), 0)
        late = np.where(self.joined_ago(person) > ago + late, late, 0)
        visits = Visits(
            person,
            at,
            dice.choice(len(texts.EVENTS), n, p=texts.SHARES),
            session,
            (dice.lognormal(9.2, 0.8, n)).astype(np.int64),
            late,
            dice.integers(0, texts.POOL, n),
        )
        order = np.argsort(at, kind="stable")
        return Visits(*(column[order] for column in visits))
