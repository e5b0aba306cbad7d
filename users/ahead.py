"""Readings for an open transaction, made beside it by a thread with a connection of its own, which hands over their rows.

A transaction keeps one core busy. What some of its last steps rest on is committed when it begins (of the facts those that are
to be published), so it can be worked out while the first ones write.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from contextvars import ContextVar, copy_context
from functools import partial
from threading import Thread

from django.db import connection

from users.chunks import in_chunk
from users.differences import analyse_made
from workspaces.copying import Carried, carry_in, carry_out
from workspaces.models import Workspace
from workspaces.scoping import set_local

# A reading leaves temporary tables and returns their names.
Reading = Callable[[], list[str]]
# Where columns of facts are read from, as SQL in the place of a table.
Source = Callable[[list[str]], str]
LOCK_WAIT = "30s"
_ahead: ContextVar[dict[str, Future[list[Carried]]] | None] = ContextVar("ahead", default=None)


def published_facts(columns: list[str]) -> str:
    """The facts that every page shows, all of their columns."""
    return "facts"


def coming_facts(columns: list[str]) -> str:
    """The facts as they will be once what was found is published: what is found, and of all others what stands."""
    names = ", ".join(["workspace_id", *dict.fromkeys(columns)])
    return (
        f"(select {names} from facts f where not exists (select from facts_next n"
        " where n.workspace_id = %(workspace)s and n.end_user_id = f.end_user_id)"
        f" union all select {names} from facts_next where not gone) coming"
    )


@contextmanager
def reading_ahead(workspace: Workspace, readings: dict[str, Reading]) -> Iterator[None]:
    """Make these one after the other, while what is inside goes on until it asks for one (`read_ahead`)."""
    # Of what a transaction wrote before, nobody else could read.
    if not readings or connection.in_atomic_block:
        yield
        return
    found: dict[str, Future[list[Carried]]] = {name: Future() for name in readings}
    thread = Thread(
        target=copy_context().run, args=(_follow, workspace, list(zip(readings.values(), found.values(), strict=True)))
    )
    thread.start()
    token = _ahead.set(found)
    try:
        yield
    finally:
        _ahead.reset(token)
        thread.join()


def is_read_ahead(name: str) -> bool:
    """Whether somebody makes this reading beside the open transaction, which then need not."""
    return name in (_ahead.get() or {})


def read_ahead(name: str) -> bool:
    """Take the tables of a reading over into the open transaction, once it is made; False when nobody makes it ahead.

    What it raised is raised here.
    """
    if not (found := (_ahead.get() or {}).pop(name, None)):
        return False
    for carried in found.result():
        analyse_made(carried.table, carry_in(carried))
    return True


def _follow(workspace: Workspace, readings: list[tuple[Reading, Future[list[Carried]]]]) -> None:
    try:
        for reading, found in readings:
            try:
                found.set_result(in_chunk(workspace, partial(_make, reading)))
            except BaseException as error:
                found.set_exception(error)
    finally:
        connection.close()


def _make(reading: Reading) -> list[Carried]:
    # The other core is the transaction's.
    set_local("max_parallel_workers_per_gather", "0")
    # Whoever wants a table alone waits for the transaction, and this then for them, while the transaction waits for this: a
    # circle that PostgreSQL cannot see.
    set_local("lock_timeout", LOCK_WAIT)
    return [carry_out(name) for name in reading()]
