"""Reads of the registry of workspaces."""

from __future__ import annotations

from django.core.management.base import CommandError

from workspaces.models import Workspace


def workspace_named(slug: str) -> Workspace:
    """The workspace a command names. Raises CommandError listing those that exist."""
    workspace = Workspace.objects.filter(slug=slug).first()
    if workspace is None:
        known = ", ".join(Workspace.objects.order_by("slug").values_list("slug", flat=True)[:20]) or "none yet"
        raise CommandError(f"There is no workspace “{slug}”. Known: {known}.")
    return workspace
