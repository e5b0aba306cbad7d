"""Every page of the roof: who sees it, what an empty workspace says, and how much it asks of the database."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from users.models import person_id

READ = [
    "",
    "palette/",
    "palette/?q=张",
    "users/",
    "users/?q=reg&stage=habit,use&activity=active&sort=spend",
    "tiers/lifecycle/",
    "tiers/lifecycle/?since=2026-08-30&until=2026-08-31",
    "tiers/rfm/",
    "tiers/churn/",
    "nights/",
    "nights/2026-08-31/",
    "settings/",
    "settings/members/",
]
ADMIN_ONLY = ["settings/keys/", "settings/audit/", "settings/audit/?q=member"]


@pytest.mark.parametrize("path", READ)
@pytest.mark.parametrize("role", ["owner", "analyst"])
def test_a_member_sees_the_page(told: Any, as_role: Any, role: str, path: str) -> None:
    response = as_role(role).get(f"/w/acme/{path}")
    assert response.status_code == 200
    assert "Content-Security-Policy" in response.headers


@pytest.mark.parametrize("path", ADMIN_ONLY)
def test_keys_and_the_audit_trail_are_for_admins(told: Any, as_role: Any, path: str) -> None:
    assert as_role("admin").get(f"/w/acme/{path}").status_code == 200
    response = as_role("operator").get(f"/w/acme/{path}")
    assert response.status_code == 403
    assert "你的角色" in response.content.decode() or "Your role" in response.content.decode()


@pytest.mark.parametrize("path", READ + ADMIN_ONLY)
def test_a_stranger_gets_404_and_nobody_the_login(told: Any, as_role: Any, path: str) -> None:
    assert Client().get(f"/w/acme/{path}").url.startswith("/accounts/login/")  # type: ignore[attr-defined]
    assert as_role("stranger").get(f"/w/acme/{path}").status_code == 404


def test_one_persons_page_and_its_drawer(told: Any, as_role: Any) -> None:
    client = as_role("analyst")
    url = f"/w/acme/users/{person_id(told.acme.pk, 'slip')}/"
    page = client.get(url).content.decode()
    assert "李娜" in page and "Order Completed" in page
    drawer = client.get(url, headers={"HX-Request": "true", "HX-Target": "drawer-body"}).content.decode()
    assert "李娜" in drawer and "<html" not in drawer


def test_a_person_of_another_workspace_is_not_found(told: Any, as_role: Any) -> None:
    assert as_role("owner").get(f"/w/acme/users/{person_id(told.other.pk, 'slip')}/").status_code == 404


@pytest.mark.parametrize(
    ("path", "most"),
    [
        ("", 25),
        ("users/?stage=habit&sort=risk", 12),
        ("tiers/lifecycle/", 15),
        ("tiers/rfm/", 15),
        ("tiers/churn/", 15),
        ("nights/", 12),
        ("settings/members/", 12),
        ("settings/audit/", 12),
    ],
)
def test_a_page_asks_a_bounded_number_of_queries(told: Any, as_role: Any, path: str, most: int) -> None:
    client = as_role("owner")
    client.get(f"/w/acme/{path}")  # the session and the connection are warm, as in a working day
    with CaptureQueriesContext(connection, ) as queries:
        client.get(f"/w/acme/{path}")
    assert len(queries) <= most, "\n".join(query["sql"][:120] for query in queries)


@pytest.mark.parametrize(
    ("path", "next_step"),
    [
        ("", "/w/acme/imports/"),
        ("users/", "/w/acme/imports/"),
        ("tiers/lifecycle/", "/w/acme/nights/"),
        ("tiers/rfm/", "/w/acme/nights/"),
        ("tiers/churn/", "/w/acme/nights/"),
        ("nights/", "/w/acme/nights/run/"),
    ],
)
def test_an_empty_workspace_says_what_to_do_next(world: Any, as_role: Any, path: str, next_step: str) -> None:
    response = as_role("owner").get(f"/w/acme/{path}")
    assert response.status_code == 200
    assert next_step in response.content.decode()


def test_the_chooser_goes_straight_to_the_only_workspace(world: Any, as_role: Any) -> None:
    response = as_role("owner").get("/")
    assert response.status_code == 302
    assert response.url == "/w/acme/"
    assert Client().get("/").url.startswith("/accounts/login/")  # type: ignore[attr-defined]


def test_health_answers_without_a_login(db: None) -> None:
    assert Client().get("/health/").json() == {"status": "ok"}


def test_the_theme_of_the_cookie_is_painted_by_the_server(told: Any, as_role: Any) -> None:
    client = as_role("owner")
    client.cookies["theme"] = "dark"
    assert 'data-bs-theme="dark"' in client.get("/w/acme/").content.decode()
    client.cookies["theme"] = '"><script>'
    assert "data-bs-theme" not in client.get("/w/acme/").content.decode()
