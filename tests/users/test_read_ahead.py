"""Chunks of a file come from a process of its own: whole, in order, with what went wrong in it, and none stays behind."""

from __future__ import annotations

import multiprocessing
import os
import signal
from itertools import count
from pathlib import Path

import pytest

from users.csv_files import BadFile
from users.import_rows import Chunk, ReaderLost, read_ahead
from users.ingest.normal import Refused


def test_a_chunk_comes_over_as_it_was():
    refused = Refused("too_long", "At most 255 characters.", "properties.sku")
    chunk = Chunk(
        40, 3, 900, [2, 3, 4], ["a", "b", "a"], ["t1", "t2", "t3"], ["e1", "e2", "e3"], [1, 1, 2],
        ["m\t{}\t\\N", "美妆\\n\t{}", "x"], {"Pay": 1, "View": 2}, {"a": "t1", "b": "t2"}, {"a": "一\n,", "b": ""},
        errors=[(5, refused, ["=1+1", ""])],
    )  # fmt: skip
    [told, empty] = read_ahead(iter([chunk, Chunk(0)]))
    [(line, problem, cells)] = told.errors
    assert (line, problem.code, str(problem), problem.path, cells) == (
        5, "too_long", refused.message, "properties.sku", ["=1+1", ""],
    )  # fmt: skip
    told.errors = chunk.errors
    assert told == chunk
    assert empty == Chunk(0)


def test_what_goes_wrong_while_reading_comes_behind_what_was_read():
    def items():
        yield 1
        raise BadFile("open_quote", 7)

    found = read_ahead(items())
    assert next(found) == 1
    with pytest.raises(BadFile) as told:
        next(found)
    assert (told.value.code, told.value.line) == ("open_quote", 7)


def children() -> list[int]:
    return [int(pid) for pid in Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()]


def test_whoever_stops_early_leaves_no_process_behind():
    before = children()
    found = read_ahead(map(str, count()))
    assert [next(found) for _ in range(3)] == ["0", "1", "2"]
    assert len(children()) == len(before) + 1
    found.close()
    assert children() == before


def test_a_reader_that_is_killed_says_nothing_about_the_file():
    before = children()
    found = read_ahead("x" * 1_000_000 for _ in range(10))
    next(found)
    [reader] = set(children()) - set(before)
    os.kill(reader, signal.SIGKILL)
    with pytest.raises(ReaderLost):
        list(found)
    assert children() == before


def test_a_bug_tells_where_it_was():
    with pytest.raises(ZeroDivisionError) as told:
        list(read_ahead(1 // n for n in (1, 0)))
    assert "test_read_ahead.py" in told.value.__notes__[0]


def test_workers_that_may_have_no_children_of_multiprocessing_read_ahead(monkeypatch):
    monkeypatch.setitem(multiprocessing.current_process()._config, "daemon", True)
    assert list(read_ahead(iter([1, 2]))) == [1, 2]
