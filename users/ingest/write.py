"""The one write path: items in the normal form become rows, in the open scope. HTTP, imports and the demo all end here.

Everything may arrive twice: people are keyed by their ids, events by (person, client time, message id), profiles by the
newest word. What a transaction rolled back is never remembered in the caches of this module.
"""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from io import StringIO
from typing import Any

import msgspec
from django.db import IntegrityError, connection, transaction

from users.erasure_marks import ERASED, keep_out
from users.ingest.normal import ACCEPTED, NormalEvent, NormalProfile, Result, Told
from users.ingest.people import (
    Erased,
    People,
    add_people,
    array,
    forget_people,
    hashed,
    links_in,
    tell_links,
    touch_sql,
)
from users.models import EventName
from users.months import oldest_sure
from users.traits import region_of, save_profiles
from workspaces.models import Workspace
from workspaces.scoping import current_workspace
from workspaces.sql import execute, run_sql, sqlstate

MAX_NAMES = 5_000
COLUMNS = "end_user_id, client_at, event_id, at, received_at, name_id, message_id, properties, amount_minor, order_id, origin_id"
ARRIVING = f"""
create temporary table if not exists arriving on commit delete rows as select {COLUMNS} from event with no data;
delete from arriving
"""
# As the role that may do this and nothing else: row-level security refuses COPY. Afterwards as whoever it was before.
COPY_PART = f"""
select set_config('app.role', current_user, true), set_config('role', 'uop_ingest', true);
copy parts.event_%s ({COLUMNS}) from stdin;
select set_config('role', current_setting('app.role'), true);
"""
BEGIN_COPY, END_COPY = "savepoint copying;", "release savepoint copying"
UNDO_COPY = "rollback to savepoint copying; release savepoint copying"
REPEATED = "23505"
# After a repeat so many transactions expect another.
WARY = 20
COPY_BYTES = 256 * 1024
DUPLICATE = Result("duplicate")
TOO_MANY_NAMES = Result("rejected", "too_many_names", f"A workspace has at most {MAX_NAMES} event names.", "event")
# What this process knows to be committed: names by workspace, and the months that have a partition.
_names: dict[uuid.UUID, dict[str, int]] = {}
_months: set[str] = set()
_wary = 0


# SQL without rows, made of what became of the items.
Then = Callable[[list[Result]], str]
# Events on their way into the table, by (person, event) as its key has them: the place in the batch, and the whole of it as
# COPY takes it.
Row = tuple[int, str]
Rows = dict[tuple[str, str], Row]
# A line begins with the person, in hex, and the client's time: so lines sort as the table does.
PERSON, MONTH, DAY = slice(0, 32), slice(33, 40), slice(33, 43)
MANY_TENS = 6


def forget() -> None:
    """Let go of all that this process knows to be committed: another database may have taken the place of that one."""
    _names.clear()
    _months.clear()
    forget_people()


def write(items: Sequence[Told], received_at: datetime, then: Then | None = None) -> list[Result]:
    """Store a batch in the open scope; returns what became of each item, in order.

    `then` is for what becomes of them all, and run last: others may wait for what it locks. Where only events came and all of
    them are news, as nearly always, it goes in one message with these.

    Events go to the person that their id is merged into, also a resend of one that came before the merge: so it finds
    itself. What the items say of identities is kept here and merged later (users/identity.py).
    """
    workspace = current_workspace()
    results = [ACCEPTED] * len(items)
    try:
        people = add_people(workspace, items)
    except Erased as strangers:
        results = write_others(items, received_at, strangers.ids)
        if then:
            execute(then(results), None)
        return results
    rows = make_rows(workspace, items, people, received_at, results)
    links = links_in(items, people.ids)
    profiles = [item for item in items if isinstance(item, NormalProfile)]
    along = then(results) + ";" if then and rows and not links and not profiles else ""
    repeats = store(rows, along) if rows else []
    for n in repeats:
        results[n] = DUPLICATE
    if profiles:
        linked = {pk for pair in links if people.owner(pair[0]) != people.owner(pair[1]) for pk in pair}
        save_profiles(profiles, people, region_of(workspace.currency), linked)
    tell_links(links)
    if then and (repeats or not along):
        execute(then(results), None)
    return results


def write_others(items: Sequence[Told], received_at: datetime, erased: Collection[str]) -> list[Result]:
    """As `write`, without the items that name somebody who was erased: those are counted and not kept."""
    out = keep_out(items, erased)
    written = iter(write([item for item, gone in zip(items, out, strict=True) if not gone], received_at))
    return [ERASED if gone else next(written) for gone in out]


def make_rows(
    workspace: Workspace,
    items: Sequence[Told],
    told: People,
    received_at: datetime,
    results: list[Result],
) -> Rows:
    """The events as rows, each message once; repeats within the batch and names past the limit go into `results`."""
    names = find_names(workspace, {item.name for item in items if type(item) is NormalEvent})
    find, received = hashed(workspace), time_text(received_at)
    ids, owners = told.ids, told.owners
    rows: Rows = {}
    timeless: Rows = {}
    for n, item in enumerate(items):
        if type(item) is not NormalEvent:
            continue
        pk = ids[item.person]
        person = owners.get(pk, pk) if owners else pk
        event = find("message:" + item.message_id)
        key = person, event
        name_id = names.get(item.name)
        if key in rows or key in timeless:
            results[n] = DUPLICATE
        elif name_id is None:
            results[n] = TOO_MANY_NAMES
        else:
            origin = "\\N" if person is pk else pk
            (rows if item.client_at else timeless)[key] = n, copy_line(item, person, event, received, name_id, origin)
    return rows | drop_known(timeless, results) if timeless else rows


