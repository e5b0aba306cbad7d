"""A campaign about a topic: who is left out and why, and what the page offers to those who unsubscribe."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from campaigns import sending
from campaigns.audience import measure_reach
from campaigns.local_servers import LocalInbox
from campaigns.services import copy
from segmentation.models import Segment
from users.consent import create_topic, set_consent
from users.models import Consent
from workspaces.errors import DomainError
from workspaces.models import Workspace
from workspaces.scoping import workspace_scope

from .sender import connect, deliveries, make_campaign, make_people, send, start, states
from .test_tracking import path_of


@pytest.fixture
def shop(acme: Workspace, inbox: LocalInbox) -> Workspace:
    connect(acme, inbox)
    with workspace_scope(acme):
        create_topic("promotions", "优惠活动")
    return acme


def say(workspace: Workspace, person: Any, key: str, opted_in: bool) -> None:
    with workspace_scope(workspace):
        set_consent([person.pk], key, opted_in, "form")


def test_whoever_opted_out_of_the_topic_is_left_out_with_that_reason(shop: Workspace) -> None:
    people = make_people(shop, 5)
    say(shop, people[0], "email/promotions", False)
    say(shop, people[1], "email/promotions", True)
    say(shop, people[2], "email/other", False)
    say(shop, people[3], "email", False)
    say(shop, people[3], "email/promotions", False)
    expected = {"topic_opted_out": 1, "opted_out": 1}
    about, plain = make_campaign(shop, topic="promotions"), make_campaign(shop)
    with workspace_scope(shop):
        segment = Segment.objects.get(pk=about.segment_id)
        assert measure_reach(segment, "promotions").reach["email"].reasons == expected
        assert measure_reach(segment).reach["email"].reasons == {"opted_out": 1}
        assert copy(about).topic == "promotions"
    start(shop, about)
    start(shop, plain)
    assert states(shop, about) == {"pending": 3, "suppressed/topic_opted_out": 1, "suppressed/opted_out": 1}
    assert states(shop, plain) == {"pending": 4, "suppressed/opted_out": 1}


def test_opting_out_of_the_topic_while_the_message_is_about_to_leave_is_honoured(
    shop: Workspace, inbox: LocalInbox
) -> None:
    people = make_people(shop, 3)
    campaign = make_campaign(shop, topic="promotions")
    start(shop, campaign)
    say(shop, people[1], "email/promotions", False)
    sending.send_due(shop, "email")
    assert states(shop, campaign) == {"sent": 2, "suppressed/topic_opted_out": 1}


def test_the_page_offers_the_topic_beside_everything(shop: Workspace, inbox: LocalInbox, client: Client) -> None:
    make_people(shop, 1)
    about, plain = make_campaign(shop, topic="promotions"), make_campaign(shop)
    send(shop, about)
    send(shop, plain)
    address = path_of("unsubscribe", deliveries(shop, about)[0])
    other = path_of("unsubscribe", deliveries(shop, plain)[0])
    assert "优惠活动" in client.get(address).content.decode()
    assert "优惠活动" not in client.get(other).content.decode()
    assert "优惠活动" in client.post(address, {"only": "topic"}).content.decode()
    with workspace_scope(shop):
        assert list(Consent.objects.values_list("channel", "opted_in")) == [("email/promotions", False)]
    client.post(address, "List-Unsubscribe=One-Click", content_type="application/x-www-form-urlencoded")
    client.post(other, {"only": "topic"})
    with workspace_scope(shop):
        assert dict(Consent.objects.values_list("channel", "opted_in")) == {"email": False, "email/promotions": False}


def test_a_campaign_names_a_topic_that_exists(shop: Workspace, client: Client, world: Any) -> None:
    with pytest.raises(DomainError) as caught:
        make_campaign(shop, topic="nothing")
    assert caught.value.path == "topic"
    headers = {"authorization": f"Bearer {world.acme_api_key}"}
    body = {"name": "x", "topic": "promotions"}
    answer = client.post("/api/v1/campaigns", body, content_type="application/json", headers=headers)
    assert answer.json()["topic"] == "promotions"
    client.force_login(world.operator)
    page = client.get(f"/w/acme/campaigns/{answer.json()['id']}/edit/").content.decode()
    assert '<option value="promotions" selected>' in page
