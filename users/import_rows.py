"""Rows of a file made into what the database takes, a chunk at a time and one chunk ahead. No database here.

A thread prepares the next chunk while the database stores the one before: half of the work is waiting for the server.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import msgspec

from users.csv_files import Layout, Occurrences, fingerprints, read_rows
from users.csv_items import sum_items
from users.csv_mapping import RowReader
from users.import_columns import ColumnReader
from users.ingest import normal
from users.ingest.normal import NormalEvent, NormalProfile, Refused
from users.ingest.write import copy_text
from workspaces.models import Workspace

CHUNK_BYTES = 12 * 1024 * 1024
ERASED = Refused("erased", "This user was erased: what is told of them is not kept.")
FileRow = tuple[int, int, list[str] | Refused]
Item = TypeVar("Item")


class Chunk(msgspec.Struct):
    """Rows of a file, read. `text`: their events as lines of COPY, each with the place of its name in `names`.

    `people`: ids in hex → when the chunk first tells of them, in ISO; `external`: the same → the cell that names them.
    """

    position: int
    rows: int = 0
    done_bytes: int = 0
    text: list[str] = []
    names: dict[str, int] = {}
    # The line and the name of each event, to tell which were refused for their name.
    lines: list[int] = []
    numbers: list[int] = []
    people: dict[str, str] = {}
    external: dict[str, str] = {}
    months: set[str] = set()
    profiles: list[NormalProfile] = []
    errors: list[tuple[int, Refused, list[str] | Refused]] = []

    def leave_out(self, erased: Collection[str]) -> None:
        """Refuse what the chunk tells of some people (ids in hex), without a word of it."""
        names = {self.external.pop(pk) for pk in erased if pk in self.external}
        self.people = {pk: at for pk, at in self.people.items() if pk not in erased}
        self.profiles = [one for one in self.profiles if one.person.external_id not in names]
        self.errors += [
            (line, ERASED, []) for text, line in zip(self.text, self.lines, strict=True) if text[:32] in erased
        ]
        kept = [n for n, text in enumerate(self.text) if text[:32] not in erased]
        self.text = [self.text[n] for n in kept]
        self.lines = [self.lines[n] for n in kept]
        self.numbers = [self.numbers[n] for n in kept]


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
            skipped = min(len(batch), max(0, self.skip - position))
            position += skipped
            if skipped < len(batch):
                yield self.read(position, batch[skipped:], joined[skipped:], counts[skipped:])
                position += len(batch) - skipped

    def batches(self) -> Iterator[list[FileRow]]:
        """The rows of the file in lists of bounded size. Their ends do not depend on where a run began."""
        batch: list[FileRow] = []
        began = 0
        for row in self.file_rows():
            batch.append(row)
            if len(batch) >= self.rows or row[1] - began > CHUNK_BYTES:
                yield batch
                batch, began = [], row[1]
        if batch:
            yield batch

    def file_rows(self) -> Iterator[FileRow]:
        rows, mapping = read_rows(self.path, self.layout), self.reader.mapping
        return sum_items(rows, mapping, self.layout.columns) if mapping.sum_items else rows

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
        bad = told.bad | {n for n, text in enumerate(told.rests) if len(text) > normal.MAX_ITEM_BYTES // 4}
        names, first, numbers = chunk.names, chunk.people, []
        for name in told.names:
            numbers.append(0 if name is None else names.setdefault(name, len(names) + 1))
        rows = zip(told.people, told.times, told.events, numbers, told.rests, strict=True)
        if bad:
            rows = (row for n, row in enumerate(rows) if n not in bad)  # type: ignore[assignment]
        text = chunk.text
        for person, at, event, number, rest in rows:
            text.append(f"{person}\t{at}\t{event}\t{number}\t{rest}")
            if person not in first or at < first[person]:
                first[person] = at
        kept = [n for n in range(len(batch)) if n not in bad] if bad else range(len(batch))
        chunk.lines += [batch[n][0] for n in kept]
        chunk.numbers += [numbers[n] for n in kept]
        chunk.months.update(told.times[n][:7] for n in kept)
        chunk.external.update(zip(told.people, told.ids, strict=True))
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
                    chunk.profiles.append(item)
                    self.meet(chunk, item.person.external_id, item.at.isoformat())
        except Refused as problem:
            chunk.errors.append((line, problem, cells))

    def add(self, chunk: Chunk, line: int, event: NormalEvent) -> None:
        """An event as a line of COPY: what users.ingest.write would make of it, its name still to be known."""
        at = event.at.isoformat()
        person = self.meet(chunk, event.person.external_id, at)
        name = chunk.names.setdefault(event.name, len(chunk.names) + 1)
        chunk.lines.append(line)
        chunk.numbers.append(name)
        chunk.months.add(at[:7])
        amount = "\\N" if event.amount_minor is None else event.amount_minor
        order = "\\N" if event.order_id is None else copy_text(event.order_id)
        chunk.text.append(
            f"{person}\t{at}\t{self.columns.event_hex(event.message_id)}\t{name}\t{copy_text(event.message_id)}"
            f"\t{copy_text(event.properties)}\t{amount}\t{order}\n"
        )

    def meet(self, chunk: Chunk, external_id: str, at: str) -> str:
        """The id of a person in hex; remembers when the chunk first tells of them."""
        person = self.columns.person_hex(external_id)
        chunk.external[person] = external_id
        chunk.people[person] = min(at, chunk.people.get(person, at))
        return person


def one_ahead(items: Iterator[Item]) -> Iterator[Item]:
    """The items, each made by a thread while the one before is used."""
    end = object()
    with ThreadPoolExecutor(1, "read-ahead") as thread:
        waiting = thread.submit(next, items, end)
        while (item := waiting.result()) is not end:
            waiting = thread.submit(next, items, end)
            yield item  # type: ignore[misc]
