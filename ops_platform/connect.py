"""接入: events as they arrive, what is refused and what to do about it, how to connect an SDK, and what has been sent so far."""

from __future__ import annotations

import json
import uuid
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext, pgettext
from django.views.decorators.http import require_POST, require_safe

from ops_platform import connect_reads, numbers
from ops_platform.connect_reads import Asked
from ops_platform.snippets import snippets
from users.ingest.trial import send_test_event as send
from users.models import EventName
from workspaces.models import AccessKey
from workspaces.permissions import action, allowed
from workspaces.zones import read_moment

KINDS = {
    "string": gettext_lazy("text"),
    "number": gettext_lazy("number"),
    "boolean": gettext_lazy("yes or no"),
    "object": gettext_lazy("object"),
    "array": gettext_lazy("list"),
    "null": gettext_lazy("empty"),
}


@require_safe
@action("connect.view")
def show_connect(request: HttpRequest) -> HttpResponse:
    """The whole page; the list renews itself, the catalogue comes a moment later."""
    counts = connect_reads.volume(request.workspace)
    manages = allowed(request.membership.role, "keys.manage")
    keys = AccessKey.objects.filter(kind="write", revoked_at=None).order_by("-created_at") if manages else []
    context = live(request) | {
        "title": _("Connect"),
        "summary": summary(counts["hours"][-24:]),
        "choices": connect_reads.choices(),
        "errors": connect_reads.errors(),
        "pictures": [
            picture("arrivals-hours", _("Per hour, 48 hours"), _("Hour"), counts["hours"]),
            picture("arrivals-days", _("Per day, 30 days"), _("Day"), counts["days"]),
        ],
        "address": request.build_absolute_uri("/").rstrip("/"),
        "snippets": snippets(request.build_absolute_uri("/")),
        "keys": keys,
    }
    return render(request, "connect/show.html", context)


def summary(hours: list[dict[str, Any]]) -> str:
    arrived = sum(row["accepted"] for row in hours)
    refused = sum(row["rejected"] for row in hours)
    if not arrived and not refused:
        return _("Nothing has arrived in the last 24 hours.")
    told = ngettext("%(n)s item arrived in the last 24 hours", "%(n)s items arrived in the last 24 hours", arrived)
    more = _("%(n)s refused") % {"n": numbers.number(refused)} if refused else _("none refused")
    return _("%(arrived)s, %(refused)s.") % {"arrived": told % {"n": numbers.number(arrived)}, "refused": more}


@require_safe
@action("connect.view")
def renew_list(request: HttpRequest) -> HttpResponse:
    """The live list alone; 204 while nothing has arrived since the reader's page was drawn."""
    if request.GET.get("seen") == connect_reads.newest_arrival():
        return HttpResponse(status=204)
    return render(request, "connect/_live.html", live(request))


def live(request: HttpRequest) -> dict[str, Any]:
    """The list as the address asks for it."""
    given = {name: request.GET.get(name, "").strip()[:255] for name in ("event", "user", "library")}
    asked = Asked(**given)
    seen = connect_reads.newest_arrival()
    rows = connect_reads.live_events(asked, request.workspace)
    query = {name: value for name, value in given.items() if value}
    return {
        "asked": asked,
        "rows": [row | {"key": key_of(row)} for row in rows],
        "query": urlencode(query),
        "poll": urlencode({**query, "seen": seen}),
        "paused": "paused" in request.GET,
        "filtered": bool(query),
    }


def key_of(row: dict[str, Any]) -> str:
    """The event's key as its address carries it."""
    return urlencode({"person": row["person"], "at": row["client_at"].isoformat(), "event": row["event"]})


