"""Segments over the API."""

from __future__ import annotations

import json
from typing import Any

import pytest

from campaigns.models import Campaign
from tests.segmentation import world as small
from workspaces.scoping import workspace_scope

VIP = {"all": [{"kind": "tag", "match": "any", "tags": ["vip"]}]}


@pytest.fixture
def call(world, client):  # type: ignore[no-untyped-def]
    """`call("post", "/count", {...})` with acme's key; returns (status, body)."""
    with workspace_scope(world.acme):
        small.settle(world.acme)

    def ask(method: str, path: str = "", body: Any = None, key: str = world.acme_api_key) -> tuple[int, Any]:
        data = body if isinstance(body, str) else json.dumps(body)
        headers = {"Authorization": f"Bearer {key}", "Accept-Language": "en"}
        path = f"/api/v1/segments{path}"
        answer = client.generic(
            method.upper(), path, data if body is not None else "", "application/json", headers=headers
        )
        return answer.status_code, answer.json() if answer.content else None

    return ask


def test_a_segment_is_made_read_changed_archived_and_deleted(call):
    status, made = call("post", "", {"name": "VIP", "definition": VIP})
    assert (status, made["size"], made["sentence"], made["goal"]) == (201, 2, "Tagged vip", "value")
    one = f"/{made['id']}"
    assert call("get", one) == (200, made)
    status, changed = call("patch", one, {"name": "VIPs", "goal": "scale"})
    assert (status, changed["name"], changed["goal"], changed["definition"]) == (200, "VIPs", "scale", VIP)
    assert [row["name"] for row in call("get")[1]["results"]] == ["Regulars", "VIPs"]
    assert call("patch", one, {"archived": True})[1]["archived_at"]
    assert [row["name"] for row in call("get", "?archived=true")[1]["results"]] == ["VIPs"]
    assert call("patch", one, {"name": "x"})[0] == 409
    assert call("patch", one, {"archived": False, "name": "back"})[1]["name"] == "back"
    assert call("delete", one)[0] == 204
    assert call("get", one)[0] == 404


def test_members_are_paged_by_cursor(call):
    _status, made = call("post", "", {"name": "VIP", "definition": VIP})
    path = f"/{made['id']}/members"
    first = call("get", f"{path}?limit=1")[1]
    second = call("get", f"{path}?limit=1&after={first['next']}")[1]
    assert second["next"] is None
    assert {row["external_id"] for row in first["results"] + second["results"]} == {"an", "chen"}
    assert set(first["results"][0]) == {"id", "external_id", "name", "entered_on"}
    for query in ("limit=0", "limit=1001", "limit=x", "after=%27"):
        status, body = call("get", f"{path}?{query}")
        assert (status, body["error"]["code"]) == (400, "invalid")


def test_a_rule_is_counted_without_being_kept(call):
    status, counted = call("post", "/count", {"definition": VIP})
    assert status == 200
    assert counted == {"people": 2, "base": 6, "reach": {"email": 1, "sms": 1, "push": 1}, "sentence": "Tagged vip"}
    assert len(call("get")[1]["results"]) == 1


def test_a_rule_of_any_depth_is_an_error_of_the_sender(client, world):
    headers = {"Authorization": f"Bearer {world.acme_api_key}"}
    found = {}
    for depth in (200, 400, *range(800, 1000)):  # somewhere there Python gives up
        body = '{"definition": {"kind": "tag", "match": "any", "tags": %s}}' % ("[" * depth + "]" * depth)
        answer = client.post("/api/v1/segments/count", body, content_type="application/json", headers=headers)
        found.setdefault((answer.status_code, answer.json()["error"]["code"]), []).append(depth)
    assert set(found) == {(400, "invalid_value"), (400, "too_deep")}


def test_errors_name_the_place_in_the_rule(call):
    wrong = {"all": [VIP, {"kind": "fact", "fact": "orders", "compare": "at_least", "number": "NaN"}]}
    for status, body in (
        call("post", "/count", {"definition": wrong}),
        call("post", "", {"name": "x", "definition": wrong}),
    ):
        assert status == 400
        assert body["error"]["code"] == "invalid_value"
        assert body["error"]["details"] == [{"path": "definition/all/1/number", "code": "invalid_value"}]
    assert call("post", "", {"name": "x"})[1]["error"]["details"][0]["path"] == "/definition"


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ('{"definition": null}', None),
        ('{"definition": {}}', "invalid_rule"),
        ('{"definition": {"xor": []}}', "unknown_operator"),
        (
            '{"definition": {"kind": "attribute", "name": "password_hash", "compare": "is", "text": "x"}}',
            "unknown_field",
        ),
        (
            '{"definition": {"kind": "attribute", "name": "email", "compare": "regex", "text": "(a+)+$"}}',
            "unknown_operator",
        ),
        ('{"definition": {"kind": "fact", "fact": "orders", "compare": "at_least", "number": 1e400}}', None),
        ('{"definition": {"kind": "fact", "fact": "orders", "compare": "at_least", "number": NaN}}', None),
        ('{"definition": {"not": {"all": []}}}', "empty_group"),
        ('{"definition": ' + '{"not":' * 5000 + '{"kind":"tag"}' + "}" * 5001, "too_deep"),
        (
            '{"definition": {"any": [' + ",".join(['{"kind":"tag","match":"any","tags":["x"]}'] * 10_001) + "]}}",
            "too_many_conditions",
        ),
        ("[]", None),
        ("{", None),
    ],
    ids=lambda value: str(value)[:60],
)
def test_hostile_rules_are_answered_and_never_break(call, body, code):
    for path in ("/count", ""):
        status, answer = call("post", path, body if path else body.replace("{", '{"name": "x", ', 1))
        assert status == 400, answer
        assert answer["error"]["code"] == code or code is None
    assert [row["name"] for row in call("get")[1]["results"]] == ["Regulars"]


def test_another_workspaces_segment_is_not_found(call, world):
    _status, made = call("post", "", {"name": "VIP", "definition": VIP})
    unknown = "6b1f7d5e-3a0c-4a53-9d0f-2f1f4c9ab001"
    for method, tail in (("get", ""), ("patch", ""), ("delete", ""), ("get", "/members")):
        theirs = call(method, f"/{made['id']}{tail}", {}, key=world.other_api_key)
        nobodys = call(method, f"/{unknown}{tail}", {}, key=world.other_api_key)
        assert theirs[0] == nobodys[0] == 404
        assert theirs[1]["error"]["message"] == nobodys[1]["error"]["message"]
    refer = {"definition": {"kind": "segment", "segment": made["id"]}}
    assert call("post", "/count", refer, key=world.other_api_key)[1]["error"]["code"] == "unknown_segment"
    assert call("get", "", key=world.other_api_key)[1]["results"] == []


def test_a_used_segment_is_not_deleted(call, world):
    _status, made = call("post", "", {"name": "VIP", "definition": VIP})
    with workspace_scope(world.acme):
        Campaign.objects.create(name="七夕", segment_id=made["id"])
    status, body = call("delete", f"/{made['id']}")
    assert (status, body["error"]["code"]) == (409, "in_use")
