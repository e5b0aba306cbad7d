"""A campaign's pages while it is sent and after: progress, the report, and the people behind its numbers."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from itertools import chain
from typing import Any
from uuid import UUID

import pytest
from django.test import Client

from campaigns import sending
from campaigns.local_servers import LocalInbox
from campaigns.models import Campaign, Delivery
from campaigns.services import sweep
from users.erasure import ask_erasure, run_erasure
from workspaces.models import Workspace
from workspaces.scoping import workspace_scope

from .desk import W, only_campaign, text
from .sender import make_campaign, make_people, send, start, states

pytestmark = pytest.mark.usefixtures("english")


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
    path = f"{W}/campaigns/{campaign.pk}/progress/?state=running"
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
        "?state=sent&only=opened",
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


@pytest.mark.parametrize(("language", "words"), [("en", "revenue per head ¥1.00"), ("zh-hans", "人均收入相差 ¥1.00")])
def test_of_one_person_no_range_is_told(owner: Client, shop: Workspace, language: str, words: str) -> None:
    owner.cookies["django_language"] = language
    make_people(shop, 40)
    campaign = make_campaign(shop)
    send(shop, campaign)
    with workspace_scope(shop):
        people = list(Delivery.objects.order_by("address").values_list("delivery_id", flat=True))
        Delivery.objects.update(converted_at=datetime.now(UTC), revenue_minor=100)
        Delivery.objects.filter(delivery_id=people[0]).update(arm="control", converted_at=None, revenue_minor=0)
    page = text(owner.get(f"{W}/campaigns/{campaign.pk}/"))
    assert f"{words}<" in page
    assert "range includes zero" not in page and "区间包含 0" not in page


@pytest.mark.parametrize("what", ["opened", "clicked", "unsubscribed"])
def test_what_came_back_is_as_many_as_the_list_it_opens(owner: Client, shop: Workspace, what: str) -> None:
    """Of a message nobody knows has left, something may come back, too: it was sent, but counts among the unknown."""
    make_people(shop, 3)
    campaign = make_campaign(shop)
    send(shop, campaign)
    with workspace_scope(shop):
        rows = list(Delivery.objects.order_by("address").values_list("delivery_id", flat=True))
        Delivery.objects.filter(delivery_id__in=rows[:2]).update(**{f"{what}_at": datetime.now(UTC)})
        Delivery.objects.filter(delivery_id=rows[0]).update(state="unknown")
    page = text(owner.get(f"{W}/campaigns/{campaign.pk}/"))
    stat = rf'href="({W}/campaigns/{campaign.pk}/deliveries/[^"]*only={what})" class="stat">.*?"stat-value num">(\d+)<'
    [(link, number)] = re.findall(stat, page)
    assert number == "1"
    listed = text(owner.get(link.replace("&amp;", "&")))
    assert "p1@example.com" in listed and "p0@example.com" not in listed


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
    path = f"{W}/campaigns/{campaign.pk}/deliveries/"
    forth = walk(owner, path, "?arm=treated", "next")
    assert len([*chain(*forth)]) == 120 == len(set(chain(*forth)))
    back = walk(owner, path, f"?arm=treated&before={UUID(int=2**128 - 1)}", "prev")
    assert [len(page) for page in back] == [50, 50, 20] and set(chain(*back)) == set(chain(*forth))
    there = text(owner.get(path + link(text(owner.get(path + "?arm=treated")), "next")))
    assert addresses(text(owner.get(path + link(there, "prev")))) == forth[0], "back to where one came from"
    third = text(owner.get(path + link(there, "next")))
    assert addresses(text(owner.get(path + link(third, "prev")))) == forth[1], "the page before, not the first"


def addresses(page: str) -> list[str]:
    return re.findall(r"<small>(p\d+@example.com)</small>", page)


def link(page: str, way: str) -> str:
    found = re.search(rf'rel="{way}" href="([^"]+)"', page)
    return found[1].replace("&amp;", "&") if found else ""


def walk(owner: Client, path: str, query: str, way: str) -> list[list[str]]:
    """Whom each page lists, from one on as long as there is another."""
    seen: list[list[str]] = []
    while query:
        page = text(owner.get(path + query))
        seen.append(addresses(page))
        query = link(page, way)
    return seen


def test_every_campaign_is_on_some_page_of_the_list(owner: Client, shop: Workspace) -> None:
    with workspace_scope(shop):
        Campaign.objects.bulk_create(Campaign(workspace=shop, name=f"计划{n:02d}") for n in range(51))
    first = text(owner.get(f"{W}/campaigns/?channel=email"))
    assert link(first, "next") == "?channel=email&page=2" and "计划00" not in first
    last = text(owner.get(f"{W}/campaigns/?channel=email&page=2"))
    assert "计划00" in last and link(last, "prev") == "?channel=email&page=1"


def test_whoever_was_erased_is_listed_without_a_name(owner: Client, shop: Workspace) -> None:
    """They are in every number of the report, and so in the list that it opens."""
    people, campaign = make_people(shop, 3), make_campaign(shop)
    send(shop, campaign)
    with workspace_scope(shop):
        erasure = ask_erasure(people[0]).pk
    run_erasure(shop, erasure)
    page = text(owner.get(f"{W}/campaigns/{campaign.pk}/deliveries/?state=sent"))
    assert "3 people" in page and page.count("<tr") == 1 + 3
    assert page.count("an erased user") == 1 and page.count("data-href") == 2
    assert all(f"p{n}@example.com" in page for n in (1, 2)) and "p0@example.com" not in page


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
        assert owner.get(f"{W}/campaigns/").status_code == 200
    with workspace_scope(shop):
        campaign = Campaign.objects.first()
    with django_assert_max_num_queries(25):
        assert owner.get(f"{W}/campaigns/{campaign.pk}/deliveries/").status_code == 200
