"""Who a person is, as a function of the set of links and of nothing else: so order and repeats cannot matter. No models.

Ids are of two kinds: users, which an operators' product knows, and visitors. Links between ids of one kind join them for
good; each former id has one successor, the one told of earliest. A link between a visitor and a user is a login: of all
logins of a device the earliest counts, so that a shared device never joins two users, and what happened on it before and
between belongs to whoever logged in first.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True)
class Link:
    """`previous` turned out to be `person`; in a login `previous` is the visitor."""

    previous: uuid.UUID
    person: uuid.UUID
    at: datetime
    refused: bool = False

    @property
    def pair(self) -> frozenset[uuid.UUID]:
        return frozenset((self.previous, self.person))


@dataclass
class Answer:
    """Who each id is, and which links made it so. Ids that stand for themselves are their own owners."""

    owners: dict[uuid.UUID, uuid.UUID] = field(default_factory=dict)
    why: dict[uuid.UUID, list[Link]] = field(default_factory=dict)


def who_is_who(identified: Mapping[uuid.UUID, bool], links: Iterable[Link]) -> Answer:
    """The owner of every id in `identified` (True: a user, False: a visitor). Links to other ids are left out."""
    links = [link for link in links if link.previous in identified and link.person in identified]
    refused = {link.pair for link in links if link.refused}
    live = sorted(
        {link for link in links if link.pair not in refused}, key=lambda link: (link.at, link.person, link.previous)
    )
    aliases = one_successor([link for link in live if identified[link.previous] == identified[link.person]])
    logins = [link for link in live if identified[link.previous] != identified[link.person]]
    clusters = join(identified, aliases)
    by_cluster: dict[uuid.UUID, list[Link]] = {}
    for link in aliases:
        by_cluster.setdefault(clusters[link.previous], []).append(link)
    roots = {name: choose(name, told) for name, told in by_cluster.items()}
    first: dict[uuid.UUID, Link] = {}
    for link in logins:  # the earliest come first
        first.setdefault(clusters[link.previous], link)
    answer = Answer()
    for one in identified:
        name = clusters[one]
        why = list(by_cluster.get(name, ()))
        owner = roots.get(name, one)
        if name in first:
            known = first[name].person
            why = [*why, first[name], *by_cluster.get(clusters[known], ())]
            owner = roots.get(clusters[known], known)
        answer.owners[one] = owner
        if owner != one:
            answer.why[one] = why
    return answer


def one_successor(aliases: list[Link]) -> list[Link]:
    """Of the links that call an id a former one, the earliest (`aliases` are sorted): so that a device's id, passed off as
    the former id of whoever logs in, joins no two users."""
    first: dict[uuid.UUID, Link] = {}
    for link in aliases:
        first.setdefault(link.previous, link)
    return list(first.values())


def join(ids: Iterable[uuid.UUID], links: Iterable[Link]) -> dict[uuid.UUID, uuid.UUID]:
    """The name of the cluster that each id is in."""
    above = {one: one for one in ids}

    def top(one: uuid.UUID) -> uuid.UUID:
        while above[one] != one:
            above[one] = above[above[one]]
            one = above[one]
        return one

    for link in links:
        above[top(link.previous)] = top(link.person)
    return {one: top(one) for one in above}


def choose(name: uuid.UUID, links: list[Link]) -> uuid.UUID:
    """The id that remains of a cluster: one that nobody said was a former id, and of those the one told of earliest."""
    former = {link.previous for link in links}
    told: dict[uuid.UUID, datetime] = {}
    for link in links:
        told[link.person] = min(link.at, told.get(link.person, link.at))
    last = [one for one in told if one not in former] or list(told)
    return min(last, key=lambda one: (told[one], one))
