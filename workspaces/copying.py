"""Streaming rows out: COPY … TO STDOUT within the open scope, memory flat whatever the size."""

from __future__ import annotations

from typing import IO, Any

from django.db import connection

from workspaces.scoping import current_workspace
from workspaces.sql import read_sql


def copy_csv(path: str, out: IO[str], code: str = "", **params: Any) -> None:
    """Write the rows of "app/name".sql to `out` as CSV with a header. Parameters are quoted by the driver; `code` replaces
    `{code}` in the file, as in `users.differences.compute`."""
    with connection.cursor() as cursor:
        bound = cursor.mogrify(read_sql(path).replace("{code}", code), {**params, "workspace": current_workspace().id})
        text = bound.decode() if isinstance(bound, bytes) else bound
        cursor.copy_expert("copy (" + text + ") to stdout with (format csv, header)", out)
