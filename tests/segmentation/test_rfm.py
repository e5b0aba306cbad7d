"""RFM: scores, groups and bits of small populations, cut points kept, moves told, and the gap to the best quadrant."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from django.utils import translation

from ops_platform.selectors import board_counts
from segmentation.models import RfmChange, RfmCuts, RfmScore
from segmentation.rfm import BOARD, GROUPS, VALUE_CLASSES
from segmentation.rfm_axes import axes_of
from segmentation.rfm_gap import Gap, gap_sentence, gap_to_best
from tests import builders
from tests.night.reading import night, one
from users.models import EndUser
from workspaces.models import Workspace
from workspaces.scoping import workspace_scope

TODAY = date(2026, 8, 31)


def bought(workspace: Workspace, who: str, ago: int, yuan: float, times: int = 1, **properties: object) -> None:
    for _ in range(times):
        builders.event(workspace, who, "Order Completed", TODAY - timedelta(days=ago), total=yuan, **properties)


def scores(workspace: Workspace, *people: str) -> list[tuple[int, int, int, str, str]]:
    night(workspace, TODAY.isoformat())
    rows = [one(RfmScore, workspace, who) for who in people]
    return [(row.r_score, row.f_score, row.m_score, row.group, row.bits) for row in rows]


@pytest.fixture
def six(acme):  # type: ignore[no-untyped-def]
    """p0 … p5 bought 0 … 5 days ago for 10 … 60; p0 six times."""
    for number in range(6):
        bought(acme, f"p{number}", number, 10 * (number + 1), times=6 if number == 0 else 1)
    return acme


def test_the_board_is_full_and_each_cell_has_one_group():
    assert sorted(BOARD) == [(r, f) for r in range(1, 6) for f in range(1, 6)]
    assert sum(len(group.cells) for group in GROUPS.values()) == 25
    assert all(len(key) <= 20 and str(group.label) and str(group.sentence) for key, group in GROUPS.items())
    assert sorted(VALUE_CLASSES) == sorted(f"{n:03b}" for n in range(8))


def test_scores_of_six_buyers(six):
    # R cuts 1 2 3 4, F cuts 1 1 1 1, M 60 20 30 40 50 60 cuts 30 40 50 60; means 2.5, 11/6, 43.3.
    assert scores(six, "p0", "p1", "p2", "p3", "p4", "p5") == [
        (5, 5, 4, "champions", "111"),
        (5, 1, 1, "new", "100"),
        (4, 1, 1, "promising", "100"),
        (3, 1, 2, "about_to_sleep", "000"),
        (2, 1, 3, "hibernating", "001"),
        (1, 1, 4, "hibernating", "001"),
    ]


def test_what_explains_the_scores_is_kept(six):
    night(six, TODAY.isoformat())
    with workspace_scope(six):
        kept = RfmCuts.objects.get(day=TODAY)
        assert kept.population == 6
        assert kept.cuts == {"r": [1, 2, 3, 4], "f": [1, 1, 1, 1], "m": [3000, 4000, 5000, 6000]}
        assert kept.means == {"r": 2.5, "f": 1.8333, "m": 4333.3333}
        told = {key: (row.people, row.money_minor) for key, row in board_counts(TODAY)["rfm"].items()}
    assert set(told) == set(GROUPS) and told["hibernating"] == (2, 11000) and told["returned"] == (0, 0)


def test_equal_values_share_a_score_and_are_high_in_r_only(acme):
    for who in ("a", "b", "c"):
        bought(acme, who, 3, 10)
    assert scores(acme, "a", "b", "c") == [(5, 1, 1, "new", "100")] * 3


def test_fractions_of_cut_points_are_exact(acme):
    for who, yuan in (("a", 0), ("b", 10), ("c", 20), ("d", 40)):
        bought(acme, who, 3, yuan)
    night(acme, TODAY.isoformat())
    with workspace_scope(acme):
        assert RfmCuts.objects.get().cuts["m"] == [600, 1200, 1800, 2800]
    bought(acme, "e", 3, 0.01)  # 0 1 1000 2000 4000: positions 0.8 1.6 2.4 3.2
    night(acme, TODAY.isoformat())
    with workspace_scope(acme):
        assert RfmCuts.objects.get().cuts["m"] == [0.8, 600.4, 1400, 2400]


def test_cut_points_can_be_fixed(six):
    six.settings = {"rfm_method": "fixed", "rfm_cuts": {"r": [30, 60, 90, 180], "f": [1, 2, 4, 8]}}
    six.save()
    assert [row[:3] for row in scores(six, "p0", "p5")] == [(5, 4, 4), (5, 1, 4)]  # M has no fixed ones
    with workspace_scope(six):
        assert RfmCuts.objects.get().cuts["f"] == [1, 2, 4, 8]


def test_value_classes_can_go_by_mean_scores(six):
    six.settings = {"value_class_by": "scores"}
    six.save()
    # Scores R 5 5 4 3 2 1 (mean 3.33), F 5 1 1 1 1 1 (1.67), M 4 1 1 2 3 4 (2.5).
    assert [row[4] for row in scores(six, "p0", "p1", "p3", "p4")] == ["111", "100", "000", "001"]


def test_the_window_decides_who_is_in_and_who_has_returned(acme):
    bought(acme, "in", 364, 10)
    bought(acme, "out", 365, 10)
    bought(acme, "back", 365, 10)
    bought(acme, "back", 0, 10)
    bought(acme, "fresh", 0, 10)
    for number in range(4):
        bought(acme, f"p{number}", 9, 10)
    night(acme, TODAY.isoformat())
    assert one(RfmScore, acme, "out") is None and one(RfmScore, acme, "in").f_value == 1
    assert [one(RfmScore, acme, who).group for who in ("back", "fresh")] == ["returned", "new"]


def test_money_of_the_window_takes_refunds_of_the_window(acme):
    bought(acme, "ann", 400, 100, order_id="old")
    builders.event(acme, "ann", "Order Refunded", TODAY - timedelta(days=10), order_id="old", total=80)
    bought(acme, "ann", 5, 30)
    night(acme, TODAY.isoformat())
    assert one(RfmScore, acme, "ann").m_value == -5000


def test_moves_between_groups_are_told_with_joiners_and_leavers(six):
    night(six, TODAY.isoformat())
    with workspace_scope(six):
        assert set(RfmChange.objects.values_list("from_group", flat=True)) == {""}
        EndUser.objects.filter(external_id="p1").update(excluded=True)
    builders.event(six, "p5", "Order Completed", "2026-09-01", total=9)
    night(six, "2026-09-01")
    told = {who: one(RfmChange, six, who, day="2026-09-01") for who in ("p1", "p5", "p0")}
    assert (told["p1"].from_group, told["p1"].to_group) == ("new", "")
    assert told["p5"].from_group == "hibernating" and told["p5"].to_group != "hibernating"
    assert night(six, "2026-09-01")["changes"] == 0
    assert one(RfmScore, six, "p1") is None


def test_without_buyers_there_are_no_scores_and_no_cut_points(acme):
    builders.event(acme, "ann", "App Opened", TODAY)
    night(acme, TODAY.isoformat())
    with workspace_scope(acme):
        assert not RfmScore.objects.exists() and not RfmCuts.objects.exists()
        told = board_counts(TODAY)["rfm"]["champions"]
        assert (told.people, told.money_minor) == (0, 0)


@pytest.mark.parametrize(
    ("who", "best", "expected", "words"),
    [
        ("p0", "champions", Gap(0), "In the target group"),
        ("p1", "champions", Gap(3, "f", 1), "1 more order"),
        ("p2", "champions", Gap(4, "r", 1), "needs an order within the last 1 day"),
        ("p5", "champions", Gap(7, "f", 1), "1 more order"),  # four points of R, three of F
        ("p5", "returned", Gap(None), ""),
        ("p0", "loyal", Gap(1), ""),  # beyond it: nothing to raise
        ("p1", "111", Gap(2, "f", 1), "1 more order"),
        ("p3", "111", Gap(3, "r", 2), "needs an order within the last 2 days"),
        ("p1", "101", Gap(1, "m", 2334), "¥23.34 more spend"),
    ],
)
def test_the_gap_to_the_best_quadrant(six, who, best, expected, words):
    night(six, TODAY.isoformat())
    with workspace_scope(six), translation.override("en"):
        gap = gap_to_best(one(RfmScore, six, who), RfmCuts.objects.get(), best, TODAY)
        assert (gap, gap_sentence(gap, axes_of(six.rules), f"¥{gap.need / 100}")) == (expected, words)
