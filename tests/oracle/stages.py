"""The activity flag and the lifecycle stage, from facts of one day.

Limits are kept as whole twentieths of a day: 3 × median is a half, 1.5 × the 90th percentile a twentieth, so nothing
is rounded and a tie is a tie.
"""

from __future__ import annotations

import numpy as np

from .rules import Rules

PARTS_A_DAY = 20
ACTIVE_DAYS_FOR_OWN_LIMIT = 4


def limits_in_twentieths(
    twice_median: np.ndarray, ten_p90: np.ndarray, active_days: np.ndarray, rules: Rules
) -> np.ndarray:
    """Each person's limit × 20 by the workspace's rule, from 2 × median and 10 × 90th percentile of the gaps."""
    default = np.full(len(active_days), PARTS_A_DAY * rules.limit_default, dtype=np.int64)
    if rules.churn_rule == "fixed":
        return default
    # 20 · 3 · median = 30 · (2 · median); 20 · 1.5 · p90 = 3 · (10 · p90)
    own = np.maximum(30 * twice_median, 3 * ten_p90)
    own = np.clip(own, PARTS_A_DAY * rules.limit_min, PARTS_A_DAY * rules.limit_max)
    return np.where(active_days >= ACTIVE_DAYS_FOR_OWN_LIMIT, own, default)


def activity_flags(
    idle: np.ndarray, limit20: np.ndarray, seen: np.ndarray, broke: np.ndarray, rules: Rules
) -> np.ndarray:
    """active, slipping or dormant per person; `seen`: ever visited, `broke`: balance at or below the floor."""
    can_sleep = seen & broke if rules.churn_rule == "with_balance" else seen
    dormant = can_sleep & (PARTS_A_DAY * idle >= limit20)
    share = rules.slipping_share
    slipping = PARTS_A_DAY * idle * share.denominator >= limit20 * share.numerator
    return np.select([dormant, slipping], ["dormant", "slipping"], "active").astype(object)


def lifecycle_stages(
    *,
    dormant: np.ndarray,
    ever_habit: np.ndarray,
    paying: np.ndarray,
    recommends: np.ndarray,
    subsidised: np.ndarray,
    habit: np.ndarray,
    used: np.ndarray,
) -> np.ndarray:
    """One stage per person, first match from the top. `paying` is all False where the pay stage is off.

    An advocate is habit or paying by definition, so "ever habit or paying" already holds everyone who can churn.
    """
    attached = ever_habit | paying
    advocate = attached & recommends & ~subsidised
    ladder = [dormant & attached, advocate, paying, habit, used]
    return np.select(ladder, ["churned", "advocate", "paying", "habit", "use"], "contact").astype(object)
