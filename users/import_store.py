"""Storing a chunk of a file in one go: what users.ingest.write does for a batch, for tens of thousands of events.

The keys, the people, the profiles and the names are those of the one write path; only the way of the rows is shorter,
and what was not there before is kept for an undo (users/import_undo.py).
"""

from __future__ import annotations

import uuid
from datetime import datetime
from io import StringIO

import msgspec
from django.db import connection

from users.csv_mapping import RowReader
from users.import_ledger import Change, note_profiles, own_profiles
from users.import_rows import Chunk
from users.ingest.normal import NormalProfile
from users.ingest.people import People, add_people, array
from users.ingest.write import ensure_months, find_names
from users.models import Import, person_id
from users.traits import region_of, save_profiles
from workspaces.models import Workspace
from workspaces.sql import execute, run_sql

IMPORTING = """
set local work_mem = '64MB';
create temporary table if not exists importing (
    end_user_id uuid, client_at timestamptz, event_id uuid, name integer, message_id text, properties jsonb,
    amount_minor bigint, order_id text, origin_id uuid
) on commit delete rows;
delete from importing
"""
COLUMNS = "end_user_id, client_at, event_id, name, message_id, properties, amount_minor, order_id"
OWNERS = """
update importing set origin_id = end_user_id, end_user_id = t.owner
from unnest(%(ids)s::uuid[], %(owners)s::uuid[]) as t (id, owner) where end_user_id = t.id
"""


class Stored(msgspec.Struct):
    """What became of a chunk's events; `refused` are the lines whose name is one too many."""

    accepted: int = 0
    duplicates: int = 0
    refused: list[int] = []
    new_people: list[str] = []


def store_chunk(workspace: Workspace, file: Import, chunk: Chunk, reader: RowReader) -> Stored:
    """Write a chunk in the open scope. Repeats within the chunk or with what is there count as duplicates."""
    people, new, changes = store_people(workspace, chunk, reader)
    if chunk.profiles:
        before = own_profiles(uuid.UUID(people.ids[item.person]) for item in chunk.profiles)
        save_profiles(chunk.profiles, people, region_of(workspace.currency))
        note_profiles(before, changes)
    names = find_names(workspace, set(chunk.names))
    answer = Stored(new_people=new)
    if len(names) < len(chunk.names):
        missing = {place for name, place in chunk.names.items() if name not in names}
        answer.refused = [line for line, place in zip(chunk.lines, chunk.numbers, strict=True) if place in missing]
    ensure_months(chunk.months)
    with connection.cursor() as cursor:
        cursor.execute(IMPORTING)
        cursor.copy_expert(f"copy importing ({COLUMNS}) from stdin", StringIO("".join(chunk.text)))
    if people.owners:
        execute(OWNERS, {"ids": array(people.owners), "owners": array(people.owners.values())})
    answer.accepted = run_sql(
        "users/import_events",
        file=file.pk,
        position=chunk.position,
        batch=uuid.uuid4(),
        received_at=reader.received_at,
        names=[names.get(name) for name in chunk.names],
        new_people=array(new),
        changes=msgspec.json.encode(list(changes.values())).decode(),
    )[0]["stored"]
    answer.duplicates = len(chunk.lines) - len(answer.refused) - answer.accepted
    return answer


def store_people(
    workspace: Workspace, chunk: Chunk, reader: RowReader
) -> tuple[People, list[str], dict[uuid.UUID, Change]]:
    """Make the people who are new; (who they are, the ids of the new ones in hex, whose creation moved back)."""
    ids = list(chunk.people)
    found = run_sql("users/import_people", ids=array(ids), times=array(chunk.people.values()))
    special = [ids[row["n"] - 1] for row in found]
    # Only they are looked at once more, by the code that makes people of every kind of message.
    told = [
        NormalProfile(reader.person(chunk.external[pk]), datetime.fromisoformat(chunk.people[pk])) for pk in special
    ]
    people = add_people(workspace, told) if told else People({})
    if people.erased:
        chunk.leave_out(people.erased)
        return store_people(workspace, chunk, reader)
    for profile in chunk.profiles:
        if profile.person not in people.ids:
            people.ids[profile.person] = person_id(workspace.pk, profile.person.external_id).hex
    new = [pk for pk, row in zip(special, found, strict=True) if not row["known"]]
    changes = {
        pk: Change(pk, row["created_at"], item.at)
        for item, row in zip(told, found, strict=True)
        for pk in (uuid.UUID(people.ids[item.person]),)
        if row["known"] and row["created_at"] > item.at
    }
    return people, new, changes
