"""The one write path: items in the normal form become rows, in the open scope. HTTP, imports and the demo all end here.

Everything may arrive twice: people are keyed by their ids, events by (person, client time, message id), profiles by the
newest word. What a transaction rolled back is never remembered in the caches of this module.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime
from hashlib import sha1

import msgspec
from django.db import connection, transaction

from users.ingest.normal import NormalEvent, NormalProfile, Result, Told
from users.ingest.people import People, add_people, array, tell_links
from users.models import EventName
from users.months import oldest_sure
from users.traits import region_of, save_profiles
from workspaces.models import Workspace
from workspaces.scoping import current_workspace
from workspaces.sql import execute, run_sql

MAX_NAMES = 5_000
ARRIVING = """
create temporary table if not exists arriving (
    n integer, end_user_id uuid, client_at timestamptz, event_id uuid, at timestamptz, name_id integer, message_id text,
    properties jsonb, amount_minor bigint, order_id text, origin_id uuid
) on commit delete rows;
delete from arriving
"""
COPY_BYTES = 256 * 1024
ACCEPTED, DUPLICATE = Result("accepted"), Result("duplicate")
TOO_MANY_NAMES = Result("rejected", "too_many_names", f"A workspace has at most {MAX_NAMES} event names.", "event")
# What this process knows to be committed: names by workspace, and the months that have a partition.
_names: dict[uuid.UUID, dict[str, int]] = {}
_months: set[tuple[int, int]] = set()


class Row(msgspec.Struct):
    """One event on its way into the table; `n` is its place in the batch.

    `person`: whose it is. `origin`: the id it was sent under, where that is merged into the person; NULL otherwise.
    """

    n: int
    person: str
    origin: str
    event_id: str
    client_at: datetime
    name_id: int
    event: NormalEvent


def write(items: Sequence[Told], received_at: datetime) -> list[Result]:
    """Store a batch in the open scope; returns what became of each item, in order.

    Events go to the person that their id is merged into, also a resend of one that came before the merge: so it finds
    itself. What the items say of identities is kept here and merged later (users/identity.py).
    """
    workspace = current_workspace()
    results = [ACCEPTED] * len(items)
    people = add_people(workspace, items)
    rows = make_rows(workspace, items, people, received_at, results)
    if rows:
        ensure_months({(row.client_at.year, row.client_at.month) for row in rows})
        for n in store(rows, received_at):
            results[n] = DUPLICATE
    profiles = [item for item in items if isinstance(item, NormalProfile)]
    if profiles:
        save_profiles(profiles, people, region_of(workspace.currency))
    tell_links(workspace, items, people.ids)
    return results


def make_rows(
    workspace: Workspace,
    items: Sequence[Told],
    told: People,
    received_at: datetime,
    results: list[Result],
) -> list[Row]:
    """The events as rows, each message once; repeats within the batch and names past the limit go into `results`."""
    names = find_names(workspace, {item.name for item in items if isinstance(item, NormalEvent)})
    people = {key: told.owner(pk).hex for key, pk in told.ids.items()}
    origins = {key: pk.hex for key, pk in told.ids.items() if pk in told.owners}
    message = sha1(workspace.pk.bytes + b"message:", usedforsecurity=False)
    seen: set[tuple[str, str]] = set()
    rows, timeless = [], []
    for n, item in enumerate(items):
        if not isinstance(item, NormalEvent):
            continue
        digest = message.copy()
        digest.update(item.message_id.encode())
        key = (people[item.person], uuid5_hex(digest.digest()))
        name_id = names.get(item.name)
        if key in seen:
            results[n] = DUPLICATE
        elif name_id is None:
            results[n] = TOO_MANY_NAMES
        else:
            seen.add(key)
            origin = origins.get(item.person, "\\N") if origins else "\\N"
            row = Row(n, key[0], origin, key[1], item.client_at or received_at, name_id, item)
            (rows if item.client_at else timeless).append(row)
    return rows + list(drop_known(timeless, results))


def uuid5_hex(digest: bytes) -> str:
    """The first 16 bytes of a SHA-1 as a version 5 UUID in hex: what users.models.event_id gives, four times as fast."""
    octets = bytearray(digest[:16])
    octets[6] = octets[6] & 0x0F | 0x50
    octets[8] = octets[8] & 0x3F | 0x80
    return octets.hex()


def drop_known(rows: list[Row], results: list[Result]) -> Iterator[Row]:
    """Messages without a time cannot find themselves by key: look them up, one writer per person at a time."""
    if not rows:
        return
    pairs = {"people": array(row.person for row in rows), "events": array(row.event_id for row in rows)}
    execute(
        "select pg_advisory_xact_lock(hashtextextended(id::text, 0))"
        " from (select distinct id from unnest(%(people)s::uuid[]) as t (id) order by id) as p",
        pairs,
    )
    known = {(found["end_user_id"].hex, found["event_id"].hex) for found in run_sql("users/known_events", **pairs)}
    for row in rows:
        if (row.person, row.event_id) in known:
            results[row.n] = DUPLICATE
        else:
            yield row


def find_names(workspace: Workspace, names: set[str]) -> dict[str, int]:
    """Ids of event names, which are made when they first arrive; names past the limit are missing from the answer."""
    known = _names.setdefault(workspace.pk, {})
    found = {name: known[name] for name in names if name in known}
    if missing := names - found.keys():
        stored = EventName.objects.filter(name__in=missing)
        fresh = dict(stored.values_list("name", "id"))
        if new := sorted(missing - fresh.keys()):
            room = max(0, MAX_NAMES - EventName.objects.count())
            EventName.objects.bulk_create(
                [EventName(workspace=workspace, name=n) for n in new[:room]], ignore_conflicts=True
            )
            fresh = dict(stored.all().values_list("name", "id"))
        transaction.on_commit(lambda: known.update(fresh))
        found |= fresh
    return found


def ensure_months(months: set[tuple[int, int]]) -> None:
    """Make the partitions of these (year, month) that do not exist yet."""
    sure = oldest_sure()
    if missing := sorted(month for month in months if month not in _months or month < (sure.year, sure.month)):
        with connection.cursor() as cursor:
            for year, month in missing:
                cursor.execute("select ensure_event_month(%s)", [date(year, month, 1)])
        transaction.on_commit(lambda: _months.update(missing))


def store(rows: list[Row], received_at: datetime) -> list[int]:
    """Insert rows, each once; returns the places of those stored before.

    Through a temporary table, because row-level security refuses COPY into the table itself.
    """
    with connection.cursor() as cursor:
        cursor.execute(ARRIVING)
        cursor.copy_expert("copy arriving from stdin", CopyStream(rows), COPY_BYTES)
    repeats = run_sql("users/store_events", received_at=received_at, batch=uuid.uuid4())
    return [repeat["n"] for repeat in repeats]


class CopyStream:
    """Rows as COPY text, made while the server already reads: it parses on one core what we write on another."""

    def __init__(self, rows: Iterable[Row]) -> None:
        self.lines = map(copy_line, rows)

    def read(self, size: int) -> str:
        chunk: list[str] = []
        length = 0
        for line in self.lines:
            chunk.append(line)
            length += len(line)
            if length >= size:
                break
        return "".join(chunk)


def copy_line(row: Row) -> str:
    event = row.event
    amount = "\\N" if event.amount_minor is None else event.amount_minor
    order = "\\N" if event.order_id is None else copy_text(event.order_id)
    client_at = row.client_at.isoformat()
    at = client_at if event.at is row.client_at else event.at.isoformat()
    return (
        f"{row.n}\t{row.person}\t{client_at}\t{row.event_id}\t{at}\t{row.name_id}"
        f"\t{copy_text(event.message_id)}\t{copy_text(event.properties)}\t{amount}\t{order}\t{row.origin}\n"
    )


def copy_text(text: str) -> str:
    """Escaped for COPY, which would otherwise swallow backslashes without a word."""
    if "\\" in text:
        text = text.replace("\\", "\\\\")
    if "\n" in text or "\r" in text or "\t" in text:
        text = text.replace("\n", "\\n").replace("\r", "\\r").replace("\t", "\\t")
    return text
