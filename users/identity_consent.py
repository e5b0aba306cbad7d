"""Consent of people who have several ids: each id keeps its own words, and what they come to is what everybody reads."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from users.differences import compute
from users.ingest.people import array
from users.models import EndUser
from workspaces.sql import execute, run_sql

CIRCLE = """
create temporary table if not exists circle (
    id uuid primary key, owner_id uuid, identified boolean, entering boolean, leaving boolean, joining boolean
) on commit drop;
delete from circle;
insert into circle
select * from unnest(
    %(ids)s::uuid[], %(owners)s::uuid[], %(identified)s::boolean[], %(entering)s::boolean[], %(leaving)s::boolean[],
    %(joining)s::boolean[]
);
analyze circle
"""


def settle_consents(people: Mapping[uuid.UUID, EndUser], owners: Mapping[uuid.UUID, uuid.UUID]) -> None:
    """Make the consents of people those of the new `owners`. `people` are as they were stored before."""
    shared = {owner for one, owner in owners.items() if owner != one}
    rows = []
    for pk, person in people.items():
        was, now = is_shared(person), owners[pk] in shared
        if was or now:
            joining = now and owners[pk] not in (pk, person.merged_into)
            rows.append((pk, owners[pk], person.identified, now and not was, was and not now, joining))
    if not rows:
        return
    fill_circle(rows)
    run_sql("users/consent_enter")
    run_sql("users/consent_leave")
    run_sql("users/consent_as_one")
    write_consents()


def is_shared(person: EndUser) -> bool:
    """Whether this is one of several ids of a person."""
    return person.merged_into is not None or person.own is not None


def fill_circle(rows: Iterable[tuple[uuid.UUID, uuid.UUID, bool, bool, bool, bool]]) -> None:
    names = ("ids", "owners", "identified", "entering", "leaving", "joining")
    columns = zip(*rows, strict=True)
    execute(CIRCLE, {name: array(values) for name, values in zip(names, columns, strict=True)})


def write_consents() -> None:
    compute("consent_words", "users/consent_words")
    compute("consent_final", "users/consent_final")
    run_sql("users/consent_settle")


class Word(NamedTuple):
    """What is said about one id: on a channel, or on a topic of it."""

    person: uuid.UUID
    channel: str
    opted_in: bool
    at: datetime


def columns_of(words: Sequence[Word]) -> dict[str, Any]:
    """Words as arrays of equal length, for SQL."""
    return {
        "people": array(word.person for word in words),
        "channels": [word.channel for word in words],
        "opted_in": [word.opted_in for word in words],
        "times": array(word.at.isoformat() for word in words),
    }


def say_for_all(words: Sequence[Word], source: str, *, loosens: bool = True) -> tuple[set[uuid.UUID], int]:
    """Keep the words of those people who have several ids: (which ids they are, how many words are news).

    From now on they count for all their ids, since whoever says them is known to be one person; those that loosen nothing
    are their own id's alone, beside the stricter words of the others.
    """
    people = sorted({str(word.person) for word in words})
    found = {row["id"]: row["owner_id"] for row in run_sql("users/consent_people", people=people)}
    if not found:
        return set(), 0
    # One word at a time about one person: two at once would each settle without the other's.
    list(EndUser.objects.select_for_update(no_key=True).filter(pk__in=set(found.values())).order_by("pk").values("pk"))
    told = columns_of([word for word in words if word.person in found])
    news = run_sql("users/consent_word", **told, source=source, loosens=loosens)
    settle_words({found[row["end_user_id"]] for row in news})
    return set(found), len(news)


def settle_words(owners: set[uuid.UUID]) -> None:
    """Bring what everybody reads up to the words, for the people who remain in `owners`."""
    if not owners:
        return
    ids = EndUser.objects.filter(merged_into__in=owners).values_list("pk", "merged_into", "identified")
    rows = [*ids, *((owner, owner, True) for owner in owners)]
    fill_circle((*row, False, False, False) for row in rows)
    write_consents()
