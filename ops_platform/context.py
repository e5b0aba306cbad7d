"""What every page's frame needs: places, the night's status, what the reader may do, words for the scripts."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.utils.functional import Promise, SimpleLazyObject
from django.utils.translation import gettext as _
from django.utils.translation import pgettext_lazy

from ops_platform.links import page_address
from ops_platform.models import Night
from ops_platform.numbers import chinese
from workspaces.models import Workspace
from workspaces.permissions import ACTIONS, allowed
from workspaces.scoping import NoScope, current_workspace, workspace_scope


@dataclass(frozen=True)
class Place:
    """One entry of the rail. `key` also answers to g + its letter; `homes` are the URL namespaces and views that belong to it."""

    key: str
    label: str | Promise
    icon: str
    view: str
    letter: str
    homes: tuple[str, ...]


PLACES = (
    Place("today", pgettext_lazy("place", "Today"), "home", "home:today", "h", ("home",)),
    Place("users", pgettext_lazy("place", "Users"), "users", "people:list", "u", ("people",)),
    Place(
        "segments", pgettext_lazy("place", "Segments"), "chart-grid-dots", "segmentation:list", "s", ("segmentation",)
    ),
    Place("tiers", pgettext_lazy("place", "Tiers"), "stack-2", "tiers:lifecycle", "t", ("tiers", "value")),
    Place("messaging", pgettext_lazy("place", "Messaging"), "send", "campaigns:list", "m", ("campaigns",)),
    Place("analysis", pgettext_lazy("place", "Analysis"), "chart-bar", "events:show", "a", ("events",)),
    Place("data", pgettext_lazy("place", "Data"), "database-import", "users:imports", "d", ("users",)),
    Place(
        "settings",
        pgettext_lazy("place", "Settings"),
        "settings",
        "rules:thresholds",
        ",",
        ("workspaces", "rules", "nights", "connect", "users:mapping", "users:attributes", "users:attribute"),
    ),
)
# On a phone: the first four, and a sheet with the rest.
ON_BAR = ("today", "users", "segments", "messaging")


def page(request: HttpRequest) -> dict[str, Any]:
    """Names that templates may use: workspace, membership, can, places, night, theme, script_words; `mails`: whether the
    installation can mail its operators."""
    workspace = getattr(request, "workspace", None)
    membership = getattr(request, "membership", None)
    context: dict[str, Any] = {
        "workspace": workspace,
        "membership": membership,
        "theme": theme_of(request),
        "mails": not settings.EMAIL_BACKEND.endswith("dummy.EmailBackend"),
        "script_words": script_words,
    }
    if workspace is not None and membership is not None:
        context["can"] = permissions(membership.role)
        context["places"] = SimpleLazyObject(lambda: places(request, workspace))
        context["night"] = SimpleLazyObject(lambda: night_status(workspace))
    return context


def theme_of(request: HttpRequest) -> str:
    """The theme the reader chose, else the one their system was in when they last came; empty on the first visit."""
    chosen = request.COOKIES.get("theme", "")
    return chosen if chosen in ("light", "dark") else ""


def permissions(role: str) -> dict[str, dict[str, bool]]:
    """`can.segments.edit`: the permission table for one role, as templates read it."""
    tree: dict[str, dict[str, bool]] = {}
    for name in ACTIONS:
        area, verb = name.split(".")
        tree.setdefault(area, {})[verb] = allowed(role, name)
    return tree


def home_of(request: HttpRequest) -> str:
    """The place that the page belongs to: by its own name if one is given to it, else by its namespace."""
    match = request.resolver_match
    names = [match.view_name, match.namespace] if match else []
    return next((place.key for name in names for place in PLACES if name in place.homes), "")


def places(request: HttpRequest, workspace: Workspace) -> list[dict[str, Any]]:
    """The rail's entries with their addresses; the one the page belongs to is marked."""
    home = home_of(request)
    return [
        {
            "key": place.key,
            "label": place.label,
            "icon": place.icon,
            "letter": place.letter,
            "url": page_address(place.view, workspace),
            "active": place.key == home,
            "on_bar": place.key in ON_BAR,
        }
        for place in PLACES
    ]


def night_status(workspace: Workspace) -> dict[str, Any]:
    """The last night: its day and how it went. Also outside a view's scope (pages that do network I/O)."""
    with scope_of(workspace):
        return status_of(workspace, Night.objects.order_by("-day").only("day", "state").first())


def status_of(workspace: Workspace, night: Night | None) -> dict[str, Any]:
    """As `night_status`, of the last night when the page has read it."""
    return {
        "day": workspace.current_day,
        "state": night.state if night else "",
        "of": night.day if night else None,
    }


def scope_of(workspace: Workspace) -> Any:
    try:
        return nullcontext() if current_workspace().pk == workspace.pk else workspace_scope(workspace)
    except NoScope:
        return workspace_scope(workspace)


def script_words() -> dict[str, str]:
    """What the scripts say; they carry no language of their own."""
    return {
        "people": _("people"),
        "noMatches": _("Nothing found. Try another word."),
        "failed": _("That did not work. Nothing was changed; please try again."),
        "offline": _("No connection. What you typed is still here."),
        "denied": _("Your role may not do this."),
        "selected": _("%(n)s selected"),
        "copied": _("Copied"),
        "language": "zh" if chinese() else "en",
    }
