"""What Ctrl-K finds: pages and actions by name, and people, segments and campaigns by what is typed."""

from __future__ import annotations

from typing import Any

from django.db.models import Q
from django.urls import reverse
from django.utils.translation import gettext as _

from campaigns.models import Campaign
from ops_platform import names
from ops_platform.links import page_address
from segmentation.models import Segment
from users.models import EndUser
from workspaces.models import Workspace
from workspaces.permissions import allowed

MOST = 6


def pages() -> list[tuple[str, str, str, str]]:
    """(icon, words, view, permission) of everything that can be opened or begun."""
    return [
        ("home", _("Today"), "home:today", "home.view"),
        ("users", _("Users"), "people:list", "users.view"),
        ("chart-grid-dots", _("Segments"), "segmentation:list", "segments.view"),
        ("tags", _("Tags"), "segmentation:tags", "segments.view"),
        ("plus", _("New segment"), "segmentation:new", "segments.edit"),
        ("stack-2", _("Lifecycle"), "tiers:lifecycle", "tiers.view"),
        ("grid-dots", _("RFM"), "tiers:rfm", "tiers.view"),
        ("heartbeat", _("Churn"), "tiers:churn", "tiers.view"),
        ("send", _("Messaging"), "campaigns:list", "campaigns.view"),
        ("plus", _("New campaign"), "campaigns:new", "campaigns.edit"),
        ("database-import", _("Data imports"), "users:imports", "imports.view"),
        ("list-details", _("Event meaning"), "users:mapping", "events.view"),
        ("id", _("Attributes"), "users:attributes", "users.view"),
        ("moon-stars", _("Daily update"), "nights:list", "nights.view"),
        ("plug", _("Connect"), "connect:show", "connect.view"),
        ("settings", _("Settings"), "rules:thresholds", "settings.view"),
        ("users-group", _("Members"), "workspaces:members", "settings.view"),
        ("key", _("Keys"), "workspaces:keys", "keys.manage"),
        ("history", _("Audit trail"), "workspaces:audit", "audit.view"),
    ]


def search(workspace: Workspace, role: str, words: str) -> list[dict[str, Any]]:
    """Groups of {icon, text, note, url}; without words the pages alone. Three queries at most."""
    words = words.replace("\x00", "").strip()[:100]
    reachable = [
        {"icon": icon, "text": text, "note": "", "url": page_address(view, workspace)}
        for icon, text, view, permission in pages()
        if allowed(role, permission) and words.lower() in str(text).lower()
    ]
    groups = [{"label": _("Pages and actions"), "lines": reachable if not words else reachable[:MOST]}]
    if words:
        groups = [
            {"label": _("Users"), "lines": find_people(workspace, words)},
            {
                "label": _("Segments"),
                "lines": find_named(
                    workspace, Segment.objects.filter(archived_at=None), words, "segmentation:detail", "chart-grid-dots"
                ),
            },
            {
                "label": _("Campaigns"),
                "lines": find_named(workspace, Campaign.objects.all(), words, "campaigns:detail", "send"),
            },
            *groups,
        ]
    return [group for group in groups if group["lines"]]


def find_people(workspace: Workspace, words: str) -> list[dict[str, Any]]:
    told = Q(name__icontains=words) | Q(email__istartswith=words) | Q(phone__contains=words)
    # An id that was merged is found by itself only: its page leads to the person who remains.
    matches = Q(external_id__startswith=words) | (told & Q(merged_into=None))
    rows = EndUser.objects.filter(matches, identified=True).order_by("-created_at")[:MOST]
    return [
        {
            "icon": "user",
            "text": str(row),
            "note": row.external_id,
            "url": reverse("people:detail", args=[workspace.slug, row.pk]),
        }
        for row in rows
    ]


def find_named(workspace: Workspace, rows: Any, words: str, view: str, icon: str) -> list[dict[str, Any]]:
    return [
        {
            "icon": icon,
            "text": row.name,
            "note": str(names.label("campaign", getattr(row, "state", ""))),
            "url": reverse(view, args=[workspace.slug, row.pk]),
        }
        for row in rows.filter(name__icontains=words).order_by("-created_at")[:MOST]
    ]
