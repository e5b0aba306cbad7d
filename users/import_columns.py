"""Rows of a file read column by column: what users.csv_mapping.RowReader says of each, several times as fast.

Cells repeat within a column, so each text is read once and then looked up. A row that cannot be read so, and each row of a
file whose mapping is not that simple, is left to the RowReader, which also says what is wrong with it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from hashlib import blake2b
from itertools import repeat
from typing import Any, ClassVar, NamedTuple

from users.csv_mapping import RowReader, read_amount, read_value
from users.import_kinds import ABOUT_PEOPLE
from users.ingest import normal
from users.ingest.normal import Refused
from users.ingest.people import hashed
from users.ingest.write import copy_text
from workspaces.models import Workspace

REMEMBERED_CHARS = 4_000_000
# Of ids: some 200,000 people.
REMEMBERED_IDS = 24_000_000


class Cells(dict[str, Any]):
    """What texts of a column were read as, None for those that are refused. Forgets all when it grows too large."""

    def __init__(self, read: Callable[[str], Any], room: int = REMEMBERED_CHARS) -> None:
        super().__init__()
        self.read, self.room, self.chars = read, room, 0

    def __missing__(self, text: str) -> Any:
        try:
            value = self.read(text)
        except Refused:
            value = None
        self.chars += len(text) + 100
        if self.chars > self.room:
            self.clear()
            self.chars = 0
        self[text] = value
        return value

    def of(self, column: Sequence[str]) -> list[Any]:
        return list(map(self.__getitem__, column))


class Times(Cells):
    """Times to the second, in ISO: nearly every cell is another one, but their hours repeat, and so do minutes with seconds.

    An hour is taken apart only where it is one as well in UTC, all of it a time that may be; else each time is read.
    """

    MINUTES: ClassVar[dict[str, str]] = {text: text for text in (f":{n // 60:02}:{n % 60:02}" for n in range(3600))}
    # 2026-08-31T09:30:15, with nothing, Z, or an offset behind it.
    LENGTHS = (19, 20, 25)

    def __init__(self, read: Callable[[str], str]) -> None:
        super().__init__(read)
        self.hours: dict[str, tuple[str, str] | None] = {}

    def of(self, column: Sequence[str]) -> list[Any]:
        hours, minutes, answer = self.hours, self.MINUTES, []
        for text in column:
            key = text[:13] + text[19:]
            if key not in hours:
                hours[key] = self.hour(text)
            found, past = hours[key], text[13:19]
            answer.append(found[0] + past + found[1] if found and past in minutes else self[text])
        return answer

    def hour(self, text: str) -> tuple[str, str] | None:
        """(what stands before minutes and seconds in UTC, what stands behind them)"""
        if len(self.hours) > 20_000:
            self.hours.clear()
        if len(text) not in self.LENGTHS:
            return None
        try:
            first, last = (self.read(text[:13] + past + text[19:]) for past in (":00:00", ":59:59"))
        except Refused:
            return None
        whole = first[13:19] == ":00:00" and last == first[:13] + ":59:59" + first[19:]
        return (first[:13], first[19:]) if whole else None


class Columns(NamedTuple):
    """Rows of one width, read: `rests` is the rest of their COPY lines, `bad` the places of those that were refused."""

    people: list[Any]
    ids: Sequence[str]
    times: list[Any]
    names: list[Any]
    events: list[str]
    rests: list[str]
    bad: set[int]


class ColumnReader:
    """Reads columns into lines of COPY for the table `importing`. `possible` says whether it can for this mapping."""

    def __init__(self, workspace: Workspace, reader: RowReader) -> None:
        self.reader, self.place, self.kept = reader, reader.place, reader.kept
        names = [name for _n, name in reader.kept]
        told = {*normal.AMOUNT_KEYS, "currency", "order_id"}
        plain = reader.mapping.kind not in ABOUT_PEOPLE and not reader.traits
        self.possible = plain and len(set(names)) == len(names) <= 250 and not told & set(names)
        self.hashed = hashed(workspace)
        self.currency = reader.currency
        self.people = Cells(lambda text: self.person_hex(reader.read_person(text).external_id), REMEMBERED_IDS)
        self.times = Times(lambda text: reader.read_at(text).isoformat())
        self.names = Cells(reader.name)
        self.properties = {name: Cells(self.property_reader(name)) for name in names}
        self.name_role = reader.names
        self.currencies = Cells(self.read_currency)
        self.amounts = Cells(self.read_amount)
        self.orders = Cells(self.read_order)
        self.messages = Cells(lambda text: normal.clean_text(text.strip(), "message_id"))

    def person_hex(self, external_id: str) -> str:
        return self.hashed("user:" + external_id)

    def event_hex(self, message_id: str) -> str:
        return self.hashed("message:" + message_id)

    def property_reader(self, name: str) -> Callable[[str], str]:
        def read(text: str) -> str:
            text = text.strip()
            return fragment({name: read_value(text)}) if text else ""

        return read

    def read_currency(self, text: str) -> str:
        told = self.reader.read_currency(text)
        return fragment({"currency": told}) if told else ""

    def read_amount(self, text: str) -> tuple[str, int | str]:
        """(JSON of the property, minor units)"""
        if not (text := text.strip()):
            return "", "\\N"
        told = {"total": read_amount(text)}
        money = normal.read_money(told, self.currency)
        return fragment(told), "\\N" if money is None else money

    def read_order(self, text: str) -> tuple[str, str]:
        """(JSON of the property, the order number escaped for COPY)"""
        if not (text := text.strip()):
            return "", "\\N"
        order = normal.read_order_id({"order_id": text})
        return fragment({"order_id": text}), "\\N" if order is None else copy_text(order)

    def column(self, role: str, columns: Sequence[Sequence[str]], rows: int) -> Sequence[str]:
        return columns[self.place[role]] if role in self.place else [""] * rows

    def read(self, rows: list[list[str]], joined: list[str], counts: list[int]) -> Columns:
        """Rows of equal width as columns: their ids, times and names, and the rest of a COPY line. None where refused."""
        columns, size = list(zip(*rows, strict=True)), len(rows)
        people = self.people.of(columns[self.place["external_id"]])
        names = self.names.of(self.column(self.name_role, columns, size))
        pieces = [self.properties[name].of(columns[n]) for n, name in self.kept]
        if "currency" in self.place:
            pieces.append(self.currencies.of(columns[self.place["currency"]]))
        amounts = self.amounts.of(columns[self.place["amount"]]) if "amount" in self.place else []
        orders = self.orders.of(columns[self.place["order_id"]]) if "order_id" in self.place else []
        for pairs in (amounts, orders):
            if pairs:
                pieces.append([pair and pair[0] for pair in pairs])
        money = [pair and pair[1] for pair in amounts] if amounts else repeat("\\N", size)
        order = [pair and pair[1] for pair in orders] if orders else repeat("\\N", size)
        messages = self.message_ids(columns, names, joined, counts)
        texts = [",".join(filter(None, told)) for told in zip(*pieces, strict=True)] if pieces else [""] * size
        told = map(copy_text, (message or "" for message in messages)) if "message_id" in self.place else messages
        rest = [
            f"{message}\t{{{text}}}\t{amount}\t{number}"
            for message, text, amount, number in zip(told, texts, money, order, strict=True)
        ]
        times, find = self.times.of(columns[self.place["time"]]), self.hashed
        return Columns(
            people,
            columns[self.place["external_id"]],
            times,
            names,
            [find(f"message:{message}") for message in messages],
            rest,
            self.refused(size, people, times, names, messages, *pieces),
        )

    def message_ids(
        self, columns: Sequence[Sequence[str]], names: list[Any], joined: list[str], counts: list[int]
    ) -> list[Any]:
        told = self.messages.of(self.column("message_id", columns, len(names))) if "message_id" in self.place else []
        if told and all(told):
            return told
        made = [
            "csv-" + blake2b(f"{name}\x1f{count}\x1f{cells}".encode(), digest_size=16).hexdigest()
            for name, count, cells in zip(names, counts, joined, strict=True)
        ]
        return (
            [mine if mine is None else mine or other for mine, other in zip(told, made, strict=True)] if told else made
        )

    def refused(self, size: int, *columns: list[Any]) -> set[int]:
        return {n for column in columns if None in column for n in range(size) if column[n] is None}


def fragment(told: dict[str, Any]) -> str:
    """One property as it stands within the JSON, escaped for COPY. Raises Refused."""
    return copy_text(normal.encode(normal.clean_properties(told))[1:-1])
