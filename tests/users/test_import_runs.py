"""Runs of one file after one another: what was left of an earlier one is not taken for the later's, however it ends."""

from __future__ import annotations

import tracemalloc
import uuid
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from tests.users.conftest import stored
from tests.users.test_imports import ROLES, ROWS, counts, queue, run_import, stop_at, write_file
from users import import_run, import_undo
from users.csv_mapping import Mapping
from users.import_run import Run, claim, due_imports, work_through
from users.imports import can_undo, cancel_import, start_import, undo_import
from users.models import Import
from users.selectors import failure_of, import_job
from workspaces.scoping import workspace_scope


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: Any) -> None:
    monkeypatch.setattr(import_run, "CHUNK_ROWS", 10)


def test_a_check_that_was_cancelled_stores_nothing_in_the_name_of_the_import_that_followed(acme, tmp_path):
    queued = queue(acme, write_file(tmp_path, ROWS), dry_run=True)
    with workspace_scope(acme):
        slow = claim(queued.pk)
        assert slow is not None and cancel_import(slow)
        start_import(slow, Mapping(ROLES), False)
        file = claim(queued.pk)
    assert file is not None
    work_through(acme, slow)  # the worker of the check, which has not heard of it yet
    assert counts(work_through(acme, file)) == ("done", 100, 100, 0, 0, 30)
    assert len(stored(acme)) == 100


def test_a_chunk_of_which_every_row_is_refused_costs_only_itself(acme, tmp_path):
    rows = [f"u{n},soon,{n}" for n in range(20)] + ROWS[:5]
    for dry_run in (True, False):
        assert counts(run_import(acme, queue(acme, write_file(tmp_path, rows), dry_run).pk)) == (
            "done",
            25,
            5,
            0,
            20,
            5,
        )
    assert len(stored(acme)) == 5


def test_a_workers_clock_that_is_fast_keeps_nothing_from_being_taken_back(acme, tmp_path, monkeypatch):
    queued = queue(acme, write_file(tmp_path, ROWS))
    stop_at(monkeypatch, 40, cancel_import)
    monkeypatch.setattr(timezone, "now", lambda now=timezone.now: now() + timedelta(minutes=1))
    file = run_import(acme, queued.pk)
    assert file is not None and (file.state, file.undone) == ("cancelled", 40)
    assert stored(acme) == []


@pytest.mark.parametrize("undone", [False, True])
def test_a_worker_whose_clock_is_slow_is_not_taken_for_dead(acme, tmp_path, monkeypatch, undone):
    """Whoever claims an import asks the database's clock, so that is the one its worker has to be heard of by."""
    queued = queue(acme, write_file(tmp_path, ROWS))
    if undone:
        run_import(acme, queued.pk)
        with workspace_scope(acme):
            undo_import(Import.objects.get(pk=queued.pk))
    monkeypatch.setattr(timezone, "now", lambda now=timezone.now: now() - timedelta(minutes=5))
    others: list[Any] = []
    module, name = (import_undo, "undo_people") if undone else (import_run, "store_chunk")
    plain = getattr(module, name)

    def watch(*arguments: Any, **values: Any) -> Any:
        others.append(claim(queued.pk))
        return plain(*arguments, **values)

    monkeypatch.setattr(module, name, watch)
    file = run_import(acme, queued.pk)
    assert file is not None and (file.state, others) == ("undone" if undone else "done", [None] * 10)


@pytest.mark.parametrize("cancelled", [True, False])
def test_an_undo_that_meets_an_error_twice_in_one_place_ends_and_is_gone_on_with_when_asked(
    acme, tmp_path, monkeypatch, cancelled
):
    earlier = write_file(tmp_path, ROWS[:20])
    first = run_import(acme, queue(acme, earlier).pk)
    assert first is not None
    with workspace_scope(acme):
        Path(first.path).write_text(earlier.read_text() + "\n".join(ROWS[20:60]) + "\n")
        start_import(first, Mapping(ROLES), False)
    if cancelled:
        stop_at(monkeypatch, 50, cancel_import)
    else:
        run_import(acme, first.pk)
        with workspace_scope(acme):
            assert undo_import(Import.objects.get(pk=first.pk))
    undone, tries = import_undo.undo_people, []

    def undo_people(workspace: Any, batch: Any) -> int:
        tries.append(batch.position)
        return undone(workspace, batch) if batch.position != 30 else 1 / 0

    monkeypatch.setattr(import_undo, "undo_people", undo_people)
    for again in range(2):
        with workspace_scope(acme):
            Import.objects.filter(pk=first.pk, state="undoing").update(heartbeat_at=None)
        if again:
            file = run_import(acme, first.pk)
        else:
            with pytest.raises(ZeroDivisionError):
                run_import(acme, first.pk)
    assert file is not None and (file.state, file.error, file.undone) == (
        "failed",
        "undo_stumbled",
        10 if cancelled else 20,
    )
    assert tries[-2:] == [30, 30] and failure_of(file)
    # How fast it was stays what it was, however long ago.
    later = [import_job(file, timezone.now() + timedelta(hours=n))["rows_per_second"] for n in (1, 2)]
    assert later[0] == later[1]
    with workspace_scope(acme):
        assert due_imports(timezone.now() + timedelta(hours=1)) == []
        monkeypatch.setattr(import_undo, "undo_people", undone)
        assert can_undo(file) and undo_import(file)
    file = run_import(acme, first.pk)
    # What an earlier run of the file had taken in stays where the later one was cancelled.
    assert file is not None and (file.state, len(stored(acme))) == (("cancelled", 20) if cancelled else ("undone", 0))


def test_a_check_remembers_whom_it_counted_in_few_bytes(acme, tmp_path):
    run = Run(acme, queue(acme, write_file(tmp_path, ROWS), dry_run=True))
    ids = [uuid.uuid5(acme.pk, str(n)).hex for n in range(100_000)]

    def count(part: list[str]) -> int:
        return len(run.not_counted([pk.upper().lower() for pk in part]))  # texts of its own, as every chunk has

    tracemalloc.start()
    counted = [count(ids[:60_000]), count(ids[40_000:])]
    held, _peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert counted == [60_000, 40_000] and count(ids) == 0 and held < 4_000_000
