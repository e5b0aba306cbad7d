"""Settings over the API: read, previewed with the people, applied; every error names its field."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ops_platform import tasks
from workspaces.models import AuditEntry, Workspace
from workspaces.scoping import workspace_scope
from workspaces.services import create_key


@pytest.fixture
def call(world: Any, bought: Workspace, client: Any) -> Any:
    def ask(method: str, path: str = "", body: Any = None, key: str = world.acme_api_key) -> tuple[int, Any]:
        headers = {"Authorization": f"Bearer {key}", "Accept-Language": "en"}
        data = json.dumps(body) if body is not None else ""
        answer = client.generic(method.upper(), f"/api/v1/settings{path}", data, "application/json", headers=headers)
        return answer.status_code, answer.json()

    return ask


def test_a_change_is_previewed_and_applied(call: Any, world: Any) -> None:
    status, told = call("get")
    assert status == 200 and told["settings"]["habit_days"] == 3 and told["own"] == []
    assert "habit_days" in told["moving"] and "conversion_days" not in told["moving"] and "visits_90" in told["axes"]
    status, change = call("post", "/changes", {"changes": {"habit_days": 2}})
    assert (status, change["state"], change["moves"]["stage"]) == (202, "due", [])
    one = f"/changes/{change['id']}"
    assert call("post", f"{one}/apply")[1]["error"]["code"] == "not_ready"
    assert call("get", f"{one}/people")[0] == 409
    tasks.run_rules_changes(str(world.acme.pk))
    status, change = call("get", one)
    assert change["moves"]["stage"] == [{"from_key": "use", "to_key": "habit", "people": 1}]
    assert change["sizes"]["stage"] == {"use": 1, "habit": 1} and change["state"] == "ready"
    people = call("get", f"{one}/people?board=stage&from=use&to=habit")[1]
    assert people == {
        "results": [{"external_id": "bob", "board": "stage", "from_key": "use", "to_key": "habit"}],
        "next": None,
    }
    assert call("get", f"{one}/people?from=none")[1]["results"] == []
    assert Workspace.objects.get(slug="acme").rules.habit_days == 3
    assert call("post", f"{one}/apply")[1]["state"] == "wanted"
    tasks.run_rules_changes(str(world.acme.pk))
    assert call("get", one)[1]["state"] == "applied" and Workspace.objects.get(slug="acme").rules.habit_days == 2
    assert call("get")[1]["own"] == ["habit_days"]
    assert [row["state"] for row in call("get", "/changes")[1]["results"]] == ["applied"]
    assert {row["industry"] for row in call("get", "/presets")[1]["results"]} >= {"ecommerce", "ugc", "tool"}
    with workspace_scope(world.acme):
        lines = AuditEntry.objects.filter(target=change["id"]).order_by("at")
        assert [(line.action, line.detail.get("key"), line.detail["after"]) for line in lines] == [
            ("settings.ask", "backend", {"habit_days": 2}),
            ("settings.change", None, {"habit_days": 2}),
        ]


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({"changes": {"habit_days": "2"}}, "habit_days"),
        ({"changes": {"rfm_axes": ["orders", "visits", "city"]}}, "rfm_axes"),
        ({"changes": {"names": {"rfm.nobody": "x"}}}, "names"),
        ({"changes": {"names": {"rfm.new": " "}}}, "names"),
        ({"changes": {"sql": "x"}}, "sql"),
        ({"changes": 1}, "/changes"),
        ({"industry": "farming"}, "/industry"),
    ],
)
def test_an_error_names_its_field(call: Any, body: Any, path: str) -> None:
    status, answer = call("post", "/changes", body)
    assert status == 400 and answer["error"]["details"][0]["path"] == path


def test_what_moves_nobody_is_stored_at_once(call: Any) -> None:
    assert call("post", "/changes", {"changes": {"conversion_days": 3}}) == (200, {"state": "stored"})
    assert call("get")[1]["settings"]["conversion_days"] == 3


def test_another_workspace_sees_nothing_of_it(call: Any, world: Any) -> None:
    change = call("post", "/changes", {"changes": {"habit_days": 2}})[1]
    assert call("get", f"/changes/{change['id']}", key=world.other_api_key)[0] == 404
    assert call("post", f"/changes/{change['id']}/apply", key=world.other_api_key)[0] == 404
    with workspace_scope(world.acme):
        reader = create_key("api", "reader", role="analyst")[1]
    assert call("post", f"/changes/{change['id']}/apply", key=reader)[0] == 403
    assert call("get", f"/changes/{change['id']}", key=reader)[0] == 200
