"""Addresses that no page of ours writes: each is answered as if what is odd in it were not there."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from django.core.exceptions import ValidationError

from lifecycle.sources import parse_minor
from ops_platform.rules_form import NumbersField
from tests import builders
from workspaces.scoping import workspace_scope
from workspaces.services import create_key

NOBODY = "00000000-0000-0000-0000-000000000000"
MANY = "9" * 5000
FAR = ("2026-01-01T00:00:00%2B20:00", "2026-01-01T00:00:00-16:00", "0001-01-01T00:00:00%2B15:00", "2026-01-01T00:00:00")


def cursor(value: str) -> str:
    return base64.urlsafe_b64encode(f"{value}|{NOBODY}".encode()).decode()


ODD = (
    *(
        f"users/?sort={sort}&{way}={cursor(value)}"
        for sort in ("seen", "spend", "orders", "joined")
        for way in ("after", "before")
        for value in (
            "x",
            "\0",
            "",
            "2026-08-01x",
            "2026-W01-1",
            MANY,
            "9" * 19,
            "3000000000",
            "2026-01-01T00:00:00+20:00",
            "2026-01-01",
        )
    ),
    *(f"nights/?watch={watch}" for watch in (MANY, "9" * 400, "99999999999999", "-1", "²")),
    *(f"settings/audit/?before={at}" for at in FAR),
    *(f"connect/event/?person={NOBODY}&event={NOBODY}&at={at}" for at in FAR),
)


@pytest.mark.parametrize("address", ODD, ids=[f"{n} {address[:60]}" for n, address in enumerate(ODD)])
def test_what_no_page_wrote_is_as_if_it_were_not_there(acme: Any, as_role: Any, address: str) -> None:
    builders.person(acme, "u1", "2026-06-01")
    answer = as_role("owner").get(f"/w/acme/{address}")
    assert answer.status_code == (404 if address.startswith("connect/event") else 200)


@pytest.mark.parametrize(
    "target", ["ab", "a\0b", "//evil.test/", "https://evil.test/", "javascript:alert(1)", "/\\evil.test"]
)
def test_a_form_leads_back_to_pages_of_ours_only(acme: Any, as_role: Any, target: str) -> None:
    person = builders.person(acme, "u1", "2026-06-01")
    typed = {"verb": "tag", "tag": "vip", "person": str(person.pk), "next": target}
    assert as_role("owner").post("/w/acme/users/change/", typed).url == "/w/acme/users/"


@pytest.mark.parametrize("at", FAR)
def test_nor_where_a_persons_events_go_on(acme: Any, as_role: Any, at: str) -> None:
    person = builders.person(acme, "u1", "2026-06-01")
    assert as_role("owner").get(f"/w/acme/users/{person.pk}/events/?before={at}|{NOBODY}").status_code == 200


def test_a_row_of_thousands_of_digits_is_not_removed(as_role: Any) -> None:
    form = {"by": "rows", "name": "x", "row-0-kind": "tag", "remove": MANY}
    assert as_role("owner").post("/w/acme/segments/new/", form).status_code < 500


def test_an_amount_beyond_all_numbers_is_none(acme: Any) -> None:
    assert [parse_minor(text, "CNY") for text in ("1e999999", "-1e999999", "1e-999999")] == [None, None, None]
    field = NumbersField()
    field.decimals = 2
    with pytest.raises(ValidationError):
        field.clean("1e999999")


def test_the_api_takes_no_nul_and_no_thousands_of_digits(world: Any, client: Any) -> None:
    with workspace_scope(world.acme):
        headers = {"Authorization": f"Bearer {create_key('api', 'odd', role='owner')[1]}"}
    for method, asked in (
        ("delete", "source-costs?month=2026-08&source=%00"),
        ("get", "users?after=%00"),
        ("get", "warnings?after=x%00"),
    ):
        told = getattr(client, method)(f"/api/v1/{asked}", headers=headers)
        path = asked.partition("?")[2].rpartition("&")[2].partition("=")[0]
        assert (told.status_code, told.json()["error"]["details"][0]["path"]) == (400, path)
    told = client.get(f"/api/v1/segments/{NOBODY}/members?limit={MANY}", headers=headers)
    assert (told.status_code, told.json()["error"]["details"][0]["path"]) == (400, "limit")
