"""What conditions of the people list are made of, and how the values of an address are read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from workspaces.models import Workspace


class BadValue(ValueError):
    """A parameter of the address that says nothing; the list leaves it out."""


@dataclass(frozen=True)
class Part:
    """One condition, ready to run and to read. `wide`: most people may meet it, and the planner cannot tell how many."""

    sql: str
    params: dict[str, Any]
    needs: str
    text: str
    keys: tuple[str, ...]
    wide: bool = False


def keys_of(value: str, known: Mapping[str, Any]) -> list[str]:
    keys = [key for key in value.split(",") if key in known]
    if not keys:
        raise BadValue(value)
    return keys


# What turns a parameter's value into a condition: (value, the whole query, workspace) → Part; raises BadValue.
Build = Callable[[str, Mapping[str, str], Workspace], Part]


def day_of(value: str | None) -> date:
    """A day that can be reckoned with: the calendar's ends have no day before or after."""
    try:
        day = date.fromisoformat(value or "")
    except ValueError as error:
        raise BadValue(value) from error
    if not 1970 <= day.year <= 2200:
        raise BadValue(value)
    return day


def whole(value: str, least: int = 0, most: int = 100_000) -> int:
    # Of thousands of digits Python makes no number.
    if not value.isdecimal() or len(value) > 20 or not least <= int(value) <= most:
        raise BadValue(value)
    return int(value)
