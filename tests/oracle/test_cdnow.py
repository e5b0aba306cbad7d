"""The oracle on real orders: totals are published, scores are held to what they must satisfy."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from . import cdnow
from .definitions import Computation


@pytest.fixture(scope="module")
def result() -> pd.DataFrame:
    events, people = cdnow.frames()
    return Computation(events, people, cdnow.settings()).on(cdnow.LAST_DAY)


def test_population_and_totals_are_the_published_ones(result):
    assert (len(result), result.orders.sum(), result.revenue_minor.sum()) == (2357, 6919, 24_409_194)
    assert sorted(result.index.astype(int)) == list(range(1, 2358))
    assert result.active_days_all.sum() == 6696  # customer-days: two orders on a day are one day


def test_the_window_of_all_scores_everybody():
    events, people = cdnow.frames()
    result = Computation(events, people, cdnow.settings(rfm_window=None)).on(cdnow.LAST_DAY)
    assert result.f_orders.notna().all() and result.m_minor.sum() == 24_409_194
    # Half of the people bought once: equal values share a score, so F has fewer than five.
    assert result.f_score[result.f_orders == 1].unique().tolist() == [1]
    assert result.r_days.max() == 545 and result.r_days.min() == 0  # 1997-01-01 … 1998-06-30


def test_scores_follow_the_cut_points(result):
    inside = result[result.f_orders.notna()]
    assert len(inside) == 812  # bought on 1997-07-01 … 1998-06-30
    assert inside.first_order_on.max() <= pd.Timestamp("1997-03-31")  # the cohort: all first bought by then
    for value, score, falling in [
        ("r_days", "r_score", True),
        ("f_orders", "f_score", False),
        ("m_minor", "m_score", False),
    ]:
        numbers = inside[value].to_numpy(dtype=float)
        below = (np.quantile(numbers, [0.2, 0.4, 0.6, 0.8])[None, :] < numbers[:, None]).sum(axis=1)
        assert (inside[score].to_numpy(dtype=int) == (5 - below if falling else 1 + below)).all()
        assert (inside.groupby(value)[score].nunique() == 1).all()


def test_nobody_in_this_old_cohort_is_new(result):
    # All first orders lie before the window, so whoever would be new or promising has returned.
    assert not set(result.rfm_group.dropna()) & {"new", "promising"}
    assert (result.rfm_group == "returned").sum() > 0


def test_the_first_customer_by_hand(result):
    one = result.loc["1"]
    # 29.33 and 29.73 in January, 14.96 on 1997-08-02, 26.48 on 1997-12-12: two orders in the window, 41.44.
    assert (one.orders, one.revenue_minor, one.r_days, one.f_orders, one.m_minor) == (4, 10050, 200, 2, 4144)
    # Gaps 17 196 132: median 132, 90 % at 1.8: 132 + 0.8 · 64 = 183.2; 3 × 132 is clamped to 180.
    assert (one.gap_median, one.gap_p90, one.limit_days) == (132.0, 183.2, 180.0)
    # Never three days within 90, so no habit ever: dormant (200 idle) but using.
    assert (one.churn, one.stage) == ("dormant", "use")


def test_every_stage_without_payment_has_people(result):
    assert result.stage.value_counts().to_dict() == {"use": 2123, "churned": 194, "habit": 40}
    assert result.churn.value_counts().to_dict() == {"dormant": 1975, "active": 276, "slipping": 106}
