"""Pictures of the tiers, as the dicts that the tag `chart` draws (shape: static/charts.js). Pure: rows in, a dict out."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from ops_platform import names, numbers
from segmentation.rfm import BOARD
from workspaces.models import Workspace

Picture = dict[str, Any]
# Writes the address of the people list with some conditions: address(stage="habit").
Address = Callable[..., str]


def people_words(count: int) -> str:
    return ngettext("%(n)s person", "%(n)s people", count) % {"n": numbers.number(count)}


def stage_name(key: str, missing: str) -> str:
    return str(names.label("stage", key)) if key else missing


def flow(moves: list[dict[str, Any]], after: dict[str, int], address: Address, name: str, when: str) -> Picture:
    """Who moved from which stage to which. Left and right are two days, so the flow cannot run in a circle.

    Only movement is drawn: those who stayed are many times more, and stand beside the names and in the table.
    `after`: people per stage on the later day; `address(**conditions)`.
    """
    joined, left = _("Joined"), _("Left")
    rows, urls, links, nodes = [], [], [], {}
    rank = {key: at for at, key in enumerate([*names.STAGES, ""])}
    for move in sorted(moves, key=lambda move: (rank.get(move["from_stage"], 99), rank.get(move["to_stage"], 99))):
        source, target = f"a:{move['from_stage']}", f"b:{move['to_stage']}"
        nodes[source] = {"label": stage_name(move["from_stage"], joined), "color": stage_color(move["from_stage"]), "depth": 0}
        nodes[target] = {"label": stage_name(move["to_stage"], left), "color": stage_color(move["to_stage"]), "depth": 1}
        rows.append([nodes[source]["label"], nodes[target]["label"], move["people"]])
        links.append([source, target])
        urls.append(address(**{"from": move["from_stage"] or "none", "to": move["to_stage"] or "none"}))
    nodes = dict(sorted(nodes.items(), key=lambda node: (node[0][0], rank.get(node[0][2:], 99))))
    for node in nodes:
        side = 0 if node[0] == "a" else 1
        nodes[node]["people"] = sum(row[2] for row, link in zip(rows, links, strict=True) if link[side] == node)
        nodes[node]["url"] = address(**{"to" if side else "from": node[2:] or "none"})
    arrived = {link[1]: nodes[link[1]]["people"] for link in links}
    for key, people in after.items():
        stayed = people - arrived.get(f"b:{key}", 0)
        if stayed > 0:
            label = stage_name(key, left)
            rows.append([label, _("%(stage)s (stayed)") % {"stage": label}, stayed])
            urls.append(address(stage=key))
    moved = sum(move["people"] for move in moves)
    sentence = _("%(people)s changed stage %(when)s; %(stayed)s stayed where they were.") % {
        "people": people_words(moved),
        "when": when,
        "stayed": people_words(max(0, sum(after.values()) - sum(move["people"] for move in moves if move["to_stage"]))),
    }
    return {
        "kind": "sankey",
        "name": name,
        "title": _("Moves between stages"),
        "sentence": sentence,
        "columns": [{"label": _("From")}, {"label": _("To")}, {"label": _("People"), "unit": "people"}],
        "rows": rows if moves else [],
        "links": links,
        "nodes": nodes,
        "urls": urls,
        "empty": {"title": _("Nobody changed stage %(when)s") % {"when": when}, "text": _("Everybody stayed where they were.")},
    }


def stage_color(key: str) -> str:
    return f"stage-{key}" if key else "control"


def board(cells: dict[tuple[int, int], dict[str, Any]], address: Address, name: str = "rfm-board") -> Picture:
    """The board: R against F, one cell per pair of scores, coloured by its group."""
    rows, urls, colors, captions = [], [], [], []
    for r in range(5, 0, -1):
        for f in range(1, 6):
            cell, group = cells.get((r, f), {"people": 0, "money": 0}), BOARD[(r, f)]
            label = str(names.label("rfm", group))
            rows.append([f"F{f}", f"R{r}", cell["people"], cell["money"] or 0, label])
            urls.append(address(r=r, f=f))
            colors.append(f"rfm-{group}")
            captions.append(label)
    total = sum(row[2] for row in rows)
    best = sum(row[2] for row in rows if row[4] == str(names.label("rfm", "champions")))
    sentence = _("%(people)s have bought; %(best)s of them are champions (%(share)s). Up is recent, right is often.") % {
        "people": people_words(total),
        "best": numbers.number(best),
        "share": numbers.percent(best / total if total else None),
    }
    return {
        "kind": "heat",
        "name": name,
        "title": _("RFM board"),
        "sentence": sentence,
        "columns": [
            {"label": _("Frequency")},
            {"label": _("Recency")},
            {"label": _("People"), "unit": "people"},
            {"label": _("Revenue"), "unit": "money"},
            {"label": _("Group")},
        ],
        "rows": rows if total else [],
        "xs": [f"F{f}" for f in range(1, 6)],
        "ys": [f"R{r}" for r in range(1, 6)],
        "urls": urls,
        "colors": colors,
        "captions": captions,
        "empty": {"title": _("Nobody has bought in the window"), "text": _("The board fills with the first orders.")},
    }


def risk(rows: Iterable[dict[str, Any]], address: Address, workspace: Workspace) -> Picture:
    """Value at risk by RFM group: whose money it is."""
    shown = [row for row in rows if row["money_minor"] > 0]
    sentence = ""
    if shown:
        sentence = _("%(money)s over 90 days; most of it with %(group)s, %(people)s.") % {
            "money": numbers.short_money(sum(row["money_minor"] for row in shown), workspace),
            "group": group_name(shown[0]["rfm_group"]),
            "people": people_words(shown[0]["people"]),
        }
    return {
        "kind": "bars",
        "name": "value-at-risk",
        "title": _("Value at risk"),
        "sentence": sentence,
        "columns": [{"label": _("Group")}, {"label": _("Value at risk"), "unit": "money"}, {"label": _("People"), "unit": "people"}],
        "rows": [[group_name(row["rfm_group"]), row["money_minor"], row["people"]] for row in shown],
        "urls": [address(activity="slipping", **({"rfm": row["rfm_group"]} if row["rfm_group"] else {}), sort="risk") for row in shown],
        "colors": [f"rfm-{row['rfm_group']}" if row["rfm_group"] else "control" for row in shown],
        "empty": {"title": _("No money at risk"), "text": _("Nobody who spent money is slipping.")},
    }


def group_name(key: str) -> str:
    return str(names.label("rfm", key)) if key else _("outside the window")


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
                sum(counts[key].people for key in keys if key in ("habit", "paying", "advocate")) / total if total else None
            ),
        },
        "columns": [{"label": _("Stage")}, {"label": _("People"), "unit": "people"}, {"label": _("Spend, 365 days"), "unit": "money"}],
        "rows": [[str(names.STAGES[key]), counts[key].people, counts[key].money_minor] for key in keys] if total else [],
        "urls": [address(stage=key) for key in keys],
        "colors": [f"stage-{key}" for key in keys],
        "empty": {"title": _("No stages yet"), "text": _("They appear with the first daily update.")},
    }


def stage_lines(days: list[str], series: dict[str, list[int | None]], first_day: str) -> Picture:
    """How many people more or fewer than on the first day, per stage and day."""
    keys = [key for key in names.STAGES if key in series]
    rows = [
        [day, *(None if series[key][at] is None or series[key][0] is None else series[key][at] - series[key][0] for key in keys)]
        for at, day in enumerate(days)
    ]
    gains = {key: rows[-1][at + 1] or 0 for at, key in enumerate(keys)} if rows else {}
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
        "columns": [{"label": _("Day")}, *({"label": str(names.STAGES[key]), "unit": "people", "color": f"stage-{key}"} for key in keys)],
        "rows": rows if len(rows) > 1 else [],
        "empty": {"title": _("One day is not a line"), "text": _("From the second daily update on, this shows how each stage grows and shrinks.")},
    }


def return_curve(rows: list[Any], suggested: int | None, five: int | None, current: int | None) -> Picture:
    """回访率: of those who stayed away N days, how many came back; with the suggested and the present limit."""
    marks = []
    if suggested:
        marks.append({"at": suggested, "label": _("10%% at %(days)s d") % {"days": suggested}})
    if five:
        marks.append({"at": five, "label": _("5%% at %(days)s d") % {"days": five}})
    if current and current != suggested:
        marks.append({"at": current, "label": _("now %(days)s d") % {"days": current}})
    if suggested:
        sentence = _("Of people away for %(days)s days, one in ten still comes back: a sensible limit for people without a rhythm of their own.") % {
            "days": suggested
        }
    else:
        sentence = _("Even after the longest absence seen so far, more than one in ten comes back: there is no natural limit yet.")
    return {
        "kind": "lines",
        "name": "return-rate",
        "title": _("Who still comes back"),
        "sentence": sentence if rows else "",
        "columns": [{"label": _("Days away")}, {"label": _("Return rate"), "unit": "percent"}, {"label": _("Absences"), "unit": "people"}],
        "series": 1,
        "rows": [[row.idle_days, row.returned / row.spells, row.spells] for row in rows],
        "floor": 0,
        "marks": marks,
        "empty": {"title": _("Not enough history yet"), "text": _("The curve needs absences that began more than 30 days ago.")},
    }
