"""What a provider says of a device, and where the next message goes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from campaigns.local_servers import LocalInbox
from tests.campaigns.sender import connect, deliveries, make_campaign, send
from users.ingest.normal import Device, NormalProfile, PersonKey
from users.models import EndUser, PushDevice
from users.services import upsert_people
from workspaces.models import Workspace
from workspaces.scoping import workspace_scope

DAY = datetime(2026, 8, 1, tzinfo=UTC)


def test_a_device_that_is_gone_gets_no_second_message_and_the_next_one_does(acme: Workspace, inbox: LocalInbox) -> None:
    connect(acme, inbox)
    upsert_people(acme, [NormalProfile(PersonKey("u1"), DAY, {"source": "store", "name": "李"})])
    for n, token in enumerate(["device-1", "gone-1"]):
        at = DAY + timedelta(days=n)
        upsert_people(acme, [NormalProfile(PersonKey("u1"), at, passing=True, device=Device("com.shop", token))])
    sent = []
    for name in ("一", "二"):
        campaign = make_campaign(acme, "push", name=name)
        send(acme, campaign)
        sent += [(row.address, row.state) for row in deliveries(acme, campaign)]
    assert sent == [("gone-1", "failed"), ("device-1", "sent")]
    with workspace_scope(acme):
        assert EndUser.objects.get().push_token == "device-1"
        assert list(PushDevice.objects.filter(dead_at=None).values_list("token", flat=True)) == ["device-1"]
