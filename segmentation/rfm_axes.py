"""What R, F and M are in a workspace: any three facts that are days or whole numbers (C3).

A day is scored by how long ago it is, so small is good; of a number more is better. Scores keep the value of a day as its
number since 1970, so that whoever did nothing keeps the same row.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from django.utils.translation import gettext as _

from users.facts import FACTS, Fact
from workspaces.errors import DomainError
from workspaces.rules import ORDER_AXES, Rules

LETTERS = ("r", "f", "m")
EPOCH = date(1970, 1, 1)
FRACTIONS = ("gap_median", "gap_p90")
# What may be an axis. Keys are columns of facts, so nothing else ever gets into the SQL.
CHOICES: dict[str, Fact] = {
    key: fact for key, fact in FACTS.items() if fact.unit in ("date", "days", "times", "minor") and key not in FRACTIONS
}


@dataclass(frozen=True)
class Axis:
    """One axis: R, F or M, and the fact it is in this workspace."""

    letter: str
    fact: Fact

    @property
    def is_day(self) -> bool:
        return self.fact.unit == "date"

    def measure(self, value: int, day: date) -> int:
        """What is scored, of a stored value: days ago, or the number itself."""
        return (day - EPOCH).days - value if self.is_day else value


Axes = tuple[Axis, Axis, Axis]


def axes_of(rules: Rules) -> Axes:
    """R, F and M of a workspace. Facts that no longer exist give way to those of orders, so that no night breaks."""
    return axes_from(rules.rfm_axes)


def axes_from(keys: Sequence[str]) -> Axes:
    """R, F and M from three keys of facts, such as those kept with cut points."""
    chosen = keys if len(keys) == 3 and set(keys) <= set(CHOICES) else ORDER_AXES
    r, f, m = (Axis(letter, CHOICES[key]) for letter, key in zip(LETTERS, chosen, strict=True))
    return r, f, m


def of_orders(axes: Axes) -> bool:
    """Whether the axes are those of buyers."""
    return tuple(axis.fact.key for axis in axes) == ORDER_AXES


def check_axes(keys: Any) -> None:
    """Raises DomainError unless it is three different facts that can be axes."""
    unknown = [key for key in keys if key not in CHOICES]
    if unknown:
        text = _("“%(name)s” cannot be an axis. Days and whole numbers can: %(names)s.")
        raise DomainError("invalid", text % {"name": unknown[0], "names": ", ".join(CHOICES)}, "rfm_axes")
    if len(set(keys)) < 3:
        raise DomainError("invalid", _("Three different metrics."), "rfm_axes")


def axis_columns(axes: Axes) -> str:
    """The columns r_value, f_value and m_value over `facts`, as SQL. An unknown number counts as none."""
    columns = (
        f"({axis.fact.key} - date '1970-01-01')::bigint as {axis.letter}_value"
        if axis.is_day
        else f"coalesce({axis.fact.key}, 0)::bigint as {axis.letter}_value"
        for axis in axes
    )
    return ", ".join(columns)
