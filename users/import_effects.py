"""What a check of a file of users finds that the file would do: to how many people, and to the values of each column.

Asked between the writing of a chunk and its being taken back, when both what was known and what would be are there.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterable
from typing import Any

import msgspec
import numpy as np

from users.csv_mapping import RowReader
from users.csv_people import Said
from users.import_kinds import CONSENTS, PROPERTY, ROLES, SKIP
from users.import_ledger import Change, own_profiles
from users.import_rows import Chunk
from users.ingest.normal import Refused, nfc
from users.models import EndUser, Import

# What becomes of a value: it fills a gap, takes the place of another, is known already, is older than what is known (or
# than another row of the file), or its row is refused for it.
OUTCOMES = ("set", "changed", "same", "older", "refused")
KEPT_EXAMPLES = 3
LONGEST = 80


class Example(msgspec.Struct):
    """One value: where it stands, whose it is, what is known and what would be."""

    line: int
    who: str
    before: str
    value: str


class Column(msgspec.Struct):
    """How many values of a column come to what, and the first that would change something, changes before gaps."""

    set: int = 0
    changed: int = 0
    same: int = 0
    older: int = 0
    refused: int = 0
    changes: list[Example] = []
    fills: list[Example] = []

    def count(self, outcome: str, example: Example) -> None:
        setattr(self, outcome, getattr(self, outcome) + 1)
        kept = {"changed": self.changes, "set": self.fills}.get(outcome)
        if kept is not None and len(kept) < KEPT_EXAMPLES:
            kept.append(example)


class Found(msgspec.Struct):
    """All of it, as `Import.effects` keeps it. People are counted once, whatever the number of their rows."""

    new: int = 0
    changed: int = 0
    unchanged: int = 0
    columns: dict[str, Column] = {}


class People:
    """Sets of people, eight bytes each: a file may name two million."""

    def __init__(self) -> None:
        self.met = self.changed = self.new = np.empty(0, np.uint64)

    def add(self, met: Iterable[str], changed: Iterable[str], new: Iterable[str]) -> None:
        """Ids in hex."""
        self.met = np.union1d(self.met, short(met))
        self.changed = np.union1d(self.changed, short(changed))
        self.new = np.union1d(self.new, short(new))

    def counts(self) -> dict[str, int]:
        changed = len(np.setdiff1d(self.changed, self.new, assume_unique=True))
        return {"new": len(self.new), "changed": changed, "unchanged": len(self.met) - len(self.new) - changed}


def short(ids: Iterable[str]) -> np.ndarray:
    return np.array([int(pk[:16], 16) for pk in ids], np.uint64)


class Effects:
    """Adds up chunk by chunk, from the first row of the file on."""

    def __init__(self, reader: RowReader, columns: Collection[str]) -> None:
        self.columns = {name: Column() for name in columns if is_told(reader, name)}
        self.people = People()
        roles = {role: column for column, role in reader.mapping.roles.items() if role in ROLES}
        self.column_of = {nfc(name): reader.columns[place] for place, name in reader.kept} | roles

    def add(self, chunk: Chunk, changes: dict[uuid.UUID, Change], new: list[str]) -> None:
        """Count a chunk of rows that are written and not taken back yet."""
        now = own_profiles(map(uuid.UUID, chunk.people))
        changed: set[str] = set()
        for line, person, profile in zip(chunk.lines, chunk.who, chunk.profiles, strict=True):
            pk = uuid.UUID(person)
            keys = changes[pk].keys if pk in changes else {}
            for name, value in profile.traits.items():
                before = keys[name][1] if name in keys else value
                outcome = judge(value, before, now[pk].attributes.get(name))
                example = Example(line, profile.person.external_id, text_of(before), text_of(value))
                self.columns[self.column_of[name]].count(outcome, example)
                if outcome in ("set", "changed"):
                    changed.add(person)
        changed |= self.add_tags(chunk, changes) | self.add_words(chunk, changes)
        for _line, problem, _cells in chunk.errors:
            self.refuse(problem)
        self.people.add(chunk.people, changed, new)

    def add_tags(self, chunk: Chunk, changes: dict[uuid.UUID, Change]) -> set[str]:
        """Tags are only ever added; returns who gets one."""
        lines, changed = dict(zip(chunk.who, chunk.lines, strict=True)), set()
        people = EndUser.objects.filter(pk__in=[person for person, _tags in chunk.tags], merged_into__isnull=False)
        owners = dict(people.values_list("pk", "merged_into"))
        for person, tags in chunk.tags:
            pk = uuid.UUID(person)
            change = changes.get(owners.get(pk, pk))
            outcome = "set" if change and set(change.tags).intersection(tags) else "same"
            example = Example(lines[person], chunk.external[person], "", text_of(", ".join(tags)))
            self.columns[self.column_of["tags"]].count(outcome, example)
            if outcome == "set":
                changed.add(person)
        return changed

    def add_words(self, chunk: Chunk, changes: dict[uuid.UUID, Change]) -> set[str]:
        """Opt-outs; returns whom one is news of."""
        roles, changed = {channel: role for role, channel in CONSENTS.items()}, set()
        for place, person, word in chunk.words:
            outcome, before = judge_word(word, changes.get(uuid.UUID(person)))
            column = self.columns[self.column_of[roles[word.channel]]]
            column.count(outcome, Example(chunk.lines[place], chunk.external[person], before, "no"))
            if outcome != "same":
                changed.add(person)
        return changed

    def refuse(self, problem: Refused) -> None:
        """Count a row that is refused at the column that it is refused for."""
        column = problem.path.removeprefix("properties.")
        if column in self.columns:
            self.columns[column].refused += 1

    def told(self) -> dict[str, Any]:
        """What there is so far, as JSON takes it."""
        return msgspec.to_builtins(Found(**self.people.counts(), columns=self.columns))


def is_told(reader: RowReader, column: str) -> bool:
    """Whether a column says something about people, rather than who they are or when it was said."""
    return reader.mapping.roles.get(column, PROPERTY) not in ("external_id", "time", SKIP)


def judge(value: Any, before: Any, now: Any) -> str:
    """What becomes of a value; `before` is the value itself where nothing changed."""
    if value != now:
        return "older"
    if before is None:
        return "set"
    return "same" if before == value else "changed"


def judge_word(word: Said, change: Change | None) -> tuple[str, str]:
    """What becomes of an opt-out, and what was said before."""
    if change is None or word.channel not in change.words:
        return "same", ""
    before = change.words[word.channel][1]
    return {None: ("set", ""), True: ("changed", "yes"), False: ("same", "no")}[before]


def text_of(value: Any) -> str:
    """A value as one reads it, cut where it is long."""
    text = "" if value is None else value if isinstance(value, str) else msgspec.json.encode(value).decode()
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"


def forget_in_effects(texts: Iterable[str]) -> int:
    """Take out examples that name an erased person, in the open scope; returns in how many checks there were any."""
    words, rows = set(texts), 0
    for file in Import.objects.exclude(effects={}):
        found = msgspec.convert(file.effects, Found)
        for column in found.columns.values():
            for examples in (column.changes, column.fills):
                examples[:] = [one for one in examples if not words.intersection((one.who, one.before, one.value))]
        if (left := msgspec.to_builtins(found)) != file.effects:
            file.effects = left
            file.save(update_fields=["effects"])
            rows += 1
    return rows
