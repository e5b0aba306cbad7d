"""Who is who, told again as simply as possible: a function of the set of messages, slow and without a database."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from users.ingest.normal import PersonKey


@dataclass(frozen=True)
class Same:
    """A message that says two ids are one person."""

    previous: PersonKey
    person: PersonKey
    at: datetime


def owners(ids: dict[PersonKey, UUID], told: set[Same]) -> dict[PersonKey, PersonKey]:
    """Who each id is in the end."""
    told = {same for same in told if same.previous != same.person}
    aliases = {same for same in told if same.previous.identified == same.person.identified}
    logins_told = told - aliases
    # A former id has one successor: the one told of earliest.
    aliases = {
        min((s for s in aliases if s.previous == previous), key=lambda s: (s.at, ids[s.person]))
        for previous in {s.previous for s in aliases}
    }
    group = {key: frozenset([key]) for key in ids}
    for same in aliases:
        both = group[same.previous] | group[same.person]
        group |= dict.fromkeys(both, both)

    def remains(members: frozenset[PersonKey]) -> PersonKey:
        inside = [same for same in aliases if same.previous in members]
        if not inside:
            return next(iter(members))
        new = {same.person for same in inside}
        never_old = new - {same.previous for same in inside}
        return min(never_old or new, key=lambda key: (min(s.at for s in inside if s.person == key), ids[key]))

    answer = {}
    for key in ids:
        logins = [
            (same.at, ids[user], user)
            for same in logins_told
            for visitor, user in [
                (same.previous, same.person) if same.person.identified else (same.person, same.previous)
            ]
            if visitor in group[key]
        ]
        answer[key] = remains(group[min(logins)[2]]) if logins else remains(group[key])
    return answer


def profile(news: list[tuple[datetime, dict[str, Any], dict[str, Any]]]) -> dict[str, Any]:
    """What a person's attributes come to: the newest trait, else the earliest first."""
    found: dict[str, tuple[tuple, Any]] = {}
    for at, traits, firsts in news:
        for key, value in traits.items():
            found[key] = max(found.get(key, ((-1,), None)), ((1, at.timestamp(), value), value))
        for key, value in firsts.items():
            found[key] = max(found.get(key, ((-1,), None)), ((0, -at.timestamp(), -value), value))
    return {key: value for key, (_rank, value) in found.items()}


def consents(
    words: dict[PersonKey, list[tuple[datetime, bool]]], owner: dict[PersonKey, PersonKey]
) -> dict[PersonKey, bool]:
    """Whether each person agreed: the latest word under each id, at equal times the stricter; and of those the strictest."""
    final: dict[PersonKey, bool] = {}
    for key, said in words.items():
        at = max(moment for moment, _opted_in in said)
        latest = all(opted_in for moment, opted_in in said if moment == at)
        final[owner[key]] = final.get(owner[key], True) and latest
    return final
