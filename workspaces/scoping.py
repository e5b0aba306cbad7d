"""The tenant scope. A scope is a transaction: it opens one, names the workspace in it, and ends with it.

Network I/O therefore happens between scopes: claim in one, send, record in the next.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from django.db import connection, transaction

if TYPE_CHECKING:
    from workspaces.models import Workspace

SET_WORKSPACE = "select set_config('app.workspace_id', %(workspace)s, true);"
_current: ContextVar[Workspace | None] = ContextVar("workspace", default=None)
# The name of the API key that opened the scope; what is done by it is told with it (workspaces.services.audit).
current_key: ContextVar[str] = ContextVar("key", default="")


class NoScope(RuntimeError):
    """Tenant data was asked for while no workspace is open."""


def current_workspace() -> Workspace:
    """The open workspace. Raises NoScope when none is."""
    workspace = _current.get()
    if workspace is None:
        raise NoScope("No workspace is open: use workspace_scope(workspace).")
    return workspace


def set_local(name: str, value: str) -> None:
    """SET LOCAL a setting that row-level security reads; lasts until the transaction (or savepoint) ends."""
    with connection.cursor() as cursor:
        cursor.execute("select set_config(%s, %s, true)", [name, value])


@contextmanager
def workspace_scope(workspace: Workspace, asking: str = "") -> Iterator[tuple[Any, ...] | None]:
    """Open a transaction that sees this workspace and nothing else; on exit the outer scope, if any, is back.

    `asking`: statements about %(workspace)s that are sent along in the same message; given is the row that the last answers.
    """
    outer, outermost = _current.get(), not connection.in_atomic_block
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(SET_WORKSPACE + asking, {"workspace": str(workspace.id)})
            told = cursor.fetchone() if asking else None
        token = _current.set(workspace)
        try:
            yield told
        finally:
            _current.reset(token)
        # Only when all went well and something follows: a transaction's end undoes SET LOCAL, and a doomed one takes
        # no statement.
        if not (outermost or connection.needs_rollback):
            set_local("app.workspace_id", str(outer.id) if outer else "")


@contextmanager
def door(name: str, value: str) -> Iterator[None]:
    """A short transaction that sees only the rows a presented credential proves a right to.

    `name` is `operator_id` (own memberships), `key_hash` (the one key) or `leases` (those that ran out: which workspaces have
    work to go on with); see the policies in migrations 0002 and 0006.
    """
    with transaction.atomic():
        set_local(f"app.{name}", value)
        yield
        if not connection.needs_rollback:
            set_local(f"app.{name}", "")


@contextmanager
def read_role() -> Iterator[None]:
    """Run compiled segment SQL as the role that may only SELECT. Needs an open scope: row-level security still applies."""
    current_workspace()
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("select current_user")
            outer = cursor.fetchone()[0]
            cursor.execute("set local role uop_read")
        yield
        with connection.cursor() as cursor:
            cursor.execute(f'set local role "{outer}"')
