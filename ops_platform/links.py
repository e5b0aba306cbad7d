"""Addresses of pages, made from Python: for rows and pictures that open the people behind them."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urlencode

from django.urls import reverse

from workspaces.models import Workspace


def page_address(view: str, workspace: Workspace) -> str:
    """The address of a page in the workspace."""
    return reverse(view, args=[workspace.slug])


def people_address(workspace: Workspace) -> Callable[..., str]:
    """A writer of addresses of the people list: `write(stage="habit", sort="risk")`."""
    url = page_address("people:list", workspace)

    def write(**conditions: object) -> str:
        return f"{url}?{urlencode(conditions)}" if conditions else url

    return write


def builder_address(workspace: Workspace, **conditions: str) -> str:
    """The segment builder, begun with some conditions (stage, activity, rfm, bits, source, tag) or a whole `definition`."""
    url = page_address("segmentation:new", workspace)
    return f"{url}?{urlencode(conditions)}"
