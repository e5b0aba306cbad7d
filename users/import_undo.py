"""Taking an import back: the events it stored, the people it made, what it changed of others. Batch by batch, newest first.

A batch and the note that it is gone commit together, so whoever goes on does so where the last one stopped. What others
sent about the same people in between stays; the next night finds everybody touched and makes the numbers anew.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from datetime import datetime
from functools import partial

import msgspec
from django.db.models import F, Model, Q
from django.db.models.functions import Now
from django.utils import timezone

from users.changes import lay_on, read_changes
from users.devices import settle_push
from users.identity import lock
from users.identity_profiles import SETTLED, settle_profiles
from users.import_ledger import Change, earliest, put_back, take_back_devices
from users.import_people import take_back_tags, take_back_words
from users.ingest.people import array, touch
from users.models import EndUser, Event, Import, ImportBatch, PersonNews, ProfileTally, Touched
from users.person_tables import registered
from users.services import in_scope
from users.traits import fill_columns, region_of
from users.words import Own, bare
from workspaces.models import Workspace
from workspaces.scoping import current_workspace
from workspaces.sql import execute, run_sql


def undo_import(workspace: Workspace, pk: uuid.UUID) -> None:
    """Take back every batch of an import whose state is `undoing`, opening its own scopes."""
    while in_scope(workspace, partial(undo_newest, workspace, pk)):
        pass


def undo_newest(workspace: Workspace, pk: uuid.UUID) -> bool:
    """Take back the newest batch that is left; False when there is none any more, and the import is at its end."""
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
    gone = run_sql("users/undo_events", batch=batch.pk)[0]["gone"]
    changes = msgspec.convert(batch.changes, list[Change])
    take_back_words(file, changes)
    holders = take_back_devices(changes)
    people = undo_people(workspace, batch)
    settle_push(holders)
    batch.delete()
    mine.update(undone=F("undone") + gone + batch.rows, undone_people=F("undone_people") + people, heartbeat_at=Now())
    return True


def undo_people(workspace: Workspace, batch: ImportBatch) -> int:
    """Put profiles back and remove people whom nothing else knows; returns how many were removed."""
    changes = {change.id: change for change in msgspec.convert(batch.changes, list[Change])}
    wanted = {*changes, *batch.new_people}
    people = {person.pk: person for person in EndUser.objects.select_for_update().filter(pk__in=wanted).order_by("pk")}
    firsts = {row["id"]: row["at"] for row in run_sql("users/undo_first_events", ids=array(people))} if people else {}
    new = set(batch.new_people)
    for person in people.values():
        change = changes.get(person.pk) or Change(person.pk)
        restore(person, change, firsts.get(person.pk), region_of(workspace.currency), is_new=person.pk in new)
    gone = {pk for pk in new & people.keys() if pk not in firsts and is_bare(people[pk])}
    gone -= referred_to(gone)
    rows = [
        {"id": pk} | {name: getattr(person, name) for name in SETTLED}
        for pk, person in people.items()
        if pk not in gone
    ]
    if rows:
        ids = array(row["id"] for row in rows)
        run_sql("users/settle_people", ids=ids, people=msgspec.json.encode(rows).decode())
        settle_families(workspace, [person for pk, person in people.items() if pk not in gone])
        settle_push(row["id"] for row in rows)
    touch([row["id"] for row in rows])
    remove(gone)
    return len(gone)


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


def is_bare(person: EndUser) -> bool:
    """Whether a row says nothing of the person but that there is one."""
    told = person.attribute_times or person.tags or person.excluded or person.merged_into or person.own is not None
    return not told


def referred_to(ids: Iterable[uuid.UUID]) -> set[uuid.UUID]:
    """Those of the people whom something knows that the night does not make by itself, and that is no mere history.

    Events that came under these ids were looked for before.
    """
    told = {"workspace": current_workspace().pk, "ids": array(ids)}
    places: list[tuple[type[Model], str]] = [(EndUser, "merged_into")]
    for model, table in registered().items():
        if table.on_merge in ("moves", "own") and model not in (EndUser, Event):
            names = {field.attname for field in model._meta.fields}
            places += [(model, name) for name in ("end_user_id", "known_id", "into_id", "origin_id") if name in names]
    rows = [row for model, name in places for row in execute(f"select {name} as id from {among(model, name)}", told)]
    return {row["id"] for row in rows}


def among(model: type[Model], name: str) -> str:
    """The rows of a table in which a column names one of many people: as one array, not as tens of thousands of values."""
    return f"{model._meta.db_table} where workspace_id = %(workspace)s and {name} = any (%(ids)s::uuid[])"


def settle_families(workspace: Workspace, people: list[EndUser]) -> None:
    """Fold the profiles of people with several ids anew, since one of them changed."""
    owners = {person.merged_into or person.pk for person in people if person.merged_into or person.own is not None}
    if not owners:
        return
    family = EndUser.objects.select_for_update().filter(Q(pk__in=owners) | Q(merged_into__in=owners)).order_by("pk")
    everybody = {person.pk: person for person in family}
    now = {pk: person.merged_into or pk for pk, person in everybody.items()}
    settle_profiles(everybody, now, everybody, region_of(workspace.currency))


# Of those who are gone the night passes over touched ones, and takes the others out of what it counts.
NIGHTS_OWN = {Touched, PersonNews, ProfileTally}


def remove(ids: set[uuid.UUID]) -> None:
    """Delete people with everything that was ever computed about them."""
    told = {"workspace": current_workspace().pk, "ids": array(ids)}
    for model, table in registered().items():
        if table.on_merge in ("night", "stays") and model not in NIGHTS_OWN:
            execute(f"delete from {among(model, 'end_user_id')}", told)
    execute(f"delete from {among(EndUser, 'id')}", told)
