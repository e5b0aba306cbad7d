"""The profile of somebody with several ids: what was told under each of them, folded together.

An id that is merged keeps its row as it was told under that id. The one that remains shows everybody's news together and
keeps its own in `EndUser.own`; so an undo gives both back exactly, with what was told under each of them since.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from datetime import datetime

import msgspec

from users.changes import Row, lay_on, read_changes
from users.devices import settle_push
from users.ingest.people import array
from users.models import EndUser
from users.traits import TOLD, WRITTEN, fill_columns
from users.words import Own, bare, fold
from workspaces.sql import run_sql

BY_HAND = ("tags", "excluded", "excluded_reason")
SETTLED = (*WRITTEN, *BY_HAND, "created_at", "merged_into", "own_created_at")
Owners = Mapping[uuid.UUID, uuid.UUID]


class Before(msgspec.Struct):
    """One id before settling: what is its own, since when, whose it was, and what operators see on its page."""

    own: Own
    created_at: datetime
    owner: uuid.UUID
    shown: Own


def read_before(person: EndUser) -> Before:
    shown = Own(**{name: getattr(person, name) for name in (*TOLD, *BY_HAND)})
    own = msgspec.convert(person.own, Own) if person.own is not None else shown
    return Before(own, person.own_created_at or person.created_at, person.merged_into or person.pk, shown)


def settle_profiles(
    people: Mapping[uuid.UUID, EndUser], owners: Owners, again: Iterable[uuid.UUID], region: str
) -> None:
    """Make people's rows those of the new `owners`; `again` names ids whose news may not have reached their owner.

    What a row held is never changed in place, so `before` and `stored` need no copies.
    """
    before = {pk: read_before(person) for pk, person in people.items()}
    members: dict[uuid.UUID, list[uuid.UUID]] = {}
    for pk in sorted(people):
        if owners[pk] != pk:
            members.setdefault(owners[pk], []).append(pk)
    changed = {pk for pk in people if before[pk].owner != owners[pk]}
    left: dict[uuid.UUID, list[Before]] = {}
    for pk in sorted(changed):
        if before[pk].owner != pk:
            left.setdefault(before[pk].owner, []).append(before[pk])
    affected = changed | {before[pk].owner for pk in changed} | {owners[pk] for pk in (*changed, *again)}
    changes = read_changes(people)
    rows = []
    for pk in sorted(affected):
        person = people[pk]
        stored = {name: getattr(person, name) for name in SETTLED}
        around = [before[one] for one in members.get(pk, ())]
        told = [row for one in (pk, *members.get(pk, ())) for row in changes.get(one, ())]
        settle_one(person, owners[pk], around, left.get(pk, []), before[pk], told)
        if person.attributes != stored["attributes"]:
            fill_columns(person, region)
        row = {name: getattr(person, name) for name in SETTLED}
        if row != stored:
            rows.append({"id": pk} | row)
    if rows:
        ids = array(row["id"] for row in rows)
        run_sql("users/settle_people", ids=ids, people=msgspec.json.encode(rows).decode())
    settle_push(affected)


def settle_one(
    person: EndUser,
    owner: uuid.UUID,
    members: list[Before],
    left: list[Before],
    before: Before,
    changes: Iterable[Row],
) -> None:
    """One person's row: its own again, or with everybody's news and changes when others are merged into it."""
    person.merged_into = None if owner == person.pk else owner
    person.own = msgspec.to_builtins(before.own) if members else None
    person.own_created_at = before.created_at if members else None
    person.created_at = min([before.created_at, *(member.created_at for member in members)])
    told = words_of(before.own)
    for member in members:
        fold(told, words_of(member.own))
    lay_on(told, changes)
    for name in TOLD:
        setattr(person, name, getattr(told, name))
    by_hand = before.own if person.merged_into or before.owner != person.pk else before.shown
    keep_by_hand(person, by_hand, before.own, members, left)


def words_of(own: Own) -> Own:
    """A bare copy."""
    copied = Own(dict(own.attributes), dict(own.attribute_times), own.attributes_at, own.bases, own.forgotten_at)
    bare(copied)
    return copied


def keep_by_hand(person: EndUser, shown: Own, own: Own, members: list[Before], left: list[Before]) -> None:
    """Tags and exclusion, which operators set: those who come bring theirs, and those who leave take them along."""
    joined = [member.shown for member in members if member.owner != person.pk]
    stays = [own, *(member.own for member in members)]
    gone = {tag for one in left for tag in one.own.tags} - {tag for one in stays for tag in one.tags}
    tags = [*shown.tags, *(tag for one in joined for tag in one.tags)]
    person.tags = [tag for tag in dict.fromkeys(tags) if tag not in gone]
    person.excluded, person.excluded_reason = shown.excluded, shown.excluded_reason
    if person.excluded and any(one.own.excluded for one in left) and not any(one.excluded for one in stays):
        person.excluded, person.excluded_reason = False, ""
    for one in joined:
        if one.excluded and not person.excluded:
            person.excluded, person.excluded_reason = True, one.excluded_reason
