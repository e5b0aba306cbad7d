"""Chunks of a file come from a process of its own: whole, in order, with what went wrong in it, and none stays behind."""

from __future__ import annotations

import multiprocessing
from itertools import count

import pytest

from users.csv_files import BadFile
from users.import_rows import Chunk, read_ahead
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


def test_whoever_stops_early_leaves_no_process_behind():
    found = read_ahead(map(str, count()))
    assert [next(found) for _ in range(3)] == ["0", "1", "2"]
    assert multiprocessing.active_children()
    found.close()
    assert not multiprocessing.active_children()
