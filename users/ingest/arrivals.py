"""What arrived, kept where a developer watches it: the last few hundred events by their keys, and counts per hour.

Counts are exact and belong to the transaction. Of the newest events there is one small row per SDK and transaction, of a
busy process one a second: when it is killed, the page misses its last second.
"""

from __future__ import annotations

import json
import logging
import random
import time
import uuid
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec
from django.db import transaction

from users.ingest.normal import NormalEvent, Reading, Result
from users.ingest.write import find_names
from users.person_model import event_id, person_id
from workspaces.models import Workspace
from workspaces.scoping import workspace_scope
from workspaces.sql import bound_sql, run_sql

logger = logging.getLogger(__name__)
# Rows in the ring; and of one transaction's events and SDKs so many, the newest.
KEPT = 300
KEPT_EVENTS = 20
KEPT_LIBRARIES = 20
KEPT_HOURS = timedelta(days=32)
NOTE_EVERY_S = 1.0
# Old rows are let go in one of so many transactions: the ring is a little longer for it, and nobody pays each time.
FORGET_EVERY = 20


class Taken(msgspec.Struct):
    """One request that was stored: the SDK it came from, its items as they were read, and what became of them."""

    library: str
    readings: Sequence[Reading | Result]
    results: list[Result]


class Newest(msgspec.Struct):
    """The last events of each SDK, and when they came."""

    events: dict[str, list[NormalEvent]]
    at: datetime


def note_arrivals(workspace: Workspace, taken: Sequence[Taken], at: datetime) -> None:
    """Remember what was stored in the open scope."""
    write_newest(workspace, Newest(newest_events(taken), at))


def count_arrivals(taken: Sequence[Taken], at: datetime) -> str:
    """SQL that counts what is stored in the open scope."""
    counts = Counter([result.status for one in taken for result in one.results])
    told = {status: counts[status] for status in ("accepted", "duplicate", "rejected")}
    return bound_sql("users/count_arrivals", at=at, **told)


def write_newest(workspace: Workspace, newest: Newest) -> None:
    """Whatever goes wrong here is logged and costs no event."""
    try:
        with transaction.atomic():
            ids = find_names(workspace, {event.name for events in newest.events.values() for event in events})
            rows = [row_of(workspace, library, events, ids, newest.at) for library, events in newest.events.items()]
            run_sql("users/note_arrivals", at=newest.at, rows=json.dumps(rows))
            if random.randrange(FORGET_EVERY) == 0:  # noqa: S311 - which transaction tidies up is no secret
                run_sql("users/forget_arrivals", kept=KEPT, since=newest.at - KEPT_HOURS)
    except Exception:
        logger.exception("ingest: what arrived could not be noted")


class Held:
    """For a thread that stores many times a second: remembers the newest events once a second."""

    def __init__(self) -> None:
        self.newest: dict[uuid.UUID, tuple[Workspace, Newest]] = {}
        self.due = 0.0

    def note(self, workspace: Workspace, taken: Sequence[Taken], at: datetime) -> None:
        """As `note_arrivals`."""
        newest = Newest(newest_events(taken), at)
        transaction.on_commit(lambda: self.hold(workspace, newest))

    def hold(self, workspace: Workspace, newest: Newest) -> None:
        if workspace.pk in self.newest:
            for library, events in self.newest[workspace.pk][1].events.items():
                newest.events[library] = (events + newest.events.get(library, []))[-KEPT_EVENTS:]
        self.newest[workspace.pk] = workspace, newest

    def flush(self) -> None:
        """Write what is held, unless that was done less than NOTE_EVERY_S ago."""
        if not self.newest or time.monotonic() < self.due:
            return
        held, self.newest, self.due = self.newest, {}, time.monotonic() + NOTE_EVERY_S
        for workspace, newest in held.values():
            try:
                with workspace_scope(workspace):
                    write_newest(workspace, newest)
            except Exception:
                logger.exception("ingest: what arrived could not be noted")


def newest_events(taken: Sequence[Taken]) -> dict[str, list[NormalEvent]]:
    """The last events of each SDK that were stored, in the order they came."""
    found: dict[str, list[NormalEvent]] = {}
    for one in reversed(taken):
        library = one.library[:100]
        if library not in found and len(found) == KEPT_LIBRARIES:
            continue
        kept = found.setdefault(library, [])
        if len(kept) < KEPT_EVENTS:
            kept.extend(stored_events(one, KEPT_EVENTS - len(kept)))
    return {library: events[::-1] for library, events in found.items() if events}


def stored_events(one: Taken, most: int) -> Iterable[NormalEvent]:
    """Newest first, at most so many."""
    for reading, result in zip(reversed(one.readings), reversed(one.results), strict=True):
        if most and result.status == "accepted" and isinstance(reading, Reading):
            for item in reading.items:
                if isinstance(item, NormalEvent):
                    most -= 1
                    yield item
                    break


def row_of(
    workspace: Workspace, library: str, events: list[NormalEvent], ids: dict[str, int], at: datetime
) -> dict[str, Any]:
    """Events as the keys that they are found by."""
    people = (person_id(workspace.pk, event.person.external_id, event.person.kind) for event in events)
    return {
        "library": library,
        "people": [pk.hex for pk in people],
        "client_times": [(event.client_at or at).isoformat() for event in events],
        "events": [event_id(workspace.pk, event.message_id).hex for event in events],
        "names": [ids[event.name] for event in events],
    }
