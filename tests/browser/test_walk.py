"""The main job in a browser: log in, home, a segment with a live count, a campaign sent and reported, in both languages."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from campaigns.accounts import save_account
from campaigns.local_servers import LocalInbox
from campaigns.tasks import send_campaigns
from ops_platform.nightly import run_night
from tests import builders
from tests.conftest import PASSWORD, make_world
from workspaces.scoping import workspace_scope

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.browser]
DAY = date(2026, 8, 31)
BUYERS = 24

WORDS = {
    "zh-hans": {"home": "今日", "sent": "已发送"},
    "en": {"home": "Today", "sent": "Sent"},
}


@pytest.fixture
def shop(tmp_path: Path, settings: Any, live_server: Any) -> Iterator[Any]:
    """acme with 24 buyers who have an email address, one night, and channels that lead to a local inbox."""
    settings.BASE_URL = live_server.url
    world = make_world()
    world.acme.frozen_on = DAY
    world.acme.save()
    for number in range(BUYERS):
        who = f"u{number:02d}"
        builders.person(world.acme, who, name=f"买家{number:02d}", email=f"{who}@shop.test", city="杭州")
        for order in range(1 + number % 4):
            builders.event(
                world.acme, who, "Order Completed", day=f"2026-08-{2 + number + order:02d}"[:10], total=50 + number
            )
    run_night(world.acme, DAY, "test")
    with LocalInbox(tmp_path / "inbox") as inbox:
        with workspace_scope(world.acme):
            for channel, config in inbox.configs().items():
                save_account(channel, config)
        world.inbox = inbox
        yield world


def log_in(page: Page, base: str, language: str) -> None:
    page.context.add_cookies([{"name": "django_language", "value": language, "url": base}])
    page.goto(f"{base}/w/acme/")
    page.fill("input[name=login]", "owner@acme.test")
    page.fill("input[name=password]", PASSWORD)
    page.click("main button.btn-primary, form button.btn-primary")
    page.wait_for_url("**/w/acme/")


def build_segment(page: Page, base: str) -> None:
    page.goto(f"{base}/w/acme/segments/new/")
    page.fill("#name", "buyers 买家")
    menu = page.locator("#rule select").filter(has=page.locator("option[value=fact]")).first
    menu.select_option("fact")
    count = page.locator(".count-number")
    expect(count).to_contain_text(str(BUYERS))
    page.locator("#builder .builder-submit .btn-primary").click()
    page.wait_for_url(re.compile(r"/segments/[0-9a-f-]{36}/$"))


def write_campaign(page: Page, base: str) -> None:
    page.goto(f"{base}/w/acme/campaigns/new/")
    page.fill("#name", "回来看看")
    page.select_option("#segment", index=1)
    panel = page.locator("[data-panel=email]")
    panel.locator("[name$=subject]").fill("{{ user.name }}，好久不见")
    panel.locator("[name$=body_html]").fill('<p>{{ user.name }}</p><p><a href="https://shop.test/">看看</a></p>')
    page.fill("#control_percent", "25")


def save_campaign(page: Page) -> None:
    page.click("button[name=review]")
    page.wait_for_url("**/review/")


@pytest.mark.parametrize("watched", ["zh-hans", "en"], indirect=True)
def test_an_operator_walks_from_the_login_to_a_report(watched: Any, shop: Any, live_server: Any, request: Any) -> None:
    page, base = watched.page, live_server.url
    language = request.node.callspec.params["watched"]
    words = WORDS[language]
    log_in(page, base, language)
    expect(page.locator("h1")).to_contain_text(words["home"])
    build_segment(page, base)
    write_campaign(page, base)
    save_campaign(page)
    page.locator("form.launch button.btn-primary").click()
    page.wait_for_url(re.compile(r"/campaigns/[0-9a-f-]{36}/$"))
    send_campaigns(str(shop.acme.pk))  # what the worker does when the doorbell rings
    page.reload()
    expect(page.locator("main")).to_contain_text(words["sent"])
    received = shop.inbox.messages("email")
    with workspace_scope(shop.acme):
        from campaigns.models import Delivery

        states = list(Delivery.objects.values_list("state", flat=True))
    assert states.count("sent") == len(received) > 0
    assert states.count("sent") + states.count("control") == BUYERS
    assert "好久不见" in received[0]["subject"] and "List-Unsubscribe" in str(received[0]["headers"])


@pytest.mark.parametrize("watched", ["en"], indirect=True)
def test_a_preview_that_is_due_does_not_call_off_the_saving(watched: Any, shop: Any, live_server: Any) -> None:
    page, base = watched.page, live_server.url
    log_in(page, base, "en")
    build_segment(page, base)
    write_campaign(page, base)
    posted: list[str] = []

    def hold(route: Any) -> None:
        posted.append(route.request.url.removeprefix(base))
        page.wait_for_timeout(900)
        route.continue_()

    page.route("**/campaigns/new/", hold)
    page.route("**/campaigns/preview/", hold)
    page.evaluate("""() => {
        document.querySelector("[name$=subject]").dispatchEvent(new Event("input", {bubbles: true}));
        document.querySelector("button[name=review]").click();
    }""")
    page.wait_for_url("**/review/")
    assert posted[-1:] == ["/w/acme/campaigns/new/"], "no preview after it, and none instead of it"


@pytest.mark.parametrize("watched", ["en"], indirect=True)
def test_a_segment_that_was_refused_is_not_left_without_a_word(watched: Any, shop: Any, live_server: Any) -> None:
    page, base = watched.page, live_server.url
    log_in(page, base, "en")
    build_segment(page, base)
    page.goto(f"{base}/w/acme/segments/new/?definition=" + '{"kind": "activity", "flags": ["active"]}')
    page.fill("#name", "buyers 买家")
    page.locator("#builder .builder-submit .btn-primary").click()
    expect(page.locator("#name-error")).to_contain_text("this name already")
    assert "422" in watched.wrong.pop()
    asked: list[str] = []
    page.on("dialog", lambda dialog: (asked.append(dialog.type), dialog.accept()))
    page.locator("#builder .builder-submit a.btn").click()
    page.wait_for_url("**/segments/")
    assert asked == ["beforeunload"]


@pytest.mark.parametrize("watched", ["en"], indirect=True)
def test_a_campaign_that_was_refused_is_not_left_without_a_word(watched: Any, shop: Any, live_server: Any) -> None:
    page, base = watched.page, live_server.url
    log_in(page, base, "en")
    page.goto(f"{base}/w/acme/campaigns/new/")
    page.fill("#name", "回来看看")
    page.locator("[name='email.subject']").fill("{{ user.name | nosuch }}")
    page.fill("#address", "me@example.com")
    page.click("button[name=review]")
    expect(page.locator(".invalid-feedback").first).to_contain_text("filter")
    assert "422" in watched.wrong.pop()
    assert page.input_value("#address") == "me@example.com"
    asked: list[str] = []
    page.on("dialog", lambda dialog: (asked.append(dialog.type), dialog.accept()))
    page.locator(".desk-submit a.btn").click()
    page.wait_for_url("**/campaigns/")
    assert asked == ["beforeunload"]


IN_SIGHT = """tab => {
    const [row, own] = [tab.parentElement.getBoundingClientRect(), tab.getBoundingClientRect()];
    return own.left >= row.left - 1 && own.right <= row.right + 1;
}"""
PAGES = [
    "", "users/", "tiers/lifecycle/", "tiers/rfm/", "tiers/churn/", "segments/", "campaigns/", "campaigns/new/", "imports/",
    "nights/", f"nights/{DAY}/", "events/mapping/", "settings/", "settings/members/", "settings/keys/", "settings/audit/",
    "channels/", "channels/email/", "suppressions/", "inbox/",
]  # fmt: skip


@pytest.mark.parametrize("watched", ["zh-hans", "en"], indirect=True)
def test_every_page_is_clean_and_in_one_language(watched: Any, shop: Any, live_server: Any, request: Any) -> None:
    """No console error, no policy violation, no sideways scroll on a phone, no Chinese left on an English page."""
    page, base = watched.page, live_server.url
    language = request.node.callspec.params["watched"]
    log_in(page, base, language)
    page.set_viewport_size({"width": 390, "height": 844})
    for path in PAGES:
        answer = page.goto(f"{base}/w/acme/{path}")
        assert answer is not None and answer.status == 200, path
        page.wait_for_load_state("networkidle")
        wide = page.evaluate("document.documentElement.scrollWidth")
        assert wide <= 391, f"{path} is {wide} px wide on a phone"
        assert all(tab.evaluate(IN_SIGHT) for tab in page.locator(".tabs > .active").all()), (
            f"{path}: its tab is cut off"
        )
        if path == "users/":
            hidden = page.evaluate("(box => box.scrollWidth - box.clientWidth)(document.querySelector('.table-wrap'))")
            assert hidden <= 1, "no number of the list is cut off"
        if language == "en":
            heading = page.locator("h1").first.inner_text()
            assert not re.search(r"[\u4e00-\u9fff]", heading), f"{path}: {heading}"
