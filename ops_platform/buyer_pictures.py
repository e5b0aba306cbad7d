"""Pictures of buyers: the RFM board, whose money is at risk, who still comes back. Pure: rows in, a dict out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from django.utils.translation import gettext as _

from ops_platform import names, numbers
from ops_platform.pictures import Address, Picture, people_words
from segmentation.rfm import BOARD
from segmentation.rfm_axes import Axes
from workspaces.models import Workspace


def board(
    cells: Mapping[tuple[int, int], Mapping[str, int]], address: Address, axes: Axes, best: str, name: str = "rfm-board"
) -> Picture:
    """The board: R against F, one cell per pair of scores, coloured by its group. `best`: the target group or class."""
    rows: list[list[Any]] = []
    urls, colors, captions = [], [], []
    for r in range(5, 0, -1):
        for f in range(1, 6):
            cell, group = cells.get((r, f), {"people": 0, "money_minor": 0}), BOARD[(r, f)]
            label = str(names.label("rfm", group))
            rows.append([f"F{f}", f"R{r}", cell["people"], cell["money_minor"], label])
            urls.append(address(r=r, f=f))
            colors.append(f"rfm-{group}")
            captions.append(label)
    total = sum(row[2] for row in rows)
    target = best if best in names.GROUPS else "champions"
    inside = sum(row[2] for row, color in zip(rows, colors, strict=True) if color == f"rfm-{target}")
    sentence = _("%(people)s are scored; %(inside)s of them are %(target)s (%(share)s). Up: %(r)s, right: %(f)s.") % {
        "people": people_words(total),
        "inside": numbers.number(inside),
        "target": names.label("rfm", target),
        "share": numbers.percent(inside / total if total else None),
        "r": axes[0].fact.label,
        "f": axes[1].fact.label,
    }
    return {
        "kind": "heat",
        "name": name,
        "title": _("RFM board"),
        "sentence": sentence if total else "",
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
        "empty": {
            "title": _("Nobody is scored"),
            "text": _("The board fills with the first people of whom “%(f)s” is at least one.")
            % {"f": axes[1].fact.label},
        },
    }


def past_board(counts: dict[str, Any], address: Address, axes: Axes, best: str) -> Picture:
    """The board of a past day. Scores are not kept per person, so a cell opens everybody who was in its group that day."""
    cells = {
        (int(key[0]), int(key[1])): {"people": row.people, "money_minor": row.money_minor}
        for key, row in counts.items()
    }
    picture = board(cells, lambda r, f: address(rfm=BOARD[(r, f)]), axes, best)
    picture["sentence"] += " " + _("Of a past day, a cell opens everybody of its group.") if cells else ""
    return picture


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
        "columns": [
            {"label": _("Group")},
            {"label": _("Value at risk"), "unit": "money"},
            {"label": _("People"), "unit": "people"},
        ],
        "rows": [[group_name(row["rfm_group"]), row["money_minor"], row["people"]] for row in shown],
        "urls": [
            address(activity="slipping", **({"rfm": row["rfm_group"]} if row["rfm_group"] else {}), sort="risk")
            for row in shown
        ],
        "colors": [f"rfm-{row['rfm_group']}" if row["rfm_group"] else "control" for row in shown],
        "empty": {"title": _("No money at risk"), "text": _("Nobody who spent money is slipping.")},
    }


def group_name(key: str) -> str:
    return str(names.label("rfm", key)) if key else _("outside the window")


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
        sentence = _(
            "Of people away for %(days)s days, one in ten still comes back:"
            " a sensible limit for people without a rhythm of their own."
        ) % {"days": suggested}
    else:
        sentence = _(
            "Even after the longest absence seen so far, more than one in ten comes back: there is no natural limit yet."
        )
    return {
        "kind": "lines",
        "name": "return-rate",
        "title": _("Who still comes back"),
        "sentence": sentence if rows else "",
        "columns": [
            {"label": _("Days away")},
            {"label": _("Return rate"), "unit": "percent"},
            {"label": _("Absences"), "unit": "people"},
        ],
        "series": 1,
        "rows": [[row.idle_days, row.returned / row.spells, row.spells] for row in rows],
        "floor": 0,
        "marks": marks,
        "empty": {
            "title": _("Not enough history yet"),
            "text": _("The curve needs absences that began more than 30 days ago."),
        },
    }
