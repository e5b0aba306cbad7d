"""Getting in: no address that nobody proved, and nothing of a page that stays behind in a browser or on the way to it."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from tests.conftest import PASSWORD
from workspaces.attempts import AttemptsCache

CLOSED = ("email/", "confirm-email/", "confirm-email/Mg:x/", "reauthenticate/", "password/set/", "login/code/confirm/")


@pytest.mark.parametrize("page", CLOSED)
def test_a_member_takes_no_address_that_nobody_proved(world: Any, page: str) -> None:
    client = Client()
    client.force_login(world.analyst)
    for typed in ({"action_add": "", "email": "boss@acme.test"}, {"action_primary": "", "email": "boss@acme.test"}):
        assert client.get(f"/accounts/{page}").status_code == 404
        assert client.post(f"/accounts/{page}", typed).status_code == 404
    world.analyst.refresh_from_db()
    assert world.analyst.email == "analyst@acme.test"


@pytest.mark.parametrize("page", ["", "users/", "settings/members/", "settings/keys/", "users/?q=nobody"])
def test_no_cache_keeps_a_page_of_a_workspace(as_role: Any, page: str) -> None:
    assert as_role("owner").get(f"/w/acme/{page}")["Cache-Control"] == "no-store"
    assert as_role("analyst").post("/w/acme/settings/members/invite/")["Cache-Control"] == "no-store"


def log_in(email: str, password: str) -> Any:
    return Client(raise_request_exception=False).post("/accounts/login/", {"login": email, "password": password})


def test_with_valkey_away_operators_log_in_and_guesses_are_counted(
    world: Any, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(AttemptsCache, "silent_until", 0.0)  # and back afterwards: Valkey is there for the others
    away = settings.CACHES["default"] | {"LOCATION": "redis://127.0.0.1:1/0"}
    settings.CACHES = {"default": away}
    assert log_in("owner@acme.test", PASSWORD).status_code == 302
    answers = [log_in("analyst@acme.test", f"guess {n}") for n in range(6)]
    assert [answer.status_code for answer in answers] == [200] * 6
    assert log_in("analyst@acme.test", PASSWORD).status_code == 200, "too many guesses: not even the right one"
    assert log_in("owner@acme.test", PASSWORD).status_code == 302
