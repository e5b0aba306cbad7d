"""Removing people whom an import made: whom nothing else knows by now, with everything that was ever computed of them.

Who writes for people (ingest; consent; an audience that is frozen) does not lock them. So whoever removes some waits until
those who began to write have committed, and looks then; who wants to begin meanwhile waits for the end, and finds that the
people are gone.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable

from django.db.models import Model

from users.ingest.people import array
from users.models import EndUser, Event, PersonNews, ProfileTally, Touched
from users.person_tables import registered
from workspaces.scoping import current_workspace, set_local
from workspaces.sql import execute, run_sql

# Behind a waiting lock everybody would wait, so it does not wait for long: then the lock was not available.
PATIENCE = "1s"
BUSY = "55P03"
# Of those who are gone the night passes over touched ones, and takes the others out of what it counts.
NIGHTS_OWN = {Touched, PersonNews, ProfileTally}


def keep_people_in() -> None:
    """Let no undo remove anybody until the transaction ends. Before people are looked up whom something is written for."""
    run_sql("users/people_version")


def keep_writers_out() -> None:
    """Let nobody write for people of the workspace until the transaction ends: the other side of `keep_people_in`.

    Raises OperationalError (BUSY) when somebody who writes takes too long. The caller has locked nothing that writers want.
    """
    set_local("lock_timeout", PATIENCE)
    told = {"workspace": str(current_workspace().pk)}
    execute("select pg_advisory_xact_lock(hashtextextended('people:' || %(workspace)s, 0))", told)


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


def remove(ids: set[uuid.UUID]) -> None:
    """Delete people with everything that was ever computed about them."""
    told = {"workspace": current_workspace().pk, "ids": array(ids)}
    for model, table in registered().items():
        if table.on_merge in ("night", "stays") and model not in NIGHTS_OWN:
            execute(f"delete from {among(model, 'end_user_id')}", told)
    execute(f"delete from {among(EndUser, 'id')}", told)
