"""What came of a campaign: conversions and revenue of both arms, and the figures of the report."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

import pytest

from campaigns.experiments import Arm
from campaigns.local_servers import LocalInbox
from campaigns.models import Campaign, Delivery
from campaigns.selectors import deliveries_of, deliveries_to, find_campaigns, list_campaigns, progress_of, report
from campaigns.services import settle_night
from tests import builders
from users.models import Purchase
from workspaces.models import Workspace
from workspaces.scoping import workspace_scope

from .sender import connect, deliveries, make_campaign, make_people, make_segment, send, start

SENT_AT = "2026-08-10 10:00"


@pytest.fixture
def shop(acme: Workspace, inbox: LocalInbox) -> Workspace:
    connect(acme, inbox)
    return acme


def moment(shop: Workspace, when: str) -> datetime:
    return builders.moment(shop, when)


def settle(shop: Workspace, day: str) -> int:
    with workspace_scope(shop):
        return settle_night(shop, date.fromisoformat(day))["changes"]


def buy(shop: Workspace, who: str, when: str, amount: int | None, kind: str = "order", order: str = "") -> None:
    """An event, and the purchase that the night's fold makes of it."""
    told = {} if amount is None else {"total": amount / 100}
    event = builders.event(shop, who, "Order Completed" if kind == "order" else "Order Refunded", when, **told)
    with workspace_scope(shop):
        Purchase.objects.create(
            workspace=shop,
            end_user_id=event.end_user_id,
            at=event.at,
            event_id=event.event_id,
            kind=kind,
            day=event.at.astimezone(shop.tzinfo).date(),
            message_id=event.message_id,
            order_key=order or event.message_id,
            amount_minor=amount,
        )


def results(shop: Workspace, campaign: Campaign) -> dict[str, tuple[str | None, int]]:
    """Time of conversion (local, to the minute) and revenue, by external id."""
    with workspace_scope(shop):
        rows = Delivery.objects.filter(run__campaign=campaign).select_related("end_user")
        return {
            row.end_user.external_id: (
                f"{row.converted_at.astimezone(shop.tzinfo):%m-%d %H:%M}" if row.converted_at else None,
                row.revenue_minor,
            )
            for row in rows
        }


def test_conversions_are_the_first_chosen_event_within_the_window(shop: Workspace) -> None:
    make_people(shop, 7)
    make_people(shop, 1, "mute", email="")
    campaign = make_campaign(shop, conversion_days=7)
    start(shop, campaign, now=moment(shop, SENT_AT))
    buy(shop, "p0", "2026-08-10 09:59", 100)
    buy(shop, "p1", "2026-08-10 10:00", 200)
    buy(shop, "p2", "2026-08-17 09:59", 300)
    buy(shop, "p3", "2026-08-17 10:00", 400)
    buy(shop, "p4", "2026-08-12 12:00", 500)
    buy(shop, "p4", "2026-08-11 12:00", 600)
    builders.event(shop, "p5", "Product Viewed", "2026-08-11 12:00")
    buy(shop, "mute0", "2026-08-11 12:00", 700)
    assert settle(shop, "2026-08-11") == 2
    assert results(shop, campaign)["p4"] == ("08-11 12:00", 600)
    settle(shop, "2026-08-18")
    assert results(shop, campaign) == {
        "p0": (None, 0),
        "p1": ("08-10 10:00", 200),
        "p2": ("08-17 09:59", 300),
        "p3": (None, 0),
        "p4": ("08-11 12:00", 1100),
        "p5": (None, 0),
        "p6": (None, 0),
        "mute0": (None, 0),
    }
    assert settle(shop, "2026-08-18") == 0, "twice is the same as once"


def test_revenue_takes_an_orders_last_amount_less_refunds(shop: Workspace) -> None:
    make_people(shop, 2)
    campaign = make_campaign(shop)
    start(shop, campaign, now=moment(shop, SENT_AT))
    buy(shop, "p0", "2026-08-11 10:00", 1000, order="A")
    buy(shop, "p0", "2026-08-11 11:00", 800, order="A")
    buy(shop, "p0", "2026-08-12 11:00", 500, order="B")
    buy(shop, "p0", "2026-08-13 11:00", 300, "refund", order="A")
    buy(shop, "p0", "2026-08-13 12:00", 100, "refund", order="A")
    settle(shop, "2026-08-20")
    assert results(shop, campaign)["p0"] == ("08-11 10:00", 900)


