"""The pages and the API of value and of sources: every state, every role, and the people behind the numbers."""

from __future__ import annotations

import json
import re
from datetime import date
from html import unescape
from typing import Any

import pytest
from django.test import Client

from lifecycle.models import PersonValue, SourceCost, ValueModel
from ops_platform import value_reads
from ops_platform.nightly import run_night
from ops_platform.people_list import PeopleQuery
from tests import builders
from tests.conftest import ground
from tests.lifecycle.test_value import PEOPLE, again, take_in
from tests.oracle import cdnow
from users.models import Facts
from workspaces.models import AuditEntry, Workspace
from workspaces.scoping import workspace_scope
from workspaces.services import change_settings

API = "/api/v1"


@ground
def predicted(world: Any) -> Workspace:
    shop = take_in(world.acme)
    again(shop)
    Workspace.objects.filter(pk=shop.pk).update(current_day=cdnow.LAST_DAY)
    shop.refresh_from_db()
    return shop


def spec(page: str, name: str) -> dict:
    """The JSON of one picture on a page."""
    found = [json.loads(text) for text in re.findall(r'type="application/json">(.*?)</script>', page, re.S)]
    return next(one for one in found if isinstance(one, dict) and one.get("name") == name)


def test_people_of_whom_nothing_is_expected_are_in_the_picture(predicted: Workspace) -> None:
    with workspace_scope(predicted):
        PersonValue.objects.update(expected_revenue_minor=0)
        [band] = value_reads.bands()
    assert (band["people"], band["minor"]) == (PEOPLE, 0)


def count(workspace: Workspace, url: str) -> int:
    from urllib.parse import parse_qsl, urlsplit

    with workspace_scope(workspace):
        return PeopleQuery(workspace, dict(parse_qsl(urlsplit(unescape(url)).query, keep_blank_values=True))).count[0]


def test_every_number_of_a_prediction_opens_its_people(predicted: Workspace, as_role):
    page = as_role("analyst").get("/w/acme/value/").content.decode()
    bands = spec(page, "expected-value")
    assert sum(row[1] for row in bands["rows"]) == PEOPLE
    for row, url in zip(bands["rows"], bands["urls"], strict=True):
        assert count(predicted, url) == row[1], row
    fifths = spec(page, "alive")
    assert [count(predicted, url) for url in fifths["urls"]] == [row[1] for row in fifths["rows"]]
    classes = spec(page, "back-test")
    assert [count(predicted, url) for url in classes["urls"]] == [row[3] for row in classes["rows"]]
    with workspace_scope(predicted):
        model = ValueModel.objects.get()
        best = PersonValue.objects.order_by("-expected_revenue_minor").first()
    assert str(round(sum(row["actual"] for row in model.back_test["classes"]))) in page.replace(",", "")
    listed = as_role("analyst").get("/w/acme/users/?sort=value").content.decode()
    assert listed.index(str(best.end_user_id)) == min(
        listed.index(pk) for pk in re.findall(r"users/([0-9a-f-]{36})/", listed)
    )
    detail = as_role("analyst").get(f"/w/acme/users/{best.end_user_id}/").content.decode()
    assert f"{best.expected_revenue_minor / 100:,.2f}" in detail


def test_without_enough_buyers_the_page_says_what_is_missing(predicted: Workspace, as_role):
    with workspace_scope(predicted):
        change_settings({"value_buyers": 9000})
    predicted.refresh_from_db()
    again(predicted)
    page = as_role("analyst").get("/w/acme/value/")
    assert page.status_code == 200 and f"{PEOPLE}" in page.content.decode() and "9,000" in page.content.decode()
    with workspace_scope(predicted):
        ValueModel.objects.all().delete()
    assert as_role("analyst").get("/w/acme/value/").status_code == 200


