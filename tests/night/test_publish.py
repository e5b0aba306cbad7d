"""One switch: whoever reads while a night runs sees the old night or the new one, never some of both."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from typing import Any

import pytest
from django.db import connection

from ops_platform import nightly
from segmentation.models import Segment
from tests import builders
from tests.conftest import make_world
from tests.night.reading import LOOK
from users.ingest import write
from users.night import publish_facts
from workspaces.models import Workspace
from workspaces.scoping import workspace_scope

FIRST = date(2026, 8, 3)


@pytest.fixture
def shop(transactional_db) -> Workspace:  # type: ignore[no-untyped-def]
    write._names.clear()
    shop = make_world().acme
    for n in range(6):
        day = FIRST + timedelta(days=n)
        builders.event(shop, "daily", "Order Completed", day, total=20)
        builders.event(shop, f"new {n}", "App Opened", day)
    with workspace_scope(shop):
        Segment.objects.create(
            name="All", definition={"kind": "fact", "fact": "visits", "compare": "at_least", "number": 1}
        )
    return shop


@contextmanager
def watched(workspace: Workspace) -> Iterator[set[tuple[Any, ...]]]:
    """Looks from another session before each statement of the night; what was seen."""
    other, seen = connection.copy(), set()

    def look() -> None:
        with other.cursor() as cursor:
            cursor.execute("begin isolation level repeatable read read only")
            cursor.execute("select set_config('app.workspace_id', %s, true)", [str(workspace.pk)])
            cursor.execute(LOOK, [workspace.pk])
            seen.add(cursor.fetchone())
            cursor.execute("commit")

    def listen(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:
        look()
        return execute(sql, params, many, context)

    try:
        with connection.execute_wrapper(listen):
            yield seen
        look()
    finally:
        other.close()


def run_nights(workspace: Workspace) -> set[tuple[Any, ...]]:
    nightly.run_night(workspace, FIRST)
    with watched(workspace) as seen:
        for n in (1, 2, 4):
            nightly.run_night(workspace, FIRST + timedelta(days=n))
    return seen


def test_a_reader_never_sees_a_mix_of_two_nights(shop):
    seen = run_nights(shop)
    assert seen == {(FIRST + timedelta(days=n),) * 11 for n in (0, 1, 2, 4)}


def test_and_does_when_steps_publish_one_by_one(shop, monkeypatch):
    def step_by_step(run, steps, night):  # type: ignore[no-untyped-def]
        with workspace_scope(run.workspace):
            publish_facts(run.workspace, run.day)
        done = []
        for step in steps:
            with workspace_scope(run.workspace):
                done.append(run.told(step.key, 0.0, step.run(run.workspace, run.day)))
        with workspace_scope(run.workspace):
            nightly._publish(run.workspace, run.day, 0.0)
        return done

    monkeypatch.setattr(nightly._Run, "decide", step_by_step)
    assert any(len(set(parts)) > 1 for parts in run_nights(shop))
