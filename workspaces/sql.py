"""Set-based SQL lives in .sql files beside the app that owns the tables; this runs them with the workspace bound."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import cache
from importlib.resources import files
from typing import Any

import psycopg2
from django.db import DatabaseError, InterfaceError, OperationalError, connection

from workspaces.scoping import current_workspace


@cache
def read_sql(path: str) -> str:
    """Text of `<app>/sql/<name>.sql`, given as "app/name"."""
    app, name = path.split("/")
    return files(app).joinpath("sql", f"{name}.sql").read_text(encoding="utf-8")


def run_sql(path: str, **params: Any) -> list[dict[str, Any]]:
    """Run one statement file in the open scope; returns its rows, or [{"rows": n}] when it returns none.

    Every file must use %(workspace)s, which is bound here and cannot be passed.
    """
    return execute(read_sql(path), {**params, "workspace": current_workspace().id})


def bound_sql(path: str, **params: Any) -> str:
    """The statement that `run_sql` would run, for a message of several."""
    bound = {**params, "workspace": current_workspace().id}
    return connection.ops.compose_sql(read_sql(path), bound)  # type: ignore[attr-defined,no-any-return]


def sqlstate(error: BaseException) -> str:
    """The five characters by which PostgreSQL says what went wrong; "" when it did not say."""
    return getattr(error.__cause__, "pgcode", None) or ""


def is_away(error: BaseException | None) -> bool:
    """Whether the database is away, or has just gone. Of a session that ended in the middle of a statement the driver may
    say no more than that: an error of no kind, without a state."""
    cut = type(error) is DatabaseError and isinstance(error.__cause__, psycopg2.DatabaseError) and not sqlstate(error)
    return cut or isinstance(error, InterfaceError | OperationalError)


def is_interruption(error: BaseException) -> bool:
    """Whether it says nothing about the work: the database went away, or two writers crossed. The same again may do."""
    state = sqlstate(error)
    return is_away(error) and (state == "" or state.startswith(("08", "40", "57P")))


def database_now() -> datetime:
    """The database's clock, which all processes share whatever their own say."""
    return execute("select clock_timestamp() as now", {})[0]["now"]


@contextmanager
def joining_sets() -> Iterator[None]:
    """In the open transaction: join whole sets, whatever the planner believes. It takes a table that was filled a moment
    ago, or a workspace that its statistics have not met, for empty, and would look through all of it for each person."""
    [was] = execute(
        "select current_setting('enable_nestloop') as loops, set_config('enable_nestloop', 'off', true) as off", {}
    )
    yield  # whatever raises ends the transaction, or the savepoint, and the setting with it
    execute("select set_config('enable_nestloop', %(loops)s, true)", {"loops": was["loops"]})


def execute(sql: str, params: dict[str, Any] | None) -> list[dict[str, Any]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        if cursor.description is None:
            return [{"rows": cursor.rowcount}]
        names = [column.name for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
