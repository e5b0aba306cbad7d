"""Changes of settings in words, and who moves by them as tables."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext as _

from ops_platform import names, numbers
from ops_platform.links import people_address
from ops_platform.models import RulesChange
from ops_platform.rules_change import BOARDS, STEPS
from ops_platform.rules_form import RulesForm
from segmentation.rfm_axes import CHOICES
from users.models import Facts
from workspaces.models import Workspace
from workspaces.rules import PRESET_SETS, Rules


def titles() -> dict[str, str]:
    return {
        "stage": _("Lifecycle stages"),
        "activity": _("Activity flags"),
        "rfm": _("RFM groups"),
        "bits": _("Value classes"),
    }


def changed_settings(change: RulesChange, workspace: Workspace) -> list[dict[str, str]]:
    """[{label, before, after}] of every setting that a change makes different."""
    before = Rules.of(change.base["industry"], change.base["settings"])
    industry = change.industry or change.base["industry"]
    after = Rules.of(industry, settings_after(change)).as_dict()
    form = RulesForm(workspace=workspace)
    rows = []
    if industry != change.base["industry"]:
        words = [str(names.label("industry", key)) for key in (change.base["industry"], industry)]
        rows.append({"label": _("Industry"), "before": words[0], "after": words[1]})
    for key, value in before.as_dict().items():
        if after[key] != value:
            rows.append(
                {
                    "label": setting_label(form, key),
                    "before": value_words(form, key, value, workspace),
                    "after": value_words(form, key, after[key], workspace),
                }
            )
    return rows


def settings_after(change: RulesChange) -> dict[str, Any]:
    kept = {k: v for k, v in change.base["settings"].items() if not (change.industry and k in PRESET_SETS)}
    return kept | change.changes


def setting_label(form: RulesForm, key: str) -> str:
    extra = {"rfm_axes": _("R, F and M are"), "rfm_cuts": _("Fixed cut points"), "names": _("Names")}
    return extra.get(key) or str(form.fields[key].label)


def value_words(form: RulesForm, key: str, value: Any, workspace: Workspace) -> str:
    """A setting's value as an operator reads it."""
    if key == "rfm_axes":
        return " · ".join(str(CHOICES[fact].label) if fact in CHOICES else str(fact) for fact in value)
    if key == "rfm_cuts":
        cuts = (f"{axis.upper()} {form.fields[f'cuts_{axis}'].prepare_value(points)}" for axis, points in value.items())
        return " · ".join(cuts) or numbers.UNKNOWN
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    if value is None or value == "":
        return _("all") if key == "rfm_window" else numbers.UNKNOWN
    field = form.fields.get(key)
    if isinstance(field, forms.ChoiceField):
        return str(dict(flat(field.choices)).get(value, value))
    return str(value)


def flat(choices: Any) -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    for key, label in choices:
        found += label if isinstance(label, list | tuple) else [(key, label)]
    return found


def boards(change: RulesChange, workspace: Workspace) -> list[dict[str, Any]]:
    """A table per board on which somebody moves: rows (from) of cells (to), each with the people behind it."""
    shown = []
    for board in BOARDS:
        moves = change.moves.get(board) or []
        if moves:
            shown.append(_table(change, board, moves, workspace))
    return shown


def _table(change: RulesChange, board: str, moves: list[list[Any]], workspace: Workspace) -> dict[str, Any]:
    address = people_address(workspace)
    order = [*names.KINDS[board], ""]
    found = {(was, now): people for was, now, people in moves}
    sources = [key for key in order if any(was == key for was, _now in found)]
    targets = [key for key in order if any(now == key for _was, now in found)]
    rows = [
        {
            "key": was,
            "cells": [
                {
                    "people": found.get((was, now), 0),
                    "url": address(rules=f"{change.pk}:{board}:{was or 'none'}:{now or 'none'}"),
                }
                for now in targets
            ],
            "total": sum(found.get((was, now), 0) for now in targets),
            "url": address(rules=f"{change.pk}:{board}:{was or 'none'}:any"),
        }
        for was in sources
    ]
    return {
        "board": board,
        "kind": board,
        "title": titles()[board],
        "people": sum(found.values()),
        "url": address(rules=f"{change.pk}:{board}:any:any"),
        "targets": targets,
        "rows": rows,
        "sizes": _sizes(change.sizes.get(board) or {}, moves, order),
    }


def _sizes(sizes: dict[str, int], moves: list[list[Any]], order: list[str]) -> list[dict[str, Any]]:
    """How large everything is before and after; what is empty both times is left out."""
    after = dict(sizes)
    for was, now, people in moves:
        if was:
            after[was] = after.get(was, 0) - people
        if now:
            after[now] = after.get(now, 0) + people
    return [
        {"key": key, "before": sizes.get(key, 0), "after": after.get(key, 0)}
        for key in order
        if key and (sizes.get(key) or after.get(key))
    ]


def progress(change: RulesChange, now: float) -> dict[str, Any]:
    """How far the work is: {steps, done, total, left, label}. Seconds are reckoned from the last change of its kind,
    or from a night."""
    steps = list(STEPS)
    at = steps.index(change.step) if change.step in steps else 0
    gone = max(0.0, now - change.started_at.timestamp()) if change.started_at else 0.0
    expected = change.expected_seconds
    people = Facts.objects.count() if expected else 0
    return {
        "label": names.label("step", change.step) if change.step else _("Waiting"),
        "at": at + 1,
        "of": len(steps),
        "gone": gone,
        "left": max(1.0, expected - gone) if expected and change.started_at else None,
        "rate": round(people / expected) if people and expected else None,
        "percent": min(99, round(100 * gone / expected)) if expected else round(100 * at / len(steps)),
    }
