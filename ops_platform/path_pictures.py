"""Pictures of paths: days in a stage, and what precedes a step. Pure: rows in, a dict out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.utils.translation import gettext as _

from ops_platform import names, numbers
from ops_platform.path_reads import age_groups
from ops_platform.pictures import Address, Picture


def age_label(first: int, last: int | None) -> str:
    return f"{first}–{last}" if last is not None else f"{first}+"


def age_map(rows: list[dict[str, Any]], address: Address) -> Picture:
    """Stage against days in it; every cell opens its people."""
    # Only as far as somebody is.
    used = max((at + 1 for row in rows for at, people in enumerate(row["ages"]) if people), default=1)
    groups = age_groups()[: max(used, 3)]
    cells, urls, colors = [], [], []
    for row in rows:
        label = str(names.label("stage", row["key"]))
        for (first, last), people in zip(groups, row["ages"], strict=False):
            cells.append([age_label(first, last), label, people])
            urls.append(address(stage=row["key"], stayed=f"{first}-{'' if last is None else last}"))
            colors.append(f"stage-{row['key']}")
    longest = max(rows, key=lambda row: row["median"], default=None)
    sentence = ""
    if longest:
        sentence = _("Half of those in %(stage)s have been there for %(days)s days or more.") % {
            "stage": names.label("stage", longest["key"]),
            "days": f"{longest['median']:g}",
        }
    return {
        "kind": "heat",
        "name": "time-in-stage",
        "title": _("Time in stage, in days"),
        "sentence": sentence,
        "columns": [{"label": _("Days")}, {"label": _("Stage")}, {"label": _("People"), "unit": "people"}],
        "rows": cells,
        "xs": [age_label(*group) for group in groups],
        "ys": [str(names.label("stage", row["key"])) for row in rows],
        "urls": urls,
        "colors": colors,
        "empty": {"title": _("No stages yet"), "text": _("They appear with the first daily update.")},
    }


def deeds(rows: list[dict[str, Any]], address: Callable[[str], str]) -> Picture:
    """Events before a step: the share of those who took it less the share of those who stayed, with its interval."""
    return {
        "kind": "dots",
        "name": "before-step",
        "title": "",
        "sentence": deeds_sentence(rows),
        "columns": [
            {"label": _("Event")},
            {"label": _("More than those who stayed"), "unit": "percent"},
            {"label": _("Lower bound"), "unit": "percent"},
            {"label": _("Upper bound"), "unit": "percent"},
        ],
        "rows": [[row["name"], row["difference"], row["low"], row["high"]] for row in rows],
        "urls": [address(row["name"]) for row in rows],
        "colors": [
            "control"
            if row["is_rule"] or not row["clear"]
            else "activity-active"
            if row["low"] > 0
            else "activity-dormant"
            for row in rows
        ],
        "empty": {
            "title": _("Too few people to compare"),
            "text": _("Choose more days: this compares from 20 people on each side."),
        },
    }


def deeds_sentence(rows: list[dict[str, Any]]) -> str:
    """The clearest event that is not part of the rule itself."""
    told = next((row for row in rows if row["low"] > 0 and not row["is_rule"]), None)
    if told is None:
        return _("No event sets those who took this step clearly apart.") if rows else ""
    words = {
        "event": told["name"],
        "share": numbers.percent(told["share"]),
        "beside": numbers.percent(told["beside"]),
    }
    return _("%(event)s: %(share)s of those who took the step, %(beside)s of those who stayed.") % words
