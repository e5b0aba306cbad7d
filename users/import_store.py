"""Storing a chunk of a file in one go: what users.ingest.write does for a batch, for tens of thousands of events.

The keys, the people, the profiles and the names are those of the one write path; only the way of the rows is shorter,
and what was not there before is kept for an undo (users/import_undo.py).
"""

from __future__ import annotations

import uuid
from datetime import datetime
from io import StringIO
from typing import Any

import msgspec
from django.db import connection, transaction

from users.csv_mapping import RowReader
from users.erasure_marks import erased_among
from users.import_ledger import Change, known_devices, note_devices, note_profiles, own_profiles
from users.import_rows import Chunk
from users.ingest.normal import NormalProfile
from users.ingest.people import MAX_REMEMBERED, People, add_people, array, touch
from users.ingest.write import COLUMNS, copy_rows, ends, ensure_months, find_names
from users.models import Import, person_id
from users.traits import region_of, save_profiles
from workspaces.models import Workspace
from workspaces.sql import joining_sets, run_sql

IMPORTING = f"""
set local work_mem = '64MB';
create temporary table if not exists importing on commit delete rows as select {COLUMNS} from event with no data;
delete from importing
"""
# Later than every time in ISO.
NEVER = "~"
# Where a line tells the month of its event.
MONTH = slice(33, 40)
Events = tuple[list, ...]


class Stored(msgspec.Struct):
    """What became of a chunk's rows; `refused` are the lines whose name is one too many, `loosening` those that would let
    somebody be written to. `changes`: of rows about people, what they changed."""

    accepted: int = 0
    duplicates: int = 0
    refused: list[int] = []
    new_people: list[str] = []
    loosening: list[int] = []
    changes: dict[uuid.UUID, Change] = {}


class Met(msgspec.Struct):
    """Ids in hex that a run need not look up again → since when they are known, in ISO. They are people of their own, and
    stay so for as long as the workspace's version of its people stands still (users.ingest.people.Memory)."""

    version: int = -1
    since: dict[str, str] = {}
    # As `People` has it.
    joining: bool = True

    def strangers(self, told: dict[str, str]) -> list[str]:
        """Whom of those told of (id → since when) the database has to be asked for."""
        row, since = run_sql("users/people_version")[0], self.since
        self.joining = row["joining"]
        if row["version"] != self.version or len(since) > MAX_REMEMBERED:
            self.version = row["version"]
            since.clear()
        return [pk for pk, at in told.items() if since.get(pk, NEVER) > at]


def store_chunk(
    workspace: Workspace, file: Import, chunk: Chunk, reader: RowReader, met: Met, *, news: bool = True
) -> Stored:
    """Write a chunk in the open scope. Repeats within the chunk or with what is there count as duplicates.

    `news`: nothing of it is likely to be there already, so it is first tried to copy it straight into its partitions.
    """
    people, new, changes = store_people(workspace, chunk, reader, met)
    store_profiles(workspace, chunk, people, changes)
    names = find_names(workspace, set(chunk.names))
    ids = [None, *(names.get(name) for name in chunk.names)]
    missing = {place for place, found in enumerate(ids) if place and found is None}
    refused = [line for line, place in zip(chunk.lines, chunk.numbers, strict=True) if place in missing]
    events = told_once(chunk, missing, people.owners)
    lines = make_lines(events, ids, people.owners, reader.received_at.isoformat())
    batch = batch_of(file, chunk, new, changes)
    if news and lines and copy_news(lines):  # of a chunk that is refused as a whole there is nothing to copy
        stored = len(lines)
        whose = set(events[0])
        touch({people.owner(pk) for pk in whose} if people.owners else whose, *ends(lines))
        run_sql("users/keep_batch", people=array(events[0]), times=array(events[1]), events=array(events[2]), **batch)
    else:
        stored = insert_news(lines, batch)
    return Stored(stored, len(chunk.lines) - len(refused) - stored, refused, new)


def store_profiles(workspace: Workspace, chunk: Chunk, people: People, changes: dict[uuid.UUID, Change]) -> None:
    if chunk.profiles:
        before = own_profiles(uuid.UUID(people.ids[item.person]) for item in chunk.profiles)
        devices = known_devices(chunk.profiles)
        save_profiles(chunk.profiles, people, region_of(workspace.currency))
        note_profiles(before, changes)
        note_devices(devices, known_devices(chunk.profiles), changes)


