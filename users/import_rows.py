"""Rows of a file made into what the database takes, a chunk at a time and one chunk ahead. No database here.

A process of its own prepares the next chunk while this one stores the one before.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from collections.abc import Callable, Collection, Iterable, Iterator
from itertools import chain
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path
from traceback import format_exc
from typing import Any, TypeVar

import msgspec

from users.csv_files import BadFile, FileRow, Layout, Occurrences, fingerprints, read_blocks
from users.csv_items import sum_items
from users.csv_mapping import RowReader
from users.csv_people import Said, Tagged
from users.import_columns import ColumnReader
from users.import_kinds import ABOUT_PEOPLE
from users.ingest import normal
from users.ingest.normal import NormalEvent, NormalProfile, Refused
from users.ingest.write import copy_text
from workspaces.models import Workspace

MAX_ROWS = 2_000_000
CHUNK_BYTES = 12 * 1024 * 1024
ERASED = Refused("erased", "This user was erased: what is told of them is not kept.")
PR_SET_PDEATHSIG = 1
Item = TypeVar("Item")


class ReaderLost(RuntimeError):
    """The process that reads ahead is gone, killed for its memory perhaps. That says nothing about the file."""


class Chunk(msgspec.Struct):
    """Rows of a file, read. The lists of one length are their events: line in the file, id of the person in hex, time in
    ISO, id in hex, place of the name in `names` (from 1), and the rest of a line of COPY.

    `people`: ids in hex → when the chunk first tells of them, in ISO; `external`: the same → the cell that names them.
    """

    position: int
    rows: int = 0
    done_bytes: int = 0
    lines: list[int] = []
    who: list[str] = []
    times: list[str] = []
    events: list[str] = []
    numbers: list[int] = []
    rests: list[str] = []
    names: dict[str, int] = {}
    people: dict[str, str] = {}
    external: dict[str, str] = {}
    profiles: list[NormalProfile] = []
    # Of rows about people, which have no events: ids in hex with their tags; and (place in `lines`, id in hex, word).
    tags: list[tuple[str, list[str]]] = []
    words: list[tuple[int, str, Said]] = []
    errors: list[tuple[int, Refused, list[str] | Refused]] = []

    def __reduce__(self) -> tuple[Callable[[dict[str, Any]], Chunk], tuple[dict[str, Any]]]:
        """Each column as one text: a process hands that over in a fifth of the time of tens of thousands of texts."""
        told = {name: getattr(self, name) for name in self.__struct_fields__}
        told |= {name: "\0".join(told[name]) for name in COLUMNS}
        told |= {name: ("\0".join(told[name]), "\0".join(told[name].values())) for name in PAIRS}
        return unpacked, (told,)

    def leave_out(self, erased: Collection[str]) -> None:
        """Refuse what the chunk tells of some people (ids in hex), without a word of it."""
        names = {self.external.pop(pk) for pk in erased if pk in self.external}
        self.people = {pk: at for pk, at in self.people.items() if pk not in erased}
        self.profiles = [one for one in self.profiles if one.person.external_id not in names]
        self.errors += [(line, ERASED, []) for pk, line in zip(self.who, self.lines, strict=True) if pk in erased]
        kept = [n for n, pk in enumerate(self.who) if pk not in erased]
        for column in ("lines", "who", "times", "events", "numbers", "rests"):
            if told := getattr(self, column):  # rows about people have no events
                setattr(self, column, [told[n] for n in kept])
        places = {n: place for place, n in enumerate(kept)}
        self.words = [(places[n], pk, word) for n, pk, word in self.words if n in places]
        self.tags = [told for told in self.tags if told[0] not in erased]


# Fields of a chunk that are lists of texts, and those that are texts by text. None holds a NUL: such cells are refused.
COLUMNS = ("who", "times", "events", "rests")
PAIRS = ("people", "external")


def unpacked(told: dict[str, Any]) -> Chunk:
    """The chunk that `Chunk.__reduce__` told of."""
    told |= {name: texts_of(told[name]) for name in COLUMNS}
    told |= {name: dict(zip(*map(texts_of, told[name]), strict=True)) for name in PAIRS}
    return Chunk(**told)


def texts_of(told: str) -> list[str]:
    return told.split("\0") if told else []


class ChunkReader:
    """Reads a file into chunks of at most `rows` rows, from row `skip` on."""

    def __init__(
        self, workspace: Workspace, path: Path, layout: Layout, reader: RowReader, rows: int, skip: int
    ) -> None:
        self.path, self.layout, self.reader, self.rows, self.skip = path, layout, reader, rows, skip
        self.columns = ColumnReader(workspace, reader)

    def __iter__(self) -> Iterator[Chunk]:
        occurrences, position = Occurrences(), 0
        for batch in self.batches():
            joined = ["\x1f".join(cells) if type(cells) is list else "" for _line, _done, cells in batch]
            counts = occurrences.count(fingerprints(joined))
            if position + len(batch) > MAX_ROWS:
                raise BadFile("too_many_rows")
            skipped = min(len(batch), max(0, self.skip - position))
            position += skipped
            if skipped < len(batch):
                yield self.read(position, batch[skipped:], joined[skipped:], counts[skipped:])
                position += len(batch) - skipped

    def batches(self) -> Iterator[list[FileRow]]:
        """The rows of the file in lists of bounded size. Their ends do not depend on where a run began."""
        batch: list[FileRow] = []
        began = 0
        for block in self.blocks():
            batch += block
            while len(batch) >= self.rows:
                yield batch[: self.rows]
                batch, began = batch[self.rows :], batch[self.rows - 1][1]
            if batch and batch[-1][1] - began > CHUNK_BYTES:
                yield batch
                batch, began = [], batch[-1][1]
        if batch:
            yield batch

    def blocks(self) -> Iterable[list[FileRow]]:
        blocks, mapping = read_blocks(self.path, self.layout), self.reader.mapping
        if not mapping.sum_items:
            return blocks
        return ([row] for row in sum_items(chain.from_iterable(blocks), mapping, self.layout.columns))

    def read(self, position: int, batch: list[FileRow], joined: list[str], counts: list[int]) -> Chunk:
        chunk = Chunk(position, len(batch), batch[-1][1])
        left = range(len(batch))
        if self.columns.possible:
            whole = [n for n, row in enumerate(batch) if type(row[2]) is list]
            if len(whole) < len(batch):
                joined, told = [joined[n] for n in whole], [counts[n] for n in whole]
            else:
                told = counts
            left = self.read_columns(chunk, [batch[n] for n in whole], joined, told, whole)  # type: ignore[assignment]
            left = sorted(set(left) | set(range(len(batch))).difference(whole))  # type: ignore[assignment]
        for n in left:
            self.read_row(chunk, batch[n], counts[n])
        return chunk

    def read_columns(
        self, chunk: Chunk, batch: list[FileRow], joined: list[str], counts: list[int], places: list[int]
    ) -> list[int]:
        """Add the rows that can be read so; returns the places of the others."""
        if not batch:
            return []
        told = self.columns.read([cells for _line, _done, cells in batch], joined, counts)  # type: ignore[misc]
        most = normal.MAX_ITEM_BYTES // 4
        bad = told.bad | {n for n, text in enumerate(told.rests) if len(text) > most}
        names, numbers = chunk.names, []
        for name in told.names:
            numbers.append(0 if name is None else names.setdefault(name, len(names) + 1))
        columns = ([row[0] for row in batch], told.people, told.times, told.events, numbers, told.rests)
        if bad:
            kept = [n for n in range(len(batch)) if n not in bad]
            columns = tuple([column[n] for n in kept] for column in columns)  # type: ignore[assignment]
        # In the order of the table's key already here, where it costs no time while the database waits.
        in_order = sorted(zip(*columns[1:], columns[0], strict=True))
        own = (chunk.who, chunk.times, chunk.events, chunk.numbers, chunk.rests, chunk.lines)
        for mine, column in zip(own, zip(*in_order, strict=True), strict=False):
            mine += column  # type: ignore[operator]
        chunk.people.update(
            zip(reversed(chunk.who), reversed(chunk.times), strict=True)
        )  # of each the earliest comes last
        chunk.external.update(zip(told.people, told.ids, strict=True))
        chunk.external.pop(None, None)  # type: ignore[call-overload]  # of the refused
        return [places[n] for n in bad]

    def read_row(self, chunk: Chunk, row: FileRow, count: int) -> None:
        line, _done, cells = row
        try:
            if isinstance(cells, Refused):
                raise cells
            for item in self.reader.read(cells, count):
                if isinstance(item, NormalEvent):
                    self.add(chunk, line, item)
                else:
                    self.tell(chunk, line, item)
        except Refused as problem:
            # Without its traceback, which would hold the chunk, and the chunk it: there is no collector here.
            chunk.errors.append((line, Refused(problem.code, problem.message, problem.path), cells))

    def tell(self, chunk: Chunk, line: int, item: NormalProfile | Tagged | Said) -> None:
        """Add what a row says of a person; each row of a file about people counts once."""
        at = self.reader.received_at if isinstance(item, Tagged) else item.at
        person = self.meet(chunk, item.person.external_id, at.isoformat())
        if self.reader.mapping.kind in ABOUT_PEOPLE and chunk.lines[-1:] != [line]:
            chunk.lines.append(line)
            chunk.who.append(person)
        if isinstance(item, NormalProfile):
            chunk.profiles.append(item)
        elif isinstance(item, Tagged):
            chunk.tags.append((person, item.tags))
        else:
            chunk.words.append((len(chunk.lines) - 1, person, item))

    def add(self, chunk: Chunk, line: int, event: NormalEvent) -> None:
        """What users.ingest.write would make of an event, its name and its owner still to be known."""
        at = event.at.isoformat()
        amount = "\\N" if event.amount_minor is None else event.amount_minor
        order = "\\N" if event.order_id is None else copy_text(event.order_id)
        chunk.lines.append(line)
        chunk.who.append(self.meet(chunk, event.person.external_id, at))
        chunk.times.append(at)
        chunk.events.append(self.columns.event_hex(event.message_id))
        chunk.numbers.append(chunk.names.setdefault(event.name, len(chunk.names) + 1))
        chunk.rests.append(f"{copy_text(event.message_id)}\t{copy_text(event.properties)}\t{amount}\t{order}")

    def meet(self, chunk: Chunk, external_id: str, at: str) -> str:
        """The id of a person in hex; remembers when the chunk first tells of them."""
        person = self.columns.person_hex(external_id)
        chunk.external[person] = external_id
        chunk.people[person] = min(at, chunk.people.get(person, at))
        return person


def read_ahead(items: Iterator[Item]) -> Iterator[Item]:
    """The items, each made by a process of its own while the one before is used. Raises what making them raised, and
    ReaderLost.

    A thread would do it in turns with its user: half of what either does is Python, and Python does one thing at a time.
    Forked by hand, because Celery's workers are not allowed the children of multiprocessing.
    """
    try:
        here, there = Pipe(duplex=False)
        reader = os.fork()
    except OSError as problem:
        raise ReaderLost("It cannot be begun.") from problem
    if not reader:
        try:
            end_with_parent()
            here.close()
            hand_over(items, there)
        finally:
            os._exit(0)
    there.close()
    try:
        while (told := received(here)) is not None:
            if isinstance(told, Exception):
                raise told
            yield told
    finally:
        here.close()
        os.kill(reader, signal.SIGKILL)
        os.waitpid(reader, 0)


def end_with_parent() -> None:
    """In a child: be killed when its parent is, and let go of the parent's handlers of signals."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_DFL)
    if sys.platform.startswith("linux"):
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(signal.SIGKILL))


def received(here: Connection) -> Any:
    try:
        return here.recv()
    except (EOFError, OSError) as problem:
        raise ReaderLost("It ended in the middle of its work.") from problem


def hand_over(items: Iterator[Item], there: Connection) -> None:
    """Send the items, which waits for whoever uses them, and None behind the last; or what went wrong."""
    try:
        for item in items:
            there.send(item)
        there.send(None)
    except BrokenPipeError:
        return
    except Exception as problem:
        if not isinstance(problem, BadFile | OSError):
            problem.add_note(format_exc())  # which is all that comes over of where it was
        there.send(problem)
