"""Lists as files over the API: asked for, followed, fetched; by whom they may be, and never by another workspace."""

from __future__ import annotations

import csv
import io
import json
import re
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests import builders
from users.export_run import run_export
from users.models import Export
from workspaces.models import AuditEntry
from workspaces.scoping import workspace_scope
from workspaces.services import create_key

Call = Callable[..., tuple[int, Any]]


@pytest.fixture
def call(world: Any, client: Any, media: Path) -> Call:
    """`call("post", "/x", {...})` with acme's key, or another; returns (status, body)."""
    for name in ("u1", "u2", "x3"):
        builders.event(world.acme, name, "App Opened", day="2026-08-01")

    def ask(method: str, path: str = "", body: Any = None, key: str = world.acme_api_key) -> tuple[int, Any]:
        data = json.dumps(body) if body is not None else ""
        headers = {"Authorization": f"Bearer {key}", "Accept-Language": "en"}
        answer = client.generic(
            method.upper(), f"/api/v1/exports{path}", data, content_type="application/json", headers=headers
        )
        if answer.streaming:
            return answer.status_code, b"".join(answer.streaming_content).decode("utf-8-sig")
        return answer.status_code, answer.json() if answer.content else None

    return ask


def role_key(world: Any, role: str) -> str:
    with workspace_scope(world.acme):
        return create_key("api", role, role=role)[1]


def test_the_list_that_the_how_to_asks_for_is_one(call: Call) -> None:
    page = (Path(__file__).resolve().parents[2] / "docs/how-to/fetch-a-list.md").read_text(encoding="utf-8")
    [body] = re.findall(r"-d '(\{.*\})'", page)
    status, asked = call("post", "", json.loads(body))
    assert (status, asked["state"]) == (202, "due"), asked


def test_a_list_is_asked_for_followed_and_fetched(call: Call, world: Any) -> None:
    status, asked = call("post", "", {"kind": "people", "query": {"q": "u"}})
    assert (status, asked["state"], asked["query"], asked["total"]) == (202, "due", {"q": "u"}, None)
    assert call("post", "", {"kind": "people", "query": {"q": "u"}})[1]["id"] == asked["id"], "asked for once"
    one = f"/{asked['id']}"
    status, told = call("get", f"{one}/file")
    assert (status, told["error"]["code"]) == (409, "not_ready")
    run_export(world.acme, uuid.UUID(asked["id"]))
    status, done = call("get", one)
    assert (status, done["state"], done["rows"], done["total"]) == (200, "done", 2, 2)
    assert call("get")[1]["results"] == [done]
    status, text = call("get", f"{one}/file")
    assert status == 200 and len(text.encode("utf-8-sig")) == done["bytes"]
    assert {row["external_id"] for row in csv.DictReader(io.StringIO(text))} == {"u1", "u2"}
    with workspace_scope(world.acme):
        trail = AuditEntry.objects.filter(action__startswith="export.").order_by("at").values_list("action", "detail")
        assert [(action, detail["key"]) for action, detail in trail] == [
            ("export.run", "backend"),
            ("export.download", "backend"),
        ]
    assert call("delete", one)[0] == 409


def test_an_export_can_be_stopped(call: Call) -> None:
    asked = call("post", "", {"kind": "people"})[1]
    assert call("delete", f"/{asked['id']}") == (204, None)
    assert call("get", f"/{asked['id']}")[1]["state"] == "cancelled"


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({"kind": "everything"}, "kind"),
        ({"kind": "people", "query": {"stagee": "loyal"}}, "query"),
        ({"kind": "people", "query": {"stage": "no such stage"}}, "query"),
        ({"kind": "people", "query": {"q": {"$ne": ""}}}, "/query/q"),
        ({"kind": "people", "query": "q=u"}, "/query"),
        ({"kind": "moves", "query": {"since": "yesterday"}}, "since"),
        ({"query": {}}, "/kind"),
    ],
)
def test_what_no_list_understands_is_refused_and_nothing_asked_for(
    call: Call, world: Any, body: Any, path: str
) -> None:
    status, told = call("post", "", body)
    assert (status, told["error"]["details"][0]["path"]) == (400, path)
    with workspace_scope(world.acme):
        assert not Export.objects.exists()


def test_each_role_gets_the_lists_it_may_see(call: Call, world: Any) -> None:
    keys = {role: role_key(world, role) for role in ("analyst", "operator", "admin")}
    people = call("post", "", {"kind": "people"}, keys["operator"])[1]
    assert call("post", "", {"kind": "audit"}, keys["operator"])[0] == 403
    status, trail = call("post", "", {"kind": "audit"}, keys["admin"])
    assert status == 202
    for path in (f"/{trail['id']}", f"/{trail['id']}/file"):
        assert call("get", path, key=keys["operator"])[0] == 403
    assert call("delete", f"/{trail['id']}", key=keys["operator"])[0] == 403
    assert [row["id"] for row in call("get", key=keys["operator"])[1]["results"]] == [people["id"]]
    assert len(call("get", key=keys["admin"])[1]["results"]) == 2
    assert call("get", key=keys["analyst"])[0] == 403
    assert call("post", "", {"kind": "people"}, keys["analyst"])[0] == 403


def test_another_workspace_sees_none_of_it(call: Call, world: Any) -> None:
    asked = call("post", "", {"kind": "people"})[1]
    run_export(world.acme, uuid.UUID(asked["id"]))
    nobody = call("get", f"/{uuid.uuid4()}", key=world.other_api_key)
    for method, path in (("get", ""), ("get", "/file"), ("delete", "")):
        status, told = call(method, f"/{asked['id']}{path}", key=world.other_api_key)
        assert (status, told["error"]["code"]) == (404, nobody[1]["error"]["code"]) and nobody[0] == 404
    assert call("get", key=world.other_api_key)[1] == {"results": []}
    other = call("post", "", {"kind": "people"}, world.other_api_key)[1]
    run_export(world.other, uuid.UUID(other["id"]))
    text = call("get", f"/{other['id']}/file", key=world.other_api_key)[1]
    assert text.count("\n") == 1, "the same list of another workspace is a header"
    run_export(world.acme, uuid.UUID(other["id"]))
    assert call("get", f"/{asked['id']}")[1]["rows"] == 3
