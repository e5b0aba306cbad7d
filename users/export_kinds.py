"""What lists can be had as a file. Every app registers its own; `users` writes them (users/export_run.py)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from workspaces.models import Workspace

Query = dict[str, str]
Rows = list[Sequence[Any]]


@dataclass(frozen=True)
class Kind:
    """One kind of list. All functions run in an open scope and raise LookupError or DomainError when the query names nothing.

    `read` keeps of an address what this list understands; `name` says which one it is, "" for all of it. `page` answers
    with the rows behind the cursor `after`, "" for the beginning, and the cursor of the next page, "" on the last; its
    order must not change while it runs. `action`: what one must be allowed to, to ask for it and to have it.
    """

    key: str
    label: Any
    action: str
    read: Callable[[Workspace, Mapping[str, str]], Query]
    header: Sequence[str]
    name: Callable[[Workspace, Query], str]
    count: Callable[[Workspace, Query], int]
    page: Callable[[Workspace, Query, str, int], tuple[Rows, str]]


def keep(*parameters: str) -> Callable[[Workspace, Mapping[str, str]], Query]:
    """A `read` that keeps some parameters where they say something."""
    return lambda workspace, asked: {name: asked[name] for name in parameters if asked.get(name)}


_kinds: dict[str, Kind] = {}


def register_kind(kind: Kind) -> None:
    _kinds[kind.key] = kind


def all_kinds() -> dict[str, Kind]:
    return dict(_kinds)