@pytest.mark.parametrize("outcome", ["few_repeaters", "short_history", "no_fit_orders", "no_fit_spend"])
def test_every_reason_has_words(acme: Workspace, as_role, outcome: str):
    day = date(2026, 8, 1)
    Workspace.objects.filter(pk=acme.pk).update(current_day=day)
    with workspace_scope(acme):
        ValueModel.objects.create(day=day, outcome=outcome, buyers=7, repeaters=3, first_on=day)
    page = as_role("analyst").get("/w/acme/value/").content.decode()
    assert outcome not in page and "workspaces:" not in page


def test_the_api_tells_the_model_and_a_persons_value(predicted: Workspace, world, client: Client):
    headers = {"Authorization": f"Bearer {world.acme_api_key}"}
    model = client.get(f"{API}/value", headers=headers).json()
    assert (model["outcome"], model["buyers"], model["day"]) == ("fitted", PEOPLE, "1998-06-30")
    assert set(model["back_test"]["variants"]) == {"bg", "mbg"}
    one = client.get(f"{API}/users/1", headers=headers).json()["value"]
    assert (
        set(one) == {"expected_orders", "expected_revenue_minor", "alive_percent"} and one["expected_revenue_minor"] > 0
    )


@ground
def sourced(world: Any) -> Workspace:
    """Two people of feed in July, one in August, of whom two ordered; ten days of August are over."""
    acme, day = world.acme, date(2026, 8, 10)
    for who, joined, spent in (("ann", "2026-07-01", 60), ("bo", "2026-07-09", 0), ("cy", "2026-08-05", 30)):
        builders.event(acme, who, "Account Registered", joined)
        builders.person(acme, who, created=joined, source="feed")
        if spent:
            builders.event(acme, who, "Order Completed", joined, total=spent)
    run_night(acme, day)
    acme.refresh_from_db()
    return acme


def test_a_cost_makes_a_price_per_person_and_the_day_it_is_earned_back(sourced: Workspace, as_role):
    client = as_role("operator")
    form = {"source": "feed", "month": "2026-07", "spend": "50", "rewards": "8.50"}
    assert client.post("/w/acme/value/sources/costs/", form).status_code == 302
    page = client.get("/w/acme/value/sources/").content.decode()
    assert "29.25" in page and "58.50" in page, "58.50 ÷ 2 people of July"
    urls = re.findall(r'href="(/w/acme/users/\?[^"]*)"', page)
    assert [count(sourced, url) for url in urls] == [3, 2, 2]
    month = client.get("/w/acme/value/sources/?source=feed").content.decode()
    urls = re.findall(r'href="(/w/acme/users/\?[^"]*)"', month)
    assert [count(sourced, url) for url in urls] == [1, 1, 1, 2, 1, 1]
    with workspace_scope(sourced):
        cost = SourceCost.objects.get()
        assert (cost.spend_minor, cost.rewards_minor) == (5000, 850)
        assert AuditEntry.objects.filter(action="cost.save").count() == 1
        assert Facts.objects.filter(effective=True).count() == 2
    gone = client.post("/w/acme/value/sources/costs/remove/", {"source": "feed", "month": "2026-07"})
    with workspace_scope(sourced):
        assert gone.status_code == 302 and not SourceCost.objects.exists()


@pytest.mark.parametrize(
    ("form", "marked", "word"),
    [
        ({"source": "feed", "month": "2026-13", "spend": "5"}, "month", "2026-08"),
        ({"source": "feed", "month": "2026-07", "spend": "-5"}, "spend", "bill"),
        ({"source": "", "month": "2026-07", "spend": "5"}, "source", "A source has"),
        ({"source": "feed", "month": "2026-07", "spend": " "}, "spend", "0 where it cost nothing"),
        ({"pasted": "source,month,spend\nfeed,2026-07,12\nfeed,July,12"}, "pasted", "Line 3"),
        ({"pasted": "feed\t2026-07\t12\nfeed\t2026-07\t13"}, "pasted", "twice"),
        ({"pasted": "feed,2026-07,1.234"}, "pasted", "Line 1"),
        ({"pasted": "feed,2026/07,18000\nfeed,2026-08,12"}, "pasted", "Line 1"),
        ({"pasted": f"{'x' * 101},2026-07,5"}, "pasted", "Row 1: a source has"),
    ],
)
def test_a_cost_that_is_none_is_told_and_what_was_typed_stays(
    sourced: Workspace, as_role, form, marked: str, word: str
):
    client = as_role("operator")
    client.cookies["django_language"] = "en"
    answer = client.post("/w/acme/value/sources/costs/", form, headers={"Accept-Language": "en"})
    assert answer.status_code == 400 and word in answer.content.decode()
    assert all(value.splitlines()[-1] in unescape(answer.content.decode()) for value in form.values() if value)
    assert re.findall(r'id="cost-(\w+)"[^>]* aria-invalid="true"', answer.content.decode()) == [marked]
    with workspace_scope(sourced):
        assert not SourceCost.objects.exists()


