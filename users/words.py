"""What was told about a person, word by word: for each attribute the one that counts, whatever the order they came in.

Each attribute remembers when it was told; the newest word wins, at equal times the larger one. What only fills a gap
(`firsts`) gives way to whatever was told in so many words, and among its like the earliest wins. What was told before a
person was forgotten counts for nothing. So all of it is a function of the set of messages, and not of their order; but for
repeats in passing, which leave no time behind where they say what is known: a write per event would be too dear.
No database here; what counts attributes up lies on top of the words (users/changes.py).
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from users.ingest.normal import NormalProfile
from users.models import EndUser

MAX_ATTRIBUTES = 500
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
IN_ORDER = msgspec.json.Encoder(order="deterministic").encode


class Own(msgspec.Struct):
    """What is known under one id alone, kept in `EndUser.own` while the columns are those of several ids together."""

    attributes: dict[str, Any] = {}
    attribute_times: dict[str, int] = {}
    attributes_at: datetime | None = None
    bases: dict[str, Any] | None = None
    forgotten_at: datetime | None = None
    tags: list[str] = []
    excluded: bool = False
    excluded_reason: str = ""


Profile = EndUser | Own


def moment_of(at: datetime) -> int:
    """Unix microseconds."""
    return (at - EPOCH) // MICROSECOND


def bare(told: Profile) -> Profile:
    """Take off what changes came to: `attributes` are then the words alone, to which news may be told."""
    if told.bases:
        for key, word in told.bases.items():
            if word is None:
                told.attributes.pop(key, None)
            else:
                told.attributes[key] = word
        told.bases = {}
    return told


def merge(person: Profile, profile: NormalProfile) -> bool:
    """Fold one piece of news into bare attributes; returns whether anything changed. Columns follow later."""
    moment = moment_of(profile.at)
    changed = profile.change is not None and profile.change.kind == "forget" and forget(person, profile.at)
    if person.forgotten_at and profile.at < person.forgotten_at:
        return changed
    heard = False
    for key, value in profile.traits.items():
        if profile.passing and person.attribute_times.get(key, -1) >= 0 and value == person.attributes.get(key):
            continue
        heard |= put(person, key, value, moment)
    if heard:
        person.attributes_at = max(profile.at, person.attributes_at or profile.at)
    for key, value in profile.firsts.items():
        heard |= put_first(person, key, value, moment)
    return changed or heard


def put_first(person: Profile, key: str, value: Any, moment: int) -> bool:
    """Fill a gap. Ranks below zero, so that whatever was told as such comes later; and the earlier, the later."""
    if key in person.attribute_times or key not in person.attributes:
        return put(person, key, value, -moment - 1)
    return False


def put(person: Profile, key: str, value: Any, rank: int) -> bool:
    """Set an attribute unless what is there ranks as high; a value of None takes it away. Returns whether it changed."""
    told, known = person.attribute_times.get(key), person.attributes.get(key)
    if told is None and len(person.attribute_times) >= MAX_ATTRIBUTES:
        return False
    if told is not None and (told > rank or (told == rank and not wins(value, known, rank))):
        return False
    person.attribute_times[key] = rank
    if value is None:
        person.attributes.pop(key, None)
    else:
        person.attributes[key] = value
    return True


def wins(value: Any, known: Any, rank: int) -> bool:
    """Of two values told at the same moment: the larger, of two firsts the smaller."""
    new, old = IN_ORDER(value), IN_ORDER(known)
    return new > old if rank >= 0 else new < old


def told_at(rank: int | None) -> int | None:
    """When a word of this rank was told; None for one from before times were kept."""
    return -rank - 1 if rank is not None and rank < 0 else rank


def forget(person: Profile, at: datetime | None) -> bool:
    """Drop every word told before `at`, from now on as well; returns whether that is news."""
    if at is None or (person.forgotten_at and person.forgotten_at >= at):
        return False
    person.forgotten_at, moment = at, moment_of(at)
    for key in list(person.attributes.keys() | person.attribute_times.keys()):
        told = told_at(person.attribute_times.get(key))
        if told is None or told < moment:
            person.attributes.pop(key, None)
            person.attribute_times.pop(key, None)
    person.attributes_at = max(at, person.attributes_at or at)
    return True


def fold(person: Profile, other: Profile) -> None:
    """Fold one bare profile into another: of each attribute the word that ranks higher, whatever the order of folding."""
    forget(person, other.forgotten_at)
    since = moment_of(person.forgotten_at) if person.forgotten_at else None
    for key in sorted(other.attribute_times.keys() | other.attributes.keys()):
        rank = other.attribute_times.get(key)
        if since is not None and (rank is None or (told_at(rank) or 0) < since):
            continue
        if rank is not None:
            put(person, key, other.attributes.get(key), rank)
        elif key not in person.attribute_times and key not in person.attributes:
            person.attributes[key] = other.attributes[key]
    times = [at for at in (person.attributes_at, other.attributes_at) if at]
    person.attributes_at = max(times, default=None)
