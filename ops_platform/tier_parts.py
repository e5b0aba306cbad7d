"""What the pages of the tiers share: their tabs, the days one may ask for, and the page before the first night."""

from __future__ import annotations

from datetime import date
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _

from ops_platform.links import people_address
from ops_platform.pictures import Address
from workspaces.models import Workspace


def tabs(workspace: Workspace, active: str) -> list[dict[str, Any]]:
    labels = {
        "tiers:lifecycle": _("Lifecycle"),
        "tiers:paths": _("Paths"),
        "tiers:rfm": _("RFM"),
        "tiers:churn": _("Churn"),
        "value:prediction": _("Expected value"),
        "value:sources": _("Sources and cost"),
        "tiers:day": _("Any day"),
    }
    return [
        {"label": label, "url": reverse(key, args=[workspace.slug]), "active": key.partition(":")[2] == active}
        for key, label in labels.items()
    ]


def not_yet(request: HttpRequest, active: str, title: str) -> HttpResponse:
    """Before the first night, and before the first person, there is nothing to show but what to do."""
    context = {"title": title, "summary": "", "tabs": tabs(request.workspace, active)}
    return render(request, "tiers/not_yet.html", context)


def render_part(request: HttpRequest, title: str, active: str, part: str, context: dict[str, Any]) -> HttpResponse:
    """A part that a page fetches; without JavaScript it is a page of its own."""
    if request.htmx:
        return render(request, part, context)
    whole = {"title": title, "summary": "", "tabs": tabs(request.workspace, active), "part": part}
    return render(request, "tiers/part.html", context | whole)


def day_from(request: HttpRequest, name: str, default: date, least: date, most: date) -> date:
    """A day of the address, kept within what was counted."""
    try:
        asked = date.fromisoformat(request.GET.get(name, ""))
    except ValueError:
        asked = default
    return max(least, min(asked, most))


def address_on(workspace: Workspace, day: date) -> Address:
    """A writer of addresses of the people list as of a day: of today without the day in them."""
    write = people_address(workspace)
    as_of = {} if day == workspace.current_day else {"as_of": day.isoformat()}
    return lambda **conditions: write(**conditions, **as_of)
