"""Time, roles, orders, refunds, recommendations and favourites on tiny worlds, each expected value worked by hand."""

from __future__ import annotations

import ast
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from .compare import as_text, differences
from .definitions import COLUMNS, Computation, compute
from .rows import read_export
from .world import World, settings


def day(value: object) -> str:
    return "" if pd.isna(value) else str(value)[:10]


# --- time and people ---------------------------------------------------------------------------------------------


def test_a_day_ends_at_midnight_of_the_workspace():
    world = World().did("ann", "2026-08-30 23:59", "App Opened").did("ann", "2026-08-31 00:00", "App Opened")
    # Both lie on 30 August in UTC (15:59 and 16:00); in Shanghai the second opens the 31st.
    assert day(world.on("2026-08-30").last_seen_on["ann"]) == "2026-08-30"
    assert day(world.on("2026-08-31").last_seen_on["ann"]) == "2026-08-31"
    assert world.on("2026-08-31", zone="UTC").active_days_all["ann"] == 1


def test_a_window_of_seven_days_holds_the_day_itself_and_six_before():
    world = World().did("ann", "2026-08-24", "App Opened").did("ann", "2026-08-25", "App Opened")
    world.did("ann", "2026-08-31 01:00", "App Opened").did("ann", "2026-08-31 02:00", "App Opened")
    ann = world.on("2026-08-31").loc["ann"]  # 25 … 31 August
    assert (ann.visits_7, ann.active_days_7) == (3, 2)
    assert (ann.visits_30, ann.active_days_30, ann.visits_all, ann.active_days_all) == (4, 3, 4, 3)


def test_people_appear_from_their_creation_or_first_row_and_excluded_people_never():
    world = World().person("made", created_on="2026-08-20").person("rowed", created_on="2026-09-09")
    world.did("rowed", "2026-08-21", "Push Delivered").person("staff", excluded=1).order("staff", "2026-08-01", 5)
    assert list(world.on("2026-08-19").index) == []
    assert list(world.on("2026-08-20").index) == ["made"]
    assert sorted(world.on("2026-08-31").index) == ["made", "rowed"]


def test_ids_stay_text_and_unknown_people_are_ignored(tmp_path):
    path = tmp_path / "people.csv"
    path.write_text(
        "external_id,created_at,excluded,attributes\n007,2026-08-01T00:00:00Z,0,{}\nNA,2026-08-01T00:00:00Z,0,{}\n"
    )
    events = World().did("7", "2026-08-02", "App Opened").did("007", "2026-08-02", "App Opened").frames()[0]
    result = compute(events, read_export(path), settings(), date(2026, 8, 31))
    assert result.visits_all.to_dict() == {"007": 1, "NA": 0}


def test_a_repeated_id_is_refused():
    events, people = World().person("ann").frames()
    with pytest.raises(ValueError, match="ann"):
        Computation(events, pd.concat([people, people]), settings())


def test_registered_is_the_first_event_else_an_attribute_not_in_the_future():
    world = World().did("ann", "2026-08-10", "Account Registered").did("ann", "2026-08-02", "Account Registered")
    world.person("bob", created="2026-08-05", created_on="2026-07-01")
    world.person("cat", registered_at="2026-08-05T20:00:00Z").person("dan", registered_at="2026-02-30")
    result = world.on("2026-08-31").registered_on.map(day)
    # 20:00 UTC on the 5th is 04:00 on the 6th in Shanghai; 30 February is no day.
    assert result.to_dict() == {"ann": "2026-08-02", "bob": "2026-08-05", "cat": "2026-08-06", "dan": ""}
    assert world.on("2026-08-04").registered_on.map(day).to_dict() == {
        "ann": "2026-08-02", "bob": "", "cat": "", "dan": ""
    }  # fmt: skip


# --- roles -------------------------------------------------------------------------------------------------------


def test_passive_events_and_refunds_are_no_visits():
    world = World().did("ann", "2026-08-01", "App Opened").did("ann", "2026-08-02", "Push Delivered")
    ann = world.refund("ann", "2026-08-03", "o1").on("2026-08-31").loc["ann"]
    assert (ann.visits_all, day(ann.last_seen_on), ann.idle_days) == (1, "2026-08-01", 30)


