"""Work on whole sets: compute the rows as they should be, then write only where they differ.

A second run of the same computation therefore writes nothing, and whoever runs it can say how much changed.
"""

from __future__ import annotations

from typing import Any

from workspaces.scoping import current_workspace
from workspaces.sql import execute, read_sql

# So few rows are joined at once whatever the planner takes them for.
FEW = 500


def compute(name: str, path: str, code: str = "", **params: Any) -> None:
    """Keep the rows of one SELECT file in the temporary table `name` until the transaction ends.

    Unless it is small it is analysed at once, for the planner knows nothing of an unkept result. `code` replaces `{code}`
    in the file: SQL from our own source, never from a user.
    """
    select = read_sql(path).replace("{code}", code)
    params["workspace"] = current_workspace().id
    [made] = execute(
        f"drop table if exists pg_temp.{name}; create temporary table {name} on commit drop as {select}", params
    )
    analyse_made(name, made["rows"])


def analyse_made(name: str, rows: int) -> None:
    """Let the planner know of a temporary table, unless it is small; of wide rows only what they are joined by."""
    if rows >= FEW:
        execute(f"analyze {name}{' (end_user_id)' if 'end_user_id' in column_names(name) else ''}", {})


def write_differences(
    table: str, fresh: str, key: str, within: str = "true", *, few: bool = False, **params: Any
) -> int:
    """Make the workspace's rows of `table` equal to those of `fresh`; returns how many were written or removed.

    `key`: the columns, comma separated, that name a row; together with the workspace they are unique. `within` bounds
    what may be removed, as SQL over the alias `old`. `fresh` has every column that may not be empty. `few`: its rows are
    few beside those of `table`, so each is tried on the key, instead of joining the two: of 250,000 rows that all differ
    trying takes 0.9 s and joining 0.35 s.
    """
    keys = ["workspace_id", *(column.strip() for column in key.split(","))]
    columns = column_names(fresh)
    values = [column for column in columns if column not in keys]
    params["workspace"] = current_workspace().id
    same_row = " and ".join(f"old.{column} = new.{column}" for column in keys)
    # A workspace that the statistics have not met yet would look empty, and its index the way to a few of its rows.
    own = f"old.workspace_id = {'(select %(workspace)s::uuid)' if few else '%(workspace)s'}"
    removed = execute(
        f"delete from {table} old where {own} and ({within}) and not exists (select from {fresh} new where {same_row})",
        params,
    )
    differing = f"({listed('old', values)}) is distinct from"
    source, updated = f"{fresh} new", 0
    if not few:
        [made] = execute(
            f"update {table} old set {', '.join(f'{column} = new.{column}' for column in values)} from {fresh} new"
            f" where {same_row} and {own} and {differing} ({listed('new', values)})",
            params,
        )
        updated = made["rows"]
        source += f" where not exists (select from {table} old where {same_row} and {own})"
    # In the order of the key: neighbours go to the same pages.
    written = execute(
        f"insert into {table} as old ({', '.join(columns)}) select {listed('new', columns)} from {source}"
        f" order by {listed('new', keys)}"
        f" on conflict ({', '.join(keys)}) do update set {', '.join(f'{column} = excluded.{column}' for column in values)}"
        f" where {differing} ({listed('excluded', values)})",
        params,
    )
    return removed[0]["rows"] + updated + written[0]["rows"]


def column_names(table: str, schema: str = "pg_temp") -> list[str]:
    rows = execute(
        "select attname from pg_attribute where attrelid = to_regclass(%(table)s) and attnum > 0 and not attisdropped"
        " order by attnum",
        {"table": f"{schema}.{table}"},
    )
    return [row["attname"] for row in rows]


def listed(alias: str, columns: list[str]) -> str:
    return ", ".join(f"{alias}.{column}" for column in columns)


# Below this many rows a wrong guess of the planner costs nothing worth mending; and it may be so many times too low. Nobody
# is counted beyond MOST.
MANY, TOO_LOW, MOST = 2_000, 5, 200_000


def refresh_statistics(rows: int, *tables: str) -> None:
    """Analyse those of the tables in which the workspace has so many rows by now, and the planner believes far fewer.

    That a table as a whole was analysed says little: among the rows of others, a new workspace is taken for an empty one.
    """
    if names := [table for table in tables if rows >= MANY and believed(table) * TOO_LOW < rows]:
        analyse(*names)


def introduce() -> None:
    """Let the planner know of the people and the events of the open workspace, which came since the tables were analysed."""
    enough = max(MANY, believed("end_user") * TOO_LOW + 1)
    own = {"workspace": current_workspace().id, "most": min(enough, MOST)}
    [people] = execute(
        "select count(*) as n from (select from end_user where workspace_id = %(workspace)s limit %(most)s) p", own
    )
    # Of whoever is touched something happened.
    [events] = execute(
        "select coalesce(sum(cardinality(people)), 0) as n from touched where workspace_id = %(workspace)s", own
    )
    refresh_statistics(people["n"], "end_user")
    refresh_statistics(int(events["n"]), "event")


def analyse(*tables: str) -> None:
    execute("select refresh_statistics(%(tables)s)", {"tables": list(tables)})


def believed(table: str) -> int:
    """How many rows the planner expects the workspace to have in a table."""
    explain = f"explain (format json) select from {table} where workspace_id = %(workspace)s"
    [told] = execute(explain, {"workspace": current_workspace().id})
    return told["QUERY PLAN"][0]["Plan"]["Plan Rows"]