def batch_of(
    file: Import, chunk: Chunk, new: list[str], changes: dict[uuid.UUID, Change], rows: int = 0
) -> dict[str, Any]:
    """What is kept of a chunk beside the keys of its events."""
    told = msgspec.json.encode(list(changes.values())).decode()
    batch = {"file": file.pk, "position": chunk.position, "batch": uuid.uuid4(), "rows": rows}
    return batch | {"new_people": array(new), "changes": told}


def told_once(chunk: Chunk, refused: set[int], owners: dict[str, str]) -> Events:
    """(whose id, time, id, place of the name, rest) of the events as columns, without repeats and refused names."""
    columns = (chunk.who, chunk.times, chunk.events, chunk.numbers, chunk.rests)
    if not refused and len(set(chunk.events)) == len(chunk.events):
        return columns
    kept: dict[tuple[str, str, str], int] = {}
    for n, (person, at, event, number) in enumerate(zip(*columns[:4], strict=True)):
        if number not in refused:
            kept.setdefault((owners.get(person, person), at, event), n)
    return tuple([column[n] for n in kept.values()] for column in columns)


def make_lines(events: Events, ids: list[int | None], owners: dict[str, str], received: str) -> list[str]:
    """The events as the table takes them, in the order of its key."""
    people, *columns = events
    whose, origins = people, ["\\N"] * len(people)
    if owners:
        whose = [owners.get(person, person) for person in people]
        origins = ["\\N" if owner == person else person for owner, person in zip(whose, people, strict=True)]
    lines = [
        f"{owner}\t{at}\t{event}\t{at}\t{received}\t{ids[number]}\t{rest}\t{origin}\n"
        for owner, at, event, number, rest, origin in zip(whose, *columns, origins, strict=True)
    ]
    lines.sort()
    return lines


def copy_news(lines: list[str]) -> bool:
    """Copy lines straight into the partitions of their months; False, and nothing is stored, when one is there already."""
    parts: dict[str, list[str]] = {}
    for line in lines:
        parts.setdefault(line[MONTH], []).append(line)
    ensure_months(set(parts))
    return copy_rows(parts)


def insert_news(lines: list[str], batch: dict[str, Any]) -> int:
    """Insert those of the lines that are not there yet; returns how many."""
    ensure_months({line[MONTH] for line in lines})
    with connection.cursor() as cursor:
        cursor.execute(IMPORTING)
        cursor.copy_expert(f"copy importing ({COLUMNS}) from stdin", StringIO("".join(lines)))
    return run_sql("users/import_events", **batch)[0]["stored"]


def store_people(
    workspace: Workspace, chunk: Chunk, reader: RowReader, met: Met
) -> tuple[People, list[str], dict[uuid.UUID, Change]]:
    """Make the people who are new; (who they are, the ids of the new ones in hex, whose creation moved back)."""
    ids = met.strangers(chunk.people)
    found = look_up(ids, [chunk.people[pk] for pk in ids]) if ids else []
    people = People(joining=met.joining)
    new = [ids[row["n"] - 1] for row in found if not row["known"]]
    if new:
        if erased := erased_among(new):
            chunk.leave_out(erased)
            return store_people(workspace, chunk, reader, met)
        named = [reader.person(chunk.external[pk]).external_id for pk in new]
        times = array(chunk.people[pk] for pk in new)
        run_sql("users/add_people", ids=array(new), external_ids=named, identified=[True] * len(new), times=times)
    # Whoever is merged, or known to be created later, is looked at by the code that does so for every kind of message.
    special = [(ids[row["n"] - 1], row["created_at"]) for row in found if row["known"]]
    looked_at = {pk for pk, _created in special}
    fresh = {pk: chunk.people[pk] for pk in ids if pk not in looked_at}
    transaction.on_commit(lambda: met.since.update(fresh))
    told = [NormalProfile(reader.person(chunk.external[pk]), at_of(chunk, pk)) for pk, _created in special]
    if told:
        people = add_people(workspace, told)
    for profile in chunk.profiles:
        if profile.person not in people.ids:
            people.ids[profile.person] = person_id(workspace.pk, profile.person.external_id).hex
    changes = {
        uuid.UUID(pk): Change(uuid.UUID(pk), created, at_of(chunk, pk))
        for pk, created in special
        if created > at_of(chunk, pk)
    }
    return people, new, changes


def look_up(ids: list[str], times: list[str]) -> list[dict[str, Any]]:
    """Those of the people who need more than a look; see users/sql/import_people.sql."""
    with joining_sets():
        return run_sql("users/import_people", ids=array(ids), times=array(times))


def at_of(chunk: Chunk, pk: str) -> datetime:
    """When the chunk first tells of somebody."""
    return datetime.fromisoformat(chunk.people[pk])
