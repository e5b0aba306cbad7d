"""Pictures of value: who is expected to spend how much, whether the model was right, and what sources cost and bring back.

Pure: rows in, a dict out (shape: static/charts.js).
"""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _

from lifecycle.sources import LTV_DAYS, Figures
from lifecycle.value import CLASSES
from ops_platform import numbers
from ops_platform.pictures import Address, Picture, people_words
from workspaces.models import Workspace

# The mean of fewer people jumps about.
ENOUGH = 30


def distribution(rows: list[dict[str, Any]], address: Address, workspace: Workspace) -> Picture:
    """People by expected spend; rows: {least, below, people, minor} in minor units."""
    people, money = sum(row["people"] for row in rows), sum(row["minor"] for row in rows)
    top, above = _top_half(rows)
    sentence = _("Half of the money to come is expected of %(people)s: those of whom at least %(least)s is.") % {
        "people": people_words(top),
        "least": numbers.short_money(above, workspace),
    }
    return {
        "kind": "bars",
        "name": "expected-value",
        "title": _("Who makes the next 12 months"),
        "sentence": sentence if people and money else "",
        "columns": [
            {"label": _("Expected spend")},
            {"label": _("People"), "unit": "people"},
            {"label": _("Together"), "unit": "money"},
        ],
        "rows": [[_band(row, workspace), row["people"], row["minor"]] for row in rows] if people else [],
        "urls": [
            address(
                **{f"value_{end}": row[key] for end, key in (("from", "least"), ("to", "below")) if row[key]},
                sort="value",
            )
            for row in rows
        ],
        "empty": {"title": _("Nothing is expected of anybody"), "text": _("Predictions come with enough buyers.")},
    }


def _top_half(rows: list[dict[str, Any]]) -> tuple[int, int]:
    """(people, their least) in the fewest bands from above that make half of the money."""
    money, people, half = 0, 0, sum(row["minor"] for row in rows) / 2
    for row in reversed(rows):
        money, people = money + row["minor"], people + row["people"]
        if money >= half:
            return people, row["least"] or 0
    return people, 0


def _band(row: dict[str, Any], workspace: Workspace) -> str:
    # The ends are round amounts: ¥5, not ¥5.00.
    low, high = (numbers.short_money(row[key], workspace).removesuffix(".00") for key in ("least", "below"))
    if row["least"] is None:
        return _("below %(high)s") % {"high": high}
    return _("%(low)s and more") % {"low": low} if row["below"] is None else f"{low}–{high}"


def alive(rows: list[dict[str, Any]], address: Address) -> Picture:
    """Repeat buyers by their chance to buy again; rows: {least, below, people, minor}, per cent."""
    people, likely = sum(row["people"] for row in rows), sum(row["people"] for row in rows if row["least"] >= 60)
    sentence = _("%(likely)s of %(people)s repeat buyers are at least 60%% likely to buy again.") % {
        "likely": numbers.number(likely),
        "people": numbers.number(people),
    }
    return {
        "kind": "bars",
        "name": "alive",
        "title": _("Who will buy again"),
        "sentence": sentence if rows else "",
        "columns": [
            {"label": _("Chance to buy again")},
            {"label": _("People"), "unit": "people"},
            {"label": _("Expected spend, 12 months"), "unit": "money"},
        ],
        "rows": [[f"{row['least']}–{row['below']}%", row["people"], row["minor"]] for row in rows],
        "urls": [address(alive_from=row["least"], alive_to=row["below"], sort="value") for row in rows],
        "empty": {"title": _("Nobody has bought twice yet"), "text": _("Of one order it cannot be told.")},
    }


def back_test(classes: list[dict[str, Any]], days: int, until: str, address: Address) -> Picture:
    """Predicted and actual orders per class of past repeats, as means of one person."""
    predicted, actual = (sum(row[key] for row in classes) for key in ("predicted", "actual"))
    sentence = _(
        "Fitted on the days up to %(until)s, the model expected %(predicted)s orders in the %(days)s days after;"
        " there were %(actual)s (%(off)s). Below by how often people had come back to buy before."
    ) % {
        "until": until,
        "days": days,
        "predicted": numbers.number(predicted),
        "actual": numbers.number(actual),
        "off": off_by(predicted, actual),
    }
    rows = [
        [
            f"{row['repeats']}+" if row["repeats"] == CLASSES else str(row["repeats"]),
            round(row["predicted"] / row["people"], 3),
            round(row["actual"] / row["people"], 3),
            row["people"],
            row["predicted_minor"],
            row["actual_minor"],
        ]
        for row in classes
    ]
    urls = [address(tested=row["repeats"], sort="value") for row in classes]
    return {
        "kind": "columns",
        "name": "back-test",
        "title": _("Was it right?"),
        "sentence": sentence,
        "stacked": False,
        "series": 2,
        "columns": [
            {"label": _("Repeat orders before")},
            {"label": _("Predicted, each"), "unit": "mean", "color": "control"},
            {"label": _("Actual, each"), "unit": "mean", "color": "stage-habit"},
            {"label": _("People"), "unit": "people"},
            {"label": _("Predicted together"), "unit": "money"},
            {"label": _("Actual together"), "unit": "money"},
        ],
        "rows": rows,
        "urls": urls,
    }


def off_by(predicted: float, actual: float) -> str:
    """−12.1%: how far the prediction lay from what happened."""
    if not actual:
        return numbers.UNKNOWN
    gap = predicted / actual - 1
    return ("+" if gap > 0 else "") + numbers.percent(gap)


def life_value(sources: list[Figures], workspace: Workspace) -> Picture:
    """LTV by day since registration, of the largest sources, as long as there are enough people who are that old."""
    points = [
        [day, *(source.ltv(day) if source.aged[day - 1] >= ENOUGH else None for source in sources)]
        for day in sorted((1, 3, *LTV_DAYS, 14, 60, 120, 270, 365))
        if any(source.aged[day - 1] >= ENOUGH for source in sources)
    ]
    best = max(sources, key=lambda source: source.ltv(90) or 0, default=None)
    sentence = ""
    if best and best.ltv(90):
        sentence = _("After 90 days %(source)s has brought most: %(money)s per person.")
        if len(sources) == 1:
            sentence = _("After 90 days a person of %(source)s has brought %(money)s.")
        sentence %= {
            "source": best.source or _("an unknown source"),
            "money": numbers.short_money(best.ltv(90), workspace),
        }
    palette = ("stage-use", "stage-paying", "stage-advocate", "stage-habit", "stage-churned", "stage-contact")
    return {
        "kind": "lines",
        "name": "ltv",
        "title": _("What one person brings"),
        "sentence": sentence,
        "floor": 0,
        "columns": [
            {"label": _("Day")},
            *(
                {"label": source.source or numbers.UNKNOWN, "unit": "money", "color": colour}
                for source, colour in zip(sources, palette, strict=False)
            ),
        ],
        "rows": points if len(points) > 1 else [],
        "empty": {
            "title": _("Nobody has a day of registration"),
            "text": _(
                "Sources are compared by people who registered: send the event Account Registered,"
                " or the attribute registered_at."
            ),
        },
    }