@require_safe
@action("connect.view")
def show_item(request: HttpRequest) -> HttpResponse:
    """One event as it is stored, in JSON."""
    try:
        person, event = uuid.UUID(request.GET["person"]), uuid.UUID(request.GET["event"])
        at = read_moment(request.GET["at"])
    except (KeyError, ValueError):
        raise Http404 from None
    found = connect_reads.find_event(person, at, event) if at else None
    if found is None:
        raise Http404
    stored = {
        "event": found.name.name,
        "message_id": found.message_id,
        "at": found.at.isoformat(),
        "client_at": found.client_at.isoformat(),
        "received_at": found.received_at.isoformat(),
        "amount_minor": found.amount_minor,
        "order_id": found.order_id,
        "properties": found.properties,
    }
    text = json.dumps(stored, ensure_ascii=False, indent=2)
    return drawer(request, "connect/_item.html", {"title": found.name.name, "event": found, "json": text})


@require_safe
@action("connect.view")
def list_catalogue(request: HttpRequest) -> HttpResponse:
    """Every event name and how often it came; the page loads this after itself, and links to it where there is no script."""
    rows, counted = connect_reads.catalogue(request.workspace)
    context = {"title": _("Event catalogue"), "names": rows, "counted": counted, "part": "connect/_catalogue.html"}
    return render(request, "connect/_catalogue.html" if request.htmx else "connect/part.html", context)


@require_safe
@action("connect.view")
def show_schema(request: HttpRequest, pk: int) -> HttpResponse:
    """The properties of one event, of a sample."""
    name = EventName.objects.filter(pk=pk).first() if pk < 2**31 else None
    if name is None:
        raise Http404
    found = connect_reads.schema(name, request.workspace)
    rows = [one | {"types": [KINDS.get(kind, kind) for kind in one["kinds"]]} for one in found or ()]
    return drawer(request, "connect/_schema.html", {"title": name.name, "rows": rows, "late": found is None})


def drawer(request: HttpRequest, template: str, context: dict[str, Any]) -> HttpResponse:
    """A part for the drawer, or a page of its own where there is no script."""
    if request.htmx.target == "drawer-body":
        return render(request, template, context | {"in_drawer": True})
    return render(request, "connect/part.html", context | {"part": template})


@require_POST
@action("connect.test")
def send_test_event(request: HttpRequest) -> HttpResponse:
    """Send one event for the test person through the door that SDKs use."""
    result = send(request.workspace, request.user)
    if result.status == "accepted":
        messages.success(request, _("The test event arrived. Its person, test-user, is in no number."))
    else:
        messages.error(request, _("The test event was refused: %(why)s") % {"why": result.message})
    return redirect("connect:show", request.workspace.slug)


def picture(name: str, title: str, unit: str, rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Accepted, repeated and refused items, stacked."""
    sums = {status: sum(row[status] for row in rows) for status in ("accepted", "duplicate", "rejected")}
    sentence = _(
        "%(accepted)s accepted, %(duplicate)s repeated, %(rejected)s refused. Imported files are not in it."
    ) % {status: numbers.number(count) for status, count in sums.items()}
    return {
        "kind": "columns",
        "name": name,
        "title": title,
        "sentence": sentence if any(sums.values()) else "",
        "columns": [
            {"label": unit},
            {"label": _("Accepted"), "unit": "number"},
            {"label": _("Repeated"), "unit": "number", "color": "control"},
            {"label": pgettext("ingest", "Refused"), "unit": "number", "color": "refused"},
        ],
        "rows": [[row["label"], row["accepted"], row["duplicate"], row["rejected"]] for row in rows]
        if any(sums.values())
        else [],
        "empty": {
            "title": _("Nothing has arrived by SDK yet"),
            "text": _("Connect an SDK below, or send a test event: it is counted here within the second."),
        },
    }


app_name = "connect"
urlpatterns = [
    path("", show_connect, name="show"),
    path("live/", renew_list, name="live"),
    path("event/", show_item, name="item"),
    path("catalogue/", list_catalogue, name="catalogue"),
    path("catalogue/<int:pk>/", show_schema, name="schema"),
    path("test/", send_test_event, name="test"),
]