def test_no_core_event_means_any_visit():
    world = World().did("ann", "2026-08-01", "App Opened").did("bob", "2026-08-01", "Push Delivered")
    assert world.on("2026-08-02").stage.to_dict() == {"ann": "contact", "bob": "contact"}
    assert world.on("2026-08-02", roles={"core": []}).stage.to_dict() == {"ann": "use", "bob": "contact"}


def test_core_days_are_distinct_days():
    world = World().did("ann", "2026-08-01 08:00", "Ran").did("ann", "2026-08-01 09:00", "Ran")
    ann = world.did("ann", "2026-08-04", "Ran").did("ann", "2026-08-05", "App Opened").on("2026-08-31").loc["ann"]
    assert (ann.core_days, day(ann.last_core_on)) == (2, "2026-08-04")


# --- orders and refunds ------------------------------------------------------------------------------------------


def test_amounts_take_total_else_revenue_else_value_and_round_a_half_up():
    world = World().did("a", "2026-08-01", "Order Completed", total=1.005, revenue=9, value=9)  # 100.5 → 101
    world.did("b", "2026-08-01", "Order Completed", total=None, revenue="2.5", value=9)
    world.did("c", "2026-08-01", "Order Completed", total="¥9", revenue=True, value=3)
    world.did("d", "2026-08-01", "Order Completed")  # no amount: an order worth 0
    result = world.on("2026-08-31")
    assert result.revenue_minor.to_dict() == {"a": 101, "b": 250, "c": 300, "d": 0}
    assert result.f_orders.to_dict() == {"a": 1, "b": 1, "c": 1, "d": 1}
    assert world.on("2026-08-31", currency="JPY").revenue_minor["b"] == 3  # 2.5 → 3, no minor unit


def test_rows_with_one_order_id_are_versions_of_one_order():
    world = World().order("ann", "2026-08-01", 100, "o1", coupon_id="c").order("ann", "2026-08-09", 80, "o1")
    world.did("ann", "2026-08-12", "Order Completed", order_id="o1")  # tells no amount: not the version that counts
    world.order("bob", "2026-08-01", 7, "o1")  # somebody else's o1 is another order
    before, after = world.on("2026-08-08").loc["ann"], world.on("2026-08-31").loc["ann"]
    assert (before.orders, before.revenue_minor, before.coupon_share) == (1, 10000, 1.0)
    assert (after.orders, after.revenue_minor, after.coupon_share) == (1, 8000, 0.0)
    assert day(after.last_order_on) == "2026-08-01" and after.r_days == 30  # the day of the first row
    assert world.on("2026-08-31").revenue_minor["bob"] == 700


def test_versions_at_the_same_instant_go_by_message_id():
    world = World().did("ann", "2026-08-01", "Order Completed", "b", order_id="o1", total=1)
    world.did("ann", "2026-08-01", "Order Completed", "a", order_id="o1", total=2)
    world.did("ann", "2026-08-01", "Order Completed", "Z", order_id="o1", total=3)  # Z < a < b by code point
    assert world.on("2026-08-31").revenue_minor["ann"] == 100


def test_rows_without_an_order_id_are_orders_each():
    world = World().order("ann", "2026-08-01", 10).order("ann", "2026-08-01", 10).order("ann", "2026-08-01", 10, "")
    assert world.on("2026-08-31").orders["ann"] == 3


def test_a_partial_refund_comes_off_on_its_day_and_moves_neither_r_nor_f():
    world = World().order("ann", "2026-08-01", 100, "o1").refund("ann", "2026-08-20", "o1", total=-30)
    assert world.on("2026-08-19").m_minor["ann"] == 10000
    ann = world.on("2026-08-31").loc["ann"]
    assert (ann.r_days, ann.f_orders, ann.m_minor, ann.revenue_minor) == (30, 1, 7000, 7000)


def test_refunds_reaching_the_amount_void_the_order_from_that_day_on():
    world = World().order("ann", "2026-07-01", 50, "o0").order("ann", "2026-08-01", 100, "o1", coupon_id="c")
    world.refund("ann", "2026-08-10", "o1", total=60).refund("ann", "2026-08-20", "o1", total=40)
    before, after = world.on("2026-08-19").loc["ann"], world.on("2026-08-20").loc["ann"]
    assert (before.orders, before.revenue_minor, before.coupon_share) == (2, 9000, 0.5)  # 50 + 100 - 60
    assert (after.orders, after.revenue_minor, after.coupon_share) == (1, 5000, 0.0)  # neither 100 nor -100
    assert (day(after.last_order_on), after.r_days, after.m_minor) == ("2026-07-01", 50, 5000)
    assert after.visits_all == 2  # placing it was still something ann did


