"""What becomes of each table about people when two ids turn out to be one person. Every app registers its own.

`users` walks this registry, so that no import runs backwards; tests/house/test_identity.py holds that nothing is missing.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Literal

from users.person_model import PersonModel

# moves: rows follow the person, and an undo takes them back. own: one row per id, what is shown of the person is computed.
# night: made from other rows, which touched people's next night does. stays: history as it was told.
OnMerge = Literal["moves", "own", "night", "stays"]
Move = Callable[[], int]
Strays = Callable[[], set[uuid.UUID]]

_tables: dict[type[PersonModel], OnMerge] = {}
_moves: list[Move] = []
_strays: list[Strays] = []


def register(
    on_merge: OnMerge, *models: type[PersonModel], move: Move | None = None, strays: Strays | None = None
) -> None:
    """Say what merging means for tables. `move` moves the rows of the ids in the temporary table `moving` (id, now_id,
    to_id) and returns how many; `strays` names merged ids that still have rows of their own, for the night to move."""
    _tables.update(dict.fromkeys(models, on_merge))
    if move:
        _moves.append(move)
    if strays:
        _strays.append(strays)


def registered() -> dict[type[PersonModel], OnMerge]:
    return dict(_tables)


def move_rows() -> int:
    return sum(move() for move in _moves)


def find_strays() -> set[uuid.UUID]:
    return {pk for strays in _strays for pk in strays()}
