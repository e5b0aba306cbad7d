"""What the tests of the campaigns' pages have in common."""

from __future__ import annotations

import re
from typing import Any

from campaigns.models import Campaign
from workspaces.models import Workspace
from workspaces.scoping import workspace_scope

from .sender import make_segment

W = "/w/acme"


def form(shop: Workspace, **changes: Any) -> dict[str, Any]:
    """The editor's form, as a browser sends it."""
    typed = {
        "name": "会员日",
        "segment": str(make_segment(shop).pk),
        "channel": "email",
        "email.subject": "{{ user.name }}，你好",
        "email.body_html": "<p>{{ user.name }}</p>",
        "conversion_event": "Order Completed",
        "conversion_days": "7",
        "control_percent": "10",
    }
    return typed | changes


def text(answer: Any) -> str:
    return re.sub(r"\s+", " ", answer.content.decode())


def only_campaign(shop: Workspace) -> Campaign:
    with workspace_scope(shop):
        return Campaign.objects.get()
