"""Whether the planner may loop over people while a statement runs (workspaces/sql.py: joining_sets)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import connection

from workspaces.scoping import set_local


@contextmanager
def noting_loops(text: str) -> Iterator[list[str]]:
    """enable_nestloop, as each statement that holds the text finds it; "on" to begin with, whatever a night left behind."""
    found: list[str] = []
    set_local("enable_nestloop", "on")

    def note(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if text in sql:
            with context["connection"].connection.cursor() as cursor:
                cursor.execute("select current_setting('enable_nestloop')")
                found.append(cursor.fetchone()[0])
        return execute(sql, params, many, context)

    with connection.execute_wrapper(note):
        yield found
