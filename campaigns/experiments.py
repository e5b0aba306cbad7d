"""What a campaign changed: two arms compared, with honest intervals. Numbers in, numbers out; no database.

Sources: unpooled normal interval and pooled z as in any textbook; R. G. Newcombe, "Interval estimation for the
difference between independent proportions", Statistics in Medicine 17 (1998) 873-890, method 10, for small cells;
B. L. Welch, "The generalization of 'Student's' problem when several different population variances are involved",
Biometrika 34 (1947) 28-35, for money per head.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

Z95 = 1.959963984540054
Z80 = 0.8416212335729143
LEAST_CELL = 10


@dataclass(frozen=True)
class Arm:
    """One side of the comparison. Money in minor units; `revenue_squares` is the sum over people of revenue²."""

    people: int
    converted: int
    revenue: int = 0
    revenue_squares: int = 0

    @property
    def rate(self) -> float | None:
        return self.converted / self.people if self.people else None


@dataclass(frozen=True)
class Lift:
    """Treated minus control. Rates are shares (0–1); money per head and in all is in minor units. Its interval is None
    where an arm has one person only: nothing says how much people differ."""

    difference: float
    low: float
    high: float
    z: float | None
    p: float | None
    conversions: float
    per_head: float
    per_head_low: float | None
    per_head_high: float | None
    revenue: float
    more_needed: int | None

    @property
    def points(self) -> float:
        """Size of the difference in percentage points, without its sign."""
        return abs(self.difference) * 100

    @property
    def lost(self) -> float:
        """Conversions that it cost, where it did harm."""
        return -self.conversions

    @property
    def revenue_lost(self) -> float:
        return -self.revenue

    @property
    def money_decided(self) -> bool:
        """Whether the interval of money per head leaves out zero, on the side of the conversions."""
        if self.per_head_low is None or self.per_head_high is None:
            return False
        return self.per_head_low > 0 if self.difference > 0 else self.per_head_high < 0

    @property
    def decided(self) -> bool:
        """Whether the 95 % interval leaves zero out."""
        return self.low > 0 or self.high < 0


def compare(treated: Arm, control: Arm) -> Lift | None:
    """The lift, or None while an arm is empty. `more_needed`: about how many more people, in the same split, would
    decide it if the difference is what it looks like; None when it is decided, or when there is no difference at all."""
    if not treated.people or not control.people:
        return None
    p1, p2 = treated.converted / treated.people, control.converted / control.people
    difference = p1 - p2
    low, high = interval(treated, control)
    pooled = (treated.converted + control.converted) / (treated.people + control.people)
    spread = math.sqrt(pooled * (1 - pooled) * (1 / treated.people + 1 / control.people))
    z = difference / spread if spread else None
    per_head = treated.revenue / treated.people - control.revenue / control.people
    half = welch_half(treated, control)
    return Lift(
        difference=difference,
        low=low,
        high=high,
        z=z,
        p=math.erfc(abs(z) / math.sqrt(2)) if z is not None else None,
        conversions=difference * treated.people,
        per_head=per_head,
        per_head_low=None if half is None else per_head - half,
        per_head_high=None if half is None else per_head + half,
        revenue=per_head * treated.people,
        more_needed=None if low > 0 or high < 0 else more_needed(treated, control),
    )


def interval(treated: Arm, control: Arm) -> tuple[float, float]:
    """95 % interval of the difference of rates: unpooled normal when every cell holds at least 10, else Newcombe."""
    cells = [arm.converted for arm in (treated, control)] + [arm.people - arm.converted for arm in (treated, control)]
    return normal_interval(treated, control) if min(cells) >= LEAST_CELL else newcombe_interval(treated, control)


def normal_interval(treated: Arm, control: Arm) -> tuple[float, float]:
    p1, p2 = treated.converted / treated.people, control.converted / control.people
    half = Z95 * math.sqrt(p1 * (1 - p1) / treated.people + p2 * (1 - p2) / control.people)
    return p1 - p2 - half, p1 - p2 + half


def newcombe_interval(treated: Arm, control: Arm) -> tuple[float, float]:
    p1, p2 = treated.converted / treated.people, control.converted / control.people
    low1, high1 = wilson(treated)
    low2, high2 = wilson(control)
    return (
        p1 - p2 - math.hypot(p1 - low1, high2 - p2),
        p1 - p2 + math.hypot(high1 - p1, p2 - low2),
    )


def wilson(arm: Arm) -> tuple[float, float]:
    """Wilson's score interval of one rate."""
    n, p = arm.people, arm.converted / arm.people
    centre = (p + Z95**2 / (2 * n)) / (1 + Z95**2 / n)
    half = Z95 / (1 + Z95**2 / n) * math.sqrt(p * (1 - p) / n + Z95**2 / (4 * n * n))
    return max(0.0, centre - half), min(1.0, centre + half)


def welch_half(treated: Arm, control: Arm) -> float | None:
    """Half of Welch's 95 % interval of the difference of revenue per head, with the degrees of freedom of Welch and
    Satterthwaite; None when an arm has fewer than two people, or nobody in it differs while the arms do."""
    if min(treated.people, control.people) < 2:
        return None
    of_mean1, of_mean2 = variance(treated) / treated.people, variance(control) / control.people
    if not of_mean1 + of_mean2:
        return None if treated.revenue * control.people != control.revenue * treated.people else 0.0
    from scipy.special import stdtrit  # 30 MB, which the web pays once somebody looks at money

    freedom = (of_mean1 + of_mean2) ** 2 / (of_mean1**2 / (treated.people - 1) + of_mean2**2 / (control.people - 1))
    return float(stdtrit(freedom, 0.975)) * math.sqrt(of_mean1 + of_mean2)


def variance(arm: Arm) -> float:
    """Sample variance of revenue per head, of two people or more; in whole numbers up to the division, since of large
    amounts the difference would be lost."""
    n = arm.people
    return (n * arm.revenue_squares - arm.revenue**2) / (n * (n - 1))


def more_needed(treated: Arm, control: Arm) -> int | None:
    """People still missing, in both arms together, to tell the two rates apart with 80 % power at 5 %."""
    p1, p2 = treated.converted / treated.people, control.converted / control.people
    if p1 == p2:
        return None
    ratio = control.people / treated.people
    pooled = (p1 + ratio * p2) / (1 + ratio)
    root = Z95 * math.sqrt(pooled * (1 - pooled) * (1 + 1 / ratio)) + Z80 * math.sqrt(
        p1 * (1 - p1) + p2 * (1 - p2) / ratio
    )
    needed = (root / (p1 - p2)) ** 2 * (1 + ratio)
    return max(1, math.ceil(needed) - treated.people - control.people)


def sample_ratio_p(treated: int, control: int, control_share: float) -> float | None:
    """p of the χ² test (1 degree of freedom) that the arms were drawn in the asked-for ratio; warn below 0.01."""
    total = treated + control
    if not total or not 0 < control_share < 1:
        return None
    expected = total * control_share
    chi2 = (control - expected) ** 2 / expected + (treated - (total - expected)) ** 2 / (total - expected)
    return math.erfc(math.sqrt(chi2 / 2))
