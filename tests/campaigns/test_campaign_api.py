"""Campaigns over the API."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client

from campaigns import sending
from campaigns.local_servers import LocalInbox
from campaigns.models import Run
from campaigns.services import sweep
from campaigns.tasks import send_campaigns
from workspaces.models import Workspace
from workspaces.scoping import workspace_scope

from .sender import CONTENT, connect, make_campaign, make_people, make_segment


@pytest.fixture
def shop(acme: Workspace, inbox: LocalInbox, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    monkeypatch.setattr(send_campaigns, "delay", lambda *_args: None)
    connect(acme, inbox)
    return acme


@pytest.fixture
def call(world: Any, client: Client) -> Any:
    """`call("get", "campaigns")` with acme's key; returns (status, JSON)."""

    def send(method: str, path: str, body: Any = None, key: str = "") -> tuple[int, Any]:
        answer = getattr(client, method)(
            f"/api/v1/{path}",
            body,
            content_type="application/json",
            headers={"Authorization": f"Bearer {key or world.acme_api_key}"},
        )
        return answer.status_code, answer.json()

    return send


def test_a_campaign_from_draft_to_report(shop: Workspace, call: Any) -> None:
    make_people(shop, 12)
    given = {
        "name": "会员日",
        "segment": str(make_segment(shop).pk),
        "content": CONTENT["email"],
        "control_percent": 25,
    }
    status, made = call("post", "campaigns", given)
    assert status == 201 and (made["state"], made["channel"], made["conversion_days"]) == ("draft", "email", 7)
    path = f"campaigns/{made['id']}"
    assert call("patch", path, {"conversion_event": "Order Completed"})[1]["conversion_event"] == "Order Completed"
    assert call("post", f"{path}/launch", {})[1]["state"] == "running"
    assert call("post", f"{path}/launch", {})[0] == 409
    assert call("patch", path, {"name": "x"})[0] == 409
    sending.send_due(shop, "email")
    with workspace_scope(shop):
        sweep()
    status, report = call("get", f"{path}/report")
    assert status == 200 and report["matched"] == 12 and report["open"] == 0
    assert report["sent"] == report["treated"]["people"] == 12 - report["control"]["people"]
    assert call("get", path)[1]["state"] == "finished"
    assert [row["id"] for row in call("get", "campaigns")[1]["results"]] == [made["id"]]


def test_scheduled_paused_resumed_cancelled(shop: Workspace, call: Any) -> None:
    make_people(shop, 3)
    path = f"campaigns/{make_campaign(shop).pk}"
    at = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    assert call("post", f"{path}/launch", {"at": at})[1]["state"] == "scheduled"
    assert call("post", f"{path}/launch", {})[1]["state"] == "running", "now after all"
    with workspace_scope(shop):
        assert Run.objects.count() == 1
    assert call("post", f"{path}/pause")[1]["state"] == "paused"
    assert call("post", f"{path}/pause")[0] == 409
    assert call("post", f"{path}/resume")[1]["state"] == "running"
    assert call("post", f"{path}/cancel") == (200, {"stopped": 3})


def test_nothing_is_planned_farther_ahead_than_a_year(shop: Workspace, call: Any) -> None:
    path = f"campaigns/{make_campaign(shop).pk}"
    for at in ("9999-12-31T23:59:59+00:00", (datetime.now(UTC) + timedelta(days=367)).isoformat()):
        status, answer = call("post", f"{path}/launch", {"at": at})
        assert status == 400 and answer["error"]["details"][0]["path"] == "scheduled_at"
    assert call("get", path)[1]["state"] == "draft"
    at = (datetime.now(UTC) + timedelta(days=365)).isoformat()
    assert call("post", f"{path}/launch", {"at": at})[1]["state"] == "scheduled"


def test_a_time_without_its_offset_is_refused(shop: Workspace, call: Any) -> None:
    """The page takes it as one of the project's zone; taken as UTC, a message for ten in the morning would leave at night."""
    path = f"campaigns/{make_campaign(shop).pk}"
    status, answer = call(
        "post", f"{path}/launch", {"at": f"{datetime.now(UTC) + timedelta(days=1):%Y-%m-%dT10:00:00}"}
    )
    assert (status, answer["error"]["details"][0]["path"]) == (400, "/at")
    assert "+08:00" in answer["error"]["details"][0]["message"]
    assert call("get", path)[1]["state"] == "draft"


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({"name": ""}, "name"),
        ({"name": "x", "channel": "fax"}, "channel"),
        ({"name": "x", "segment": "00000000-0000-4000-8000-000000000001"}, "segment"),
        ({"name": "x", "content": {"subject": "{% nosuch %}"}}, "content.subject"),
        ({"name": "x", "content": {"body_html": "<a href='https://{{ a }}/'>x</a>"}}, "content.body_html"),
        ({"name": "x", "content": {"body_html": "<a href='http://[x/'>x</a>"}}, "content.body_html"),
        ({"name": "x", "content": {"body_html": "<a href='http://a℀b/{{ c }}'>x</a>"}}, "content.body_html"),
        ({"name": "x", "control_percent": 51}, "/control_percent"),
        ({"name": "x", "conversion_days": 0}, "/conversion_days"),
    ],
)
def test_errors_name_the_field(shop: Workspace, call: Any, body: dict[str, Any], path: str) -> None:
    status, answer = call("post", "campaigns", body)
    assert status == 400
    assert [detail["path"].strip("/") for detail in answer["error"]["details"]] == [path.strip("/")]


def test_one_workspaces_campaigns_do_not_exist_for_another(shop: Workspace, call: Any, world: Any) -> None:
    path = f"campaigns/{make_campaign(shop).pk}"
    for method, end in (("get", ""), ("patch", ""), ("post", "/launch"), ("post", "/cancel"), ("get", "/report")):
        assert call(method, path + end, {} if method != "get" else None, world.other_api_key)[0] == 404
    assert call("get", "campaigns", key=world.other_api_key)[1]["results"] == []
