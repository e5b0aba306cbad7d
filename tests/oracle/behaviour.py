"""What people did, as of a day: visits, active days, gaps, favourites, habit, recommendations.

Frames come from `rows`; results are arrays with one place per person, -1 (or None) where there is nothing to tell.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from .orders import in_window, per_person
from .rows import NEVER
from .rules import Rules

GAPS_KEPT = 30
VISIT_WINDOWS = {"7": 7, "30": 30, "90": 90, "all": None}
JOINING_DAYS = 30
CORE_DAYS_OF_A_REAL_INVITEE = 2


def visit_facts(days: pd.DataFrame, day: int, size: int) -> dict[str, np.ndarray]:
    """visits_N and active_days_N for 7, 30, 90, all; first and last seen; core days and the last of them."""
    active = days[days["visits"] > 0]
    core = in_window(days[days["core"]], day, None)
    facts = {}
    for name, length in VISIT_WINDOWS.items():
        window = in_window(active, day, length)
        facts[f"visits_{name}"] = per_person(window, size, "visits")
        facts[f"active_days_{name}"] = per_person(window, size)
    seen = in_window(active, day, None).groupby("person")["day"]
    facts["first_seen_on"] = _spread(seen.min(), size)
    facts["last_seen_on"] = _spread(seen.max(), size)
    facts["core_days"] = per_person(core, size)
    facts["last_core_on"] = _spread(core.groupby("person")["day"].max(), size)
    return facts


def _spread(series: pd.Series, size: int, empty: int = -1) -> np.ndarray:
    """A series indexed by person as an array over everybody."""
    values = np.full(size, empty, dtype=np.int64)
    values[series.index.to_numpy(dtype=np.int64)] = series.to_numpy(dtype=np.int64)
    return values


def gap_quantiles(days: pd.DataFrame, day: int, size: int) -> tuple[np.ndarray, np.ndarray]:
    """(2 × median, 10 × 90th percentile) of each person's last 30 gaps, type 7, as exact integers; -1 without a gap.

    With n sorted gaps x0 … x(n-1) a quantile q sits at position (n-1)q: the median is the mean of the two middle
    gaps, and ten times the 90th percentile is 10·x(lo) + r·(x(lo+1) - x(lo)) with 9(n-1) = 10·lo + r.
    """
    active = in_window(days[days["visits"] > 0], day, None)[["person", "day"]]
    active = active.assign(gap=active.groupby("person")["day"].diff()).dropna(subset="gap")
    recent = active[active.groupby("person").cumcount(ascending=False) < GAPS_KEPT]
    recent = recent.sort_values(["person", "gap"])
    gap = recent["gap"].to_numpy(dtype=np.int64)
    people, start, n = np.unique(recent["person"].to_numpy(), return_index=True, return_counts=True)
    twice_median, ten_p90 = np.full(size, -1, dtype=np.int64), np.full(size, -1, dtype=np.int64)
    if len(people):
        twice_median[people] = gap[start + (n - 1) // 2] + gap[start + n // 2]
        low, tenths = np.divmod(9 * (n - 1), 10)
        high = np.minimum(low + 1, n - 1)
        ten_p90[people] = 10 * gap[start + low] + tenths * (gap[start + high] - gap[start + low])
    return twice_median, ten_p90


def habit_days(days: pd.DataFrame, rules: Rules, day: int, size: int) -> np.ndarray:
    """Habit days within the window ending on the day: whole numbers per person."""
    return per_person(in_window(days[days["habit"]], day, rules.habit_window), size)


def habit_now(days: pd.DataFrame, rules: Rules, day: int, size: int) -> np.ndarray:
    """Who has the habit days within the window ending on the day: bool per person."""
    return habit_days(days, rules, day, size) >= rules.habit_days


def first_habit_days(days: pd.DataFrame, rules: Rules, size: int) -> np.ndarray:
    """The day on which each person first filled a habit window, NEVER for the others.

    A window is filled on its k-th habit day when the k-th and the first of them are less than its length apart.
    """
    habit = days[days["habit"]][["person", "day"]]
    kth = habit.groupby("person")["day"].shift(-(rules.habit_days - 1))
    filled = habit.assign(on=kth)[kth - habit["day"] < rules.habit_window]
    return _spread(filled.groupby("person")["on"].min(), size, NEVER)


def favourite(rows: pd.DataFrame, column: str, day: int, size: int) -> np.ndarray:
    """The most frequent value per person up to the day (None without any); ties: the latest, then the smallest."""
    known = rows[rows["day"] <= day]
    counted = known.groupby(["person", column])["at"].agg(["size", "max"]).reset_index()
    counted = counted.sort_values(["person", "size", "max", column], ascending=[True, False, False, True])
    best = counted.drop_duplicates("person")
    values = np.full(size, None, dtype=object)
    values[best["person"].to_numpy()] = best[column].to_numpy(dtype=object)
    return values


def latest_value(rows: pd.DataFrame, day: int, size: int) -> np.ndarray:
    """The `value` of each person's last row up to the day, None without one."""
    last = rows[rows["day"] <= day].sort_values("seq").drop_duplicates("person", keep="last")
    values = np.full(size, None, dtype=object)
    values[last["person"].to_numpy()] = last["value"].to_numpy(dtype=object)
    return values


def inviters_on(traits: pd.Series, referrals: pd.DataFrame, ids: pd.Index, day: int) -> np.ndarray:
    """Position of each person's inviter, -1 for none: the trait, else the first accepted referral up to the day."""
    named = traits.to_numpy(dtype=object).copy()
    first = referrals[referrals["day"] <= day].sort_values("seq").drop_duplicates("person")
    told = first["person"].to_numpy()
    untold = np.array([named[person] is None for person in told], dtype=bool)
    named[told[untold]] = first["inviter"].to_numpy(dtype=object)[untold]
    inviter = ids.get_indexer(pd.Index(named, dtype=object))
    return np.where(inviter == np.arange(len(inviter)), -1, inviter)


def recommendations(
    days: pd.DataFrame, inviter: np.ndarray, joined: np.ndarray, rules: Rules, day: int, size: int
) -> np.ndarray:
    """Recommendations per inviter in the window ending on the day, each dated by the invitee's second core day.

    `joined` is the day each invitee joined, -1 when unknown (such a person is nobody's recommendation).
    """
    core = in_window(days[days["core"]], day, None)
    person = core["person"].to_numpy()
    age = core["day"].to_numpy() - joined[person]
    early = core[(inviter[person] >= 0) & (joined[person] >= 0) & (age >= 0) & (age <= JOINING_DAYS)]
    proof = early[early.groupby("person").cumcount() == CORE_DAYS_OF_A_REAL_INVITEE - 1]
    recent = in_window(proof, day, rules.recommendation_days)
    return np.bincount(inviter[recent["person"].to_numpy()], minlength=size).astype(np.int64)
