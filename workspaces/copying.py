"""Streaming rows: COPY … TO STDOUT in the open scope, and from one transaction into another; memory flat whatever the size."""

from __future__ import annotations

from dataclasses import dataclass
from tempfile import TemporaryFile
from typing import IO, Any

from django.db import connection

from workspaces.scoping import current_workspace
from workspaces.sql import execute, read_sql


def copy_csv(path: str, out: IO[str], code: str = "", **params: Any) -> None:
    """Write the rows of "app/name".sql to `out` as CSV with a header. Parameters are quoted by the driver; `code` replaces
    `{code}` in the file, as in `users.differences.compute`."""
    with connection.cursor() as cursor:
        bound = cursor.mogrify(read_sql(path).replace("{code}", code), {**params, "workspace": current_workspace().id})
        text = bound.decode() if isinstance(bound, bytes) else bound
        cursor.copy_expert("copy (" + text + ") to stdout with (format csv, header)", out)


@dataclass(frozen=True)
class Carried:
    """A temporary table between two transactions: its name, its columns as they are declared, and its rows."""

    table: str
    columns: str
    rows: IO[bytes]


def carry_out(table: str) -> Carried:
    """The temporary table `table` of the open transaction, for another one."""
    columns = execute(
        "select attname as name, format_type(atttypid, atttypmod) as kind from pg_attribute"
        " where attrelid = to_regclass(%(table)s) and attnum > 0 and not attisdropped order by attnum",
        {"table": f"pg_temp.{table}"},
    )
    rows = TemporaryFile()  # noqa: SIM115 -- closed by `carry_in`
    with connection.cursor() as cursor:
        cursor.copy_expert(f"copy pg_temp.{table} to stdout", rows)
    return Carried(table, ", ".join(f"{column['name']} {column['kind']}" for column in columns), rows)


def carry_in(carried: Carried) -> int:
    """Make the table again in the open transaction, once; returns how many rows it has."""
    table = carried.table
    execute(
        f"drop table if exists pg_temp.{table}; create temporary table {table} ({carried.columns}) on commit drop", {}
    )
    with carried.rows as rows, connection.cursor() as cursor:
        rows.seek(0)
        cursor.copy_expert(f"copy pg_temp.{table} from stdin", rows)
        return int(cursor.rowcount)
