"""What becomes of each table about people when two ids turn out to be one person, when a person is erased, and when they
ask what is held about them. Every app registers its own.

`users` walks this registry, so that no import runs backwards; tests/house/test_identity.py holds that nothing is missing.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from users.person_model import PersonModel

if TYPE_CHECKING:
    from users.erasure_about import About

# moves: rows follow the person, and an undo takes them back. own: one row per id, what is shown of the person is computed.
# night: made from other rows, which touched people's next night does. stays: history as it was told.
OnMerge = Literal["moves", "own", "night", "stays"]
# goes: rows are deleted. nobody: they count on under an id that is nobody's, so that what was told of a day stays true and
# the next night tells that somebody left. by_hand: the app's own function does it.
OnErase = Literal["goes", "nobody", "by_hand"]
Move = Callable[[], int]
Strays = Callable[[], set[uuid.UUID]]


# Erase what the tables of an app hold, in the open scope; returns how many rows. Runs several times.
Erase = Callable[["About"], int]


@dataclass(frozen=True)
class PersonTable:
    """`blank`: columns of rows that count on for nobody, and the values they get. `related`: what an export tells beside
    the columns, as label → path from a row ("campaign" → "run.campaign.name")."""

    on_merge: OnMerge
    on_erase: OnErase
    blank: dict[str, Any] = field(default_factory=dict)
    related: dict[str, str] = field(default_factory=dict)


_tables: dict[type[PersonModel], PersonTable] = {}
_moves: list[Move] = []
_strays: list[Strays] = []
_erases: list[Erase] = []


def register(
    on_merge: OnMerge,
    on_erase: OnErase,
    *models: type[PersonModel],
    move: Move | None = None,
    strays: Strays | None = None,
    erase: Erase | None = None,
    blank: dict[str, Any] | None = None,
    related: dict[str, str] | None = None,
) -> None:
    """Say what merging, erasing and exporting mean for tables. `move` moves the rows of the ids in the temporary table
    `moving` (id, now_id, to_id) and returns how many; `strays` names merged ids that still have rows of their own, for the
    night to move; `erase` does what is to be done by hand."""
    table = PersonTable(on_merge, on_erase, blank or {}, related or {})
    _tables.update(dict.fromkeys(models, table))
    if move:
        _moves.append(move)
    if strays:
        _strays.append(strays)
    if erase:
        _erases.append(erase)


def registered() -> dict[type[PersonModel], PersonTable]:
    return dict(_tables)


def erase_by_hand() -> list[Erase]:
    return list(_erases)


def move_rows() -> int:
    return sum(move() for move in _moves)


def find_strays() -> set[uuid.UUID]:
    return {pk for strays in _strays for pk in strays()}
