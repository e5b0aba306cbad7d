"""RFM: population, scores, groups and value classes, all compared in whole numbers."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from .orders import Books, in_window, per_person
from .rules import Rules

# Rows are R scores 1-5, columns F scores 1-5.
GROUPS = np.array(
    [
        ["hibernating", "hibernating", "at_risk", "at_risk", "cant_lose"],
        ["hibernating", "hibernating", "at_risk", "at_risk", "cant_lose"],
        ["about_to_sleep", "about_to_sleep", "need_attention", "loyal", "loyal"],
        ["promising", "potential_loyalist", "potential_loyalist", "loyal", "loyal"],
        ["new", "potential_loyalist", "potential_loyalist", "champions", "champions"],
    ],
    dtype=object,
)


def cut_points_times_five(values: np.ndarray) -> np.ndarray:
    """Five times the 20/40/60/80 % type-7 quantiles of whole numbers: exact integers.

    The k-th sits at position (n-1)k/5 of the sorted values; with (n-1)k = 5·lo + r, five times it is
    5·x(lo) + r·(x(lo+1) - x(lo)).
    """
    ordered = np.sort(values.astype(np.int64))
    low, fifths = np.divmod((len(ordered) - 1) * np.arange(1, 5), 5)
    high = np.minimum(low + 1, len(ordered) - 1)
    return 5 * ordered[low] + fifths * (ordered[high] - ordered[low])


def cuts_below(values: np.ndarray) -> np.ndarray:
    """For each value, how many of the four cut points are strictly below it."""
    cuts = cut_points_times_five(values)
    return (cuts[None, :] < 5 * values.astype(np.int64)[:, None]).sum(axis=1)


def group_names(r_score: np.ndarray, f_score: np.ndarray, bought_before: np.ndarray) -> np.ndarray:
    """The group of each pair of scores; one-time newcomers who bought before the window are `returned`."""
    names = GROUPS[r_score - 1, f_score - 1]
    return np.where(np.isin(names, ["promising", "new"]) & bought_before, "returned", names)


def value_bits(axes: list[np.ndarray], days: list[bool]) -> list[str]:
    """R, F, M against their means as `111` … `000`: days ago high at or below the mean, numbers above theirs."""
    n = len(axes[0])
    high = [axis * n <= axis.sum() if ago else axis * n > axis.sum() for axis, ago in zip(axes, days, strict=True)]
    return ["".join("1" if axis[i] else "0" for axis in high) for i in range(n)]


def measures(
    books: Books, facts: Mapping[str, np.ndarray], habit_days: np.ndarray, rules: Rules, day: int, size: int
) -> list[np.ndarray]:
    """What is scored, per axis and person: days ago (-1 where the day is not known), else whole numbers."""
    orders = in_window(books.orders, day, rules.rfm_window)
    refunds = in_window(books.refunds, day, rules.rfm_window)
    windowed = {
        "window_orders": per_person(orders, size),
        "window_revenue_minor": per_person(orders, size, "amount") - per_person(refunds, size, "amount"),
        "habit_days": habit_days,
        "average_order_minor": np.where(facts["orders"] > 0, facts["average_order_minor"], 0),
    }
    found = []
    for name in rules.rfm_axes:
        values = np.asarray(windowed.get(name, facts.get(name)))
        found.append(np.where(values < 0, -1, day - values) if name.endswith("_on") else values.astype(np.int64))
    return found


def rfm_on(
    books: Books, facts: Mapping[str, np.ndarray], habit_days: np.ndarray, rules: Rules, day: int, size: int
) -> pd.DataFrame:
    """The RFM columns for the people whose F is at least one and whose days are known, indexed by position."""
    days = [name.endswith("_on") for name in rules.rfm_axes]
    every = measures(books, facts, habit_days, rules, day, size)
    scored = every[1] >= (0 if days[1] else 1)
    for axis, ago in zip(every, days, strict=True):
        scored &= (axis >= 0) if ago else True
    who = np.flatnonzero(scored)
    if not len(who):
        return pd.DataFrame()
    axes = [axis[who] for axis in every]
    r_score, f_score, m_score = (
        5 - cuts_below(axis) if ago else 1 + cuts_below(axis) for axis, ago in zip(axes, days, strict=True)
    )
    before = np.zeros(len(who), bool)
    if rules.rfm_window is not None and rules.rfm_axes[1] == "window_orders":
        before = facts["first_order_on"][who] <= day - rules.rfm_window
    return pd.DataFrame(
        {
            "r_days": axes[0],
            "f_orders": axes[1],
            "m_minor": axes[2],
            "r_score": r_score,
            "f_score": f_score,
            "m_score": m_score,
            "rfm_group": group_names(r_score, f_score, before),
            "rfm_bits": value_bits(axes, days),
        },
        index=who,
    )
