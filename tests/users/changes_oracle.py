"""What a person's attributes come to, told again as simply as possible: a function of the set of messages, from scratch."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True)
class Said:
    """One message about one attribute: kind is set, first, add, append or forget (of them all)."""

    kind: str
    at: datetime
    key: str = ""
    value: Any = None
    order: Any = None


def attributes(told: Iterable[Said]) -> dict[str, Any]:
    """`order` breaks ties between changes told at one moment."""
    since = max((one.at for one in told if one.kind == "forget"), default=None)
    live = [one for one in told if since is None or one.at >= since]
    found = {}
    for key in {one.key for one in live if one.kind != "forget"}:
        value = attribute([one for one in live if one.key == key])
        if value is not None:
            found[key] = value
    return found


def attribute(told: list[Said]) -> Any:
    words = [one for one in told if one.kind == "set"]
    firsts = [one for one in told if one.kind == "first"]
    changes = sorted((one for one in told if one.kind in ("add", "append")), key=lambda one: (one.at, one.order))
    value = None
    if words:
        newest = max(words, key=lambda one: (one.at, one.value))
        value = newest.value
        changes = [one for one in changes if one.at >= newest.at]
    elif firsts:
        earliest = min(firsts, key=lambda one: (one.at, one.value))
        if not any(one.at < earliest.at for one in changes):
            value = earliest.value
    for one in changes:
        if one.kind == "add" and (value is None or isinstance(value, int)):
            value = (value or 0) + one.value
        elif one.kind == "append" and (value is None or isinstance(value, tuple)):
            value = tuple(dict.fromkeys((*(value or ()), *one.value)))
    return value
