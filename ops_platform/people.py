"""Pages about people: the list, and one user. They join all apps, so they live under the roof."""

from __future__ import annotations

import uuid
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.urls import NoReverseMatch, path, reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST

from ops_platform import names, numbers, person, person_ids, person_privacy
from ops_platform.people_list import CHANGED_AT_ONCE, SORTS, PeopleQuery
from users import profiles
from users.consent import consent_key, set_consent
from users.erasure import is_being_erased
from users.identity import remaining
from users.models import EndUser
from workspaces.errors import DomainError
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
    kept = {
        key: request.GET[key] for key in ("stage", "activity", "rfm", "bits", "source", "tag") if request.GET.get(key)
    }
    try:
        page = reverse("segmentation:new", args=[request.workspace.slug])
        return f"{page}?{urlencode(kept)}" if kept and not request.GET.get("as_of") else ""
    except NoReverseMatch:
        return ""


def filter_choices() -> list[dict[str, Any]]:
    kinds = (("stage", _("Stage")), ("activity", _("Activity")), ("rfm", _("RFM group")))
    return [{"key": kind, "label": label, "options": names.KINDS[kind].items()} for kind, label in kinds]


def find_person(pk: uuid.UUID) -> EndUser:
    """The person in the open workspace. Raises Http404."""
    found = EndUser.objects.filter(pk=pk).first()
    if found is None:
        raise Http404
    return found


@action("users.view")
def show_person(request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
    """Everything about one person: where they stand and why, what they did, what we wrote to them."""
    found = find_person(pk)
    if found.merged_into:
        return redirect("people:detail", request.workspace.slug, found.merged_into)
    context = person.read_person(request.workspace, found) | {"title": str(found), "person": found}
    context["being_erased"] = is_being_erased(found)
    return render(
        request, "people/_person_drawer.html" if request.htmx.target == "drawer-body" else "people/detail.html", context
    )


@action("events.view")
def list_events(request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
    """One more page of a person's timeline."""
    found = find_person(pk)
    timeline = person.read_timeline(request.workspace, found.pk, request.GET.get("before", ""))
    return render(request, "people/_timeline.html", {"person": found, "timeline": timeline})


def go_back(request: HttpRequest, default: str) -> HttpResponse:
    target = request.POST.get("next", "")
    safe = url_has_allowed_host_and_scheme(
        target, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    )
    # A path and nothing else: other words are looked up as the name of a view.
    return redirect(target if safe and target.startswith("/") else default)


def chosen_people(request: HttpRequest) -> list[uuid.UUID]:
    try:
        ids = [uuid.UUID(value) for value in request.POST.getlist("person")[:1000]]
    except ValueError as error:
        raise Http404 from error
    return remaining(ids)


def tag_people(request: HttpRequest, people: list[uuid.UUID]) -> str:
    tag = request.POST.get("tag", "")
    done = profiles.add_tag(people, tag, request.user)
    return ngettext("Tagged %(n)s person “%(tag)s”.", "Tagged %(n)s people “%(tag)s”.", done) % {"n": done, "tag": tag}


def tag_everybody(request: HttpRequest, people: list[uuid.UUID]) -> str:
    """Tags all who match the list's conditions, shown on this page or not; `query` is the list's own."""
    listed = PeopleQuery(request.workspace, QueryDict(request.POST.get("query", "")).dict())
    return tag_people(request, [uuid.UUID(str(pk)) for pk in listed.ids()])


def untag_people(request: HttpRequest, people: list[uuid.UUID]) -> str:
    tag = request.POST.get("tag", "")
    done = profiles.remove_tag(people, tag, request.user)
    return ngettext("Took “%(tag)s” off %(n)s person.", "Took “%(tag)s” off %(n)s people.", done) % {
        "n": done,
        "tag": tag,
    }


def exclude_people(request: HttpRequest, people: list[uuid.UUID]) -> str:
    done = profiles.exclude(people, request.POST.get("reason", ""), request.user)
    return ngettext(
        "%(n)s person excluded: in no number from the next daily update on.",
        "%(n)s people excluded: in no number from the next daily update on.",
        done,
    ) % {"n": done}


def include_people(request: HttpRequest, people: list[uuid.UUID]) -> str:
    done = profiles.include(people, request.user)
    return ngettext("%(n)s person counts again.", "%(n)s people count again.", done) % {"n": done}


def opt_out(request: HttpRequest, people: list[uuid.UUID]) -> str:
    done = say_consent(request, people, opted_in=False)
    return ngettext("%(n)s person opted out.", "%(n)s people opted out.", done) % {"n": done}


def opt_in(request: HttpRequest, people: list[uuid.UUID]) -> str:
    done = say_consent(request, people, opted_in=True)
    return ngettext("%(n)s person opted in.", "%(n)s people opted in.", done) % {"n": done}


def say_consent(request: HttpRequest, people: list[uuid.UUID], *, opted_in: bool) -> int:
    """Keep what people told an operator, on the channel and topic of the form."""
    key = consent_key(request.POST.get("channel"), request.POST.get("topic"))
    return set_consent(people, key, opted_in, "operator", by=request.user)


VERBS = {
    "opt_out": opt_out,
    "opt_in": opt_in,
    "tag": tag_people,
    "tag_everybody": tag_everybody,
    "untag": untag_people,
    "exclude": exclude_people,
    "include": include_people,
}


@require_POST
@action("users.edit")
def change_people(request: HttpRequest) -> HttpResponse:
    """Tag, untag, exclude or count again the chosen people; every one of these is undone by its opposite."""
    verb = VERBS.get(request.POST.get("verb", ""))
    if verb is None:
        raise Http404
    try:
        messages.success(request, verb(request, chosen_people(request)))
    except DomainError as error:
        messages.error(request, error.message)
    return go_back(request, reverse("people:list", args=[request.workspace.slug]))


app_name = "people"
urlpatterns = [
    path("", list_people, name="list"),
    path("change/", change_people, name="change"),
    path("<uuid:pk>/", show_person, name="detail"),
    path("<uuid:pk>/events/", list_events, name="events"),
    path("<uuid:pk>/export/", person_privacy.export_person, name="export"),
    path("<uuid:pk>/erase/", person_privacy.erase_person, name="erase"),
    path("<uuid:pk>/merge/", person_ids.merge_person, name="merge"),
    path("<uuid:pk>/unmerge/", person_ids.unmerge_person, name="unmerge"),
]
