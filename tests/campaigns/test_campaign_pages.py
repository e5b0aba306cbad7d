"""The pages of campaigns: writing, checking, sending, the report and what stands behind its numbers."""

from __future__ import annotations

import json
import re
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from campaigns import sending
from campaigns.local_servers import LocalInbox
from campaigns.models import Campaign, ChannelAccount, Delivery, Run, Suppression
from campaigns.services import sweep
from campaigns.suppressions import suppress
from campaigns.tasks import send_campaigns
from tests import builders
from users.models import Consent, EndUser
from workspaces.models import Workspace
from workspaces.scoping import workspace_scope

from .sender import CONTENT, connect, deliveries, make_campaign, make_people, make_segment, send, start, states

W = "/w/acme"


@pytest.fixture(autouse=True)
def english(client: Client) -> None:
    client.cookies["django_language"] = "en"


@pytest.fixture
def rung(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Workspaces that a worker was asked to send for."""
    asked: list[str] = []
    monkeypatch.setattr(send_campaigns, "delay", asked.append)
    return asked


@pytest.fixture
def shop(acme: Workspace, inbox: LocalInbox) -> Workspace:
    connect(acme, inbox)
    builders.name(acme, "Order Completed")
    return acme


@pytest.fixture
def owner(shop: Workspace, as_role: Any, rung: list[str]) -> Client:
    return as_role("owner")


def form(shop: Workspace, **changes: Any) -> dict[str, Any]:
    """The editor's form, as a browser sends it."""
    typed = {
        "name": "会员日",
        "segment": str(make_segment(shop).pk),
        "channel": "email",
        "email.subject": "{{ user.name }}，你好",
        "email.body_html": "<p>{{ user.name }}</p>",
        "conversion_event": "Order Completed",
        "conversion_days": "7",
        "control_percent": "10",
    }
    return typed | changes


def text(answer: Any) -> str:
    return re.sub(r"\s+", " ", answer.content.decode())


def only_campaign(shop: Workspace) -> Campaign:
    with workspace_scope(shop):
        return Campaign.objects.get()


# --- writing --------------------------------------------------------------------------------------------------------


def test_an_empty_list_says_what_a_campaign_is_and_leads_to_the_first(owner: Client) -> None:
    page = text(owner.get(f"{W}/campaigns/"))
    assert "No campaign yet" in page and f'href="{W}/campaigns/new/"' in page


def test_a_draft_is_kept_as_typed(owner: Client, shop: Workspace) -> None:
    assert owner.get(f"{W}/campaigns/new/").status_code == 200
    answer = owner.post(f"{W}/campaigns/new/", form(shop, **{"email.from_name": "商城"}))
    campaign = only_campaign(shop)
    assert (answer.status_code, answer["Location"]) == (303, f"{W}/campaigns/{campaign.pk}/edit/")
    assert campaign.content == {
        "subject": "{{ user.name }}，你好",
        "body_html": "<p>{{ user.name }}</p>",
        "body_text": "",
        "from_name": "商城",
    }
    page = text(owner.get(answer["Location"]))
    assert 'value="会员日"' in page and "&lt;p&gt;{{ user.name }}&lt;/p&gt;" in page
    answer = owner.post(answer["Location"], form(shop, name="改名", review="1"))
    assert answer["Location"] == f"{W}/campaigns/{campaign.pk}/review/"
    assert only_campaign(shop).name == "改名"


def test_each_channel_has_the_fields_it_declares(owner: Client, shop: Workspace) -> None:
    sms = {
        "sms.template_code": "SMS_1",
        "sms.params.key": ["name", "", "n"],
        "sms.params.value": ["{{ user.name }}", "x", "2"],
    }
    owner.post(f"{W}/campaigns/new/", form(shop, channel="sms", **sms))
    assert only_campaign(shop).content == {"template_code": "SMS_1", "params": {"name": "{{ user.name }}", "n": "2"}}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"name": " "}, "This field is required."),
        ({"email.body_html": "<p>{{ user.name | nosuch }}</p>"}, "uses a filter that does not exist here"),
        ({"email.body_html": '<a href="https://{{ user.x }}/">x</a>'}, "takes its host from a merge field"),
        ({"control_percent": "99"}, "A percentage from 0 to 50."),
        ({"control_percent": "NaN"}, "A percentage from 0 to 50."),
        ({"conversion_days": "½"}, "A whole number from 1 to 30."),
        ({"segment": str(uuid.UUID(int=1))}, "This segment does not exist."),
        ({"segment": "x' or 1=1"}, "This segment does not exist."),
    ],
)
def test_what_is_wrong_is_told_and_nothing_typed_is_lost(
    owner: Client, shop: Workspace, changes: dict[str, str], words: str
) -> None:
    answer = owner.post(f"{W}/campaigns/new/", form(shop, **{"sms.template_code": "SMS_77"} | changes))
    page = text(answer)
    assert answer.status_code == 422 and words in page
    assert "SMS_77" in page and "{{ user.name }}，你好" in page, "fields of the other channels stay too"
    with workspace_scope(shop):
        assert not Campaign.objects.exists()