def test_costs_of_a_source_are_kept_and_removed_on_its_page(sourced: Workspace, as_role):
    client, page = as_role("operator"), "/w/acme/value/sources/?source=feed"
    [save] = re.findall(r'action="([^"]*/costs/[^"]*)"', client.get(page).content.decode())
    wrong = client.post(save, {"source": "feed", "month": "2026-07", "spend": "much"}).content.decode()
    assert re.findall(r"<h2>(.*?)</h2>", wrong)[0] == "feed", "the months of the source, still"
    both = {"source": "feed", "month": "2026-07", "spend": "5", "pasted": "feed,2026-08,6"}
    assert client.post(save, both).url == page  # type: ignore[attr-defined]
    with workspace_scope(sourced):
        assert sorted(SourceCost.objects.values_list("spend_minor", flat=True)) == [500, 600], "what was typed as well"
    removals = re.findall(r'action="([^"]*/remove/[^"]*)"', client.get(page).content.decode())
    assert client.post(removals[0], {"source": "feed", "month": "2026-07"}).url == page  # type: ignore[attr-defined]


def test_costs_go_in_by_the_api_and_by_pasting_lines(sourced: Workspace, as_role, world, client: Client):
    as_role("operator").post(
        "/w/acme/value/sources/costs/", {"pasted": "来源，月份，花费\nfeed, 2026-07, 1 200.50, 3\n小红书,2026-08,9"}
    )
    headers = {"Authorization": f"Bearer {world.acme_api_key}"}
    more = {"costs": [{"source": "feed", "month": "2026-08", "spend_minor": 1000}]}
    answer = client.put(f"{API}/source-costs", json.dumps(more), content_type="application/json", headers=headers)
    assert [
        (row["source"], row["month"], row["spend_minor"], row["rewards_minor"]) for row in answer.json()["results"]
    ] == [
        ("feed", "2026-08", 1000, 0),
        ("小红书", "2026-08", 900, 0),
        ("feed", "2026-07", 120050, 300),
    ]
    [feed, unknown] = client.get(f"{API}/sources", headers=headers).json()["results"]
    assert (feed["people"], feed["cost_minor"], feed["cac_minor"], feed["payback_days"]) == (3, 121350, 40450, None)
    assert feed["ltv"]["7"] == 3000 and feed["ltv"]["90"] is None, "of those seven days old: 60.00 over two people"
    assert (unknown["source"], unknown["people"], unknown["cac_minor"]) == ("小红书", 0, None)
    url = f"{API}/source-costs?source=feed&month=2026-08"
    assert [client.delete(url, headers=headers).status_code for _ in range(2)] == [204, 404]
    wrong = {"costs": [{"source": "", "month": "2026-08", "spend_minor": 1}]}
    answer = client.put(f"{API}/source-costs", json.dumps(wrong), content_type="application/json", headers=headers)
    assert answer.status_code == 400


def test_a_margin_moves_the_day_on_which_a_cost_is_earned_back(sourced: Workspace):
    from lifecycle.sources import list_sources, save_costs

    with workspace_scope(sourced):
        save_costs([{"source": "feed", "month": date(2026, 7, 1), "spend_minor": 6000, "rewards_minor": 0}])
        paid = list_sources()[0].paid
    assert paid.payback_days(100) == 1 and paid.payback_days(99) == 34, "from day 34 only ann counts, who brought 60"
