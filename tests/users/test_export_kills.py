"""Writers of exports that are killed or thought dead: the file is whole all the same, with every row once.

Each promise has its sabotage, with which the file must turn out wrong.
"""

from __future__ import annotations

import contextlib
import csv
import io
import os
import signal
from collections.abc import Callable
from datetime import timedelta
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest
from django.db import OperationalError, connection
from django.utils import timezone

from tests import builders
from users import export_run
from users.export_kinds import all_kinds
from users.export_run import ask_export, claim, due_exports, file_of, run_export, write_page
from users.models import Export
from workspaces.models import Workspace
from workspaces.scoping import workspace_scope

NAMES = [f"u{n}" for n in range(10)]


@pytest.fixture(autouse=True)
def small_pages(settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.MEDIA_ROOT = tmp_path
    monkeypatch.setattr(export_run, "PAGE", 3)


def fill(workspace: Workspace) -> Export:
    for name in NAMES:
        builders.event(workspace, name, "App Opened", day="2026-08-01")
    with workspace_scope(workspace):
        return ask_export(all_kinds()["people"], {})


def found(workspace: Workspace, export: Export) -> list[str]:
    """The ids in the file, and whatever else stands in that column."""
    text = file_of(workspace, export.pk).read_text(encoding="utf-8-sig")
    return sorted(row["external_id"] for row in csv.DictReader(io.StringIO(text)))


def age(workspace: Workspace) -> None:
    """Let the writer look as if it had died a while ago."""
    with workspace_scope(workspace):
        Export.objects.update(heartbeat_at=timezone.now() - timedelta(minutes=3))
        assert due_exports(timezone.now()) != []


def take(workspace: Workspace, export: Export) -> Any:
    with workspace_scope(workspace):
        return claim(export.pk)


# --- killed --------------------------------------------------------------------------------------------------------


def die(*_arguments: Any) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def die_halfway(workspace: Workspace, pk: Any, token: Any, page: export_run.Page) -> None:
    with file_of(workspace, pk).open("ab") as file:
        file.write(page.text[: len(page.text) // 2])
    die()


POINTS: dict[str, tuple[str, Callable[..., None]]] = {
    "before a page is read": ("read_page", die),
    "before it is written": ("append", die),
    "in the middle of writing": ("append", die_halfway),
    "before it is noted": ("note_page", die),
}


def write_and_die(workspace: Workspace, export: Export, point: str, pages: int) -> None:
    """Write so many pages in a process of its own, and die of the next at this point."""

    def work() -> None:
        token = take(workspace, export)
        for _page in range(pages):
            assert write_page(workspace, export.pk, token)
        setattr(export_run, *POINTS[point])
        write_page(workspace, export.pk, token)

    connection.close()  # a session is nobody's whom it was forked with
    writer = get_context("fork").Process(target=work)
    writer.start()
    writer.join()
    assert writer.exitcode == -signal.SIGKILL


def kill_and_go_on(workspace: Workspace) -> list[str]:
    """Kill a writer at every point, one after the other on one export, then let the last finish."""
    export = fill(workspace)
    for pages, point in enumerate(POINTS):
        write_and_die(workspace, export, point, min(pages, 1))
        age(workspace)
    run_export(workspace, export.pk)
    with workspace_scope(workspace):
        export.refresh_from_db()
    assert export.state == "done" and file_of(workspace, export.pk).stat().st_size == export.bytes
    return found(workspace, export)


@pytest.mark.django_db(transaction=True)
def test_writers_that_are_killed_at_every_point_leave_a_whole_file(world: Any) -> None:
    assert kill_and_go_on(world.acme) == NAMES


@pytest.mark.django_db(transaction=True)
def test_it_turns_red_when_the_file_is_gone_on_with_where_it_ends(world: Any, monkeypatch: Any) -> None:
    def careless(workspace: Workspace, pk: Any, token: Any, page: export_run.Page) -> bool:
        path = file_of(workspace, pk)
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab") as file:
            file.write(page.text)
        return True

    monkeypatch.setattr(export_run, "append", careless)
    with pytest.raises((AssertionError, KeyError)):
        assert kill_and_go_on(world.acme) == NAMES


# --- thought dead --------------------------------------------------------------------------------------------------


def overtaken(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A writer that read its page is so slow that another writes the whole list; then it comes to write."""
    export = fill(workspace)
    slow, append = take(workspace, export), export_run.append

    def late(*told: Any) -> bool:
        monkeypatch.setattr(export_run, "append", append)
        age(workspace)
        run_export(workspace, export.pk)
        return append(*told)

    assert write_page(workspace, export.pk, slow)
    monkeypatch.setattr(export_run, "append", late)
    assert not write_page(workspace, export.pk, slow)
    return found(workspace, export)


def test_whoever_was_thought_dead_writes_nothing_into_anothers_file(acme: Workspace, monkeypatch: Any) -> None:
    assert overtaken(acme, monkeypatch) == NAMES


def test_it_turns_red_when_the_slow_one_does_not_look_again(acme: Workspace, monkeypatch: Any) -> None:
    monkeypatch.setattr(export_run, "is_mine", lambda pk, token: True)
    assert overtaken(acme, monkeypatch) != NAMES


def test_the_file_is_written_while_no_transaction_is_open(acme: Workspace, monkeypatch: Any) -> None:
    """Under the test's own transaction a scope is a savepoint more."""
    export, depth = fill(acme), len(connection.savepoint_ids)
    seen: list[int] = []
    fsync = os.fsync
    monkeypatch.setattr(os, "fsync", lambda file: (seen.append(len(connection.savepoint_ids)), fsync(file)))
    run_export(acme, export.pk)
    assert seen == [depth] * 4 and found(acme, export) == NAMES


def test_a_file_that_lost_its_end_is_begun_anew(acme: Workspace) -> None:
    export = fill(acme)
    token = take(acme, export)
    assert write_page(acme, export.pk, token) and write_page(acme, export.pk, token)
    os.truncate(file_of(acme, export.pk), 40)
    while write_page(acme, export.pk, token):
        pass
    assert found(acme, export) == NAMES


@pytest.mark.parametrize(("problem", "state"), [(ValueError("a bug"), "failed"), (OperationalError("gone"), "running")])
def test_a_list_that_cannot_be_read_fails_and_one_whose_database_went_away_is_gone_on_with(
    acme: Workspace, monkeypatch: pytest.MonkeyPatch, problem: Exception, state: str
) -> None:
    def stumble(*_args: Any) -> Any:
        raise problem

    export = fill(acme)
    monkeypatch.setattr(export_run, "read_page", stumble)
    with contextlib.suppress(OperationalError):
        run_export(acme, export.pk)
    with workspace_scope(acme):
        export.refresh_from_db()
    assert (export.state, bool(export.error)) == (state, state == "failed")