# Orders and refunds as (time, amount, kind, order), the audience frozen on the 10th at 10:00 for seven days.
WORTH: dict[str, tuple[list[tuple[str, int | None, str, str]], int]] = {
    "an order told again counts where it was placed": (
        [("2026-08-09 10:00", 1000, "order", "A"), ("2026-08-11 10:00", 900, "order", "A")],
        0,
    ),
    "and is worth what is told of it later": (
        [("2026-08-11 10:00", 1000, "order", "A"), ("2026-08-18 10:00", 900, "order", "A")],
        900,
    ),
    "a row without an amount changes none": (
        [("2026-08-11 10:00", 1000, "order", "A"), ("2026-08-12 10:00", None, "order", "A")],
        1000,
    ),
    "a refund without an amount takes the whole order": (
        [
            ("2026-08-11 10:00", 1000, "order", "A"),
            ("2026-08-11 11:00", 300, "order", "B"),
            ("2026-08-12 10:00", None, "refund", "A"),
        ],
        300,
    ),
    "refunds beyond the order take no more than it": (
        [
            ("2026-08-11 10:00", 100, "order", "A"),
            ("2026-08-12 10:00", 90, "refund", "A"),
            ("2026-08-13 10:00", 60, "refund", "A"),
        ],
        0,
    ),
    "an order that is given back after the window counts nowhere": (
        [("2026-08-11 10:00", 100, "order", "A"), ("2026-08-18 10:00", 100, "refund", "A")],
        0,
    ),
    "neither does the refund of one placed before": (
        [("2026-08-09 10:00", 100, "order", "A"), ("2026-08-11 10:00", 100, "refund", "A")],
        0,
    ),
    "a part of it that is given back in the window comes off": (
        [("2026-08-09 10:00", 100, "order", "A"), ("2026-08-11 10:00", -40, "refund", "A")],
        -40,
    ),
    "so does a refund that names no order we know": ([("2026-08-11 10:00", 40, "refund", "?")], -40),
    "what is beyond all money is cut off": (
        [(f"2026-08-11 1{n}:00", 5 * 10**18, "order", f"{n}") for n in range(2)],
        4 * 10**18,
    ),
}


@pytest.mark.parametrize("what", WORTH)
def test_orders_and_refunds_are_worth_what_they_are_in_the_facts(shop: Workspace, what: str) -> None:
    rows, worth = WORTH[what]
    make_people(shop, 2)
    campaign = make_campaign(shop)
    start(shop, campaign, now=moment(shop, SENT_AT))
    for when, amount, kind, order in rows:
        buy(shop, "p0", when, amount, kind, order)
    settle(shop, "2026-08-19")
    assert {who: minor for who, (_at, minor) in results(shop, campaign).items()} == {"p0": worth, "p1": 0}
    assert settle(shop, "2026-08-19") == 0


def test_two_campaigns_count_the_same_order_each_in_its_window(shop: Workspace) -> None:
    make_people(shop, 1)
    early, late = make_campaign(shop), make_campaign(shop, name="第二封")
    start(shop, early, now=moment(shop, SENT_AT))
    start(shop, late, now=moment(shop, "2026-08-12 10:00"))
    buy(shop, "p0", "2026-08-11 10:00", 100, order="A")
    buy(shop, "p0", "2026-08-13 10:00", 30, order="B")
    settle(shop, "2026-08-14")
    assert results(shop, early)["p0"] == ("08-11 10:00", 130) and results(shop, late)["p0"] == ("08-13 10:00", 30)


def test_events_that_come_late_are_still_counted_and_old_runs_left_alone(shop: Workspace) -> None:
    make_people(shop, 2)
    campaign = make_campaign(shop, conversion_days=7)
    start(shop, campaign, now=moment(shop, SENT_AT))
    settle(shop, "2026-08-18")
    buy(shop, "p0", "2026-08-16 10:00", 100)
    assert settle(shop, "2026-08-20") == 1
    buy(shop, "p1", "2026-08-16 10:00", 100)
    assert settle(shop, "2026-09-20") == 0


