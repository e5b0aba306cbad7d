"""What an import changed of people who stay: kept with its batch, and put back by an undo.

It is about what was told under one id, merged or not; the profile of a person with several ids is folded from that.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from datetime import datetime
from typing import Any

import msgspec

from users.devices import Key, devices_of
from users.identity_profiles import read_before, words_of
from users.ingest.normal import NormalProfile
from users.models import EndUser, PushDevice
from users.words import EPOCH, MICROSECOND, Own, Profile


class Change(msgspec.Struct, omit_defaults=True):
    """One id before and after a batch. `keys`: attribute → [its time now, its value before, its time before or null]."""

    id: uuid.UUID
    created_before: datetime | None = None
    created: datetime | None = None
    keys: dict[str, tuple[int, Any, int | None]] = {}
    # Tags that the person did not have; channel → [time of the word that was taken in, the word before (or null), its
    # source, its time]; channels of which the word before counted for all ids of the person.
    tags: list[str] = []
    words: dict[str, tuple[datetime, bool | None, str, datetime | None]] = {}
    as_one: list[str] = []
    # Devices that the person was told to have: app, token, since when, and whose they were (or null) when last seen before.
    devices: list[tuple[str, str, datetime, uuid.UUID | None, datetime | None]] = []


def own_profiles(ids: Iterable[uuid.UUID]) -> dict[uuid.UUID, Own]:
    """The words that are known under each id alone."""
    return {person.pk: words_of(read_before(person).own) for person in EndUser.objects.filter(pk__in=set(ids))}


def note_profiles(before: dict[uuid.UUID, Own], changes: dict[uuid.UUID, Change]) -> None:
    """Add to `changes` what differs from `before` by now."""
    for pk, now in own_profiles(before).items():
        was = before[pk]
        keys = {
            key: (rank, was.attributes.get(key), was.attribute_times.get(key))
            for key, rank in now.attribute_times.items()
            if rank != was.attribute_times.get(key) or now.attributes.get(key) != was.attributes.get(key)
        }
        if keys:
            changes.setdefault(pk, Change(pk)).keys = keys


def known_devices(profiles: Iterable[NormalProfile]) -> dict[Key, tuple[uuid.UUID, datetime]]:
    """(app, token) → whose it is and when it was seen last, of the tokens that some profiles name."""
    tokens = {device.token for profile in profiles for device in devices_of(profile)}
    rows = PushDevice.objects.filter(token__in=tokens) if tokens else []
    return {(row.app, row.token): (row.end_user_id, row.seen_at) for row in rows}


def note_devices(
    before: dict[Key, tuple[uuid.UUID, datetime]],
    now: dict[Key, tuple[uuid.UUID, datetime]],
    changes: dict[uuid.UUID, Change],
) -> None:
    """Add to `changes` the devices that are another's, or seen later, than before."""
    for (app, token), (pk, at) in now.items():
        if (was := before.get((app, token))) != (pk, at):
            owner, seen_at = was or (None, None)
            changes.setdefault(pk, Change(pk)).devices.append((app, token, at, owner, seen_at))


def take_back_devices(changes: Iterable[Change]) -> set[uuid.UUID]:
    """Give devices back to whom they were before, where nobody used them since; returns everybody it is about."""
    people: set[uuid.UUID] = set()
    for change in changes:
        for app, token, at, owner, seen_at in change.devices:
            row = PushDevice.objects.filter(app=app, token=token, end_user=change.id, seen_at=at)
            if owner is None or not EndUser.objects.filter(pk=owner).exists():
                row.delete()
            else:
                row.update(end_user=owner, seen_at=seen_at)
                people.add(owner)
            people.add(change.id)
    return people


def put_back(own: Profile, change: Change) -> None:
    """Give attributes their value of before, except those that somebody told since."""
    for key, (now, value, rank) in change.keys.items():
        if own.attribute_times.get(key) != now:
            continue
        own.attributes.pop(key, None)
        own.attribute_times.pop(key, None)
        if value is not None:
            own.attributes[key] = value
        if rank is not None:
            own.attribute_times[key] = rank
    if change.keys:
        own.attributes_at = newest(own)


def newest(own: Profile) -> datetime | None:
    """When the newest attribute was told; those that only fill a gap (below zero) do not count."""
    told = [rank for rank in own.attribute_times.values() if rank >= 0]
    return EPOCH + max(told) * MICROSECOND if told else None


def earliest(own: Profile) -> datetime | None:
    """The first moment from which an attribute is known."""
    told = [rank if rank >= 0 else -rank - 1 for rank in own.attribute_times.values()]
    return EPOCH + min(told) * MICROSECOND if told else None
