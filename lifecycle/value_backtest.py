"""The back-test: models fitted on the past, held against what came after. Pure: arrays in, numbers out."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from lifecycle.buying import VARIANTS, Array, Buying, Histories, NoFit, Spending, fit_buying, fit_spending


@dataclass(frozen=True)
class Past:
    """Buyers as of the cut, one row per history, and what they did after it. Money in minor units."""

    histories: Histories
    repeat_spend: Array  # what the repeat orders of all people of the row came to
    later_orders: Array
    later_spend: Array


@dataclass(frozen=True)
class Spends:
    """Repeat buyers by how many repeat order days and what these came to."""

    repeats: Array
    spend: Array
    people: Array


def back_test(past: Past, spends: Spends, weeks: float, most: int) -> dict[str, Any]:
    """Fit on the past, predict the `weeks` after it, and say which variant came nearer.

    Returns winner, spending (parameters), variants (key → parameters, predicted, error; None where it has no fit) and
    classes: per number of past repeats, `most` and more being one, the people and their predicted and actual orders and
    money. Error: the sum over the classes of |predicted − actual| orders, divided by all actual ones. Raises NoFit when no
    variant fits, or no spend.
    """
    classes = np.minimum(past.histories.repeats, most).astype(int)
    actual = np.bincount(classes, past.later_orders, most + 1)
    variants: dict[str, dict[str, Any] | None] = {}
    predictions: dict[str, Array] = {}
    for variant in VARIANTS:
        try:
            model = fit_buying(past.histories, variant)
            predictions[variant] = model.orders(past.histories, weeks)
        except NoFit:
            variants[variant] = None
            continue
        predicted = np.bincount(classes, predictions[variant] * past.histories.people, most + 1)
        variants[variant] = told(model) | {
            "predicted": round(float(predicted.sum()), 2),
            "error": round(float(np.abs(predicted - actual).sum() / max(actual.sum(), 1)), 4),
        }
    if not predictions:
        raise NoFit("orders", "neither variant fits the past")
    winner = min(predictions, key=lambda variant: variants[variant]["error"])  # type: ignore[index]
    spending = fit_spending(spends.repeats, spends.spend, spends.people)
    return {
        "winner": winner,
        "variants": variants,
        "spending": told(spending),
        "classes": _classes(past, classes, predictions[winner], spending),
    }


def told(model: Buying | Spending) -> dict[str, Any]:
    """The numbers of a model, as they are stored."""
    return {name: round(value, 6) for name, value in asdict(model).items() if name != "variant"}


def correlate(spends: Spends) -> float | None:
    """How far frequency and mean spend go together, −1 to 1; None where one of them never differs."""
    people, repeats, mean = spends.people, spends.repeats, spends.spend / spends.repeats
    away = repeats - np.average(repeats, weights=people), mean - np.average(mean, weights=people)
    spread = np.sqrt((people @ away[0] ** 2) * (people @ away[1] ** 2))
    return round(float(people @ (away[0] * away[1]) / spread), 4) if spread > 0 else None


def _classes(past: Past, classes: Array, each: Array, spending: Spending) -> list[dict[str, Any]]:
    people = past.histories.people
    money = each * spending.average(past.histories.repeats, past.repeat_spend, people)

    def by_class(values: Array) -> Array:
        return np.bincount(classes, values)

    sums = zip(
        by_class(people),
        by_class(each * people),
        by_class(past.later_orders),
        by_class(money),
        by_class(past.later_spend),
        strict=True,
    )
    return [
        {
            "repeats": repeats,
            "people": round(count),
            "predicted": round(float(predicted), 2),
            "actual": round(actual),
            "predicted_minor": round(predicted_minor),
            "actual_minor": round(actual_minor),
        }
        for repeats, (count, predicted, actual, predicted_minor, actual_minor) in enumerate(sums)
        if count
    ]
