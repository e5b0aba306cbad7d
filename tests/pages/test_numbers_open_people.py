"""Every number opens the people behind it, and the list it opens has as many."""

from __future__ import annotations

import re
from html import unescape
from typing import Any

import pytest
from django.test import Client

PAGES = ["", "tiers/lifecycle/?since=2026-08-30", "tiers/rfm/", "tiers/churn/"]
LINK = re.compile(r'<a [^>]*?href="(/w/acme/users/\?[^"]+)"[^>]*>(.*?)</a>', re.S)


def count(client: Client, url: str) -> int:
    response = client.get(url)
    assert response.status_code == 200, url
    assert response.context["parts"], f"no condition was understood: {url}"
    return response.context["count"]


@pytest.mark.parametrize("path", PAGES)
def test_a_linked_number_is_the_number_of_people_in_its_list(told: Any, as_role: Any, path: str) -> None:
    client = as_role("analyst")
    page = client.get(f"/w/acme/{path}").content.decode()
    links = [(unescape(url), re.sub(r"<[^>]+>", " ", inner).split()) for url, inner in LINK.findall(page)]
    assert links
    for url, words in links:
        figures = [word for word in words if word.isdecimal()]
        found = count(client, url)
        if figures and "sort=orders" not in url and "sort=spend" not in url:  # orders and money are not people
            assert found == int(figures[0]), f"{url} says {figures[0]}"


def test_every_mark_of_every_picture_opens_as_many_people_as_it_says(told: Any, as_role: Any) -> None:
    client = as_role("analyst")
    checked = 0
    for path in PAGES:
        context = client.get(f"/w/acme/{path}").context
        for picture in (context.get(name) for name in ("flow", "board", "bars", "risk")):
            if not picture:
                continue
            people = next(at for at, column in enumerate(picture["columns"]) if column.get("unit") == "people")
            for row, url in zip(picture["rows"], picture["urls"], strict=False):
                assert count(client, url) == row[people], (picture["name"], row, url)
                checked += 1
    assert checked > 40


def test_the_matrix_adds_up_to_everybody(told: Any, as_role: Any) -> None:
    context = as_role("analyst").get("/w/acme/tiers/lifecycle/?since=2026-08-30").context
    people = sum(cell["people"] for row in context["matrix"] for cell in row["cells"])
    assert people == 7
