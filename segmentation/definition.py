"""The rule of a segment: a tree of all / any / not over conditions, checked before anything else looks at it.

    {"all": [node, ...]}   {"any": [node, ...]}   {"not": node}   {"kind": "stage", "stages": ["paying"]}

A path names a place in the tree as JSON pointers do: "/all/0/not/days".
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from django.utils.translation import gettext as _

from segmentation.conditions import get_condition
from segmentation.vocabulary import Vocabulary
from workspaces.errors import DomainError

DEEPEST = 6
MOST_CONDITIONS = 50
LONGEST = 200_000
MODES = ("all", "any", "not")

Definition = dict[str, Any]


class InvalidDefinition(DomainError):
    """Everything that is wrong with a definition; the first of it is the error's own code, message and path."""

    def __init__(self, problems: list[DomainError]) -> None:
        first = problems[0]
        super().__init__(first.code, first.message, first.path)
        self.problems = problems


def read_json(text: str) -> Any:
    """The JSON in a text. Raises DomainError for what is too long, too deep or no JSON."""
    if len(text) > LONGEST:
        raise DomainError("too_many_conditions", _("The rule is too long."))
    try:
        read = json.loads(text)
        json.dumps(read, ensure_ascii=False).encode()  # half a surrogate pair could be on no page and in no row
        return read
    except RecursionError:
        raise too_deep("") from None
    except ValueError:
        raise DomainError("invalid_rule", _("The rule is not valid JSON.")) from None


def parse(raw: Any, vocabulary: Vocabulary) -> Definition:
    """The definition with every value clean, ready to store and to compile. Raises InvalidDefinition naming every wrong place."""
    problems: list[DomainError] = []
    counted: list[str] = []
    clean = _node(raw, "", 1, vocabulary, problems, counted)
    if len(counted) > MOST_CONDITIONS:
        raise InvalidDefinition(
            [
                DomainError(
                    "too_many_conditions", _("At most %(n)s conditions; this rule has more.") % {"n": MOST_CONDITIONS}
                )
            ]
        )
    if problems:
        raise InvalidDefinition(problems)
    return clean


def conditions_of(node: Definition, path: str = "") -> Iterator[tuple[str, Definition]]:
    """Every condition of a clean definition, with its path."""
    if "kind" in node:
        yield path, node
    elif "not" in node:
        yield from conditions_of(node["not"], f"{path}/not")
    else:
        mode = next(iter(node))
        for i, child in enumerate(node[mode]):
            yield from conditions_of(child, f"{path}/{mode}/{i}")


def segments_named(definition: Definition) -> set[str]:
    """Ids of the segments that the rule refers to."""
    return {node["segment"] for _path, node in conditions_of(definition) if node["kind"] == "segment"}


def tags_named(definition: Definition) -> set[str]:
    """The tags that the rule asks for."""
    return {tag for _path, node in conditions_of(definition) if node["kind"] == "tag" for tag in node["tags"]}


def as_rows(definition: Definition) -> list[tuple[bool, Definition]] | None:
    """The rule as a plain list of (negated, condition) that must all hold; None when it is more than that.

    This is what the form edits without script. Also takes a definition that is not clean.
    """
    if not definition:
        return []
    inside = definition.get("all")
    children = inside if isinstance(inside, list) else [definition]
    rows = [(True, child["not"]) if "not" in child else (False, child) for child in children if isinstance(child, dict)]
    plain = all(isinstance(node, dict) and isinstance(node.get("kind"), str) for _negated, node in rows)
    return rows if plain and len(rows) == len(children) else None


def _node(
    raw: Any, path: str, depth: int, vocabulary: Vocabulary, problems: list[DomainError], counted: list[str]
) -> Definition:
    """One node, clean. Problems are collected, so that a form can show them all; what cannot be read becomes {}."""
    if not isinstance(raw, dict) or not raw:
        problems.append(DomainError("invalid_rule", _("A rule is a group or a condition."), path))
    elif "kind" in raw:
        counted.append(path)
        if len(counted) <= MOST_CONDITIONS:
            return _condition(raw, path, vocabulary, problems)
    elif len(raw) != 1 or next(iter(raw)) not in MODES:
        problems.append(DomainError("unknown_operator", _("A group is one of all, any and not."), path))
    elif depth > DEEPEST:
        problems.append(too_deep(path))
    else:
        return _group(raw, path, depth, vocabulary, problems, counted)
    return {}


def _group(
    raw: Definition, path: str, depth: int, vocabulary: Vocabulary, problems: list[DomainError], counted: list[str]
) -> Definition:
    mode, inside = next(iter(raw.items()))
    if mode == "not":
        return {"not": _node(inside, f"{path}/not", depth + 1, vocabulary, problems, counted)}
    if not isinstance(inside, list):
        problems.append(DomainError("invalid_rule", _("A group holds a list."), path))
    elif not inside:
        problems.append(DomainError("empty_group", _("This group has no condition."), path))
    else:
        # A thousand wrong nodes need not be looked at one by one to know that they are too many.
        nodes = enumerate(inside[: MOST_CONDITIONS * 2])
        return {
            mode: [_node(child, f"{path}/{mode}/{i}", depth + 1, vocabulary, problems, counted) for i, child in nodes]
        }
    return {}


def _condition(raw: Definition, path: str, vocabulary: Vocabulary, problems: list[DomainError]) -> Definition:
    kind = raw["kind"]
    values = {name: value for name, value in raw.items() if name != "kind"}
    try:
        return {"kind": kind, **get_condition(kind if isinstance(kind, str) else "").clean(values, vocabulary)}
    except LookupError:
        problems.append(DomainError("unknown_condition", _("There is no such condition."), path))
    except DomainError as error:
        problems.append(DomainError(error.code, error.message, f"{path}/{error.path}"))
    return {}


def too_deep(path: str) -> DomainError:
    return DomainError("too_deep", _("Groups nest at most %(n)s deep.") % {"n": DEEPEST}, path)
