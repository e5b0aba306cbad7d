"""Addresses of pages, made from Python: for rows and pictures that open the people behind them."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urlencode

from django.urls import NoReverseMatch, reverse

from workspaces.models import Workspace


def page_address(view: str, workspace: Workspace) -> str:
    """The address of a page in the workspace; empty when there is no such page."""
    try:
        return reverse(view, args=[workspace.slug])
    except NoReverseMatch:
        return ""


def people_address(workspace: Workspace) -> Callable[..., str]:
    """A writer of addresses of the people list: `write(stage="habit", sort="risk")`."""
    url = reverse("people:list", args=[workspace.slug])

    def write(**conditions: object) -> str:
        return f"{url}?{urlencode(conditions)}" if conditions else url

    return write


def builder_address(workspace: Workspace, **conditions: str) -> str:
    """The segment builder, begun with some conditions (stage, activity, rfm, bits, source, tag) or a whole `definition`."""
    url = page_address("segmentation:new", workspace)
    return f"{url}?{urlencode(conditions)}" if url else ""
