"""Changes to people and events: the doors through which every other part of the product writes them."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any, TypeVar

from django.db import OperationalError, connection
from django.utils import timezone

from users.consent import set_consent
from users.differences import introduce
from users.ingest.bulk import normal_chunks
from users.ingest.normal import NormalProfile, Result, Told
from users.ingest.people import writing_scope
from users.ingest.write import write
from users.profiles import add_tag, exclude, include, remove_tag
from workspaces.models import Workspace
from workspaces.scoping import workspace_scope
from workspaces.sql import sqlstate

__all__ = ["add_tag", "bulk_load", "exclude", "include", "record_events", "remove_tag", "set_consent", "upsert_people"]

CHUNK = 20_000
# Deadlock, and a transaction that could not be serialised: the same work may simply be tried again.
TRY_AGAIN = {"40P01", "40001"}
Answer = TypeVar("Answer")


def in_scope(
    workspace: Workspace, work: Callable[[], Answer], tries: int = 3, scope: Callable[..., Any] = workspace_scope
) -> Answer:
    """Run `work` in a scope of its own, again when two writers crossed; inside a transaction the caller has to."""
    if connection.in_atomic_block:
        tries = 1
    for attempt in range(1, tries + 1):
        try:
            # COPY goes past Django's cursor: without this its errors would be the driver's, which nobody looks for.
            with connection.wrap_database_errors, scope(workspace):
                answer = work()
                # Somebody caught the error of a session that was cut: what follows is a rollback, without a word.
                if connection.needs_rollback:
                    raise OperationalError("The session was cut before the commit.")
                return answer
        except OperationalError as error:
            if attempt == tries or sqlstate(error) not in TRY_AGAIN:
                raise
    raise AssertionError("unreachable")


def record_events(workspace: Workspace, items: Sequence[Told], received_at: datetime | None = None) -> list[Result]:
    """Store events and news about people in one transaction; returns what became of each, in order.

    The one write path: idempotent by (person, client time, message id), so that a repeat is a duplicate and no error.
    """
    return in_scope(workspace, lambda: write(items, received_at or timezone.now()), scope=writing_scope)


def bulk_load(workspace: Workspace, events: Any, chunk: int = CHUNK) -> dict[str, int]:
    """Store any number of events of our own making, a transaction per chunk; returns {accepted, duplicate, rejected}.

    `events`: see users.ingest.bulk. Raises Refused for an amount that cannot be taken.
    """
    counts = {"accepted": 0, "duplicate": 0, "rejected": 0}
    for batch in normal_chunks(events, workspace.currency, chunk):
        for result in record_events(workspace, batch):
            counts[result.status] = counts.get(result.status, 0) + 1
    in_scope(workspace, introduce)
    return counts


def upsert_people(workspace: Workspace, people: Iterable[NormalProfile], chunk: int = 2_000) -> int:
    """Make people and tell the product about them, as identify messages would; returns how many were told of.

    A person's creation is the earliest `at` that is known of them.
    """
    told = 0
    people = iter(people)
    while batch := list(itertools.islice(people, chunk)):
        record_events(workspace, batch)
        told += len(batch)
    return told