def drop_known(rows: Rows, results: list[Result]) -> Rows:
    """Messages without a time cannot find themselves by key: look them up, one writer per person at a time."""
    pairs = {"people": array(person for person, _event in rows), "events": array(event for _person, event in rows)}
    execute(
        "select pg_advisory_xact_lock(hashtextextended(id::text, 0))"
        " from (select distinct id from unnest(%(people)s::uuid[]) as t (id) order by id) as p",
        pairs,
    )
    for found in run_sql("users/known_events", **pairs):
        if row := rows.pop((found["end_user_id"].hex, found["event_id"].hex), None):
            results[row[0]] = DUPLICATE
    return rows


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


def ensure_months(months: set[str]) -> None:
    """Make the partitions of these months, each as "2026-08", that do not exist yet."""
    sure = f"{oldest_sure():%Y-%m}"
    if missing := sorted(month for month in months if month not in _months or month < sure):
        with connection.cursor() as cursor:
            for month in missing:
                cursor.execute("select ensure_event_month(%s)", [f"{month}-01"])
        transaction.on_commit(lambda: _months.update(missing))


def store(rows: Rows, along: str = "") -> list[int]:
    """Insert rows, each once; returns the places of those stored before. `along`: SQL that is run where there are none.

    Nearly always all of them are news and are copied straight into their partitions. When one turns out to be a repeat
    they go by way of a temporary table, and so does what comes next, for repeats come in crowds. In the order of the
    key, so that two writers never wait for each other crosswise.
    """
    global _wary
    lines = sorted([line for _n, line in rows.values()])
    parts: dict[str, list[str]] = {}
    for line in lines:
        parts.setdefault(line[MONTH], []).append(line)
    ensure_months(set(parts))
    if not _wary and copy_rows(parts, touching(lines) + along):
        return []
    repeats = stage_rows(lines)
    _wary = WARY if repeats else max(_wary - 1, 0)
    news = touching([line for key, (_n, line) in rows.items() if key not in repeats])
    if then := news if repeats else news + along:
        execute(then, None)
    return [rows[key][0] for key in repeats]


def touching(lines: list[str]) -> str:
    """SQL that lets the next night look at the people of these lines: of most it reads the usual day of the batch alone,
    and of those of whom something came late as far back as it did, give or take ten days. Empty for no lines."""
    days = Counter([line[DAY] for line in lines])
    usual = max(days, key=days.__getitem__, default="")
    # Of a long history, which is sent again: all of it apart, rather than a row of it for each ten days.
    back = -1 if len({day[:-1] for day in days}) < MANY_TENS else 0
    parts: dict[str, list[str]] = {}
    for line in lines:
        day = line[DAY]
        parts.setdefault(day if day == usual else day[:back], []).append(line)
    return "".join([touch_sql({line[PERSON] for line in some}, *ends(some)) + ";" for some in parts.values()])


def ends(lines: list[str]) -> tuple[str, str]:
    """The first and the last of the client's times in the lines, which are in UTC, to the second."""
    times = [line[33 : line.index("\t", 33)] for line in lines]
    return min(times), max(times)


def copy_rows(parts: dict[str, list[str]], then: str = "") -> bool:
    """Copy the lines of each month into its partition; False, and nothing is copied, when one is stored already.

    `then`: SQL without rows that follows on them. All of a month is one message to the server and one answer: an interpreter
    that goes to and fro between waiting for the database and its event loop pays for each turn.
    """
    months = sorted(parts)
    with connection.cursor() as cursor:
        try:
            for month in months:
                before = BEGIN_COPY if month == months[0] else ""
                after = then + END_COPY if month == months[-1] else ""
                copy(cursor, before + COPY_PART % (month[:4] + month[5:]) + after, parts[month])
        except IntegrityError as error:
            if sqlstate(error) != REPEATED:
                raise
            cursor.execute(UNDO_COPY)
            return False
    return True


def stage_rows(lines: list[str]) -> set[tuple[str, str]]:
    """Insert those lines that are news; returns (person, event) of the others."""
    with connection.cursor() as cursor:
        cursor.execute(ARRIVING)
        copy(cursor, f"copy arriving ({COLUMNS}) from stdin", lines)
    found = run_sql("users/store_events")
    return {(repeat["end_user_id"].hex, repeat["event_id"].hex) for repeat in found}


def copy(cursor: Any, sql: str, lines: list[str]) -> None:
    with connection.wrap_database_errors:  # Django leaves COPY out
        cursor.copy_expert(sql, StringIO("".join(lines)), COPY_BYTES)


def copy_line(event: NormalEvent, person: str, key: str, received: str, name_id: int, origin: str) -> str:
    """An event as COPY takes it. `origin`: the id it was sent under, where that is merged into the person, or NULL."""
    client_at = time_text(event.client_at) if event.client_at else received
    at = client_at if event.at is event.client_at else time_text(event.at)
    amount = "\\N" if event.amount_minor is None else event.amount_minor
    order = "\\N" if event.order_id is None else copy_text(event.order_id)
    line = f"{person}\t{client_at}\t{key}\t{at}\t{received}\t{name_id}"
    return f"{line}\t{copy_text(event.message_id)}\t{copy_text(event.properties)}\t{amount}\t{order}\t{origin}\n"


def time_text(at: datetime) -> str:
    """ISO-8601, a dozen times as fast as isoformat(), which pandas' own kind of datetime needs."""
    return msgspec.to_builtins(at) if type(at) is datetime else at.isoformat()


def copy_text(text: str) -> str:
    """Escaped for COPY, which would otherwise swallow backslashes without a word."""
    if "\\" in text:
        text = text.replace("\\", "\\\\")
    if "\n" in text or "\r" in text or "\t" in text:
        text = text.replace("\n", "\\n").replace("\r", "\\r").replace("\t", "\\t")
    return text
