"""Conditions: what a segment's rule can ask about a person.

A condition is one file in this folder with one subclass of `Condition`; its key is the name of the file and what is
stored. The compiler gives it a `Query` and gets back a boolean SQL expression about `p`, the person, with its
parameters. Three rules:

* Nothing that somebody typed is ever part of the SQL: it goes into the parameters.
* A subquery filters `workspace_id` on every table and goes through `query.join`, which is scanned once however many
  people there are. An expression may come out null; the compiler reads null as "no".
* `examples` say who of the small world in tests/segmentation/world.py matches. The contract test runs them.
"""

from __future__ import annotations

import functools
import importlib
import pkgutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from django.utils.translation import gettext as _
from django.utils.translation import pgettext, pgettext_lazy

from segmentation.conditions._fields import Field, Option
from workspaces.errors import DomainError

if TYPE_CHECKING:
    from segmentation.compiler import Query
    from segmentation.vocabulary import Vocabulary

__all__ = [
    "GROUPS",
    "Condition",
    "Example",
    "Field",
    "Option",
    "Sql",
    "Values",
    "all_conditions",
    "get_condition",
    "listed",
]

Values = dict[str, Any]
Sql = tuple[str, list[Any]]

# The parts of the builder's menu, in its order.
GROUPS: dict[str, Any] = {
    "tiers": pgettext_lazy("conditions", "Tiers"),
    "behaviour": pgettext_lazy("conditions", "Behaviour"),
    "profile": pgettext_lazy("conditions", "Profile"),
    "reach": pgettext_lazy("conditions", "Groups and reach"),
}


@dataclass(frozen=True, slots=True)
class Example:
    """Values, and the names of the people of the small world who match them."""

    values: Values
    matches: frozenset[str]

    @classmethod
    def of(cls, *names: str, **values: Any) -> Example:
        return cls(values, frozenset(names))


class Condition:
    """Base of all conditions; see the module for the rules of `compile`."""

    key: ClassVar[str]
    """The name of the file, and what is stored."""
    label: ClassVar[Any]
    group: ClassVar[str]
    """Where it stands in the builder's menu: a key of GROUPS."""
    position: ClassVar[int] = 50
    """Its place within the group; smaller comes first."""
    fields: ClassVar[tuple[Field, ...]]
    examples: ClassVar[tuple[Example, ...]]

    def clean(self, values: Values, vocabulary: Vocabulary) -> Values:
        """The values as they are stored: declared fields that apply. Raises DomainError with the field as path."""
        names = {field.name for field in self.fields}
        for name in values:
            if name not in names:
                raise DomainError(
                    "unknown_field", _("This condition has no “%(name)s”.") % {"name": str(name)[:50]}, str(name)[:50]
                )
        cleaned: Values = {}
        for field in self.fields:
            if not field.applies(cleaned):
                continue
            value = field.clean(values.get(field.name), vocabulary)
            if value is not None:
                self.check_type(field, value, cleaned, vocabulary)
                cleaned[field.name] = value
        return cleaned

    def check_type(self, field: Field, value: Any, cleaned: Values, vocabulary: Vocabulary) -> None:
        """Refuse an option that does not go with the chosen option of the field it is typed by; without type any does."""
        if not field.typed_by:
            return
        by = next(other for other in self.fields if other.name == field.typed_by)
        kind = next((option.type for option in by.options(vocabulary) if option.key == cleaned[by.name]), "")
        types = {option.key: option.type for option in field.options(vocabulary)}
        if kind and kind not in types[value].split(","):
            raise DomainError("unknown_operator", _("This comparison does not fit."), field.name)

    def compile(self, values: Values, query: Query) -> Sql:
        """A boolean expression over `p` and what `query` joins, with its parameters."""
        raise TypeError(f"{type(self).__name__} has no compile")

    def describe(self, values: Values, vocabulary: Vocabulary) -> str:
        """The predicate of a sentence, in the reader's language: "paying", 「已付费」."""
        raise TypeError(f"{type(self).__name__} has no describe")


def listed(labels: list[Any]) -> str:
    """Several names as the language lists them: "a / b", 「a、b」."""
    return pgettext("list", " / ").join(str(label) for label in labels)


@functools.cache
def all_conditions() -> dict[str, Condition]:
    """Every condition in this folder by key. Files whose name starts with "_" are parts, not conditions."""
    names = sorted(info.name for info in pkgutil.iter_modules(__path__) if not info.name.startswith("_"))
    return {name: _load(name) for name in names}


def get_condition(key: str) -> Condition:
    """One condition; raises LookupError for a key that no file has."""
    try:
        return all_conditions()[key]
    except KeyError:
        raise LookupError(f"no condition {key!r}") from None


def _load(name: str) -> Condition:
    module = importlib.import_module(f"{__name__}.{name}")
    own = [
        thing
        for thing in vars(module).values()
        if isinstance(thing, type) and issubclass(thing, Condition) and thing.__module__ == module.__name__
    ]
    if len(own) != 1 or own[0].key != name:
        raise TypeError(f"{module.__name__} must hold exactly one Condition, with key {name!r}")
    return own[0]()