def test_both_arms_count_everybody_eligible_reached_or_not(shop: Workspace, inbox: LocalInbox) -> None:
    make_people(shop, 40)
    make_people(shop, 3, "mute", email="")
    campaign = make_campaign(shop, control_percent=30)
    from campaigns.local_servers import Fault

    inbox.fault("email", Fault("rcpt", reply="550 5.1.1 no such user"))
    send(shop, campaign, now=moment(shop, SENT_AT))
    rows = deliveries(shop, campaign)
    failed = next(row for row in rows if row.state == "failed")
    control = [row for row in rows if row.state == "control"]
    treated = [row for row in rows if row.arm == "treated"]
    with workspace_scope(shop):
        Delivery.objects.filter(delivery_id=failed.delivery_id).update(converted_at=SENT_AT + "Z", revenue_minor=500)
        Delivery.objects.filter(delivery_id=control[0].delivery_id).update(
            converted_at=SENT_AT + "Z", revenue_minor=300
        )
        found = report(campaign)
        assert found.treated == Arm(len(treated), 1, 500, 250_000)
        assert found.control == Arm(len(control), 1, 300, 90_000)
        assert (found.sent, found.sent_converted, found.sent_revenue) == (len(treated) - 1, 0, 0)
        assert found.matched == 43 and found.open == 0
        assert found.skipped == {"no_address": 3, "refused": 1}
        assert found.lift is not None and found.lift.difference == pytest.approx(1 / len(treated) - 1 / len(control))
        assert found.as_dict()["lift"]["difference"] == found.lift.difference
        for number, query in (
            (len(treated), {"arm": "treated"}),
            (1, {"arm": "control", "only": "converted"}),
            (3, {"reason": "no_address"}),
            (len(treated) - 1, {"state": "sent"}),
            (0, {"state": "open"}),
        ):
            assert deliveries_of(campaign, **query).count() == number, query


def test_an_order_of_any_size_can_be_reported(shop: Workspace) -> None:
    make_people(shop, 2)
    campaign = make_campaign(shop)
    start(shop, campaign)
    most = 9 * 10**18
    with workspace_scope(shop):
        Delivery.objects.update(revenue_minor=most)
        assert report(campaign).treated == Arm(2, 0, 2 * most, 2 * most**2)


def test_uneven_arms_are_pointed_out(shop: Workspace) -> None:
    make_people(shop, 200)
    campaign = make_campaign(shop, control_percent=20)
    start(shop, campaign)
    with workspace_scope(shop):
        # The draw is by chance; what is tested is the judgement of a draw, so the arms are dealt out by hand.
        people = list(Delivery.objects.order_by("end_user_id").values_list("end_user_id", flat=True))
        Delivery.objects.update(arm="treated")
        Delivery.objects.filter(end_user_id__in=people[:40]).update(arm="control")
        assert not report(campaign).ratio_warning
        Delivery.objects.filter(end_user_id__in=people[:25]).update(arm="")
        found = report(campaign)
    assert found.ratio_warning and found.ratio_p is not None and found.ratio_p < 0.01


def test_progress_counts_what_is_left_and_how_fast_it_goes(shop: Workspace) -> None:
    make_people(shop, 10)
    campaign = make_campaign(shop)
    start(shop, campaign)
    with workspace_scope(shop):
        assert progress_of([campaign.pk])[campaign.pk].percent == 0
        now = datetime.now(shop.tzinfo)
        for n, row in enumerate(Delivery.objects.order_by("address")[:4]):
            Delivery.objects.filter(delivery_id=row.delivery_id).update(
                state="sent", sent_at=now - timedelta(seconds=8 - 2 * n)
            )
        found = progress_of([campaign.pk])[campaign.pk]
    assert (found.done, found.total, found.sent, found.percent) == (4, 10, 4, 40)
    assert found.rate == pytest.approx(0.5, rel=0.2) and found.seconds_left == pytest.approx(12, abs=3)


def test_the_list_knows_names_progress_and_filters(shop: Workspace, django_assert_num_queries: Any) -> None:
    make_people(shop, 5)
    first = make_campaign(shop, name="春季上新")
    make_campaign(shop, "sms", name="短信召回")
    send(shop, first)
    with workspace_scope(shop):
        with django_assert_num_queries(3):
            rows = list_campaigns(list(find_campaigns()))
        assert [row["campaign"].name for row in rows] == ["短信召回", "春季上新"]
        assert {row["segment"] for row in rows} == {make_segment(shop).name}
        assert (rows[1]["progress"].sent, rows[1]["progress"].percent, rows[0]["progress"].total) == (5, 100, 0)
        assert [campaign.name for campaign in find_campaigns(state="finished")] == ["春季上新"]
        assert [campaign.name for campaign in find_campaigns(channel="sms", text="召回")] == ["短信召回"]


def test_one_persons_messages_and_why(shop: Workspace) -> None:
    (person,) = make_people(shop, 1, email="")
    send(shop, make_campaign(shop))
    with workspace_scope(shop):
        (row,) = deliveries_to(person.pk)
    assert (row.state, row.reason, row.run.campaign.name) == ("suppressed", "no_address", "会员日")
