"""Two arms compared: against published figures, by hand, and by what must always hold. No database."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaigns.experiments import (
    Arm,
    compare,
    interval,
    more_needed,
    newcombe_interval,
    normal_interval,
    sample_ratio_p,
    variance,
)

# R. G. Newcombe, Statistics in Medicine 17 (1998), table II, method 10: (a, m, b, n) and the interval of a/m - b/n.
NEWCOMBE = [
    ((56, 70, 48, 80), (0.0524, 0.3339)),
    ((9, 10, 3, 10), (0.1705, 0.8090)),
    ((6, 7, 2, 7), (0.0582, 0.8062)),
    ((5, 56, 0, 29), (-0.0381, 0.1926)),
    ((0, 10, 0, 20), (-0.1611, 0.2775)),
    ((0, 10, 0, 10), (-0.2775, 0.2775)),
    ((10, 10, 0, 20), (0.6791, 1.0000)),
    ((10, 10, 0, 10), (0.6075, 1.0000)),
]


@pytest.mark.parametrize(("counts", "expected"), NEWCOMBE)
def test_small_cells_give_newcombes_published_intervals(
    counts: tuple[int, int, int, int], expected: tuple[float, float]
) -> None:
    a, m, b, n = counts
    assert newcombe_interval(Arm(m, a), Arm(n, b)) == pytest.approx(expected, abs=0.00006)


def test_the_normal_interval_starts_at_ten_in_every_cell() -> None:
    assert interval(Arm(100, 10), Arm(100, 90)) == normal_interval(Arm(100, 10), Arm(100, 90))
    for treated, control in ((Arm(100, 9), Arm(100, 50)), (Arm(100, 50), Arm(100, 91))):
        assert interval(treated, control) == newcombe_interval(treated, control)


def test_cookie_cats_day_seven() -> None:
    """The public A/B test of the game Cookie Cats: gate at level 40 against level 30, retention on day 7."""
    lift = compare(Arm(45_489, 8_279), Arm(44_700, 8_502))
    assert lift is not None
    assert lift.z == pytest.approx(-3.1644, abs=0.00005)
    assert lift.p == pytest.approx(0.001554, abs=0.000001)
    assert lift.difference == pytest.approx(-0.008201, abs=0.000001)
    assert (lift.low, lift.high) == pytest.approx((-0.013282, -0.003121), abs=0.000001)
    assert lift.decided and lift.more_needed is None
    assert lift.conversions == pytest.approx(-0.0082014 * 45_489, rel=1e-4)


def test_cookie_cats_was_not_split_evenly() -> None:
    assert sample_ratio_p(45_489, 44_700, 0.5) == pytest.approx(0.008608, abs=0.0000005)


def test_the_ratio_check_knows_the_ratio_that_was_asked_for() -> None:
    assert sample_ratio_p(900, 100, 0.1) == 1.0
    assert sample_ratio_p(900, 100, 0.2) == pytest.approx(math.erfc(math.sqrt(62.5 / 2)))
    assert sample_ratio_p(0, 0, 0.1) is None and sample_ratio_p(100, 0, 0.0) is None


def arm(*paid: int) -> Arm:
    return Arm(len(paid), sum(map(bool, paid)), sum(paid), sum(minor * minor for minor in paid))


def test_revenue_per_head_by_hand() -> None:
    """Means 200 and 100, both sample variances 10,000: 3 + 3 - 2 = 4 degrees of freedom, of which tables say 2.776445."""
    treated, control = arm(100, 200, 300), arm(0, 100, 200)
    assert variance(treated) == variance(control) == 10_000
    lift = compare(treated, control)
    assert lift is not None
    half = 2.776445 * math.sqrt(10_000 / 3 + 10_000 / 3)
    assert (lift.per_head, lift.per_head_low, lift.per_head_high) == pytest.approx((100, 100 - half, 100 + half))
    assert lift.revenue == pytest.approx(300) and not lift.money_decided


def test_money_has_welchs_published_interval() -> None:
    """Student's hours of sleep (1908), ten times each: R prints for t.test(extra ~ group, data = sleep) t = -1.8608,
    df = 17.776 and the interval -3.3654832 to 0.2054832."""
    lift = compare(arm(7, -16, -2, -12, -1, 34, 37, 8, 0, 20), arm(19, 8, 11, 1, -1, 44, 55, 16, 46, 34))
    assert lift is not None and lift.per_head == pytest.approx(-15.8)
    assert (lift.per_head_low, lift.per_head_high) == pytest.approx((-33.654832, 2.054832), abs=0.000001)


def test_one_person_says_nothing_of_how_much_people_differ() -> None:
    for treated, control in ((arm(100), arm(0, 0, 0)), (arm(100, 100, 100), arm(0))):
        lift = compare(treated, control)
        assert lift is not None and lift.per_head == 100
        assert (lift.per_head_low, lift.per_head_high, lift.money_decided) == (None, None, False)
    alike, nothing = compare(arm(100, 100), arm(0, 0)), compare(arm(0, 0), arm(0, 0))
    assert alike is not None and (alike.per_head, alike.per_head_low, alike.money_decided) == (100, None, False)
    assert nothing is not None and (nothing.per_head_low, nothing.per_head_high) == (0, 0)


def test_of_large_amounts_the_spread_is_not_lost() -> None:
    assert variance(arm(10**15, 10**15 + 2)) == 2


def test_more_data_is_asked_for_until_it_is_decided() -> None:
    """10 % against 8 % in halves needs 3,213 people in each arm (80 % power, 5 %): a textbook's example."""
    assert more_needed(Arm(500, 50), Arm(500, 40)) == 2 * 3_213 - 1_000
    lift = compare(Arm(500, 50), Arm(500, 40))
    assert lift is not None and not lift.decided and lift.more_needed == 5_426
    uneven = more_needed(Arm(900, 90), Arm(100, 8))
    assert uneven is not None and uneven > 5_426, "a small control group needs more people in all"
    assert more_needed(Arm(100, 10), Arm(100, 10)) is None


def test_without_one_arm_there_is_nothing_to_compare() -> None:
    assert compare(Arm(10, 3), Arm(0, 0)) is None and compare(Arm(0, 0), Arm(10, 3)) is None


def test_when_nobody_converted_there_is_no_test_but_an_interval() -> None:
    lift = compare(Arm(10, 0), Arm(20, 0))
    assert lift is not None and lift.z is None and lift.p is None and lift.low < 0 < lift.high


arms = st.integers(1, 10**6).flatmap(lambda people: st.tuples(st.just(people), st.integers(0, people)))


@given(arms, arms)
def test_the_interval_holds_the_difference_and_stays_within_reason(
    first: tuple[int, int], second: tuple[int, int]
) -> None:
    treated, control = Arm(*first), Arm(*second)
    lift = compare(treated, control)
    assert lift is not None
    assert -1 - 1e-9 <= lift.low <= lift.difference + 1e-12
    assert lift.difference - 1e-12 <= lift.high <= 1 + 1e-9
    mirrored = compare(control, treated)
    assert mirrored is not None
    assert (mirrored.low, mirrored.high) == pytest.approx((-lift.high, -lift.low))
    assert lift.more_needed is None or lift.more_needed >= 1
