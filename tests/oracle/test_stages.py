"""Activity flag and lifecycle stage on tiny worlds: boundaries, exact ties, "ever", subsidy; worked by hand."""

from __future__ import annotations

import pytest

from .world import World

# Active on days 0 5 10 15: three gaps of 5, median 5, 90th percentile 5, limit max(15, 7.5) = 15.
EVERY_FIVE = [0, 5, 10, 15]  # from 1 August: last seen on the 16th


def flag(world: World, day: str, who: str = "ann", **changes: object) -> tuple[str, float]:
    row = world.on(day, **changes).loc[who]
    return row.churn, row.limit_days


# --- activity flag -----------------------------------------------------------------------------------------------


def test_slipping_begins_at_exactly_six_tenths_and_dormant_at_exactly_the_limit():
    world = World().daily("ann", "App Opened", "2026-08-01", EVERY_FIVE)
    assert flag(world, "2026-08-24") == ("active", 15.0)  # idle 8
    assert flag(world, "2026-08-25") == ("slipping", 15.0)  # idle 9 = 0.6 × 15
    assert flag(world, "2026-08-30") == ("slipping", 15.0)  # idle 14
    assert flag(world, "2026-08-31") == ("dormant", 15.0)  # idle 15


def test_own_limits_need_four_active_days():
    world = World().daily("ann", "App Opened", "2026-08-01", [0, 5, 10])
    ann = world.on("2026-08-31").loc["ann"]
    assert (ann.limit_days, ann.gap_median, ann.gap_p90) == (30.0, 5.0, 5.0)
    world.did("ann", "2026-08-11 23:00", "App Opened")  # a second visit on a day makes no fourth day
    assert flag(world, "2026-08-31") == ("slipping", 30.0)  # idle 20 ≥ 18
    world.did("ann", "2026-08-16", "App Opened")
    assert flag(world, "2026-08-31")[1] == 15.0


def test_quantiles_of_gaps_are_interpolated_and_the_limit_stays_a_fraction():
    world = World().daily("ann", "App Opened", "2026-06-01", [0, 1, 3, 6, 16])  # gaps 1 2 3 10
    ann = world.on("2026-06-30").loc["ann"]
    # Median (2 + 3) / 2 = 2.5; 90 % at position 2.7: 3 + 0.7 · 7 = 7.9. max(7.5, 11.85) = 11.85.
    assert (ann.gap_median, ann.gap_p90, ann.limit_days) == (2.5, 7.9, 11.85)
    assert flag(world, "2026-06-28")[0] == "slipping"  # idle 11 < 11.85
    assert flag(world, "2026-06-29")[0] == "dormant"  # idle 12
    assert (flag(world, "2026-06-24")[0], flag(world, "2026-06-25")[0]) == ("active", "slipping")  # 0.6 × 11.85 = 7.11


def test_limits_are_clamped_to_min_and_max():
    world = World().daily("ann", "App Opened", "2026-08-01", [0, 1, 2, 3])  # own limit max(3, 1.5) = 3
    world.daily("bob", "App Opened", "2026-01-01", [0, 50, 100, 150])  # own limit 150
    result = world.on("2026-08-31").limit_days
    assert result.to_dict() == {"ann": 7.0, "bob": 90.0}
    # N itself is not clamped: it is what the workspace said.
    assert flag(World().did("ann", "2026-08-01", "App Opened"), "2026-08-02", churn={"n": 3}) == ("active", 3.0)


def test_only_the_last_thirty_gaps_are_kept():
    offsets = [0, 100, 200] + [200 + 2 * i for i in range(1, 31)]  # two gaps of 100, then thirty of 2
    ann = World().daily("ann", "App Opened", "2026-01-01", offsets).on("2026-12-31").loc["ann"]
    assert (ann.gap_median, ann.gap_p90) == (2.0, 2.0)
    shorter = World().daily("ann", "App Opened", "2026-01-01", offsets[:6]).on("2026-12-31").loc["ann"]
    # Gaps 2 2 2 100 100: median 2, 90 % at 3.6: 100.
    assert (shorter.gap_median, shorter.gap_p90) == (2.0, 100.0)


def test_the_fixed_rule_ignores_own_rhythm():
    world = World().daily("ann", "App Opened", "2026-08-01", EVERY_FIVE)
    assert flag(world, "2026-08-31", churn={"rule": "fixed", "n": 20}) == ("slipping", 20.0)