def test_a_campaign_that_was_sent_is_not_edited_but_copied(owner: Client, shop: Workspace) -> None:
    make_people(shop, 2)
    campaign = make_campaign(shop)
    send(shop, campaign)
    answer = owner.get(f"{W}/campaigns/{campaign.pk}/edit/")
    assert answer["Location"] == f"{W}/campaigns/{campaign.pk}/"
    copied = owner.post(f"{W}/campaigns/{campaign.pk}/copy/")
    assert copied.status_code == 303 and copied["Location"].endswith("/edit/")
    assert "(copy)" in text(owner.get(copied["Location"]))


def test_the_reach_is_shown_by_channel_with_reasons(owner: Client, shop: Workspace) -> None:
    people = make_people(shop, 5)
    with workspace_scope(shop):
        EndUser.objects.filter(pk=people[0].pk).update(email="")
    page = text(owner.get(f"{W}/campaigns/reach/?segment={make_segment(shop).pk}"))
    assert re.search(r"Email</td> <td class=\"num\">4 <small[^>]*>/ 5", page)
    assert 'no address on this channel <span class="num">1' in page
    for nonsense in ("", "x", str(uuid.UUID(int=3))):
        assert "Choose a segment" in text(owner.get(f"{W}/campaigns/reach/?segment={nonsense}"))


# --- looking at it --------------------------------------------------------------------------------------------------


def test_the_preview_is_a_locked_frame(owner: Client, shop: Workspace) -> None:
    make_people(shop, 1, name="小<i>明</i>")
    evil = "<p>{{ user.name }}</p><script>alert(1)</script><img src=x onerror=alert(1)>"
    answer = owner.post(f"{W}/campaigns/preview/", form(shop, **{"email.body_html": evil}))
    policy = answer["Content-Security-Policy"]
    assert "sandbox;" in policy and "default-src 'none'" in policy and "frame-ancestors 'self'" in policy
    assert "script-src" not in policy and "allow-scripts" not in policy
    assert answer["X-Frame-Options"] == "SAMEORIGIN" and answer["Referrer-Policy"] == "no-referrer"
    page = text(answer)
    assert "小&lt;i&gt;明" in page and "小<i>" not in page
    assert "sandbox" in re.search(r"<iframe[^>]*>", text(owner.get(f"{W}/campaigns/new/")))[0]  # type: ignore[index]


def test_the_preview_is_filled_in_as_the_chosen_person(owner: Client, shop: Workspace) -> None:
    make_people(shop, 3)
    for words in ("p2", "小2", "P2@example.com"):
        assert "小2，你好" in text(owner.post(f"{W}/campaigns/preview/", form(shop, person=words)))
    nobody = owner.post(f"{W}/campaigns/preview/", form(shop, person="nobody"))
    assert nobody.status_code == 200 and "There is nobody with this ID" in text(nobody)
    assert "，你好" in text(owner.post(f"{W}/campaigns/preview/", form(shop))), "somebody of the segment"


@pytest.mark.parametrize("channel", ["sms", "push"])
def test_the_preview_of_short_messages(owner: Client, shop: Workspace, channel: str) -> None:
    make_people(shop, 1)
    fields = {
        "sms": {"sms.template_code": "SMS_9", "sms.params.key": ["name"], "sms.params.value": ["{{ user.name }}"]},
        "push": {"push.title": "新品", "push.body_text": "{{ user.name }}", "push.url": "https://shop.example/n"},
    }[channel]
    page = text(owner.post(f"{W}/campaigns/preview/", form(shop, channel=channel, **fields)))
    assert "小0" in page and ("SMS_9" in page or "新品" in page)


