"""The builder as a plain form: conditions as rows of inputs, and back to a definition."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from django.http import QueryDict

from segmentation.conditions import GROUPS, Condition, Field, Option, all_conditions
from segmentation.definition import Definition, as_rows
from segmentation.vocabulary import Vocabulary
from workspaces.errors import DomainError

MOST_ROWS = 100


@dataclass(frozen=True)
class Input:
    """One field of a row, ready to draw: its name in the form, what it holds, and what is wrong with it."""

    field: Field
    name: str
    value: Any
    options: list[Option]
    error: str = ""

    @property
    def text(self) -> str:
        """What a text input shows."""
        held = ", ".join(map(str, self.value)) if isinstance(self.value, list | tuple) else self.value
        return "" if held is None else str(held)

    @property
    def other(self) -> str:
        """What a `pick` holds beyond its options."""
        return "" if self.text in {option.key for option in self.options} else self.text

    @property
    def chosen(self) -> list[str]:
        return [str(one) for one in self.value] if isinstance(self.value, list | tuple) else [str(self.value)]

    @property
    def when(self) -> str:
        """For the script: "compare:is,contains", or "property:" for any value."""
        return f"{self.field.when[0]}:{','.join(self.field.when[1])}" if self.field.when else ""


@dataclass(frozen=True)
class Row:
    """One condition of the flat form, or with `index` "" the pattern that the script copies."""

    condition: Condition
    index: str
    negated: bool
    inputs: list[Input]
    error: str = ""


def draw_row(
    condition: Condition,
    vocabulary: Vocabulary,
    index: str = "",
    values: dict[str, Any] | None = None,
    negated: bool = False,
    problems: dict[str, str] | None = None,
) -> Row:
    """A row with the values, or with the defaults when there are none."""
    problems = problems or {}
    inputs = [
        Input(
            field,
            f"row-{index}-{field.name}" if index else "",
            field.default if values is None else values.get(field.name, ""),
            field.options(vocabulary),
            problems.pop(field.name, ""),
        )
        for field in condition.fields
    ]
    return Row(condition, index, negated, inputs, " ".join(problems.values()))


def draw_rows(definition: Definition, vocabulary: Vocabulary, problems: Iterable[DomainError]) -> list[Row] | None:
    """The rows of a definition with their problems; None when it is not a plain list."""
    rows = as_rows(definition)
    if rows is None or any(node["kind"] not in all_conditions() for _negated, node in rows):
        return None
    found = list(problems)
    return [
        draw_row(all_conditions()[node["kind"]], vocabulary, str(i), node, negated, problems_at(found, i, negated))
        for i, (negated, node) in enumerate(rows)
    ]


def problems_at(problems: list[DomainError], index: int, negated: bool) -> dict[str, str]:
    """What is wrong with a row, by field."""
    start = f"/all/{index}/not/" if negated else f"/all/{index}/"
    return {problem.path.removeprefix(start): problem.message for problem in problems if problem.path.startswith(start)}


def patterns(vocabulary: Vocabulary) -> list[Row]:
    """An empty row of every condition, for the script to copy."""
    return [draw_row(condition, vocabulary) for condition in all_conditions().values()]


def menu() -> list[tuple[Any, list[Condition]]]:
    """The conditions by group, in the order of the builder's menu."""
    order = list(GROUPS)
    ranked = sorted(all_conditions().values(), key=lambda one: (order.index(one.group), one.position, one.key))
    return [(GROUPS[group], list(found)) for group, found in groupby(ranked, key=lambda one: one.group)]


def read_rows(data: QueryDict) -> Definition:
    """The definition that the rows of a submitted plain form spell, after its add, remove or duplicate button. Not yet clean."""
    nodes: list[Definition] = []
    for i in range(MOST_ROWS):
        kind = data.get(f"row-{i}-kind")
        if kind is None:
            break
        nodes.append(read_row(data, i, kind))
    at = data.get("remove") or data.get("duplicate") or ""
    if at.isdecimal() and len(at) < 10 and int(at) < len(nodes):
        nodes[int(at) : int(at) + 1] = [nodes[int(at)]] * 2 if data.get("duplicate") else []
    added = all_conditions().get(str(data.get("add-kind"))) if "add" in data else None
    if added:
        nodes.append(
            {"kind": added.key, **{field.name: field.default for field in added.fields if field.default != ""}}
        )
    return {"all": nodes} if nodes else {}


def read_row(data: QueryDict, i: int, kind: str) -> Definition:
    node: Definition = {"kind": kind}
    condition = all_conditions().get(kind)
    for field in condition.fields if condition else ():
        name = f"row-{i}-{field.name}"
        value: Any = data.getlist(name) if field.kind == "many" else data.get(name, "")
        # Without script the inputs that do not apply are there as well.
        if value not in ("", []) and field.applies(node):
            node[field.name] = value
    return {"not": node} if data.get(f"row-{i}-not") else node
