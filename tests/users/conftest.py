"""Helpers of the user tests: send something, and look at what was stored."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from django.http import HttpResponse

from tests.users.wire_server import line, serve, store  # noqa: F401 - fixtures
from users.models import Event
from workspaces.models import Workspace
from workspaces.scoping import workspace_scope

AT = "2026-08-01T09:00:00+08:00"
Send = Callable[..., HttpResponse]


def track(message_id: str = "m1", **changes: Any) -> dict[str, Any]:
    """A valid track message with changes; a change to None removes the field."""
    message = {"type": "track", "userId": "u1", "event": "Order Completed", "messageId": message_id, "timestamp": AT}
    message |= changes
    return {key: value for key, value in message.items() if value is not None}


def stored(workspace: Workspace) -> list[Event]:
    with workspace_scope(workspace):
        return list(Event.objects.select_related("name", "end_user").order_by("at", "message_id"))


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


@pytest.fixture
def send(client: Any, world: Any) -> Send:
    """`send("track", message)`: post to /v1/track as acme; `body` sends bytes as they are, `key` another key."""

    def post(kind: str, message: Any = None, *, body: bytes | None = None, key: str | None = None, **extra: Any) -> Any:
        body = json.dumps(message).encode() if body is None else body
        secret = world.acme_write_key if key is None else key
        extra.setdefault("content_type", "application/json")
        headers = (
            {"Authorization": f"Bearer {secret}"} | extra.pop("headers", {}) if secret else extra.pop("headers", {})
        )
        return client.post(f"/v1/{kind}", data=body, headers=headers, **extra)

    return post


@pytest.fixture
def media(settings: Any, tmp_path: Path) -> Path:
    settings.MEDIA_ROOT = tmp_path
    return tmp_path
