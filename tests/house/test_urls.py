"""Every URL, walked as everybody: what each gets is exactly what the permission table says."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator
from datetime import date
from typing import Any

import pytest
from django.db import OperationalError
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver
from rest_framework.views import APIView

from workspaces.authentication import WorkspaceAPIView
from workspaces.permissions import ACTIONS, ROLES, allowed
from workspaces.scoping import workspace_scope
from workspaces.services import create_key

# Without a workspace in the path. Each is safe for anybody, or proves a right of its own.
OUTSIDE = {
    "": "chooser of one's own workspaces; sends strangers to the login",
    "accounts/": "login by django-allauth",
    "i18n/": "language",
    "health/": "liveness",
    "invitation/": "a signed invitation",
    "t/": "signed links in messages",
    **dict.fromkeys(("v1/", "beacon/v1/", "pixel/v1/"), "ingest as Segment and Rudder send, by write key"),
    **dict.fromkeys(("sa/", "sa[.]gif/", "debug/"), "ingest as 神策 sends, by write key"),
    **dict.fromkeys(("batch/", "capture/", "e/", "track/", "i/v0/e/"), "ingest as PostHog sends, by write key"),
    **dict.fromkeys(("flags/", "decide/", "array/"), "what PostHog's SDKs ask for; the same for everybody"),
    "api/docs": "the API's description",
    "api/schema": "the API's description",
    "static/": "assets",
}
VALUES = {
    "uuid": uuid.UUID(int=7),
    "day": date(2026, 8, 1),
    "date": date(2026, 8, 1),
    "int": 7,
    "str": "email",
    "path": "a/b",
    "slug": "x",
}


def routes(patterns: Any = None, prefix: str = "") -> Iterator[tuple[str, URLPattern]]:
    for entry in patterns if patterns is not None else get_resolver().url_patterns:
        route = prefix + str(entry.pattern).removeprefix("^")
        if isinstance(entry, URLResolver):
            yield from routes(entry.url_patterns, route)
        else:
            yield route, entry


def fill(route: str, slug: str = "acme") -> str:
    """The route as a path, converters filled with values that fit and name nothing."""
    route = route.replace("<slug:slug>", slug)
    route = re.sub(r"<(?:(\w+):)?\w+>", lambda m: str(VALUES[m.group(1) or "str"]), route)
    return "/" + re.sub(r"[\^$]|\(\?P<\w+>[^)]*\)|\\Z", "", route)


ALL = list(routes())
DASHBOARD = [(route, entry.callback) for route, entry in ALL if "<slug:slug>" in route and route.startswith("w/")]
API = [(route, entry.callback.view_class) for route, entry in ALL if route.startswith("api/v1/")]  # type: ignore[attr-defined]


def test_every_url_is_of_a_known_kind() -> None:
    outside = {route for route, _ in ALL if not route.startswith(("w/<slug:slug>/", "api/v1/"))}
    unknown = {route for route in outside if route and not any(p and route.startswith(p) for p in OUTSIDE)}
    assert unknown == set()
    assert len(DASHBOARD) > 20 and len(API) > 8


@pytest.mark.parametrize(("route", "view"), DASHBOARD, ids=[route for route, _ in DASHBOARD])
def test_a_dashboard_url_gives_each_what_the_table_says(route: str, view: Any, world: Any, client: Client) -> None:
    assert view.action in ACTIONS, "the view names its action"
    path = fill(route)
    for method in ("get", "post"):
        call = getattr(client, method)
        client.logout()
        answer = call(path)
        assert answer.status_code == 302 and "/accounts/login/" in answer["Location"], f"anonymous {method}"
        client.force_login(world.stranger)
        assert call(path).status_code == 404, f"stranger {method}"
        for role in ROLES:
            client.force_login(getattr(world, role))
            status = call(path).status_code
            if allowed(role, view.action):
                assert status not in (401, 403) and status < 500, f"{role} {method} {status}"
            else:
                assert status == 403, f"{role} {method} {status}"


def test_a_foreign_workspace_and_an_unknown_one_look_alike(world: Any, client: Client) -> None:
    client.force_login(world.owner)
    foreign, unknown = client.get("/w/other/"), client.get("/w/nowhere/")
    assert foreign.status_code == unknown.status_code == 404
    assert len(foreign.content) - len(unknown.content) in (-2, -1, 0, 1, 2)


def operations() -> list[tuple[str, str, str]]:
    return [(route, method, action) for route, view in API for method, action in getattr(view, "actions", {}).items()]


def test_every_api_view_sits_behind_the_key_door() -> None:
    outside = [route for route, view in API if not issubclass(view, WorkspaceAPIView)]
    assert outside == []
    undeclared = [
        (route, method)
        for route, view in API
        for method in ("get", "post", "put", "patch", "delete")
        if hasattr(view, method) and view is not APIView and method not in view.actions
    ]
    assert undeclared == []


@pytest.mark.parametrize(("route", "method", "action"), operations(), ids=lambda value: str(value))
def test_an_api_operation_gives_each_key_what_the_table_says(
    route: str, method: str, action: str, world: Any, client: Client
) -> None:
    path = fill(route)

    def status(secret: str | None) -> int:
        headers = {"Authorization": f"Bearer {secret}"} if secret else {}
        return client.generic(method.upper(), path, b"{}", content_type="application/json", headers=headers).status_code

    assert status(None) == 401 and status("ak_wrong") == 401
    assert status(world.acme_write_key) == 401, "a write key opens no API"
    for role in ROLES:
        with workspace_scope(world.acme):
            secret = create_key("api", role, role=role)[1]
        code = status(secret)
        if allowed(role, action):
            assert code not in (401, 403) and code < 500, f"{role} {code}"
        else:
            assert code == 403, f"{role} {code}"


def test_a_revoked_key_opens_nothing_from_the_next_request_on(world: Any, client: Client) -> None:
    from workspaces.services import revoke_key

    with workspace_scope(world.acme):
        key, secret = create_key("api", "short", role="owner")
    headers = {"Authorization": f"Bearer {secret}"}
    assert client.get("/api/v1/users", headers=headers).status_code == 200
    with workspace_scope(world.acme):
        revoke_key(key)
    answer = client.get("/api/v1/users", headers=headers)
    assert answer.status_code == 401 and answer.json()["error"]["code"] == "bad_key"


@pytest.mark.parametrize(
    ("address", "page"),
    [
        ("settings/change/", "settings/"),
        ("settings/names/save/", "settings/names/"),
        ("value/sources/costs/remove/", "value/sources/costs/"),
        ("value/sources/costs/", "value/sources/"),
        (f"tags/rules/{uuid.UUID(int=7)}/delete/", "tags/rules/"),
        ("exports/ask/", "exports/"),
    ],
)
def test_looking_at_the_address_of_a_form_leads_to_the_page_above(address: str, page: str, as_role: Any) -> None:
    """Where a browser comes to that logged in again after sending it, or chose a language on its answer."""
    client = as_role("owner")
    answer = client.get(f"/w/acme/{address}", headers={"Accept": "text/html,application/xhtml+xml"})
    assert (answer.status_code, answer["Location"]) == (302, f"/w/acme/{page}")
    assert client.get(f"/w/acme/{address}").status_code == 405, "for programs it stays what it is"


def test_a_keys_workspace_is_all_it_sees(world: Any, client: Client) -> None:
    from users.models import EndUser, person_id

    with workspace_scope(world.other):
        EndUser.objects.create(id=person_id(world.other.pk, "canary"), external_id="canary")
    mine = client.get("/api/v1/users", headers={"Authorization": f"Bearer {world.acme_api_key}"})
    theirs = client.get("/api/v1/users", headers={"Authorization": f"Bearer {world.other_api_key}"})
    assert mine.json()["results"] == [] and theirs.json()["results"][0]["external_id"] == "canary"
    one = client.get("/api/v1/users/canary", headers={"Authorization": f"Bearer {world.acme_api_key}"})
    none = client.get("/api/v1/users/nobody", headers={"Authorization": f"Bearer {world.acme_api_key}"})
    assert one.status_code == none.status_code == 404


@pytest.mark.parametrize("route", [route for route, view in API if getattr(view, "actions", {})])
def test_an_api_address_answers_any_method_and_any_body_in_json(route: str, world: Any, client: Client) -> None:
    actions = next(view.actions for known, view in API if known == route)
    headers = {"Authorization": f"Bearer {world.acme_api_key}"}
    for method in ("get", "head", "options", "post", "put", "patch", "delete", "trace", "foo"):
        for body in (b"", b"[" * 100_000, b"{" * 900, b'{"\\ud800": "\\ud800"}', b'{"name": "\\u0000"}', b"\xff"):
            answer = client.generic(method.upper(), fill(route), body, content_type="application/json", headers=headers)
            assert answer.status_code < 500 and "html" not in answer["Content-Type"], f"{method} {body[:20]!r}"
        if method not in actions and method not in ("head", "options"):
            assert answer.status_code == 405


@pytest.mark.parametrize("path", ["/api/v1/nothing", "/api/v1/segments/no-uuid", "/api", "/v1", "/v1/", "/v1/nothing"])
def test_an_address_for_programs_that_is_none_answers_in_json(path: str, client: Client) -> None:
    for call in (client.get, client.post):
        answer = call(path)
        assert answer.status_code in (404, 405) and answer["Content-Type"] == "application/json"
    assert client.get(path, headers={"Host": "evil.example"})["Content-Type"] == "application/json"


@pytest.mark.parametrize(("error", "status"), [(OperationalError("gone"), 503), (ValueError("a bug"), 500)])
def test_what_nobody_expected_is_told_to_programs_in_json(
    error: Exception, status: int, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_arguments: Any) -> None:
        raise error

    monkeypatch.setattr("workspaces.authentication.find_key", fail)
    client.raise_request_exception = False
    answer = client.get("/api/v1/users", headers={"Authorization": "Bearer ak_some"})
    assert (answer.status_code, answer["Content-Type"]) == (status, "application/json")
    assert answer.json()["error"]["code"] in ("unavailable", "internal_error")


def test_a_filter_of_users_is_one_of_its_values(world: Any, client: Client) -> None:
    headers = {"Authorization": f"Bearer {world.acme_api_key}"}
    for query in ("stage=nonsense", "activity=%00", "rfm_group=%00"):
        answer = client.get(f"/api/v1/users?{query}", headers=headers)
        assert (answer.status_code, answer.json()["error"]["details"][0]["path"]) == (400, query.partition("=")[0])


def test_a_user_id_with_a_slash_is_found(world: Any, client: Client) -> None:
    from users.models import EndUser, person_id

    with workspace_scope(world.acme):
        EndUser.objects.create(id=person_id(world.acme.pk, "a/b"), external_id="a/b")
    answer = client.get("/api/v1/users/a%2Fb", headers={"Authorization": f"Bearer {world.acme_api_key}"})
    assert answer.json()["external_id"] == "a/b"
