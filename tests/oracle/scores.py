"""RFM: population, scores, groups and value classes, all compared in whole numbers."""

from __future__ import annotations

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


def value_bits(r: np.ndarray, f: np.ndarray, m: np.ndarray) -> list[str]:
    """R, F, M against their means as `111` … `000`: R high at or below its mean, F and M high above theirs."""
    n = len(r)
    high = [r * n <= r.sum(), f * n > f.sum(), m * n > m.sum()]
    return ["".join("1" if axis[i] else "0" for axis in high) for i in range(n)]


def rfm_on(books: Books, first_order: np.ndarray, rules: Rules, day: int, size: int) -> pd.DataFrame:
    """The RFM columns for the people with an order in the window ending on the day, indexed by position."""
    orders = in_window(books.orders, day, rules.rfm_window)
    refunds = in_window(books.refunds, day, rules.rfm_window)
    frequency = per_person(orders, size)
    who = np.flatnonzero(frequency)
    if not len(who):
        return pd.DataFrame()
    money = per_person(orders, size, "amount") - per_person(refunds, size, "amount")
    last = orders.groupby("person")["day"].max()
    r, f, m = day - last.loc[who].to_numpy(dtype=np.int64), frequency[who], money[who]
    r_score, f_score, m_score = 5 - cuts_below(r), 1 + cuts_below(f), 1 + cuts_below(m)
    before = np.zeros(len(who), bool) if rules.rfm_window is None else first_order[who] <= day - rules.rfm_window
    return pd.DataFrame(
        {
            "r_days": r,
            "f_orders": f,
            "m_minor": m,
            "r_score": r_score,
            "f_score": f_score,
            "m_score": m_score,
            "rfm_group": group_names(r_score, f_score, before),
            "rfm_bits": value_bits(r, f, m),
        },
        index=who,
    )
