"""What a provider says of a device, and where the next message goes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from campaigns.local_servers import LocalInbox
from campaigns.sending import send_due
from tests.campaigns.sender import connect, deliveries, make_campaign, send, start
from users.ingest.normal import Device, NormalProfile, PersonKey
from users.models import EndUser, PushDevice
from users.services import upsert_people
from workspaces.models import Workspace
from workspaces.scoping import workspace_scope

DAY = datetime(2026, 8, 1, tzinfo=UTC)


def use(who: str, token: str, acme: Workspace, day: int = 0) -> None:
    traits = {"source": "store"} if who == "u1" else {}
    at, device = DAY + timedelta(days=day), Device("com.shop", token)
    upsert_people(acme, [NormalProfile(PersonKey(who), at, traits, passing=True, device=device)])


def test_a_device_that_is_gone_gets_no_second_message_and_the_next_one_does(acme: Workspace, inbox: LocalInbox) -> None:
    connect(acme, inbox)
    use("u1", "device-1", acme)
    use("u1", "gone-1", acme, 1)
    sent = []
    for name in ("一", "二"):
        campaign = make_campaign(acme, "push", name=name)
        send(acme, campaign)
        sent += [(row.address, row.state) for row in deliveries(acme, campaign)]
    assert sent == [("gone-1", "failed"), ("device-1", "sent")]
    with workspace_scope(acme):
        assert EndUser.objects.get().push_token == "device-1"
        assert list(PushDevice.objects.filter(dead_at=None).values_list("token", flat=True)) == ["device-1"]


def test_what_waits_for_a_phone_is_not_sent_to_whoever_uses_it_since(acme: Workspace, inbox: LocalInbox) -> None:
    connect(acme, inbox)
    use("u1", "device-1", acme)
    campaign = make_campaign(acme, "push")
    start(acme, campaign)
    use("u2", "device-1", acme, 1)
    send_due(acme, "push")
    [row] = deliveries(acme, campaign)
    assert (row.state, row.reason) == ("suppressed", "no_address")
