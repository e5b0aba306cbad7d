"""Work on whole sets: compute the rows as they should be, then write only where they differ.

A second run of the same computation therefore writes nothing, and whoever runs it can say how much changed.
"""

from __future__ import annotations

from typing import Any

from workspaces.scoping import current_workspace, set_local
from workspaces.sql import execute, read_sql


def compute(name: str, path: str, code: str = "", **params: Any) -> None:
    """Keep the rows of one SELECT file in the temporary table `name` until the transaction ends.

    It is analysed at once, for the planner knows nothing of an unkept result. `code` replaces `{code}` in the file: SQL
    from our own source, never from a user.
    """
    select = read_sql(path).replace("{code}", code)
    params["workspace"] = current_workspace().id
    execute(f"drop table if exists pg_temp.{name}", {})
    _run(f"create temporary table {name} on commit drop as {select}", params)
    execute(f"analyze {name}", {})


def write_differences(table: str, fresh: str, key: str, within: str = "true", **params: Any) -> int:
    """Make the workspace's rows of `table` equal to those of `fresh`; returns how many were written or removed.

    `key`: the columns, comma separated, that name a row; together with the workspace they are unique. `within` bounds
    what may be removed, as SQL over the alias `old`. `fresh` has every column that may not be empty.
    """
    keys = ["workspace_id", *(column.strip() for column in key.split(","))]
    columns = _columns(fresh)
    values = [column for column in columns if column not in keys]
    params["workspace"] = current_workspace().id
    same_row = " and ".join(f"old.{column} = new.{column}" for column in keys)
    removed = _run(
        f"delete from {table} old where old.workspace_id = %(workspace)s and ({within})"
        f" and not exists (select from {fresh} new where {same_row})",
        params,
    )
    written = _run(
        f"insert into {table} ({', '.join(columns)}) select {_list('new', columns)} from {fresh} new"
        f" left join {table} old on {same_row} and old.workspace_id = %(workspace)s"
        f" where old.workspace_id is null or ({_list('old', values)}) is distinct from ({_list('new', values)})"
        f" on conflict ({', '.join(keys)}) do update set "
        + ", ".join(f"{column} = excluded.{column}" for column in values),
        params,
    )
    return removed[0]["rows"] + written[0]["rows"]


def _run(sql: str, params: dict[str, Any]) -> list[dict[str, Any]]:
    """Run a statement about everybody without nested loops.

    A workspace that the statistics have not met yet, new among old ones, looks empty to the planner. It then loops over
    20,000 people once for each of them: minutes, where a hash join takes half a second.
    """
    set_local("enable_nestloop", "off")
    rows = execute(sql, params)
    set_local("enable_nestloop", "on")
    return rows


def _columns(table: str) -> list[str]:
    rows = execute(
        "select attname from pg_attribute where attrelid = to_regclass(%(table)s) and attnum > 0 order by attnum",
        {"table": f"pg_temp.{table}"},
    )
    return [row["attname"] for row in rows]


def _list(alias: str, columns: list[str]) -> str:
    return ", ".join(f"{alias}.{column}" for column in columns)


# Below this many rows a wrong guess of the planner costs nothing worth mending.
MANY = 10_000


def refresh_statistics(rows: int, *tables: str) -> None:
    """Analyse tables that just got many rows: until then the planner takes a new workspace for an empty one."""
    if rows >= MANY:
        execute("select refresh_statistics(%(tables)s)", {"tables": list(tables)})
