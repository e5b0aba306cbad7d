"""Pictures of stages, as the dicts that the tag `chart` draws (shape: static/charts.js). Pure: rows in, a dict out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from lifecycle.stages import all_stages, upward
from ops_platform import names, numbers

Picture = dict[str, Any]
# Habit, and what stands above it.
BEYOND = {stage.key for stage in upward() if stage.order <= all_stages()["habit"].order and stage.key != "churned"}
# Writes the address of the people list with some conditions: address(stage="habit").
Address = Callable[..., str]


def people_words(count: int) -> str:
    return ngettext("%(n)s person", "%(n)s people", count) % {"n": numbers.number(count)}


def flow(moves: list[dict[str, Any]], after: dict[str, int], address: Address, name: str, when: str) -> Picture:
    """Who moved from which stage to which. Left and right are two days, so the flow cannot run in a circle.

    Only movement is drawn: those who stayed are many times more, and stand in the sentence and in the table.
    `after`: people per stage on the later day; `address(**conditions)`; `when`: the days in words.
    """
    rank = {key: at for at, key in enumerate([*names.STAGES, ""])}
    moves = sorted(moves, key=lambda move: (rank.get(move["from_stage"], 99), rank.get(move["to_stage"], 99)))
    sources, targets = sums(moves, "from_stage"), sums(moves, "to_stage")
    nodes = {f"a:{key}": node(key, people, 0, address) for key, people in sources.items()}
    nodes |= {
        f"b:{key}": node(key, people, 1, address) for key, people in sorted(targets.items(), key=lambda to: rank[to[0]])
    }
    stayed = {key: people - targets.get(key, 0) for key, people in after.items() if people > targets.get(key, 0)}
    rows = [[side_name(move["from_stage"], 0), side_name(move["to_stage"], 1), move["people"]] for move in moves] + [
        [side_name(key, 0), _("%(stage)s (stayed)") % {"stage": side_name(key, 1)}, people]
        for key, people in stayed.items()
    ]
    urls = [address(**{"from": move["from_stage"] or "none", "to": move["to_stage"] or "none"}) for move in moves]
    sentence = _("%(people)s changed stage %(when)s; %(stayed)s stayed where they were.") % {
        "people": people_words(sum(move["people"] for move in moves)),
        "when": when,
        "stayed": people_words(sum(stayed.values())),
    }
    return {
        "kind": "sankey",
        "name": name,
        "title": _("Moves between stages"),
        "sentence": sentence,
        "columns": [{"label": _("From")}, {"label": _("To")}, {"label": _("People"), "unit": "people"}],
        "rows": rows if moves else [],
        "links": [[f"a:{move['from_stage']}", f"b:{move['to_stage']}"] for move in moves],
        "nodes": nodes,
        "urls": urls + [address(**{"from": key, "to": key}) for key in stayed],
        "empty": {
            "title": _("Nobody changed stage %(when)s") % {"when": when},
            "text": _("Everybody stayed where they were."),
        },
    }


def sums(moves: list[dict[str, Any]], end: str) -> dict[str, int]:
    """People per stage at one end of the moves, in the order of the moves."""
    people: dict[str, int] = {}
    for move in moves:
        people[move[end]] = people.get(move[end], 0) + move["people"]
    return people


def node(key: str, people: int, side: int, address: Address) -> dict[str, Any]:
    """One end of the flow: side 0 is before, 1 after."""
    url = address(**{("from", "to")[side]: key or "none"})
    return {"label": side_name(key, side), "color": stage_color(key), "depth": side, "people": people, "url": url}


def side_name(key: str, side: int) -> str:
    """The stage's name; without a stage, people joined on the left and left on the right."""
    return str(names.label("stage", key)) if key else (_("Joined"), _("Left"))[side]


def stage_color(key: str) -> str:
    return f"stage-{key}" if key else "control"


def stage_bars(counts: dict[str, Any], address: Address) -> Picture:
    """People per stage; counts: {stage: row with people and money_minor}."""
    keys = [key for key in names.STAGES if key in counts]
    total = sum(counts[key].people for key in keys)
    return {
        "kind": "bars",
        "name": "stages",
        "title": _("Who is where"),
        "sentence": _("%(people)s in all; %(beyond)s have reached habit or beyond.")
        % {
            "people": people_words(total),
            "beyond": numbers.percent(
                sum(counts[key].people for key in keys if key in BEYOND) / total if total else None
            ),
        },
        "columns": [
            {"label": _("Stage")},
            {"label": _("People"), "unit": "people"},
            {"label": _("Spend, 365 days"), "unit": "money"},
        ],
        "rows": [[str(names.STAGES[key]), counts[key].people, counts[key].money_minor] for key in keys]
        if total
        else [],
        "urls": [address(stage=key) for key in keys],
        "colors": [f"stage-{key}" for key in keys],
        "empty": {"title": _("No stages yet"), "text": _("They appear with the first daily update.")},
    }


def gain(people: int | None, first: int | None) -> int | None:
    return None if people is None or first is None else people - first


def stage_lines(days: list[str], series: dict[str, list[int | None]], first_day: str) -> Picture:
    """How many people more or fewer than on the first day, per stage and day."""
    keys = [key for key in names.STAGES if key in series]
    grown = {key: [gain(people, series[key][0]) for people in series[key]] for key in keys if series[key]}
    rows = [[day, *(grown[key][at] for key in grown)] for at, day in enumerate(days)]
    gains = {key: line[-1] or 0 for key, line in grown.items()}
    most = max(gains, key=lambda key: abs(gains[key]), default="")
    sentence = (
        _("Against %(day)s: %(stage)s changed most, by %(people)s.")
        % {"day": first_day, "stage": names.STAGES[most], "people": f"{gains[most]:+,}".replace("-", "−")}
        if most
        else ""
    )
    return {
        "kind": "lines",
        "name": "stage-days",
        "title": _("Day by day"),
        "sentence": sentence,
        "columns": [
            {"label": _("Day")},
            *({"label": str(names.STAGES[key]), "unit": "people", "color": f"stage-{key}"} for key in keys),
        ],
        "rows": rows if len(rows) > 1 else [],
        "empty": {
            "title": _("One day is not a line"),
            "text": _("From the second daily update on, this shows how each stage grows and shrinks."),
        },
    }


WAY_COLORS = {"up": "stage-habit", "returned": "stage-advocate", "down": "stage-paying", "churned": "stage-churned"}


def way_lines(days: list[str], series: dict[str, list[int]], address: Address) -> Picture:
    """How many climbed, returned, fell back and churned each day; every point opens them."""
    labels = {"up": _("climbed"), "returned": _("returned"), "down": _("fell back"), "churned": _("churned")}
    rows = [[day, *(series[key][at] for key in labels)] for at, day in enumerate(days)]
    sums_of = {key: sum(series[key]) for key in labels}
    sentence = _(
        "In %(days)s days %(up)s climbed and %(returned)s returned; %(down)s fell back and %(churned)s churned."
    )
    return {
        "kind": "lines",
        "name": "moves-by-day",
        "title": _("Moves day by day"),
        "sentence": sentence % {"days": len(days), **{key: numbers.number(people) for key, people in sums_of.items()}},
        "columns": [
            {"label": _("Day")},
            *({"label": label, "unit": "people", "color": WAY_COLORS[key]} for key, label in labels.items()),
        ],
        "rows": rows if len(rows) > 1 else [],
        "urls": [[address(moved=key, on=day) for key in labels] for day in days],
        "floor": 0,
        "empty": {
            "title": _("One day is not a line"),
            "text": _("From the third daily update on, this shows how many move each day."),
        },
    }