def test_money_and_days_of_a_person_can_be_merged(owner: Client, shop: Workspace) -> None:
    from users.models import Facts

    (person,) = make_people(shop, 1)
    with workspace_scope(shop):
        Facts.objects.create(end_user_id=person.pk, revenue_minor=123456, orders=3)
    page = text(owner.get(f"{W}/campaigns/new/"))
    picked = re.search(r'data-merge="(\{\{ user.revenue_minor[^"]*)"', page)
    assert picked
    shown = text(owner.post(f"{W}/campaigns/preview/", form(shop, **{"email.subject": picked[1]})))
    assert "1,234.56" in shown


def test_a_test_goes_to_the_operator_and_leaves_no_trace(owner: Client, shop: Workspace, inbox: LocalInbox) -> None:
    make_people(shop, 2)
    answer = owner.post(f"{W}/campaigns/test/", form(shop, address="me@example.com", person="p1"))
    assert "Sent to me@example.com" in text(answer)
    (mail,) = inbox.messages()
    assert (mail["address"], mail["subject"]) == ("me@example.com", "小1，你好")
    assert "/t/c/" not in mail["html"] and "/t/o/" not in mail["html"]
    with workspace_scope(shop):
        assert not Delivery.objects.exists() and not Campaign.objects.exists()


def test_a_test_that_cannot_be_sent_says_why(owner: Client, shop: Workspace) -> None:
    make_people(shop, 1)
    for changes, words in (
        ({"address": ""}, "This field is required."),
        ({"address": "me@example.com", "email.subject": ""}, "Subject is empty."),
        ({"address": "me@example.com", "person": "nobody"}, "There is nobody"),
        ({"address": "not an address"}, "not an address that mail can be sent to"),
    ):
        assert words in text(owner.post(f"{W}/campaigns/test/", form(shop, **changes))), words
    with workspace_scope(shop):
        account = ChannelAccount.objects.get(channel="email")
        account.config["port"] = 9
        account.save()
    assert "connect" in text(owner.post(f"{W}/campaigns/test/", form(shop, address="me@example.com")))


# --- checking and sending -------------------------------------------------------------------------------------------


def test_the_check_counts_warns_and_lets_it_go(owner: Client, shop: Workspace) -> None:
    make_people(shop, 9)
    make_people(shop, 1, "anon", name="")
    campaign = make_campaign(shop, control_percent=20)
    page = text(owner.get(f"{W}/campaigns/{campaign.pk}/review/"))
    assert "About 8 people of “门店来的人” will be written to." in page
    assert "user.name is empty for 1 of 10 people looked at" in page
    assert "Send to about 8 people" in page and "disabled" not in page.split("launch/")[1]


def test_what_is_missing_keeps_it_from_being_sent(owner: Client, shop: Workspace) -> None:
    campaign = make_campaign(shop, content={"subject": ""}, segment=None)
    page = text(owner.get(f"{W}/campaigns/{campaign.pk}/review/"))
    for words in ("Choose a segment.", "Subject is empty.", "Body is empty."):
        assert words in page
    answer = owner.post(f"{W}/campaigns/{campaign.pk}/launch/")
    assert answer.status_code == 422
    assert only_campaign(shop).state == "draft"


def test_sending_now_freezes_rings_and_shows_progress(
    owner: Client, shop: Workspace, rung: list[str], django_capture_on_commit_callbacks: Any
) -> None:
    make_people(shop, 6)
    campaign = make_campaign(shop)
    with django_capture_on_commit_callbacks(execute=True):
        answer = owner.post(f"{W}/campaigns/{campaign.pk}/launch/", {"when": "now"})
    assert answer["Location"] == f"{W}/campaigns/{campaign.pk}/" and rung == [str(shop.pk)]
    page = text(owner.get(answer["Location"]))
    assert "0 / 6" in page and f'hx-get="{W}/campaigns/{campaign.pk}/progress/"' in page
    again = owner.post(f"{W}/campaigns/{campaign.pk}/launch/", {"when": "now"})
    assert again.status_code == 303
    with workspace_scope(shop):
        assert Run.objects.count() == 1 and Delivery.objects.count() == 6


def test_a_broker_that_is_down_does_not_stop_the_launch(
    owner: Client, shop: Workspace, monkeypatch: pytest.MonkeyPatch, django_capture_on_commit_callbacks: Any
) -> None:
    def broken(*_args: Any) -> None:
        raise ConnectionError("no broker")

    monkeypatch.setattr(send_campaigns, "delay", broken)
    make_people(shop, 2)
    campaign = make_campaign(shop)
    with django_capture_on_commit_callbacks(execute=True):
        assert owner.post(f"{W}/campaigns/{campaign.pk}/launch/").status_code == 303
    assert states(shop, campaign) == {"pending": 2}, "the minute's tick will send them"


