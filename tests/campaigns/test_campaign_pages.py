"""The pages of campaigns: writing, looking at it, checking and sending."""

from __future__ import annotations

import re
import uuid
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from campaigns.local_servers import LocalInbox
from campaigns.models import Campaign, ChannelAccount, Delivery, Run
from campaigns.services import start_due_runs
from campaigns.tasks import send_campaigns
from segmentation.models import Segment
from users.models import EndUser
from workspaces.models import Workspace
from workspaces.scoping import workspace_scope

from .desk import W, form, only_campaign, text
from .sender import make_campaign, make_people, make_segment, send, start, states

pytestmark = pytest.mark.usefixtures("english")


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
        ({"email.body_html": '<a href="http://[x/">x</a>'}, "has no valid host"),
        ({"conversion_days": "9" * 5000}, "A whole number from 1 to 30."),
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


def test_a_campaign_to_a_segment_that_was_put_away_is_copied_without_one(owner: Client, shop: Workspace) -> None:
    make_people(shop, 2)
    campaign = make_campaign(shop)
    send(shop, campaign)
    with workspace_scope(shop):
        Segment.objects.update(archived_at=timezone.now())
    copied = owner.post(f"{W}/campaigns/{campaign.pk}/copy/")
    assert copied["Location"].endswith("/edit/")
    with workspace_scope(shop):
        assert Campaign.objects.exclude(pk=campaign.pk).get().segment_id is None


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


def test_the_preview_of_a_link_without_a_host_says_so(owner: Client, shop: Workspace) -> None:
    answer = owner.post(f"{W}/campaigns/preview/", form(shop, **{"email.body_html": '<a href="http://a℀b/">x</a>'}))
    assert answer.status_code == 200 and "A link has a host that no browser opens" in text(answer)


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
    for at, words in (
        ("", "Choose a day and a time."),
        ("2020-01-01T10:00", "This time has passed."),
        ("9999-12-31T23:59", "At most 366 days ahead."),
    ):
        answer = owner.post(path, {"when": "later", "at": at})
        assert answer.status_code == 422 and words in text(answer)
    day = (datetime.now(UTC) + timedelta(days=3)).strftime("%Y-%m-%d")
    assert owner.post(path, {"when": "later", "at": f"{day}T10:00"}).status_code == 303
    with workspace_scope(shop):
        assert f"{Run.objects.get().due_at.astimezone(UTC):%H:%M}" == "02:00"
    assert "Starts at" in text(owner.get(f"{W}/campaigns/{campaign.pk}/"))
    owner.post(f"{W}/campaigns/{campaign.pk}/cancel/")
    assert only_campaign(shop).state == "draft"


def test_a_campaign_that_waits_for_its_time_keeps_it_while_it_is_edited(owner: Client, shop: Workspace) -> None:
    campaign = make_campaign(shop)
    path, day = f"{W}/campaigns/{campaign.pk}", (datetime.now(UTC) + timedelta(days=3)).strftime("%Y-%m-%d")
    owner.post(f"{path}/launch/", {"when": "later", "at": f"{day}T10:00"})
    assert f'href="{path}/review/"' in text(owner.get(f"{path}/")), "from its page the time is one click away"
    assert "Save draft" not in text(owner.get(f"{path}/edit/"))
    kept = text(owner.post(f"{path}/edit/", form(shop, name="改名"), follow=True))
    assert "Saved. It still starts at its time." in kept and "Kept as a draft" not in kept
    check = text(owner.get(f"{path}/review/"))
    assert 'value="later" checked' in check and f'value="{day}T10:00"' in check, "one click does not send it now"


def test_the_page_of_a_campaign_that_starts_at_its_time_is_asked_for_anew(owner: Client, shop: Workspace) -> None:
    make_people(shop, 2)
    campaign = make_campaign(shop)
    path, later = f"{W}/campaigns/{campaign.pk}", datetime.now(UTC) + timedelta(hours=1)
    start(shop, campaign, at=later)
    assert '"state": "scheduled"' in text(owner.get(f"{path}/"))
    assert "HX-Refresh" not in owner.get(f"{path}/progress/?state=scheduled")
    with workspace_scope(shop):
        start_due_runs(later)
    assert owner.get(f"{path}/progress/?state=scheduled")["HX-Refresh"] == "true", "it can be paused from now on"


def test_a_time_that_no_calendar_of_the_zone_has_breaks_no_page(owner: Client, shop: Workspace) -> None:
    """Launches so far ahead are refused; one of before may stand there."""
    campaign, at = make_campaign(shop), datetime(9999, 12, 31, 20, tzinfo=UTC)
    # Before the first night the home page tells of no campaign.
    Workspace.objects.filter(pk=shop.pk).update(current_day=date(2026, 8, 31))
    with workspace_scope(shop):
        Campaign.objects.filter(pk=campaign.pk).update(state="scheduled", scheduled_at=at)
        Run.objects.create(campaign=campaign, due_at=at)
    for path in ("", "campaigns/", f"campaigns/{campaign.pk}/", f"campaigns/{campaign.pk}/review/"):
        page = owner.get(f"{W}/{path}")
        assert page.status_code == 200 and "12-31 20:00" in text(page), path
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
