"""Work of the night in chunks: a transaction for some people at a time, of whom a temporary table holds the ids."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from users.services import in_scope
from workspaces.leases import make_sure
from workspaces.models import Workspace
from workspaces.scoping import set_local
from workspaces.sql import execute, run_sql

Answer = TypeVar("Answer")


def in_chunk(workspace: Workspace, work: Callable[[], Answer]) -> Answer:
    """Run `work` in a transaction of its own, with the planner told that it works on whole sets; it is not committed when
    somebody else has taken over the night."""

    def do() -> Answer:
        set_local("work_mem", "64MB")
        set_local("enable_nestloop", "off")
        done = work()
        make_sure()
        return done

    return in_scope(workspace, do)


def take_chunk(select: str, **params: Any) -> int:
    execute("drop table if exists pg_temp.chunk", {})
    execute(f"create temporary table chunk on commit drop as {select}", params)
    execute("analyze chunk", {})
    return execute("select count(*) as n from chunk", {})[0]["n"]


def take_news(reader: str) -> None:
    """The temporary table `news`: of whom something was told that this reader (a column) has not taken note of."""
    execute("drop table if exists pg_temp.news", {})
    execute("create temporary table news (end_user_id uuid) on commit drop", {})
    run_sql("users/take_news", for_facts=reader == "for_facts", for_attributes=reader == "for_attributes")
    execute("analyze news", {})
