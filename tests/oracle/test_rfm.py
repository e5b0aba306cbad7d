"""RFM on small populations: quantiles, ties, groups, bits, windows, each expected value worked by hand."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest

from .scores import GROUPS, cut_points_times_five, cuts_below
from .world import World

TODAY = "2026-08-31"


def days_ago(days: int) -> str:
    return str(date.fromisoformat(TODAY) - timedelta(days=days))


def test_cut_points_are_type_7_quantiles():
    # Six values: 20 % sits at position 5 · 0.2 = 1, the others at 2, 3, 4: cut points are values themselves.
    assert cut_points_times_five(np.array([6, 1, 5, 2, 4, 3])).tolist() == [10, 15, 20, 25]
    # Four values 0 10 20 40, positions 0.6 1.2 1.8 2.4: 6, 12, 18, 28.
    assert cut_points_times_five(np.array([40, 0, 20, 10])).tolist() == [30, 60, 90, 140]
    assert cut_points_times_five(np.array([7])).tolist() == [35, 35, 35, 35]


def test_cut_points_agree_with_numpy():
    values = np.random.default_rng(3).integers(-50, 500, size=237)
    assert cut_points_times_five(values) / 5 == pytest.approx(np.quantile(values, [0.2, 0.4, 0.6, 0.8]))


def test_a_value_equal_to_a_cut_point_is_not_above_it_and_ties_share_a_score():
    assert cuts_below(np.array([1, 2, 3, 4, 5, 6])).tolist() == [0, 0, 1, 2, 3, 4]  # cuts 2 3 4 5
    # 1 1 1 1 5: positions 0.8 1.6 2.4 3.2 give cuts 1, 1, 1, 1 + 0.2 · 4 = 1.8.
    assert cuts_below(np.array([1, 1, 1, 1, 5])).tolist() == [0, 0, 0, 0, 4]


def test_scores_of_six_buyers():
    world = World()
    for i, (ago, orders, yuan) in enumerate([(0, 6, 10), (1, 1, 20), (2, 1, 30), (3, 1, 40), (4, 1, 50), (5, 1, 60)]):
        for _ in range(orders):
            world.order(f"p{i}", days_ago(ago), yuan)
    result = world.on(TODAY)
    # R 0…5: cuts 1 2 3 4; five minus the cuts strictly below.
    assert result.r_score.tolist() == [5, 5, 4, 3, 2, 1]
    # F 6 1 1 1 1 1: all cuts 1.
    assert result.f_score.tolist() == [5, 1, 1, 1, 1, 1]
    # M 60 20 30 40 50 60: sorted 20 30 40 50 60 60, cuts 30 40 50 60.
    assert result.m_score.tolist() == [4, 1, 1, 2, 3, 4]
    assert result.rfm_group.tolist() == [
        "champions",
        "new",
        "promising",
        "about_to_sleep",
        "hibernating",
        "hibernating",
    ]
    # Means: R 15/6 = 2.5, F 11/6, M 260/6 = 43.3.
    assert result.rfm_bits.tolist() == ["111", "100", "100", "000", "001", "001"]


def test_equal_recency_shares_a_score_and_is_high_at_the_mean():
    world = World().order("a", days_ago(3), 10).order("b", days_ago(3), 10).order("c", days_ago(3), 10)
    result = world.on(TODAY)
    # Every cut point equals the value: none is strictly below, so R is 5 and F, M are 1.
    assert result[["r_score", "f_score", "m_score"]].to_numpy().tolist() == [[5, 1, 1]] * 3
    assert set(result.rfm_group) == {"new"}
    assert set(result.rfm_bits) == {"100"}  # at the mean: R is high, F and M are not above it


def test_the_map_has_all_25_cells():
    cell = {(r, f): GROUPS[r - 1, f - 1] for r in range(1, 6) for f in range(1, 6)}
    assert [cell[1, f] for f in range(1, 6)] == [cell[2, f] for f in range(1, 6)]
    assert [cell[2, f] for f in (2, 3, 4, 5)] == ["hibernating", "at_risk", "at_risk", "cant_lose"]
    assert [cell[3, f] for f in (2, 3, 4)] == ["about_to_sleep", "need_attention", "loyal"]
    assert [cell[4, f] for f in (1, 2, 3, 4, 5)] == [
        "promising",
        "potential_loyalist",
        "potential_loyalist",
        "loyal",
        "loyal",
    ]
    assert [cell[5, f] for f in (1, 2, 3, 4, 5)] == [
        "new",
        "potential_loyalist",
        "potential_loyalist",
        "champions",
        "champions",
    ]


def test_the_window_of_365_days_and_the_window_of_all():
    world = World().order("in", days_ago(364), 10).order("out", days_ago(365), 10).order("never", days_ago(1), 5, "o1")
    world.refund("never", TODAY, "o1")
    result = world.on(TODAY)
    assert result.f_orders.notna().to_dict() == {"in": True, "out": False, "never": False}
    outside = result.loc["out", ["r_days", "m_minor", "r_score", "rfm_group", "rfm_bits"]]
    assert outside.map(pd.isna).all()
    assert world.on(TODAY, rfm_window=None).r_days.dropna().to_dict() == {"in": 364, "out": 365}


def test_money_in_the_window_takes_refunds_by_their_own_day_and_may_be_negative():
    world = World().order("ann", days_ago(400), 100, "old").refund("ann", days_ago(10), "old", total=80)
    world.order("ann", days_ago(5), 30).order("bob", days_ago(5), 0)
    world.order("cat", days_ago(400), 100, "old").refund("cat", days_ago(370), "old", total=80)
    world.order("cat", days_ago(5), 30)
    result = world.on(TODAY)
    assert result.m_minor.to_dict() == {"ann": -5000, "bob": 0, "cat": 3000}
    assert result.revenue_minor.to_dict() == {"ann": 5000, "bob": 0, "cat": 5000}
    # Sorted -50 0 30, positions 0.4 0.8 1.2 1.6: cuts -30, -10, 6, 18.
    assert result.m_score.to_dict() == {"ann": 1, "bob": 3, "cat": 5}
    assert result.rfm_bits.str[2].to_dict() == {"ann": "0", "bob": "1", "cat": "1"}  # mean -20/3


def test_a_one_time_buyer_with_an_older_first_order_is_returned():
    world = World().order("back", days_ago(365), 10).order("back", days_ago(0), 10)
    world.order("fresh", days_ago(364), 10, "o1").order("fresh", days_ago(0), 10).refund("fresh", days_ago(300), "o1")
    world.order("void", days_ago(500), 10, "o2").refund("void", days_ago(400), "o2").order("void", days_ago(0), 10)
    for i in range(4):
        world.order(f"p{i}", days_ago(9), 10)
    result = world.on(TODAY).rfm_group
    # F = 1 for everybody in the window. R 0 0 0 9 9 9 9: cuts at 1.2 2.4 3.6 4.8 are 0, 0.4 · 9 = 3.6, 9, 9.
    assert result[["back", "fresh", "void", "p0"]].to_dict() == {
        "back": "returned", "fresh": "new", "void": "new", "p0": "about_to_sleep"
    }  # fmt: skip
    everybody = world.on(TODAY, rfm_window=None)
    assert "returned" not in set(everybody.rfm_group)


def test_promising_too_becomes_returned():
    world = World().order("back", days_ago(900), 10)
    for i, who in enumerate(["p0", "p1", "back", "p3", "p4", "p5"]):
        world.order(who, days_ago(i), 10)
    # R 0…5 as above: back has R = 2, score 4, F score 1.
    assert world.on(TODAY).loc["back", ["r_score", "f_score", "rfm_group"]].tolist() == [4, 1, "returned"]


def test_excluded_people_are_in_no_cut_point_or_mean():
    world = World().order("a", days_ago(1), 10).order("b", days_ago(3), 10)
    plain = world.on(TODAY)
    world.person("staff", excluded=1)
    for _ in range(50):
        world.order("staff", days_ago(0), 9999)
    pd.testing.assert_frame_equal(world.on(TODAY), plain)
