"""The first run of a workspace: five steps that fill themselves."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _

from ops_platform.links import page_address
from workspaces.models import Workspace


def checklist(workspace: Workspace, done: dict[str, bool]) -> list[dict[str, Any]]:
    """The first run, in order: {title, text, done, next, url, label}; the first that is not done is next."""
    lines = [
        (
            "events",
            _("Events arrive"),
            _("Send them over HTTP with a write key, or import a file of orders."),
            "users:imports",
            _("Import a file"),
        ),
        (
            "core",
            _("The core action is defined"),
            _("Say which events are core action, habit, order, refund: stages rest on them."),
            "users:mapping",
            _("Define events"),
        ),
        (
            "night",
            _("The first daily update"),
            _("Computes everybody's metrics, stage, RFM and activity."),
            "nights:list",
            _("Compute now"),
        ),
        (
            "segment",
            _("The first segment"),
            _("People who match a rule, changing with it."),
            "segmentation:new",
            _("New segment"),
        ),
        (
            "campaign",
            _("The first message"),
            _("To a segment, with a control group that shows what it did."),
            "campaigns:new",
            _("New campaign"),
        ),
    ]
    following = next((key for key, *_rest in lines if not done[key]), "")
    return [
        {
            "title": title,
            "text": text,
            "done": done[key],
            "next": key == following,
            "url": page_address(view, workspace),
            "label": label,
        }
        for key, title, text, view, label in lines
    ]
