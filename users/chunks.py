"""Work of the night in chunks: a transaction for some people at a time, of whom a temporary table holds the ids."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import suppress
from contextvars import copy_context
from threading import Thread
from typing import Any, TypeVar

from django.db import connection

from users.services import in_scope
from workspaces.leases import make_sure
from workspaces.models import Workspace
from workspaces.scoping import set_local
from workspaces.sql import execute, run_sql

Answer = TypeVar("Answer")
# So many chunks are worked off at a time, each by a thread with a connection of its own.
LANES = 2


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


def in_lanes(workspace: Workspace, works: Sequence[Callable[[], Answer]]) -> Iterator[Answer]:
    """Run chunks side by side, of which none writes what another one reads or writes; their answers, in order.

    What one of them raises goes through when those under way have ended; the others are not begun. Inside of a transaction,
    which has one connection only, they are done one after the other.
    """
    if len(works) < 2 or connection.in_atomic_block:
        yield from (in_chunk(workspace, work) for work in works)
        return
    answers: list[Future[Answer]] = [Future() for _work in works]
    waiting = deque(zip(works, answers, strict=True))
    lanes: list[Thread] = []
    try:
        for _lane in range(LANES):
            lanes.append(Thread(target=copy_context().run, args=(follow, workspace, waiting)))
            lanes[-1].start()
        yield from (answer.result() for answer in answers)
    finally:
        waiting.clear()
        for lane in filter(Thread.is_alive, lanes):
            lane.join()


def follow(workspace: Workspace, waiting: deque[tuple[Callable[[], Any], Future[Any]]]) -> None:
    """Work off one chunk after the other, until there is none or one of them fails."""
    try:
        with suppress(IndexError):
            while True:
                work, answer = waiting.popleft()
                try:
                    answer.set_result(in_chunk(workspace, work))
                except BaseException as error:
                    waiting.clear()
                    answer.set_exception(error)
    finally:
        connection.close()


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
