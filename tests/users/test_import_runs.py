"""Runs of one file after one another: what was left of an earlier one is not taken for the later's, however it ends."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from tests.users.conftest import stored
from tests.users.test_imports import ROLES, ROWS, counts, queue, run_import, stop_at, write_file
from users import import_run
from users.csv_mapping import Mapping
from users.import_run import claim, work_through
from users.imports import cancel_import, start_import
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
