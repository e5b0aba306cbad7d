"""Attributes that are counted up or appended to: every change is kept once, and applied on top of the words.

An attribute is its newest word (users/words.py), and then every change told at the same moment or later, in the order of
(time, id). A first only fills what no change began before it. What the words alone come to is kept in `bases`, so that a
word or a change that comes late finds its place; so a profile is a function of the set of messages, and not of their order.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from fractions import Fraction
from typing import Any, NamedTuple

import msgspec

from users.ingest.normal import INT64, MAX_FLOAT, MAX_ID, MAX_LIST, NormalProfile
from users.models import EndUser, ProfileChange
from users.person_model import person_id
from users.words import IN_ORDER, MAX_ATTRIBUTES, Profile, moment_of, put_first, told_at
from workspaces.models import Workspace
from workspaces.sql import run_sql

News = Mapping[uuid.UUID, Sequence[NormalProfile]]


class Row(NamedTuple):
    """One stored change; sorts by time, then id."""

    moment: int
    change_id: uuid.UUID
    attribute: str
    kind: str
    at: datetime
    value: Any


def is_kept(profile: NormalProfile) -> bool:
    """Whether a message leaves rows, or may take words away."""
    return profile.change is not None or bool(profile.firsts and not profile.passing)


def keep_changes(workspace: Workspace, news: News) -> set[uuid.UUID]:
    """Keep what the news change, each once; returns the ids for which there was something new. The caller holds them."""
    rows = {}
    for pk, profiles in news.items():
        for profile in profiles:
            for attribute, kind, change_id, value in changes_of(workspace, profile):
                known = rows.get((pk, change_id))
                if known is None or profile.at < known["at"]:
                    rows[pk, change_id] = {
                        "end_user_id": pk,
                        "change_id": change_id,
                        "attribute": attribute,
                        "kind": kind,
                        "at": profile.at,
                        "value": value,
                    }
    if not rows:
        return set()
    stored = run_sql("users/store_changes", changes=msgspec.json.encode(list(rows.values())).decode())
    return {row["end_user_id"] for row in stored}


def changes_of(workspace: Workspace, profile: NormalProfile) -> Iterable[tuple[str, str, uuid.UUID, Any]]:
    """(attribute, kind, id, value) of what a message changes, and of the gaps it fills in so many words."""
    change = profile.change
    for attribute, value in change.values.items() if change else ():
        assert change is not None
        text = IN_ORDER([change.message_id, attribute]).decode()
        yield attribute, change.kind, person_id(workspace.pk, text, "change"), value
    for attribute, value in profile.firsts.items() if not profile.passing else ():
        if len(attribute) <= MAX_ID:
            text = IN_ORDER([attribute, moment_of(profile.at), value]).decode()
            yield attribute, "first", person_id(workspace.pk, text, "first"), value


def read_changes(ids: Iterable[uuid.UUID]) -> dict[uuid.UUID, list[Row]]:
    """The stored changes by the id they were told under."""
    found: dict[uuid.UUID, list[Row]] = {}
    columns = ("end_user_id", "change_id", "attribute", "kind", "at", "value")
    for pk, change_id, attribute, kind, at, value in ProfileChange.objects.filter(end_user__in=list(ids)).values_list(
        *columns
    ):
        found.setdefault(pk, []).append(Row(moment_of(at), change_id, attribute, kind, at, value))
    return found


def members_of(people: Iterable[EndUser]) -> dict[uuid.UUID, list[uuid.UUID]]:
    """Every id of these people, their own first."""
    ids = {person.pk: [person.pk] for person in people}
    several = [person.pk for person in people if person.own is not None]
    if several:
        for pk, owner in (
            EndUser.objects.filter(merged_into__in=several).order_by("pk").values_list("pk", "merged_into")
        ):
            ids[owner].append(pk)
    return ids


def lay_on(told: Profile, rows: Iterable[Row]) -> None:
    """Apply changes to bare attributes. `bases` stays None where none was ever told."""
    since = moment_of(told.forgotten_at) if told.forgotten_at else None
    by_attribute: dict[str, list[Row]] = {}
    told.bases = None
    for row in sorted(rows, key=lambda row: row[:2]):
        live = since is None or row.moment >= since
        if row.kind == "first":
            if live:
                put_first(told, row.attribute, row.value, row.moment)
            continue
        told.bases = told.bases or {}
        told.attributes_at = max(row.at, told.attributes_at or row.at)
        if live:
            by_attribute.setdefault(row.attribute, []).append(row)
    for attribute, changes in by_attribute.items():
        word = told.attributes.get(attribute)
        value = value_of(word, told.attribute_times.get(attribute), changes)
        if value != word and (attribute in told.attributes or len(told.attributes) < MAX_ATTRIBUTES):
            assert told.bases is not None
            told.bases[attribute] = word
            told.attributes[attribute] = value


def value_of(word: Any, rank: int | None, changes: Sequence[Row]) -> Any:
    """What an attribute comes to. `changes` are in order; those that do not fit its type count for nothing."""
    if rank is not None and rank < 0 and changes[0].moment < (told_at(rank) or 0):
        word = None  # there was no gap to fill any more
    elif rank is not None and rank >= 0:
        changes = [change for change in changes if change.moment >= rank]
    if not changes:
        return word
    kind = changes[0].kind if word is None else kind_of(word)
    values = [change.value for change in changes if change.kind == kind]
    if kind == "add":
        return add([word or 0, *values])
    return append(word or [], values) if kind == "append" else word


def kind_of(word: Any) -> str:
    """Which kind of change fits a value; "" for one that can only be set."""
    if isinstance(word, list):
        return "append"
    return "add" if isinstance(word, (int, float)) and not isinstance(word, bool) else ""


def add(values: Sequence[int | float]) -> int | float:
    """The exact sum, so that no order shows in its last digit; kept within what any reader of numbers can hold."""
    if all(isinstance(value, int) for value in values):
        return max(-INT64, min(INT64 - 1, sum(values)))
    limit = Fraction(MAX_FLOAT)
    return float(max(-limit, min(limit, sum((Fraction(str(value)) for value in values), Fraction()))))


def append(word: list[Any], values: Iterable[list[str]]) -> list[Any]:
    """The list with what it does not hold yet, as long as there is room."""
    found = list(word)
    seen = {one for one in word if isinstance(one, str)}
    for text in (text for told in values for text in told):
        if text not in seen and len(found) < MAX_LIST:
            seen.add(text)
            found.append(text)
    return found