def test_a_surplus_refund_disappears_with_its_order():
    world = World().order("ann", "2026-08-01", 100, "o1").refund("ann", "2026-08-02", "o1", total=150)
    ann = world.order("ann", "2026-08-03", 20).on("2026-08-31").loc["ann"]
    assert (ann.orders, ann.revenue_minor) == (1, 2000)


def test_a_refund_without_an_amount_returns_the_whole_order():
    world = World().order("ann", "2026-08-01", 100, "o1").refund("ann", "2026-08-05", "o1", reason="broken")
    world.refund("ann", "2026-08-06", "unknown")  # nothing is known of this order: worth nothing
    ann = world.on("2026-08-31").loc["ann"]
    assert (ann.orders, ann.revenue_minor) == (0, 0)
    assert pd.isna(ann.f_orders) and pd.isna(ann.average_order_minor) and pd.isna(ann.coupon_share)


def test_an_order_raised_after_its_refund_counts_again():
    world = World().order("ann", "2026-08-01", 100, "o1").refund("ann", "2026-08-05", "o1", total=100)
    world.order("ann", "2026-08-07", 120, "o1")
    assert world.on("2026-08-06").orders["ann"] == 0
    assert world.on("2026-08-07").loc["ann", ["orders", "revenue_minor"]].tolist() == [1, 2000]


def test_the_refund_of_an_unknown_order_comes_off():
    world = World().order("ann", "2026-08-01", 100).refund("ann", "2026-08-05", "lost", total=130)
    assert world.on("2026-08-31").loc["ann", ["orders", "revenue_minor"]].tolist() == [1, -3000]


def test_a_zero_order_counts_until_a_refund_names_it():
    world = World().order("ann", "2026-08-01", 0, "o1").refund("ann", "2026-08-05", "o1", total=0)
    assert world.on("2026-08-04").f_orders["ann"] == 1
    assert world.on("2026-08-05").orders["ann"] == 0


def test_the_average_order_is_net_and_whole():
    world = World().order("ann", "2026-08-01", "0.01", "o1").order("ann", "2026-08-02", "0.02", "o2")
    assert world.on("2026-08-31").average_order_minor["ann"] == 2  # 3 / 2 = 1.5 → 2
    world.refund("ann", "2026-08-03", "lost", total="0.06")
    assert world.on("2026-08-31").average_order_minor["ann"] == -2  # -3 / 2 = -1.5 → -2


# --- recommendations ---------------------------------------------------------------------------------------------


def invitee(world: World, who: str, first: str, core_offsets: list[int], **traits: Any) -> World:
    """Somebody registered on a day who does the core action so many days later."""
    world.person(who, **traits)
    return world.did(who, first, "Account Registered").daily(who, "Ran", first, core_offsets)


def test_a_recommendation_needs_two_core_days_within_thirty_days_of_joining():
    world = World().person("ann")
    invitee(world, "two", "2026-07-01", [0, 30], referred_by="ann")  # day 30 is still within
    invitee(world, "late", "2026-07-01", [0, 31], referred_by="ann")
    invitee(world, "once", "2026-07-01", [3, 3], referred_by="ann")
    invitee(world, "early", "2026-07-01", [-1, 5], referred_by="ann")  # the day before joining is not after it
    invitee(world, "staff", "2026-07-01", [0, 1], referred_by="ann").people["staff"]["excluded"] = "1"
    assert world.on("2026-07-30").recommendations["ann"] == 0
    assert world.on("2026-07-31").recommendations["ann"] == 1  # 1 July + 30


def test_a_recommendation_is_dated_by_the_second_core_day():
    world = invitee(World().person("ann"), "bob", "2025-08-01", [0, 10, 20], referred_by="ann")  # 2025-08-11
    assert world.on("2026-08-10").recommendations["ann"] == 1  # 364 days later: the first of the 365
    assert world.on("2026-08-11").recommendations["ann"] == 0


