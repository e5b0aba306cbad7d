"""Leases: of some things there may be one at a time in a workspace, also when its worker is killed or stands still.

A row says who it is (a token) and until when, by the clock of the database; whoever works renews it, and when nobody does
the next one takes it over. A session's advisory lock would be simpler, but behind a pooler the session is somebody else's
with the next transaction.
"""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from django.db import Error, connection

from workspaces.models import Workspace
from workspaces.scoping import door, set_local, workspace_scope
from workspaces.sql import execute, is_interruption

# Somebody who was killed is missed for so long at most; whoever lives renews five times in between.
LEASE_SECONDS = 20.0
RENEW_SECONDS = 4.0
BEAT_SECONDS = 1.0

TAKE = """
insert into lease (workspace_id, name, token, until)
values (%(workspace)s, %(name)s, %(token)s, clock_timestamp() + %(seconds)s * interval '1 second')
on conflict (workspace_id, name) do update set token = excluded.token, until = excluded.until
where lease.until < clock_timestamp()
returning token
"""
RENEW = """
update lease set until = clock_timestamp() + %(seconds)s * interval '1 second'
where workspace_id = %(workspace)s and name = %(name)s and token = %(token)s
"""
LOCK = """
select token from lease where workspace_id = %(workspace)s and name = %(name)s and token = %(token)s for share
"""
RELEASE = "delete from lease where workspace_id = %(workspace)s and name = %(name)s and token = %(token)s"
EXPIRED = "select workspace_id from lease where name = %(name)s and until < clock_timestamp()"
FORGET = "delete from lease where workspace_id = %(workspace)s and name = %(name)s and until < clock_timestamp()"
HELD = """
select exists (
    select from lease where workspace_id = %(workspace)s and name = %(name)s and until > clock_timestamp()
) as held
"""


class LeaseTaken(Exception):
    """Somebody else holds it."""


class LeaseLost(Exception):
    """Held no longer: nobody heard of us for too long, and somebody else took over."""


class Lease:
    """A lease that was taken, while it is ours."""

    def __init__(self, workspace: Workspace, name: str) -> None:
        self.workspace = workspace
        self.params = {"workspace": str(workspace.pk), "name": name, "token": str(uuid.uuid4())}

    def make_sure(self) -> None:
        """In the open scope: until its commit nobody takes over. Raises LeaseLost when somebody has."""
        if not execute(LOCK, self.params):
            raise LeaseLost

    def renew(self) -> None:
        with workspace_scope(self.workspace):
            set_local("lock_timeout", "2s")
            execute(RENEW, self.params | {"seconds": LEASE_SECONDS})


_held: ContextVar[Lease | None] = ContextVar("lease", default=None)


def make_sure() -> None:
    """As `Lease.make_sure` of the lease that is held, if any: for work in several transactions under one lease.

    Inside of another transaction that one does it, at its end: until then nobody could renew the lease.
    """
    if (held := _held.get()) and not connection.savepoint_ids:
        held.make_sure()


@contextmanager
def lease(workspace: Workspace, name: str, on_beat: Callable[[], None] | None = None) -> Iterator[Lease]:
    """Hold the one lease of this name in the workspace, renewed by a thread. Raises LeaseTaken.

    `on_beat` is called about every second by that thread, which has a connection of its own. Open no scope around this:
    others would not see the lease. Of a holder that the database was taken from the lease is left to run out.
    """
    held = Lease(workspace, name)
    with workspace_scope(workspace):
        if not execute(TAKE, held.params | {"seconds": LEASE_SECONDS}):
            raise LeaseTaken
    over = threading.Event()
    thread = threading.Thread(target=beat, args=(held, over, on_beat), daemon=True)
    thread.start()
    ours = _held.set(held)
    try:
        yield held
    except Error as error:
        if not is_interruption(error):
            release(held)
        raise
    except BaseException:
        release(held)
        raise
    else:
        release(held)
    finally:
        _held.reset(ours)
        over.set()
        thread.join(RENEW_SECONDS)


def release(held: Lease) -> None:
    with workspace_scope(held.workspace):
        execute(RELEASE, held.params)


def beat(held: Lease, over: threading.Event, on_beat: Callable[[], None] | None) -> None:
    """Renew until it is over. A database that is away for a moment is asked again at the next beat."""
    beats, every = 0, round(RENEW_SECONDS / BEAT_SECONDS)
    try:
        while not over.wait(BEAT_SECONDS):
            beats += 1
            try:
                if beats % every == 0:
                    held.renew()
                if on_beat:
                    on_beat()
            except Error:
                connection.close()
    finally:
        connection.close()


def is_held(workspace: Workspace, name: str) -> bool:
    """Whether somebody holds it now, in the open scope."""
    return execute(HELD, {"workspace": str(workspace.pk), "name": name})[0]["held"]


def list_expired(name: str) -> list[uuid.UUID]:
    """Ids of all workspaces in which the holder of a lease is heard of no longer."""
    with door("leases", "expired"):
        return [row["workspace_id"] for row in execute(EXPIRED, {"name": name})]


def forget_expired(workspace: Workspace, name: str) -> None:
    """Drop what a dead holder left, unless somebody has taken over; in the open scope."""
    execute(FORGET, {"workspace": str(workspace.pk), "name": name})
