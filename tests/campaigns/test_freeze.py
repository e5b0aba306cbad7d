"""Freezing the audience: everybody of the segment gets one row, and the row says why."""

from __future__ import annotations

from collections import Counter
from datetime import date, timedelta

import pytest
import time_machine

from campaigns.audience import freeze, measure_reach
from campaigns.local_servers import LocalInbox
from campaigns.models import Delivery, Suppression
from campaigns.services import start_run
from campaigns.suppressions import add_by_hand, release, search, suppress, suppress_erased
from segmentation.models import Segment, SegmentDay, SegmentMember
from segmentation.services import refresh_segments
from tests.builders import moment
from tests.planner import noting_loops
from users.models import EndUser
from users.services import set_consent
from workspaces.errors import DomainError
from workspaces.models import Workspace
from workspaces.scoping import workspace_scope
from workspaces.services import change_settings

from .sender import connect, deliveries, make_campaign, make_people, make_segment, start, states


@pytest.fixture
def shop(acme: Workspace, inbox: LocalInbox) -> Workspace:
    connect(acme, inbox)
    return acme


def mixed_people(workspace: Workspace) -> None:
    """8 reachable, 2 without an address, 3 opted out, 1 suppressed under another spelling; 2 excluded; 5 elsewhere."""
    people = make_people(workspace, 12)
    make_people(workspace, 2, "mute", email="")
    make_people(workspace, 2, "staff", excluded=True)
    make_people(workspace, 5, "web", source="web")
    with workspace_scope(workspace):
        set_consent([person.pk for person in people[:3]], "email", False, "form")
        set_consent([people[11].pk], "sms", False, "form")
        EndUser.objects.filter(pk=people[3].pk).update(email="P3@example.com")
        suppress("email", ["p3@Example.com"], "bounced")


def test_everybody_in_the_segment_has_a_row_with_a_reason(shop: Workspace) -> None:
    mixed_people(shop)
    campaign = make_campaign(shop)
    run = start(shop, campaign)
    assert states(shop, campaign) == {
        "pending": 8,
        "suppressed/no_address": 2,
        "suppressed/opted_out": 3,
        "suppressed/suppressed": 1,
    }
    assert (run.matched, run.eligible, run.treated, run.control) == (14, 8, 8, 0)
    with workspace_scope(shop):
        matching = set(EndUser.objects.filter(source="store", excluded=False).values_list("pk", flat=True))
    assert {row.end_user_id for row in deliveries(shop, campaign)} == matching


def test_the_reach_shown_before_is_what_the_freeze_finds(shop: Workspace) -> None:
    mixed_people(shop)
    with workspace_scope(shop):
        measured = measure_reach(make_segment(shop))
        reach = measured.reach
        assert len(measured.sample) == 14
    for channel in ("email", "sms", "push"):
        campaign = make_campaign(shop, channel)
        start(shop, campaign)
        frozen = Counter(row.reason for row in deliveries(shop, campaign))
        assert reach[channel].reachable == frozen.pop("")
        assert reach[channel].reasons == dict(frozen)
    assert (reach["email"].people, reach["email"].reachable, reach["sms"].reachable) == (14, 8, 13)


def test_who_matches_the_rule_when_it_starts_is_written_to(shop: Workspace) -> None:
    people = make_people(shop, 3)
    campaign = make_campaign(shop)
    with workspace_scope(shop):
        refresh_segments(shop, shop.yesterday())
        EndUser.objects.filter(pk=people[0].pk).update(source="web")
    assert start(shop, campaign).matched == 2


def test_a_campaign_just_after_midnight_leaves_the_day_that_ended_to_its_night(shop: Workspace) -> None:
    people = make_people(shop, 3)
    campaign = make_campaign(shop)
    yesterday = date(2026, 8, 10)
    with workspace_scope(shop):
        refresh_segments(shop, yesterday - timedelta(days=1))
        EndUser.objects.filter(pk=people[0].pk).update(source="web")
    with time_machine.travel(moment(shop, "2026-08-11 00:30")):
        assert start(shop, campaign).matched == 2
        with workspace_scope(shop):
            assert refresh_segments(shop, yesterday)["left"] == 1
    with workspace_scope(shop):
        days = list(SegmentDay.objects.order_by("day").values_list("day", "size", "entered", "left"))
        assert days == [(yesterday - timedelta(days=1), 3, 3, 0), (yesterday, 2, 0, 1)]
        assert set(SegmentMember.objects.values_list("end_user_id", flat=True)) == {person.pk for person in people[1:]}
        assert Segment.objects.get(pk=campaign.segment_id).refreshed_on == yesterday