def test_the_inviter_is_the_trait_else_the_first_accepted_referral():
    world = World().person("ann").person("zoe")
    invitee(world, "a", "2026-07-01", [0, 1], referred_by="ann").did(
        "a", "2026-07-01", "Referral Accepted", referred_by="zoe"
    )
    invitee(world, "b", "2026-07-01", [0, 1]).did("b", "2026-07-03", "Referral Accepted", referred_by="ann")
    world.did("b", "2026-07-02", "Referral Accepted", referred_by="zoe")
    invitee(world, "c", "2026-07-01", [0, 1], referred_by="c")  # oneself
    invitee(world, "d", "2026-07-01", [0, 1], referred_by="nobody")
    world.did("ann", "2026-07-01", "Referral Accepted", invitee="d")  # the inviter's own event is not read
    told = world.on("2026-07-31").recommendations
    assert told[told > 0].to_dict() == {"ann": 1, "zoe": 1}
    assert world.on("2026-07-01").recommendations.sum() == 0


def test_joining_without_a_registration_is_the_first_visit():
    world = World().person("ann").person("bob", referred_by="ann").did("bob", "2026-06-01", "App Opened")
    world.did("bob", "2026-06-20", "Ran").did("bob", "2026-07-02", "Ran")  # 31 days after 1 June
    assert world.on("2026-08-31").recommendations["ann"] == 0
    world.did("bob", "2026-06-15", "Account Registered")  # joined on the 15th: 5 and 17 days
    assert world.on("2026-08-31").recommendations["ann"] == 1


# --- favourites --------------------------------------------------------------------------------------------------


def test_favourites_break_ties_by_the_latest_then_the_smallest():
    world = World().did("ann", "2026-08-03 09:10", "Product Viewed", category="beauty")  # a Monday
    world.did("ann", "2026-08-04 21:00", "Product Viewed", category="food")
    world.did("bob", "2026-08-04 21:00", "Product Viewed", category="food")
    world.did("bob", "2026-08-04 21:00", "Product Viewed", category="beauty")  # the same instant: the smallest
    result = world.on("2026-08-31")[["favourite_hour", "favourite_weekday", "favourite_category"]]
    assert result.loc["ann"].tolist() == [21, 1, "food"]
    assert result.loc["bob"].tolist() == [21, 1, "beauty"]
    world.did("ann", "2026-08-03 09:20", "Product Viewed", category="beauty")
    assert world.on("2026-08-31").favourite_category["ann"] == "beauty"  # 2 against 1
    assert world.on("2026-08-03").favourite_hour["ann"] == 9


def test_the_app_version_is_that_of_the_last_visit_telling_one():
    world = World().did("ann", "2026-08-01", "App Opened", app_version="5.3.0")
    world.did("ann", "2026-08-02", "App Opened", app_version="5.4.0").did("ann", "2026-08-03", "Ran")
    assert world.on("2026-08-31").app_version["ann"] == "5.4.0"
    assert world.on("2026-08-01").app_version["ann"] == "5.3.0"


# --- the oracle itself -------------------------------------------------------------------------------------------


def test_a_workspace_without_rows_has_all_columns():
    result = World().person("ann", created_on="2026-08-01").on("2026-08-31")
    assert list(result.columns) == COLUMNS and list(result.index) == ["ann"]
    assert World().on("2026-08-31").empty


def test_an_export_is_held_against_it_person_by_person():
    world = World().order("ann", "2026-08-01", 10).person("bob").person("cat")
    expected = world.on("2026-08-31")
    exported = expected.apply(as_text).reset_index()
    assert differences(expected, exported).empty
    exported.loc[exported.external_id == "ann", ["rfm_bits", "limit_days"]] = ["0", "30.000"]
    exported.loc[exported.external_id == "cat", "external_id"] = "dan"
    found = differences(expected, exported)
    assert found[["external_id", "column"]].to_numpy().tolist() == [
        ["cat", "(row)"],
        ["dan", "(row)"],
        ["ann", "rfm_bits"],
    ]


def test_it_imports_nothing_of_the_product():
    allowed = {
        "__future__",
        "ast",
        "collections",
        "dataclasses",
        "datetime",
        "decimal",
        "fractions",
        "importlib",
        "json",
    }
    allowed |= {"numpy", "pandas", "pathlib", "pytest", "re", "typing", "zoneinfo"}
    for path in Path(__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                assert {name.name.split(".")[0] for name in node.names} <= allowed, path.name
            elif isinstance(node, ast.ImportFrom) and node.level == 0:
                assert (node.module or "").split(".")[0] in allowed, path.name
