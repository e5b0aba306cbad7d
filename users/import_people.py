"""Storing rows about people: what is known of them, their tags, and what they said about being written to.

What it changes is kept beside the batch like everything an import does, and `take_back_words` and `take_back_tags` undo it.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from typing import Any

import msgspec

from users.consent import set_words
from users.csv_mapping import RowReader
from users.identity_consent import Word, settle_words
from users.import_ledger import Change
from users.import_rows import Chunk
from users.import_store import Met, Stored, batch_of, store_people, store_profiles
from users.models import Consent, ConsentWord, EndUser, Import
from workspaces.models import Workspace
from workspaces.sql import run_sql

Key = tuple[uuid.UUID, str]


def store_told(workspace: Workspace, file: Import, chunk: Chunk, reader: RowReader, met: Met) -> Stored:
    """Write a chunk of rows about people in the open scope. A row that changes nothing counts as a duplicate."""
    people, new, changes = store_people(workspace, chunk, reader, met)
    store_profiles(workspace, chunk, people, changes)
    add_tags(chunk, changes)
    kept, loosening = say(chunk, source_of(file), changes, loosen=reader.mapping.loosen)
    changed = {*new, *(pk.hex for pk in changes)}
    accepted = len(kept) if reader.mapping.kind == "consents" else sum(person in changed for person in chunk.who)
    batch = batch_of(file, chunk, new, changes, accepted)
    run_sql("users/keep_batch", people="{}", times="{}", events="{}", **batch)
    return Stored(accepted, len(chunk.lines) - len(loosening) - accepted, [], new, loosening, changes)


def source_of(file: Import) -> str:
    return f"import {file.name}"[:100]


def add_tags(chunk: Chunk, changes: dict[uuid.UUID, Change]) -> None:
    """Give people the tags they do not have; the rows of a merged id tag whom it is merged into."""
    told: dict[uuid.UUID, list[str]] = {}
    for person, tags in chunk.tags:
        told.setdefault(uuid.UUID(person), []).extend(tags)
    owners = dict(EndUser.objects.filter(pk__in=told, merged_into__isnull=False).values_list("pk", "merged_into"))
    wanted: dict[uuid.UUID, list[str]] = {}
    for pk, tags in told.items():
        wanted.setdefault(owners.get(pk, pk), []).extend(tags)
    had = dict(EndUser.objects.filter(pk__in=wanted).values_list("pk", "tags"))
    people: dict[str, list[str]] = {}
    for pk, tags in wanted.items():
        if fresh := [tag for tag in dict.fromkeys(tags) if tag not in had[pk]]:
            changes.setdefault(pk, Change(pk)).tags = fresh
            for tag in fresh:
                people.setdefault(tag, []).append(str(pk))
    for tag, ids in people.items():
        run_sql("users/change_tag", people=ids, tag=tag, add=True)


def say(chunk: Chunk, source: str, changes: dict[uuid.UUID, Change], *, loosen: bool) -> tuple[set[int], list[int]]:
    """Keep the latest words; returns (places of those that were news, lines that would let somebody be written to).

    Without `loosen` an opt-in is never kept, not even as a newer one: an opt-out that is still on its way would lose to it.
    """
    ids = {uuid.UUID(person) for _place, person, _word in chunk.words}
    if not ids:
        return set(), []
    several = {row["id"] for row in run_sql("users/consent_people", people=[str(pk) for pk in ids])}
    now: dict[Key, Any] = {(word.end_user_id, word.channel): word for word in Consent.objects.filter(end_user__in=ids)}
    own: dict[Key, Any] = {
        (word.end_user_id, word.channel): word for word in ConsentWord.objects.filter(end_user__in=several)
    }
    news: dict[Key, tuple[Any, Any]] = {}
    kept: set[int] = set()
    loosening = []
    for place, person, word in chunk.words:
        key = (uuid.UUID(person), word.channel)
        if word.opted_in and not loosen:
            if not (key in now and now[key].opted_in):
                loosening.append(chunk.lines[place])
            continue
        first, last = news.get(key) or ((own if key[0] in several else now).get(key),) * 2
        if last is None or (last.at, not last.opted_in) < (word.at, not word.opted_in):
            news[key] = first, word
            kept.add(place)
    set_words((Word(*key, word.opted_in, word.at) for key, (_first, word) in news.items()), source)
    for (pk, channel), (first, word) in news.items():
        change = changes.setdefault(pk, Change(pk))
        change.words[channel] = (word.at, *((first.opted_in, first.source, first.at) if first else (None, "", None)))
        if isinstance(first, ConsentWord) and first.as_one:
            change.as_one.append(channel)
    return kept, loosening


def take_back_words(file: Import, changes: Iterable[Change]) -> None:
    """Put back what was said before, where what the import took in is still the last word."""
    told = [
        {"id": change.id, "channel": channel, "at": at, "opted_in": opted_in, "source": source, "before": before}
        | {"as_one": channel in change.as_one}
        for change in changes
        for channel, (at, opted_in, source, before) in change.words.items()
    ]
    if not told:
        return
    several = {
        row["id"]: row["owner_id"] for row in run_sql("users/consent_people", people=[str(w["id"]) for w in told])
    }
    alone = [word for word in told if word["id"] not in several]
    words = msgspec.json.encode(alone).decode()
    run_sql("users/undo_consents", words=words, source=source_of(file))
    for word in told:
        if word["id"] in several:
            own = ConsentWord.objects.filter(end_user=word["id"], channel=word["channel"], at=word["at"])
            own = own.filter(source=source_of(file))
            if word["opted_in"] is None:
                own.delete()
            else:
                kept = {name: word[name] for name in ("opted_in", "source", "as_one")}
                own.update(at=word["before"], **kept)
    settle_words(set(several.values()))


def take_back_tags(person: EndUser, own_tags: list[str] | None, change: Change) -> None:
    """Take off the tags that the import gave, of what is shown and of what is known under this id."""
    person.tags = [tag for tag in person.tags if tag not in change.tags]
    if own_tags is not None:
        own_tags[:] = [tag for tag in own_tags if tag not in change.tags]
