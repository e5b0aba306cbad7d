"""The demo story: same seed same story, sound tables, and people in every stage, group and flag."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable

import pandas as pd
import pytest

from ops_platform.demo.days import TODAY
from ops_platform.demo.story import EVENT_ROLES, LAST_DAY, PASSIVE_EVENTS, ZONE, Story, generate, last_days
from tests.demo.story_figures import GROUPS, STAGES, Ledger, evaluate

TABLES: dict[str, Callable[[Story], pd.DataFrame]] = {
    "people": lambda story: story.people,
    "events": lambda story: story.events,
    "links": lambda story: story.anonymous_links,
    "spend": lambda story: story.spend,
}


@pytest.fixture(scope="module")
def story() -> Story:
    return generate(people=3000)


@pytest.fixture(scope="module")
def ledger(story: Story) -> Ledger:
    return Ledger(story)


def fingerprint(story: Story) -> str:
    text = "".join(table(story).to_csv(index=False) for table in TABLES.values())
    return hashlib.sha256((text + repr(story.past_campaigns) + repr(story.planted)).encode()).hexdigest()


def told_in_the_app(story: Story) -> pd.DataFrame:
    """All events but the orders of 2025, which come from the shop before the app."""
    old = story.events.external_id.isin(story.planted["old_customers"]) & (story.events["at"].dt.year == 2025)
    assert old.sum() == len(story.planted["old_customers"])
    return story.events[~old]


def test_the_same_seed_tells_the_same_story_and_another_seed_another() -> None:
    told = fingerprint(generate(people=1500))
    assert told == fingerprint(generate(people=1500))
    assert told != fingerprint(generate(seed=1, people=1500))


def test_every_stage_group_and_flag_has_people_on_each_of_the_last_nights(ledger: Ledger) -> None:
    for today in (TODAY - 13, TODAY - 6, TODAY):
        result = evaluate(ledger, today)
        assert set(result.stage) == set(STAGES)
        assert set(result.flag) == {"active", "slipping", "dormant"}
        assert set(result.group.dropna()) - {"returned"} == set(GROUPS)
    assert "returned" in set(result.group)


def test_stages_come_out_in_the_promised_shares(ledger: Ledger) -> None:
    promised = {"contact": 10_400, "use": 5_600, "habit": 1_250, "paying": 700, "advocate": 150, "churned": 1_900}
    counts = evaluate(ledger).stage.value_counts()
    for stage, people in promised.items():
        assert counts[stage] == pytest.approx(people * 3000 / 20_000, rel=0.15), stage


def test_exactly_the_planted_valuable_people_slip_and_26_of_58_complain(story: Story, ledger: Ledger) -> None:
    result = evaluate(ledger)
    slipping = set(result.index[(result.flag == "slipping") & result.bits.isin(["111", "011"])])
    assert slipping == set(story.planted["slipping_valuable"])
    assert set(story.planted["open_complaints"]) <= slipping


def test_events_are_sorted_unique_and_inside_the_half_year(story: Story) -> None:
    events = story.events
    assert events.message_id.is_unique
    assert events["at"].is_monotonic_increasing
    assert str(events["at"].dtype) == "datetime64[ns, UTC]"
    assert told_in_the_app(story)["at"].min() >= pd.Timestamp("2026-03-05", tz=ZONE)
    assert events["at"].max() < pd.Timestamp(LAST_DAY, tz=ZONE) + pd.Timedelta(days=1)
    assert len(events) * 20_000 / 3000 < 1_500_000


def test_every_event_belongs_to_a_person_or_a_linked_visitor(story: Story) -> None:
    events, links = story.events, story.anonymous_links
    known = events.external_id.isin(story.people.external_id)
    visiting = events.anonymous_id.isin(links.anonymous_id)
    assert (known ^ visiting).all()
    assert links.anonymous_id.is_unique
    assert links.external_id.isin(story.people.external_id).all()
    merged_at = events.anonymous_id[visiting].map(links.set_index("anonymous_id")["at"])
    assert (events["at"][visiting] < merged_at).all()


def test_nobody_acts_under_their_name_before_they_register(story: Story) -> None:
    named = told_in_the_app(story)
    named = named[named.external_id != ""]
    registered = named.external_id.map(story.people.set_index("external_id").registered_at)
    assert (named["at"] >= registered).all()


def test_properties_are_json_and_orders_refer_to_what_exists(story: Story) -> None:
    events = story.events.assign(told=[json.loads(text) for text in story.events.properties])
    orders = {row["order_id"]: row for row in events.told[events.event == "Order Completed"]}
    assert len(orders) == (events.event == "Order Completed").sum()
    for order in orders.values():
        assert order["total"] == round(order["total"], 2) > 0
        assert round(order["list_total"] - order["discount"], 2) == order["total"]
    for refund in events.told[events.event == "Order Refunded"]:
        assert refund["total"] <= orders[refund["order_id"]]["total"]
    claimed = {row["coupon_id"] for row in events.told[events.event == "Coupon Claimed"]}
    assert {order["coupon_id"] for order in orders.values() if "coupon_id" in order} <= claimed


def test_inviters_exist_and_joined_before_their_invitees(story: Story) -> None:
    people = story.people.set_index("external_id")
    invited = people[people.referred_by != ""]
    assert len(invited)
    assert (people.registered_at[invited.referred_by].to_numpy() <= invited.registered_at.to_numpy()).all()


def test_roles_name_events_that_happen(story: Story) -> None:
    names = {name for role in EVENT_ROLES.values() for name in role}
    assert names <= set(story.events.event)
    assert EVENT_ROLES["passive"] == PASSIVE_EVENTS


def test_the_last_days_are_split_off_whole(story: Story) -> None:
    bulk, live = last_days(story, days=2)
    assert len(bulk) + len(live) == len(story.events)
    assert live["at"].min() >= pd.Timestamp("2026-08-30", tz=ZONE) > bulk["at"].max()


def test_past_campaigns_keep_their_arms_apart(story: Story) -> None:
    assert [campaign["name"] for campaign in story.past_campaigns] == ["五一召回", "618预热推送", "7月每日推送"]
    for campaign in story.past_campaigns:
        assert not set(campaign["treated"]) & set(campaign["control"])
        assert set(campaign["converted_treated"]) <= set(campaign["treated"])
        assert set(campaign["converted_control"]) <= set(campaign["control"])
        assert set(campaign["opted_out"]) <= set(campaign["treated"])
    recall = story.past_campaigns[0]
    assert len(recall["converted_treated"]) / len(recall["treated"]) == pytest.approx(0.098, abs=0.005)