def test_a_time_is_in_the_workspaces_zone(owner: Client, shop: Workspace) -> None:
    campaign = make_campaign(shop)
    path = f"{W}/campaigns/{campaign.pk}/launch/"
    for at, words in (("", "Choose a day and a time."), ("2020-01-01T10:00", "This time has passed.")):
        answer = owner.post(path, {"when": "later", "at": at})
        assert answer.status_code == 422 and words in text(answer)
    day = (datetime.now(UTC) + timedelta(days=3)).strftime("%Y-%m-%d")
    assert owner.post(path, {"when": "later", "at": f"{day}T10:00"}).status_code == 303
    with workspace_scope(shop):
        assert f"{Run.objects.get().due_at.astimezone(UTC):%H:%M}" == "02:00"
    assert "Starts at" in text(owner.get(f"{W}/campaigns/{campaign.pk}/"))
    owner.post(f"{W}/campaigns/{campaign.pk}/cancel/")
    assert only_campaign(shop).state == "draft"


def test_more_than_a_thousand_people_want_their_number_typed(owner: Client, shop: Workspace) -> None:
    make_people(shop, 1012)
    campaign = make_campaign(shop)
    path = f"{W}/campaigns/{campaign.pk}/launch/"
    assert "type 1,012 to go on" in text(owner.get(f"{W}/campaigns/{campaign.pk}/review/"))
    for typed in ("", "1000", "yes"):
        answer = owner.post(path, {"when": "now", "confirm": typed})
        assert answer.status_code == 422 and "Type the number of people: 1012" in text(answer)
    assert only_campaign(shop).state == "draft"
    assert owner.post(path, {"when": "now", "confirm": "1,012"}).status_code == 303
    assert only_campaign(shop).state == "running"


# --- while it is sent, and after ------------------------------------------------------------------------------------


def test_pause_go_on_and_stop(
    owner: Client, shop: Workspace, rung: list[str], django_capture_on_commit_callbacks: Any
) -> None:
    make_people(shop, 4)
    campaign = make_campaign(shop)
    start(shop, campaign)
    path = f"{W}/campaigns/{campaign.pk}"
    owner.post(f"{path}/pause/")
    assert only_campaign(shop).state == "paused"
    assert "load the page again" in text(owner.post(f"{path}/pause/", follow=True))
    with django_capture_on_commit_callbacks(execute=True):
        owner.post(f"{path}/resume/")
    assert only_campaign(shop).state == "running" and rung == [str(shop.pk)]
    owner.post(f"{path}/cancel/")
    assert states(shop, campaign) == {"suppressed/cancelled": 4}


def test_the_part_that_moves_asks_for_the_whole_page_at_the_end(owner: Client, shop: Workspace) -> None:
    make_people(shop, 3)
    campaign = make_campaign(shop)
    start(shop, campaign)
    path = f"{W}/campaigns/{campaign.pk}/progress/"
    assert "HX-Refresh" not in owner.get(path) and "0 / 3" in text(owner.get(path))
    sending.send_due(shop, "email")
    assert "3 / 3" in text(owner.get(path))
    with workspace_scope(shop):
        sweep()
    assert owner.get(path)["HX-Refresh"] == "true"


def test_the_report_says_what_changed_and_every_number_opens_its_people(owner: Client, shop: Workspace) -> None:
    make_people(shop, 300)
    make_people(shop, 7, "mute", email="")
    campaign = make_campaign(shop, control_percent=30)
    send(shop, campaign)
    with workspace_scope(shop):
        for arm, every in (("treated", 2), ("control", 10)):
            rows = Delivery.objects.filter(arm=arm).order_by("address").values_list("delivery_id", flat=True)
            for delivery_id in list(rows)[::every]:
                Delivery.objects.filter(delivery_id=delivery_id).update(
                    converted_at=datetime.now(UTC), revenue_minor=5000
                )
    answer = owner.get(f"{W}/campaigns/{campaign.pk}/")
    page = text(answer)
    assert "It raised conversion by" in page and "95 % interval" in page and "would not have come by themselves" in page
    picture = json.loads(re.search(r'<script id="campaign-lift-data"[^>]*>(.*?)</script>', page)[1])  # type: ignore[index]
    assert picture["rows"][0][2] > 0, "the interval leaves zero out"
    links = {
        link.replace("&amp;", "&")
        for link in re.findall(rf'href="({W}/campaigns/{campaign.pk}/deliveries/[^"]*)"', page)
    }
    shown = {
        "?arm=treated",
        "?arm=control",
        "?arm=control&only=converted",
        "?reason=no_address",
        "?state=sent",
        "?only=opened",
    }
    assert shown <= {link.partition("deliveries/")[2] for link in links}
    for link in links:
        assert owner.get(link).status_code == 200
    nobody = text(owner.get(f"{W}/campaigns/{campaign.pk}/deliveries/?reason=no_address"))
    assert "7 people" in nobody and "no address on this channel" in nobody