def test_where_consent_is_required_silence_is_a_no(shop: Workspace) -> None:
    people = make_people(shop, 4)
    with workspace_scope(shop):
        shop = change_settings({"consent_required": True})
    with workspace_scope(shop):
        set_consent([people[0].pk], "email", True, "form")
    campaign = make_campaign(shop)
    start(shop, campaign)
    assert states(shop, campaign) == {"pending": 1, "suppressed/no_consent": 3}


def test_the_control_group_is_drawn_by_person_and_campaign(shop: Workspace) -> None:
    make_people(shop, 400)
    campaign = make_campaign(shop, control_percent=20)
    run = start(shop, campaign)
    assert run.treated + run.control == 400
    assert 50 <= run.control <= 110, "20 % of 400, give or take chance"
    rows = deliveries(shop, campaign)
    assert all((row.state == "control") == (row.bucket < 2000) for row in rows)
    assert {row.arm for row in rows if row.state == "control"} == {"control"}
    other = make_campaign(shop, control_percent=20)
    start(shop, other)
    mine = {row.end_user_id for row in rows if row.state == "control"}
    theirs = {row.end_user_id for row in deliveries(shop, other) if row.state == "control"}
    assert mine != theirs, "each campaign has a salt of its own"


def test_an_audience_is_joined_as_sets(shop: Workspace) -> None:
    make_people(shop, 2)
    with noting_loops("left join suppression") as loops:
        start(shop, make_campaign(shop))
        with workspace_scope(shop):
            measure_reach(make_segment(shop, name="again"))
    assert loops and set(loops) == {"off"}


def test_freezing_again_adds_nobody_and_moves_nobody(shop: Workspace) -> None:
    make_people(shop, 50)
    campaign = make_campaign(shop, control_percent=30)
    run = start(shop, campaign)
    before = [(row.end_user_id, row.delivery_id, row.state, row.bucket) for row in deliveries(shop, campaign)]
    with workspace_scope(shop):
        freeze(run, campaign)
        assert not start_run(run), "a started run is not started again"
    assert before == [(row.end_user_id, row.delivery_id, row.state, row.bucket) for row in deliveries(shop, campaign)]
    assert len({row.delivery_id for row in deliveries(shop, campaign)}) == 50


def test_another_workspaces_people_are_never_frozen(shop: Workspace, world) -> None:  # type: ignore[no-untyped-def]
    make_people(shop, 2)
    make_people(world.other, 3)
    make_segment(world.other)
    campaign = make_campaign(shop)
    assert start(shop, campaign).matched == 2
    with workspace_scope(world.other):
        assert Delivery.objects.count() == 0


def test_the_suppression_list_by_hand(shop: Workspace) -> None:
    with workspace_scope(shop):
        assert add_by_hand("email", " A@example.com \n\nb@example.com\nB@example.com") == (2, 0)
        assert add_by_hand("email", "b@example.com\nc@example.com") == (1, 1)
        suppress("email", ["a@example.com"], "bounced")
        assert dict(Suppression.objects.values_list("address", "reason")) == {
            "a@example.com": "by_hand",
            "b@example.com": "by_hand",
            "c@example.com": "by_hand",
        }
        assert release("email", "A@example.com") and not release("email", "A@example.com")
        for channel, text, path in (
            ("email", " \n", "addresses"),
            ("fax", "x", "channel"),
            ("email", "a\0b", "addresses"),
            ("email", "a@example.com, b@example.com", "addresses"),
            ("sms", "13800138000\n12", "addresses"),
            ("push", "x" * 401, "addresses"),
        ):
            with pytest.raises(DomainError) as refused:
                add_by_hand(channel, text)
            assert refused.value.path == path


def test_a_number_typed_as_people_write_it_is_theirs(shop: Workspace) -> None:
    make_people(shop, 3)  # +8613800000000 …
    with workspace_scope(shop):
        assert add_by_hand("sms", "13800000000\n138 0000 0001\n+8613800000009") == (3, 0)
        for typed in ("13800000000", "138 0000 0000", "138-0000-0000"):
            assert search(typed).get().address == "+8613800000000"
        suppress_erased("sms", ["+8613800000005"])
        assert search("138 0000 0005").get().reason == "erased"
    campaign = make_campaign(shop, "sms")
    start(shop, campaign)
    assert states(shop, campaign) == {"pending": 1, "suppressed/suppressed": 2}
