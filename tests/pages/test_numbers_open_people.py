"""Every number opens the people behind it, and the list it opens has as many."""

from __future__ import annotations

import re
from datetime import timedelta
from html import unescape
from typing import Any

import pytest
from django.test import Client

from campaigns.audience import measure_reach
from campaigns.suppressions import suppress, suppress_erased
from ops_platform.nightly import run_night
from ops_platform.tier_reads import rfm_tables, scored_alike
from segmentation.selectors import count_live
from segmentation.services import create_segment
from tests import builders
from tests.pages.conftest import LAST, fill
from users.models import EndUser, person_id
from users.services import set_consent
from workspaces.scoping import workspace_scope

PAGES = ["", "tiers/lifecycle/?since=2026-08-30", "tiers/paths/", "tiers/rfm/", "tiers/churn/", "tiers/churn/by/"]
PAGES += [f"tiers/{page}/?on=2026-08-30" for page in ("rfm", "churn", "day")]
PAGES += ["tiers/day/", "tiers/lifecycle/?until=2026-08-30"]
LINK = re.compile(r'<a [^>]*?href="(/w/acme/users/\?[^"]+)"[^>]*>(.*?)</a>', re.S)


def count(client: Client, url: str, seen: dict[str, int]) -> int:
    """How many people the list at this address has; every address is asked once."""
    if url not in seen:
        response = client.get(url)
        assert response.status_code == 200, url
        assert response.context["parts"], f"no condition was understood: {url}"
        seen[url] = response.context["count"]
    return seen[url]


def test_a_linked_number_is_the_number_of_people_in_its_list(told: Any, as_role: Any) -> None:
    client, seen = as_role("analyst"), {}
    for path in PAGES:
        page = client.get(f"/w/acme/{path}").content.decode()
        for url, inner in LINK.findall(page):
            found = count(client, unescape(url), seen)
            figures = [word for word in re.sub(r"<[^>]+>", " ", inner).split() if word.isdecimal()]
            if figures and "sort=orders" not in url and "sort=spend" not in url:  # orders and money are not people
                assert found == int(figures[0]), f"{url} says {figures[0]}"
    assert len(seen) > 40


def test_every_mark_of_every_picture_opens_as_many_people_as_it_says(told: Any, as_role: Any) -> None:
    client, seen = as_role("analyst"), {}
    # Of a past day a cell of the RFM board opens its whole group.
    for path in (page for page in PAGES if not page.startswith("tiers/rfm/?on")):
        context = client.get(f"/w/acme/{path}").context
        for picture in (
            context[name]
            for name in ("flow", "board", "bars", "risk", "ages")
            if "columns" in (context.get(name) or {})
        ):
            people = next(at for at, column in enumerate(picture["columns"]) if column.get("unit") == "people")
            for row, url in zip(picture["rows"], picture["urls"], strict=False):
                assert count(client, url, seen) == row[people], (picture["name"], row, url)
    assert len(seen) > 30


def test_what_to_do_is_about_the_same_people_in_the_list_and_in_the_builder(told: Any, as_role: Any) -> None:
    client, seen = as_role("operator"), {}
    todos = client.get("/w/acme/").context["todos"]
    assert len(todos) == 3
    for todo in todos:
        assert count(client, todo["url"], seen) == todo["people"], todo["title"]
        if todo["act_url"]:
            assert client.get(todo["act_url"]).context["counted"].people == todo["people"], todo["title"]


def test_who_was_churned_when_first_told_of_did_not_churn_that_night(world: Any, as_role: Any) -> None:
    world.acme.frozen_on = LAST
    world.acme.save()
    fill(world.acme)
    run_night(world.acme, LAST)
    client = as_role("analyst")
    assert client.get("/w/acme/users/?stage=churned").context["count"] == 1
    lines = client.get("/w/acme/").context["moved"]
    assert [(line["people"], count(client, line["url"], {})) for line in lines] == [(0, 0)] * 4 + [(7, 7)]


@pytest.mark.parametrize("board", ["lifecycle", "rfm"])
def test_every_number_of_a_matrix_opens_its_people(told: Any, as_role: Any, board: str) -> None:
    """Of three nights; somebody's first order falls on the last but one, so every kind of cell has people."""
    builders.event(told.acme, "look", "Order Completed", (LAST + timedelta(days=1)).isoformat(), total=500)
    for days in (1, 2):
        run_night(told.acme, LAST + timedelta(days=days))
    client, seen = as_role("analyst"), {}
    page = client.get(f"/w/acme/tiers/{board}/?since={LAST}&until={LAST + timedelta(days=2)}")
    matrix = page.context["matrix"]
    cells = [(row["key"], cell) for row in matrix["rows"] for cell in row["cells"] if cell["people"]]
    numbers = [(cell["people"], cell["url"]) for _key, cell in cells]
    numbers += [(row["total"], row["url"]) for row in matrix["rows"] if row["total"]]
    numbers += [(total["people"], total["url"]) for total in matrix["totals"] if total["people"]]
    assert [count(client, url, seen) for _people, url in numbers] == [people for people, _url in numbers]
    linked = {unescape(url) for url, _inner in LINK.findall(page.content.decode())}
    assert linked >= {url for _people, url in numbers}
    assert {cell["stayed"] for _key, cell in cells} == {True, False}
    assert sum(cell["people"] for _key, cell in cells) == sum(total["people"] for total in matrix["totals"]) == 7


@pytest.mark.parametrize(("demanded", "reached"), [(False, 4), (True, 1)])
def test_reachable_means_the_same_in_the_table_the_list_a_segment_and_a_campaign(
    told: Any, as_role: Any, demanded: bool, reached: int
) -> None:
    """Six buyers and one who only looks: one opted out, one agreed, one is suppressed under an address in capitals, and one
    has, from before, that of somebody who was erased since."""
    acme = told.acme
    with workspace_scope(acme):
        acme.settings = {"consent_required": demanded}
        acme.save(update_fields=["settings"])
        set_consent([person_id(acme.pk, "reg1")], "email", False, "test")
        set_consent([person_id(acme.pk, "reg2")], "email", True, "test")
        EndUser.objects.filter(external_id="slip").update(email="Slip@mail.test")
        suppress("email", ["slip@mail.test"], "bounced")
        [erased] = EndUser.objects.filter(external_id="new1").values_list("email", flat=True)
        suppress_erased("email", [erased])
        everybody = create_segment("everybody", {"kind": "activity", "flags": ["active", "slipping", "dormant"]})
        assert measure_reach(everybody).reach["email"].reachable == reached
        counted = count_live({"kind": "reachable", "channel": "email"}, acme).people
        for rows in rfm_tables(scored_alike()).values():
            assert sum(row["email"] for row in rows) == reached - (not demanded)
    assert counted == reached
    assert count(as_role("analyst"), "/w/acme/users/?reach=email", {}) == reached