def test_with_balance_needs_an_empty_purse_to_sleep():
    world = World()
    for who, traits in {"empty": {"balance": 0}, "rich": {"balance": "0.01"}, "untold": {}}.items():
        world.person(who, **traits).daily(who, "App Opened", "2026-08-01", EVERY_FIVE)
    result = world.on("2026-08-31", churn={"rule": "with_balance"}).churn
    assert result.to_dict() == {"empty": "dormant", "rich": "slipping", "untold": "slipping"}


def test_people_without_a_visit_are_never_dormant_and_idle_since_created():
    world = World().person("ann", created_on="2026-08-13").person("old", created_on="2025-01-01")
    world.did("old", "2026-08-30", "Push Delivered")
    result = world.on("2026-08-31")
    assert result.idle_days.to_dict() == {"ann": 18, "old": 607}  # 18 = 0.6 × 30
    assert result.churn.to_dict() == {"ann": "slipping", "old": "slipping"}
    assert flag(world, "2026-08-30") == ("active", 30.0)


def test_people_created_after_the_day_are_idle_zero():
    world = World().person("ann", created_on="2026-11-01").did("ann", "2026-08-01", "Push Delivered")
    assert world.on("2026-08-31").loc["ann", ["idle_days", "churn"]].tolist() == [0, "active"]


# --- stages ------------------------------------------------------------------------------------------------------


def stage(world: World, day: str, who: str = "ann", **changes: object) -> str:
    return world.on(day, **changes).stage[who]


def test_habit_is_four_distinct_days_in_the_last_fourteen():
    world = World().daily("ann", "Ran", "2026-08-01", [0, 0, 4, 8, 13])  # 1, 5, 9, 14 August
    assert stage(world, "2026-08-13") == "use"
    assert stage(world, "2026-08-14") == "habit"  # 1 … 14 August holds all four
    assert stage(world, "2026-08-15") == "use"  # the 1st has left the window
    stretched = World().daily("ann", "Ran", "2026-08-01", [0, 4, 8, 14])
    assert stage(stretched, "2026-08-15") == "use"


def test_churned_is_dormant_after_any_habit_ever():
    world = World().daily("ann", "Ran", "2026-03-01", [0, 4, 8, 13])  # once a habit
    world.daily("bob", "Ran", "2026-03-01", [0, 4, 8, 14])  # never within 14 days
    world.daily("ann", "Ran", "2026-06-01", [0]).daily("bob", "Ran", "2026-06-01", [0])
    # ann's gaps 4 4 5 79 and bob's 4 4 6 78 give limits clamped at min … max ≤ 90.
    assert world.on("2026-08-30").churn.tolist() == ["dormant", "dormant"]  # idle 90
    assert world.on("2026-08-30").stage.to_dict() == {"ann": "churned", "bob": "use"}
    assert stage(world, "2026-06-02") == "use"


def test_contacts_never_churn():
    world = World().did("ann", "2026-01-01", "App Opened")
    assert world.on("2026-08-31").loc["ann", ["stage", "churn"]].tolist() == ["contact", "dormant"]


def test_paying_needs_a_positive_net_amount_and_the_stage_switched_on():
    world, bought = World(), "Membership Purchased"
    world.did("ann", "2026-08-01", bought, total=88, order_id="m1").refund("ann", "2026-08-10", "m1", total=87)
    world.did("bob", "2026-08-01", bought, plan="year").did("cat", "2026-08-01", bought, total=0)
    world.did("dan", "2026-08-01", bought, total=88)
    stages = world.on("2026-08-19").stage.to_dict()  # 88 - 87 is above zero; no amount and nothing are not
    assert stages == {"ann": "paying", "bob": "contact", "cat": "contact", "dan": "paying"}
    assert set(world.on("2026-08-19", pay_stage=False).stage) == {"contact"}
    world.refund("ann", "2026-08-20", "m1", total=1)
    assert (stage(world, "2026-08-19"), stage(world, "2026-08-20")) == ("paying", "contact")


def test_a_payment_refunded_without_an_amount_is_no_payment():
    world = (
        World()
        .did("ann", "2026-08-01", "Membership Purchased", total=88, order_id="m1")
        .refund("ann", "2026-08-02", "m1")
    )
    assert (stage(world, "2026-08-01"), stage(world, "2026-08-02")) == ("paying", "contact")


