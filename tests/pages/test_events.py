"""The events page: days of the workspace's zone, values of a property, and the people behind each number."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from html import unescape
from typing import Any

import pytest
from django.test import Client

from ops_platform import event_reads, list_exports
from tests import builders
from users.models import EndUser, person_id
from workspaces.scoping import workspace_scope
from workspaces.sql import execute

FAILED = "Payment Failed"


@pytest.fixture
def incident(world: Any, as_role: Any) -> Client:
    """Three failures at one provider on one day, one at another; one of the three by somebody excluded."""
    world.acme.frozen_on = date(2026, 8, 31)
    world.acme.save()
    for who in ("ann", "bo", "staff", "dora"):
        builders.person(world.acme, who)
    for who, provider, at in (
        ("ann", "alipay", "2026-06-17 00:10"),
        ("bo", "alipay", "2026-06-17 23:50"),
        ("staff", "alipay", "2026-06-17 12:00"),
        ("dora", "wechatpay", "2026-06-18 00:10"),
    ):
        builders.event(world.acme, who, FAILED, day=at, provider=provider)
    with workspace_scope(world.acme):
        EndUser.objects.filter(pk=person_id(world.acme.pk, "staff")).update(excluded=True)
    return as_role("analyst")


def page(client: Client, **query: str) -> str:
    answer = client.get("/w/acme/events/", query)
    assert answer.status_code == 200
    return unescape(answer.content.decode())


def test_a_day_is_the_workspaces_and_excluded_people_are_in_no_number(incident: Client) -> None:
    text = page(incident, event=FAILED, since="2026-06-16", until="2026-06-19")
    turned = page(incident, event=FAILED, since="2026-06-19", until="2026-06-16")
    assert re.search("<p[^>]*>.*2026-06-16.*2026-06-19.*", text)[0] in turned, "the wrong way round"
    assert '["2026-06-16", 0], ["2026-06-17", 2], ["2026-06-18", 1], ["2026-06-19", 0]' in text


def test_a_property_splits_and_each_number_opens_as_many_people(incident: Client) -> None:
    text = page(incident, event=FAILED, by="provider", since="2026-06-01", until="2026-06-30")
    links = re.findall(r'href="([^"]*did_value=\w+[^"]*)">(\d+)</a>', text)
    assert [number for _link, number in links] == ["2", "1"]
    for link, number in links:
        people = incident.get(link)
        assert len(re.findall(r'<tr data-href="[^"]*/users/', people.content.decode())) == int(number)


def test_long_values_open_as_many_people_as_their_number_says(incident: Client, world: Any) -> None:
    """So much of a value is told apart as is shown."""
    address = "https://shop.test/" + "a" * 120
    for who in ("ann", "bo"):
        builders.event(world.acme, who, FAILED, day="2026-06-19", url=f"{address}?{who}")
    text = page(incident, event=FAILED, by="url", since="2026-06-19", until="2026-06-19")
    [(link, number)] = re.findall(r'href="([^"]*did_value=http[^"]*)">(\d+)</a>', text)
    assert number == "2" and incident.get(link).context["count"] == 2
    [chosen] = set(re.findall(r'href="(\?[^"]*is=http[^"]*)"', text))
    assert '["2026-06-19", 2]' in unescape(incident.get(f"/w/acme/events/{chosen}").content.decode())
    with workspace_scope(world.acme):
        asked = {"event": FAILED, "by": "url", "is": address[:100]}
        assert list_exports.count_events(world.acme, list_exports.read_events(world.acme, asked)) == 2


def test_one_value_alone_has_its_own_days(incident: Client) -> None:
    found = page(incident, event=FAILED, by="provider", since="2026-06-17", until="2026-06-18", **{"is": "wechatpay"})
    assert '["2026-06-17", 0], ["2026-06-18", 1]' in found


def test_a_property_that_came_later_is_offered(incident: Client, world: Any) -> None:
    start = datetime(2026, 6, 18, tzinfo=UTC)
    rows = [("ann", FAILED, start + timedelta(minutes=at), f"early-{at}", {"provider": "x"}) for at in range(501)]
    builders.events(world.acme, [*rows, ("ann", FAILED, start + timedelta(days=30), "late", {"reason": "timeout"})])
    offered = "<option >reason</option>"
    assert offered in page(incident, event=FAILED, since="2026-06-01", until="2026-07-31")
    assert offered not in page(incident, event=FAILED, since="2026-06-01", until="2026-06-30")


def test_the_property_of_the_address_is_the_one_chosen(incident: Client) -> None:
    assert "<option selected>reason</option>" in page(incident, event=FAILED, by="reason")


@pytest.mark.parametrize(
    "query",
    [
        {"event": "no such"},
        {"event": FAILED, "by": "'; drop table event; --", "is": "%(workspace)s"},
        {"event": FAILED, "since": "yesterday", "until": "9999-12-31"},
        {"event": FAILED, "since": "0001-01-01", "until": "0001-01-02"},
        {"event": "a\0b", "by": "a\0b", "is": "\0"},
    ],
)
def test_an_odd_address_is_answered(incident: Client, query: dict[str, str]) -> None:
    page(incident, **query)


def test_odd_conditions_of_the_people_list_are_left_out(incident: Client) -> None:
    for query in (
        {"did": FAILED},
        {"did": "a\0"},
        {"did": FAILED, "did_from": "x", "did_to": "2026-06-17"},
        {"did": FAILED, "did_from": "2026-06-17", "did_to": "9999-12-31"},
    ):
        assert incident.get("/w/acme/users/", query).status_code == 200


def test_without_events_the_page_says_what_to_do(as_role: Any) -> None:
    assert "/imports/" in page(as_role("analyst"))


def test_counting_that_takes_too_long_is_said_and_is_no_error(
    incident: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_reads, "PATIENCE_MS", 50)
    monkeypatch.setattr(event_reads, "values", lambda question, workspace: execute("select pg_sleep(1)", {}))
    text = page(incident, event=FAILED, by="provider", since="2025-08-01", until="2026-08-30")
    assert "统计用时太久" in text and "provider" in text