def test_too_little_data_is_called_too_little(owner: Client, shop: Workspace) -> None:
    make_people(shop, 60)
    campaign = make_campaign(shop, control_percent=30)
    send(shop, campaign)
    with workspace_scope(shop):
        rows = Delivery.objects.filter(arm="treated").order_by("address").values_list("delivery_id", flat=True)
        Delivery.objects.filter(delivery_id__in=list(rows)[:3]).update(converted_at=datetime.now(UTC))
    page = text(owner.get(f"{W}/campaigns/{campaign.pk}/"))
    assert "Not enough data: about" in page and "Not enough data yet" in page


def test_unknown_messages_are_explained_and_may_be_sent_again(
    owner: Client, shop: Workspace, inbox: LocalInbox
) -> None:
    from campaigns.local_servers import Fault

    make_people(shop, 2)
    campaign = make_campaign(shop)
    inbox.fault("email", Fault("after_data", cut=True))
    send(shop, campaign)
    assert "For 1 person nobody can say" in text(owner.get(f"{W}/campaigns/{campaign.pk}/"))
    owner.post(f"{W}/campaigns/{campaign.pk}/unknown/")
    assert states(shop, campaign) == {"sent": 1, "pending": 1}


def test_the_list_of_people_pages_through_everybody_once(owner: Client, shop: Workspace) -> None:
    make_people(shop, 120)
    campaign = make_campaign(shop)
    start(shop, campaign)
    seen: list[str] = []
    path = f"{W}/campaigns/{campaign.pk}/deliveries/?arm=treated"
    while path:
        page = text(owner.get(path))
        seen += re.findall(r"<small>(p\d+@example.com)</small>", page)
        following = re.search(r'rel="next" href="([^"]+)"', page)
        path = f"{W}/campaigns/{campaign.pk}/deliveries/{following[1].replace('&amp;', '&')}" if following else ""
    assert len(seen) == 120 == len(set(seen))


def test_the_rows_that_move_come_alone(owner: Client, shop: Workspace) -> None:
    make_people(shop, 3)
    start(shop, make_campaign(shop))
    assert 'hx-trigger="every 3s"' in text(owner.get(f"{W}/campaigns/"))
    part = text(owner.get(f"{W}/campaigns/", headers={"HX-Request": "true", "HX-Target": "campaign-rows"}))
    assert part.strip().startswith("<tbody") and "<html" not in part
    assert "No such campaign" in text(owner.get(f"{W}/campaigns/?q=nothing"))


def test_lists_ask_the_database_the_same_number_of_times_however_long_they_are(
    owner: Client, shop: Workspace, django_assert_max_num_queries: Any
) -> None:
    make_people(shop, 3)
    for n in range(12):
        send(shop, make_campaign(shop, name=f"{n}"))
    with django_assert_max_num_queries(25):
        owner.get(f"{W}/campaigns/")
    with workspace_scope(shop):
        campaign = Campaign.objects.first()
    with django_assert_max_num_queries(25):
        owner.get(f"{W}/campaigns/{campaign.pk}/deliveries/")


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
    assert owner.post(f"{W}/suppressions/add/", {"channel": "sms", "addresses": ""}).status_code == 422
    owner.post(f"{W}/suppressions/add/", {"channel": "sms", "addresses": "+8613800138000\n+8613800138001"})
    found = text(owner.get(f"{W}/suppressions/?q=8001"))
    assert "+8613800138001" in found and "bounced@" not in found
    owner.post(f"{W}/suppressions/remove/", {"channel": "email", "address": "bounced@example.com"})
    with workspace_scope(shop):
        assert set(Suppression.objects.values_list("address", flat=True)) == {"+8613800138000", "+8613800138001"}


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
