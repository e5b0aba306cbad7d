"""Every page of the roof: who sees it, what an empty workspace says, and how much it asks of the database."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from ops_platform.nightly import run_night
from tests.pages.conftest import LAST
from users.models import person_id
from workspaces.permissions import ROLES

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


def statuses(client: Client, paths: list[str]) -> dict[str, int]:
    return {path: client.get(f"/w/acme/{path}").status_code for path in paths}


def test_every_member_sees_every_page(told: Any, as_role: Any) -> None:
    for role in ("owner", "analyst"):
        assert statuses(as_role(role), READ) == dict.fromkeys(READ, 200), role


def test_keys_and_the_audit_trail_are_for_admins(world: Any, as_role: Any) -> None:
    assert statuses(as_role("admin"), ADMIN_ONLY) == dict.fromkeys(ADMIN_ONLY, 200)
    assert statuses(as_role("operator"), ADMIN_ONLY) == dict.fromkeys(ADMIN_ONLY, 403)


def test_a_day_without_segments_offers_to_make_one_to_those_who_may(told: Any, as_role: Any) -> None:
    offered = {role: "segments/new/" in as_role(role).get("/w/acme/tiers/day/").content.decode() for role in ROLES}
    assert offered == {"analyst": False, "operator": True, "admin": True, "owner": True}


def test_days_chosen_the_wrong_way_round_mean_the_days_between(told: Any, as_role: Any) -> None:
    client = as_role("analyst")
    for page in ("lifecycle", "paths"):
        asked = [
            client.get(f"/w/acme/tiers/{page}/?since={since}&until={until}").context
            for since, until in (("2026-08-30", "2026-08-31"), ("2026-08-31", "2026-08-30"))
        ]
        assert [(context["since"], context["until"]) for context in asked] == [(LAST - timedelta(days=1), LAST)] * 2


def test_a_stranger_gets_404_and_nobody_the_login(world: Any, as_role: Any) -> None:
    assert statuses(as_role("stranger"), READ + ADMIN_ONLY) == dict.fromkeys(READ + ADMIN_ONLY, 404)
    for path in READ + ADMIN_ONLY:
        assert Client().get(f"/w/acme/{path}").url.startswith("/accounts/login/")  # type: ignore[attr-defined]


def test_one_persons_page_and_its_drawer(told: Any, as_role: Any) -> None:
    client = as_role("analyst")
    url = f"/w/acme/users/{person_id(told.acme.pk, 'slip')}/"
    page = client.get(url).content.decode()
    assert "李娜" in page and "Order Completed" in page
    assert "要在最近" in page  # 还差一步
    drawer = client.get(url, headers={"HX-Request": "true", "HX-Target": "drawer-body"}).content.decode()
    assert "李娜" in drawer and "<html" not in drawer


def test_a_person_of_another_workspace_is_not_found(told: Any, as_role: Any) -> None:
    assert as_role("owner").get(f"/w/acme/users/{person_id(told.other.pk, 'slip')}/").status_code == 404


# Reads: queries less the statements that open and close the scope. Five are the frame's: session, operator,
# workspace, membership, night.
MOST_READS = {
    "": 25,
    "users/?stage=habit&sort=risk": 8,
    "tiers/lifecycle/": 10,
    "tiers/rfm/": 12,
    "tiers/churn/": 12,
    "nights/": 7,
    "nights/2026-08-31/": 8,
    "settings/": 6,
    "settings/members/": 7,
    "settings/audit/": 7,
}


def test_a_page_asks_a_bounded_number_of_questions(told: Any, as_role: Any) -> None:
    client = as_role("owner")
    for path, most in MOST_READS.items():
        client.get(f"/w/acme/{path}")  # the session and the connection are warm, as in a working day
        with CaptureQueriesContext(connection) as queries:
            client.get(f"/w/acme/{path}")
        reads = [query["sql"][:150] for query in queries if " from " in query["sql"].lower()]
        assert len(reads) <= most, "\n".join([path, *reads])


NEXT_STEP = {
    "": "/w/acme/imports/",
    "users/": "/w/acme/imports/",
    "tiers/lifecycle/": "/w/acme/nights/",
    "tiers/rfm/": "/w/acme/nights/",
    "tiers/churn/": "/w/acme/nights/",
    "nights/": "/w/acme/nights/run/",
}


def test_an_empty_workspace_says_what_to_do_next(world: Any, as_role: Any) -> None:
    client = as_role("owner")
    for path, step in NEXT_STEP.items():
        response = client.get(f"/w/acme/{path}")
        assert response.status_code == 200, path
        assert step in response.content.decode(), path


def test_tiers_in_which_nobody_stands_say_what_to_do_next(world: Any, as_role: Any) -> None:
    run_night(world.acme, LAST)
    client = as_role("owner")
    for path in ("lifecycle", "paths", "churn", "day"):
        assert "/w/acme/connect/" in client.get(f"/w/acme/tiers/{path}/").content.decode(), path
    page = client.get("/w/acme/tiers/rfm/")
    assert page.status_code == 200 and "<td" not in page.content.decode()


def test_the_chooser_goes_straight_to_the_only_workspace(world: Any, as_role: Any) -> None:
    response = as_role("owner").get("/")
    assert response.status_code == 302
    assert response.url == "/w/acme/"
    assert Client().get("/").url.startswith("/accounts/login/")  # type: ignore[attr-defined]


def test_a_link_for_a_forgotten_password_is_promised_only_where_mail_can_be_sent(db: None, settings: Any) -> None:
    page = "/accounts/password/reset/"
    assert 'name="email"' in Client().get(page).content.decode()
    settings.EMAIL_BACKEND = "django.core.mail.backends.dummy.EmailBackend"
    silent = Client().get(page).content.decode()
    assert "没有配置发信" in silent and 'name="email"' not in silent


def test_health_answers_without_a_login(db: None) -> None:
    assert Client().get("/health/").json() == {"status": "ok"}


def test_the_theme_of_the_cookie_is_painted_by_the_server(told: Any, as_role: Any) -> None:
    client = as_role("owner")
    client.cookies["theme"] = "dark"
    assert 'data-bs-theme="dark"' in client.get("/w/acme/").content.decode()
    client.cookies["theme"] = '"><script>'
    assert "data-bs-theme" not in client.get("/w/acme/").content.decode()
