"""The pages of channels, suppressed addresses and the local inbox."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from campaigns.local_servers import LocalInbox
from campaigns.models import ChannelAccount, Delivery, Suppression
from campaigns.suppressions import suppress
from users.models import Consent
from workspaces.models import Workspace
from workspaces.scoping import workspace_scope

from .desk import W, text
from .sender import CONTENT, deliveries, make_campaign, make_people, send

pytestmark = pytest.mark.usefixtures("english")


# --- channels, suppressions, inbox ----------------------------------------------------------------------------------


def test_channel_settings_are_drawn_from_the_fields_and_never_show_a_secret(owner: Client, shop: Workspace) -> None:
    assert text(owner.get(f"{W}/channels/")).count("Set up") >= 3
    page = text(owner.get(f"{W}/channels/sms/"))
    with workspace_scope(shop):
        stored = ChannelAccount.objects.get(channel="sms").config
    assert stored["sign_name"] in page and stored["access_key_secret"] not in page and "Leave empty to keep it" in page
    typed = {
        "access_key_id": "id",
        "access_key_secret": "hidden-words",
        "sign_name": "",
        "base_url": "https://x.example",
    }
    answer = owner.post(f"{W}/channels/sms/", typed)
    assert answer.status_code == 422 and "This field is required." in text(answer)
    assert "hidden-words" not in text(answer), "not even when the form comes back"
    assert owner.post(f"{W}/channels/sms/", typed | {"sign_name": "新"}).status_code == 303
    assert owner.get(f"{W}/channels/fax/").status_code == 404


def test_a_channel_is_tried_from_its_page(owner: Client, shop: Workspace, inbox: LocalInbox) -> None:
    assert "Sent to 13800138000" in text(owner.post(f"{W}/channels/sms/test/", {"address": "13800138000"}))
    assert [message["address"] for message in inbox.messages()] == ["13800138000"]
    assert owner.post(f"{W}/channels/fax/test/", {"address": "1"}).status_code == 404


def test_operators_see_channels_but_administrators_set_them_up(shop: Workspace, as_role: Any) -> None:
    assert as_role("operator").get(f"{W}/channels/").status_code == 200
    assert as_role("operator").get(f"{W}/channels/sms/").status_code == 403
    assert as_role("analyst").post(f"{W}/campaigns/test/", {}).status_code == 403


def test_the_suppression_list_is_searched_added_to_and_shortened(owner: Client, shop: Workspace) -> None:
    with workspace_scope(shop):
        suppress("email", ["bounced@example.com"], "bounced")
    page = text(owner.get(f"{W}/suppressions/"))
    assert "bounced@example.com" in page and "the address bounced" in page
    for typed in ("", "hello"):
        told = owner.post(f"{W}/suppressions/add/", {"channel": "sms", "addresses": typed})
        assert told.status_code == 422 and 'aria-describedby="addresses-error" autofocus>' + typed in text(told)
    owner.post(f"{W}/suppressions/add/", {"channel": "sms", "addresses": "+8613800138000\n+8613800138001"})
    found = text(owner.get(f"{W}/suppressions/?q=8001"))
    assert "+8613800138001" in found and "bounced@" not in found
    owner.post(f"{W}/suppressions/remove/", {"channel": "email", "address": "bounced@example.com"})
    with workspace_scope(shop):
        assert set(Suppression.objects.values_list("address", flat=True)) == {"+8613800138000", "+8613800138001"}


def test_every_suppressed_address_is_on_some_page(owner: Client, shop: Workspace) -> None:
    with workspace_scope(shop):
        suppress("email", [f"a{n:03d}@example.com" for n in range(101)], "bounced")
    pages = [text(owner.get(f"{W}/suppressions/?q=example&page={n}")) for n in (1, 2, 3)]
    assert [page.count("the address bounced") for page in pages] == [50, 50, 1]
    assert 'rel="next" href="?q=example&amp;page=2"' in pages[0]


def test_what_was_put_on_the_suppression_list_is_counted_once(owner: Client, shop: Workspace) -> None:
    def add(typed: str) -> str:
        return text(owner.post(f"{W}/suppressions/add/", {"channel": "email", "addresses": typed}, follow=True))

    assert "1 address will not be written to any more." in add("a@example.com\nA@example.com")
    both = add("a@example.com\nb@example.com")
    assert "1 address will not be written to any more. 1 was on the list already." in both
    again = add("a@example.com")
    assert "1 was on the list already." in again and "will not be written" not in again
    gone = {"channel": "email", "address": "z@example.com"}
    assert "z@example.com is not on the list any more." in text(
        owner.post(f"{W}/suppressions/remove/", gone, follow=True)
    )


@pytest.fixture
def kept(settings: Any, inbox: LocalInbox, tmp_path: Path) -> None:
    """The inbox folder where the page looks for it."""
    settings.DATA_DIR = tmp_path
    (tmp_path / "inbox").symlink_to(inbox.folder)


def test_the_local_inbox_shows_what_arrived(owner: Client, shop: Workspace, kept: None) -> None:
    make_people(shop, 3)
    campaign = make_campaign(shop)
    send(shop, campaign)
    send(shop, make_campaign(shop, "sms"))
    page = text(owner.get(f"{W}/inbox/"))
    assert page.count("data-drawer") == 6
    assert text(owner.get(f"{W}/inbox/?channel=email&q=p1@")).count("data-drawer") == 1
    link = re.search(rf'href="({W}/inbox/email/[^"]+)"', page)
    assert link and "小" in text(owner.get(link[1]))
    frame = owner.get(f"{link[1]}?frame=1")
    assert frame["Content-Security-Policy"].startswith("sandbox;") and "/t/o/" not in text(frame)
    with workspace_scope(shop):
        assert not Delivery.objects.filter(opened_at__isnull=False).exists(), "looking here is no open"
    for path in ("email/..%2f..%2fsecrets", "email/secrets", "fax/1-1", "email/1-1"):
        assert owner.get(f"{W}/inbox/{path}/").status_code == 404


def test_without_local_servers_there_is_no_inbox(owner: Client, settings: Any) -> None:
    settings.LOCAL_INBOX = False
    assert owner.get(f"{W}/inbox/").status_code == 404 and owner.get(f"{W}/inbox/email/1-1/").status_code == 404
    assert "/inbox/" not in text(owner.get(f"{W}/campaigns/"))


def test_pages_hold_no_inline_script_or_style(owner: Client, shop: Workspace) -> None:
    make_people(shop, 30)
    campaign = make_campaign(shop, control_percent=20)
    paths = [
        f"campaigns/{campaign.pk}/review/",
        f"campaigns/{campaign.pk}/edit/",
        "campaigns/",
        "channels/email/",
        "suppressions/",
    ]
    pages = [text(owner.get(f"{W}/{path}")) for path in paths]
    send(shop, campaign)
    pages.append(text(owner.get(f"{W}/campaigns/{campaign.pk}/")))
    for page in pages:
        assert not re.search(r"<script(?![^>]*(src=|application/json|type=\"application))", page)
        assert not re.search(r"\sstyle=|\son\w+=", re.sub(r"<textarea.*?</textarea>", "", page))


def test_what_a_person_unsubscribed_from_is_seen_in_the_report(owner: Client, shop: Workspace) -> None:
    from campaigns.links import make_token

    make_people(shop, 3)
    campaign = make_campaign(shop)
    send(shop, campaign)
    token = make_token("unsubscribe", shop.pk, deliveries(shop, campaign)[0].delivery_id)
    Client().post(f"/t/u/{token}")
    page = text(owner.get(f"{W}/campaigns/{campaign.pk}/deliveries/?only=unsubscribed"))
    assert "1 person" in page and "p0@example.com" in page
    with workspace_scope(shop):
        assert Consent.objects.get().opted_in is False
    assert CONTENT["email"]["subject"]
