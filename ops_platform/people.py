"""The list of users, and the addresses of all pages about people. They join all apps, so they live under the roof."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import path
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from ops_platform import names, numbers, people_changes, person_pages, person_privacy
from ops_platform.links import builder_address
from ops_platform.people_list import CHANGED_AT_ONCE, SORTS, PeopleQuery
from segmentation.builder import STARTS
from workspaces.permissions import action

PAGING = ("after", "before")
# What the menu of conditions sets.
CHOICES = ("stage", "activity", "rfm", "source", "tag", "first_order_from", "first_order_to", "who")


@action("users.view")
def list_people(request: HttpRequest) -> HttpResponse:
    """The people an address asks for; with `HX-Request`, the drawer of a cell's people."""
    asked = PeopleQuery(request.workspace, request.GET.dict())
    page, (count, exact) = asked.page(), asked.count
    context = {
        "title": _("Users"),
        "summary": summary(count, exact, bool(asked.parts)),
        "asked": asked,
        "page": page,
        "count": count,
        "taggable": bool(asked.parts) and len(page.rows) < count <= CHANGED_AT_ONCE,
        "parts": [{"text": part.text, "remove": address(request, *part.keys)} for part in asked.parts],
        "clear": request.path,
        "here": address(request),
        "sorts": [
            {"key": key, "label": sort.label, "url": address(request, "sort", sort=key), "active": key == asked.sort}
            for key, sort in SORTS.items()
        ],
        "next": address(request, after=page.after) if page.after else "",
        "previous": address(request, before=page.before) if page.before else "",
        "segment_url": segment_address(request),
        "kept": kept(request, "q"),
        "kept_by_conditions": kept(request, *CHOICES),
        "choices": filter_choices(),
        "sources": sorted({row["source"] for row in page.rows if row["source"]}),
        "tags": sorted({tag for row in page.rows for tag in row["tags"]}),
        "who": request.GET.get("who", ""),
        "set_aside": set_aside(request) if not page.rows else "",
    }
    return render(
        request, "people/_drawer.html" if request.htmx.target == "drawer-body" else "people/list.html", context
    )


def set_aside(request: HttpRequest) -> str:
    """Where the excluded are whom a search did not find among those in the numbers; "" when there is none."""
    if not request.GET.get("q") or request.GET.get("who"):
        return ""
    excluded = PeopleQuery(request.workspace, request.GET.dict() | {"who": "excluded"})
    return address(request, who="excluded") if excluded.count[0] else ""


def summary(count: int, exact: bool, filtered: bool) -> str:
    people = numbers.number(count) if exact else _("more than %(n)s") % {"n": numbers.number(count)}
    if filtered:
        return ngettext("%(people)s person matches", "%(people)s people match", count) % {"people": people}
    return ngettext("%(people)s person in all", "%(people)s people in all", count) % {"people": people}


def address(request: HttpRequest, *without: str, **changed: str) -> str:
    """This list with some parameters left out or changed, from its first page."""
    kept = {key: value for key, value in request.GET.items() if key not in without and key not in PAGING}
    query = urlencode(kept | changed)
    return f"{request.path}?{query}" if query else request.path


def kept(request: HttpRequest, *without: str) -> list[tuple[str, str]]:
    """What a form must repeat so that the rest of the address survives it."""
    return [(key, str(value)) for key, value in request.GET.items() if key not in (*without, *PAGING)]


def segment_address(request: HttpRequest) -> str:
    """The builder, begun with those conditions of the list that segments know too; empty when there are none, or of a past day,
    which no segment is."""
    known = {name: request.GET[name] for name in STARTS if request.GET.get(name)}
    return builder_address(request.workspace, **known) if known and not request.GET.get("as_of") else ""


def filter_choices() -> list[dict[str, Any]]:
    kinds = (("stage", _("Stage")), ("activity", _("Activity")), ("rfm", _("RFM group")))
    return [{"key": kind, "label": label, "options": names.KINDS[kind].items()} for kind, label in kinds]


app_name = "people"
urlpatterns = [
    path("", list_people, name="list"),
    path("change/", people_changes.change_people, name="change"),
    path("<uuid:pk>/", person_pages.show_person, name="detail"),
    path("<uuid:pk>/events/", person_pages.list_events, name="events"),
    path("<uuid:pk>/export/", person_privacy.export_person, name="export"),
    path("<uuid:pk>/erase/", person_privacy.erase_person, name="erase"),
    path("<uuid:pk>/merge/", person_pages.merge_person, name="merge"),
    path("<uuid:pk>/unmerge/", person_pages.unmerge_person, name="unmerge"),
]
