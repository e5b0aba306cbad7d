"""What operators change on people chosen in the list: tags, exclusion, consents."""

from __future__ import annotations

import uuid

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST

from ops_platform.people_list import PeopleQuery
from users import profiles
from users.consent import consent_key, set_consent
from users.identity import remaining
from workspaces.errors import DomainError
from workspaces.permissions import action


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
