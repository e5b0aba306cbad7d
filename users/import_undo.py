"""Taking an import back: the events it stored, the people it made, what it changed of others. Batch by batch, newest first.

What goes and the note that it is gone commit together, so whoever goes on does so where the last one stopped. What others
sent about the same people in between stays; the next night finds everybody touched and makes the numbers anew. People are
removed in transactions of their own, for which ingest has to wait (users/import_newcomers.py).
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Collection
from datetime import datetime
from functools import partial

import msgspec
from django.db import OperationalError
from django.db.models import F, Q
from django.db.models.functions import Now
from django.utils import timezone

from users.changes import lay_on, read_changes
from users.devices import settle_push
from users.identity import lock
from users.identity_profiles import SETTLED, settle_profiles
from users.import_ledger import Change, earliest, put_back, take_back_devices
from users.import_newcomers import BUSY, is_bare, keep_writers_out, referred_to, remove
from users.import_people import take_back_tags, take_back_words
from users.ingest.people import array, touch
from users.models import EndUser, Import, ImportBatch
from users.services import in_scope
from users.traits import fill_columns, region_of
from users.words import Own, bare
from workspaces.models import Workspace
from workspaces.sql import run_sql, sqlstate

# So many people are removed while ingest waits, and so long it goes on in peace when somebody took too long to write.
AT_ONCE = 2_000
PAUSE_SECONDS = 1


def undo_import(workspace: Workspace, pk: uuid.UUID) -> None:
    """Take back every batch of an import whose state is `undoing`, opening its own scopes."""
    more = True
    while more:
        try:
            more = in_scope(workspace, partial(undo_newest, workspace, pk))
        except OperationalError as error:
            if sqlstate(error) != BUSY:
                raise
            time.sleep(PAUSE_SECONDS)


def undo_newest(workspace: Workspace, pk: uuid.UUID) -> bool:
    """Take back the newest batch that is left, its people in later calls; False when the import is at its end."""
    mine = Import.objects.filter(pk=pk, state="undoing")
    lock(workspace)
    file = mine.first()
    if file is None:
        return False
    left = ImportBatch.objects.filter(file=pk)
    if file.finished_at is None and file.started_at:
        left = left.filter(at__gte=file.started_at)  # cancelled: an earlier run of the same file stays
    batch = left.order_by("-at").first()
    if batch is None:
        ended = "undone" if file.finished_at else "cancelled"
        mine.update(state=ended, finished_at=file.finished_at or timezone.now())
        return False
    if batch.events or batch.changes or batch.rows:
        told = {"undone": F("undone") + give_back(workspace, file, batch)}
    else:
        told = {"undone_people": F("undone_people") + remove_some(workspace, batch)}
    if batch.new_people:
        batch.save(update_fields=["people", "client_times", "events", "changes", "rows", "new_people"])
    else:
        batch.delete()
    mine.update(heartbeat_at=Now(), **told)
    return True


def give_back(workspace: Workspace, file: Import, batch: ImportBatch) -> int:
    """Take a batch's events and words back; returns how many rows it was. Of the batch the people to remove are left."""
    rows = batch.rows + run_sql("users/undo_events", batch=batch.pk)[0]["gone"]
    changes = msgspec.convert(batch.changes, list[Change])
    take_back_words(file, changes)
    holders = take_back_devices(changes)
    left = undo_people(workspace, batch)
    settle_push(holders)
    batch.people, batch.client_times, batch.events, batch.changes, batch.rows = [], [], [], [], 0
    batch.new_people = left
    return rows


def undo_people(workspace: Workspace, batch: ImportBatch) -> list[uuid.UUID]:
    """Put profiles back; returns whom of those that the batch made nothing else seems to know."""
    changes = {change.id: change for change in msgspec.convert(batch.changes, list[Change])}
    new = set(batch.new_people)
    people, unknown = put_people_back(workspace, new | changes.keys(), changes, new)
    settle(workspace, [person for pk, person in people.items() if pk in changes or pk not in unknown])
    return sorted(unknown)


def remove_some(workspace: Workspace, batch: ImportBatch) -> int:
    """Remove the first of the people whom a batch made and nothing else knows; returns how many were removed.

    What is on its way about them is stored before, or makes them anew afterwards.
    """
    some, batch.new_people = batch.new_people[:AT_ONCE], batch.new_people[AT_ONCE:]
    keep_writers_out()
    people, gone = put_people_back(workspace, some, {}, set(some))
    settle(workspace, [person for pk, person in people.items() if pk not in gone])
    remove(gone)
    return len(gone)


def put_people_back(
    workspace: Workspace, ids: Collection[uuid.UUID], changes: dict[uuid.UUID, Change], new: set[uuid.UUID]
) -> tuple[dict[uuid.UUID, EndUser], set[uuid.UUID]]:
    """(people as they were told of without the batch, not yet stored; those of the new ones whom nothing else knows)."""
    people = {person.pk: person for person in EndUser.objects.select_for_update().filter(pk__in=ids).order_by("pk")}
    firsts = {row["id"]: row["at"] for row in run_sql("users/undo_first_events", ids=array(people))} if people else {}
    for person in people.values():
        change = changes.get(person.pk) or Change(person.pk)
        restore(person, change, firsts.get(person.pk), region_of(workspace.currency), is_new=person.pk in new)
    unknown = {pk for pk in new & people.keys() if pk not in firsts and is_bare(people[pk])}
    return people, unknown - referred_to(unknown)


def settle(workspace: Workspace, people: list[EndUser]) -> None:
    """Store people as they are by now, and let the night look at them."""
    if not people:
        return
    rows = [{"id": person.pk} | {name: getattr(person, name) for name in SETTLED} for person in people]
    ids = [person.pk for person in people]
    run_sql("users/settle_people", ids=array(ids), people=msgspec.json.encode(rows).decode())
    settle_families(workspace, people)
    settle_push(ids)
    touch(ids)


def restore(person: EndUser, change: Change, first: datetime | None, region: str, *, is_new: bool) -> None:
    """What was told under one id, as if the batch had never been."""
    own = msgspec.convert(person.own, Own) if person.own is not None else None
    told = own or person
    counted = told.bases is not None
    take_back_tags(person, own.tags if own else None, change)
    put_back(bare(told), change)
    if counted:
        lay_on(told, read_changes([person.pk]).get(person.pk, []))
    if own:
        person.own = msgspec.to_builtins(own)
    elif change.keys:
        fill_columns(person, region)
    created = person.own_created_at or person.created_at
    known = [at for at in (first, earliest(told), change.created_before) if at is not None]
    if (is_new and known) or (change.created_before is not None and created == change.created):
        if person.own_created_at is not None:
            person.own_created_at = min(known)
        else:
            person.created_at = min(known)


def settle_families(workspace: Workspace, people: list[EndUser]) -> None:
    """Fold the profiles of people with several ids anew, since one of them changed."""
    owners = {person.merged_into or person.pk for person in people if person.merged_into or person.own is not None}
    if not owners:
        return
    family = EndUser.objects.select_for_update().filter(Q(pk__in=owners) | Q(merged_into__in=owners)).order_by("pk")
    everybody = {person.pk: person for person in family}
    now = {pk: person.merged_into or pk for pk, person in everybody.items()}
    settle_profiles(everybody, now, everybody, region_of(workspace.currency))
