"""What the planner believes of a workspace: whoever is new among the rows of others is taken for empty until told."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection

from tests import builders
from users.differences import believed, introduce, refresh_statistics
from workspaces.models import Workspace
from workspaces.scoping import workspace_scope
from workspaces.sql import execute, joining_sets

PEOPLE = """
insert into end_user select (jsonb_populate_record(t, jsonb_build_object('id', gen_random_uuid(), 'external_id', 'c' || n))).*
from end_user t, generate_series(1, %(more)s) n where t.workspace_id = %(workspace)s and t.external_id = 'first'
"""


def fill(workspace: Workspace, people: int) -> None:
    builders.event(workspace, "first", "Item Viewed", "2026-08-01")
    with workspace_scope(workspace):
        execute(PEOPLE, {"workspace": str(workspace.pk), "more": people - 1})


@pytest.fixture
def newcomer(world: Any) -> Workspace:
    """A workspace that got its people after the table, in which most are somebody else's, was analysed."""
    acme, rival = world.acme, world.other
    fill(acme, 30_000)
    with workspace_scope(acme):
        execute("select refresh_statistics(%(tables)s)", {"tables": ["end_user"]})
    fill(rival, 3_000)
    return rival


def test_a_workspace_that_is_new_among_large_ones_is_made_known(newcomer: Workspace) -> None:
    with workspace_scope(newcomer):
        assert believed("end_user") < 100
        introduce()
        assert 1_500 < believed("end_user") < 6_000


def test_one_that_grew_since_it_was_known_is_made_known_again(newcomer: Workspace) -> None:
    with workspace_scope(newcomer):
        introduce()
        execute(PEOPLE.replace("'c'", "'d'"), {"workspace": str(newcomer.pk), "more": 60_000})
        introduce()
        assert believed("end_user") > 40_000


def test_what_is_known_is_not_analysed_again(newcomer: Workspace, asked: list[str]) -> None:
    with workspace_scope(newcomer):
        refresh_statistics(3_000, "end_user")
        assert asked.count("refresh") == 1
        introduce()
        refresh_statistics(3_000, "end_user")
        refresh_statistics(100, "event")
    assert asked.count("refresh") == 1


@pytest.fixture
def asked() -> Any:
    """What is asked of the database: "refresh" where it is to analyse tables."""
    found: list[str] = []

    def note(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        found.append("refresh" if "refresh_statistics" in sql else "other")
        return execute(sql, params, many, context)

    with connection.execute_wrapper(note):
        yield found


def test_sets_are_joined_for_a_while(acme: Workspace) -> None:
    def loops() -> str:
        return execute("select current_setting('enable_nestloop') as loops", {})[0]["loops"]

    with workspace_scope(acme):
        with joining_sets():
            with joining_sets():
                assert loops() == "off"
            assert loops() == "off"
        assert loops() == "on"
