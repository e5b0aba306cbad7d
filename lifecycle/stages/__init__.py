"""The stages of the lifecycle (生命周期阶段), one file each. To add one, drop a file here: docs/how-to/add-a-stage.md.

A person stands in the first stage, by `order`, whose condition holds. Conditions are SQL over one row of facts (alias f)
and the activity flag of the same day (a.activity); every threshold is a bound parameter named like the rule.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from workspaces.names import named
from workspaces.rules import Rules


@dataclass(frozen=True)
class Stage:
    """One stage. `sentence` says what it means, with a workspace's thresholds; `reason` words the numbers kept with a change,
    which lifecycle/sql/stage_changes.sql lists."""

    key: str
    order: int
    label: Any
    sentence: Callable[[Rules], str]
    condition: str
    reason: Callable[[Mapping[str, Any]], str]


@cache
def all_stages() -> dict[str, Stage]:
    """Every stage by key, in the order in which they are tried. Raises TypeError when a file breaks the rules."""
    names = sorted(info.name for info in pkgutil.iter_modules(__path__) if not info.name.startswith("_"))
    stages = sorted((_load(name) for name in names), key=lambda stage: stage.order)
    if len({stage.order for stage in stages}) != len(stages) or stages[-1].condition != "true":
        raise TypeError("Stages need distinct orders, and the last one takes everyone else.")
    return {stage.key: stage for stage in stages}


def _load(name: str) -> Stage:
    stage = getattr(importlib.import_module(f"{__name__}.{name}"), "STAGE", None)
    if not isinstance(stage, Stage) or stage.key != name:
        raise TypeError(f"{__name__}.{name} must hold STAGE, a Stage with key {name!r}.")
    return replace(stage, label=named("stage", name, stage.label))


def upward() -> list[Stage]:
    """The stages as a person climbs them, for pages: contact first, churned apart at the end."""
    stages = [stage for stage in all_stages().values() if stage.key != "churned"]
    return [*reversed(stages), all_stages()["churned"]]


def label(key: str) -> Any:
    """The name of a stage; "—" for none (not told yet, or left), the key itself for one that no longer exists."""
    stage = all_stages().get(key)
    return stage.label if stage else key or "—"


def ladder() -> str:
    """The CASE expression that picks the stage of one person."""
    rungs = "\n".join(f"        when {stage.condition} then '{stage.key}'" for stage in all_stages().values())
    return f"case\n{rungs}\n    end"