def test_dormant_payers_are_churned_only_where_the_stage_is_on():
    world = World().did("ann", "2026-01-01", "Membership Purchased", total=88)
    assert stage(world, "2026-08-31") == "churned"
    assert stage(world, "2026-08-31", pay_stage=False) == "contact"


def recommending(world: World, who: str = "ann", joined: str = "2026-08-01") -> World:
    """Give somebody one recommendation, true on the day after the invitee joined."""
    friend = f"friend of {who}"
    world.person(friend, referred_by=who).did(friend, joined, "Account Registered")
    return world.daily(friend, "Ran", joined, [0, 1])


def test_an_advocate_is_attached_and_recommends():
    world = recommending(World().daily("ann", "Ran", "2026-08-01", [0, 1, 2, 3]).did("ann", "2026-08-20", "App Opened"))
    recommending(world.did("user", "2026-08-01", "Ran"), "user")
    recommending(world.did("payer", "2026-08-01", "Membership Purchased", total=5), "payer")
    result = world.on("2026-08-20").stage  # ann's habit window ended on the 17th: ever is enough
    assert result[["ann", "user", "payer"]].tolist() == ["advocate", "use", "advocate"]
    assert stage(world, "2026-08-20", "payer", pay_stage=False) == "contact"
    # ann's gaps 1 1 1 16: 90 % at 2.7 is 11.5, limit 17.25; from idle 18 dormant goes before advocate.
    assert (stage(world, "2026-09-06"), stage(world, "2026-09-07")) == ("advocate", "churned")


@pytest.mark.parametrize(
    ("coupons", "expected"),
    [
        (["targeted"] * 4 + ["public"], "advocate's coupons: 4 of 5 = 0.8"),
        (["targeted"] * 3 + ["public"], "advocate"),  # 3 of 4 = 0.75
        (["targeted"] * 3, "advocate"),  # fewer than four orders: unknown, excludes nobody
        ([None] * 4, "advocate's coupons: no kind sent, any coupon counts"),
        ([""] * 4 + ["none"], "advocate's coupons: 4 of 5, the fifth without a coupon"),
    ],
)
def test_whoever_buys_on_targeted_coupons_is_no_advocate(coupons, expected):
    world = recommending(World().daily("ann", "Ran", "2026-08-01", [0, 1, 2, 3]))
    for kind in coupons:
        sent = {} if kind == "none" else {"coupon_id": "c"} if kind is None else {"coupon_id": "c", "coupon_kind": kind}
        world.order("ann", "2026-08-04", 10, **sent)
    assert stage(world, "2026-08-05") == ("advocate" if expected == "advocate" else "habit")


def test_subsidy_looks_at_365_days_of_orders_that_count():
    world = recommending(World().daily("ann", "Ran", "2026-08-01", [0, 1, 2, 3]))
    world.order("ann", "2025-08-05", 10, "o0", coupon_id="c", coupon_kind="targeted")
    for i in range(1, 4):
        world.order("ann", "2026-08-02", 10, f"o{i}", coupon_id="c", coupon_kind="targeted")
    assert stage(world, "2026-08-04") == "habit"  # 5 August 2025 is the first of the 365 days: four orders
    assert stage(world, "2026-08-05") == "advocate"  # three left: unknown
    world.refund("ann", "2026-08-04", "o3")
    assert stage(world, "2026-08-04") == "advocate"  # the refunded one counts nowhere


def test_the_ladder_takes_the_first_match():
    world = World().daily("ann", "Ran", "2026-08-01", [0, 1, 2, 3])
    assert stage(world, "2026-08-05") == "habit"
    world.did("ann", "2026-08-04", "Membership Purchased", total=5)
    assert stage(world, "2026-08-05") == "paying"
    assert stage(recommending(world), "2026-08-05") == "advocate"


def test_a_refunded_order_is_still_a_core_action():
    world = World().order("ann", "2026-08-01", 10, "o1").refund("ann", "2026-08-02", "o1")
    result = world.on("2026-08-31", roles={"core": ["Order Completed"]}).loc["ann"]
    assert (result.stage, result.orders, result.core_days) == ("use", 0, 1)
