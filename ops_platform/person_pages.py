"""The pages of one user, and the way to say that another id is theirs, or to take it back."""

from __future__ import annotations

import uuid
from collections.abc import Callable

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from ops_platform import person
from ops_platform.people_changes import go_back
from users.erasure import is_being_erased
from users.identity import merge_people, undo_merge
from users.models import EndUser, person_id
from workspaces.errors import DomainError
from workspaces.permissions import action


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


def changed(request: HttpRequest, pk: uuid.UUID, change: Callable[[EndUser], str]) -> HttpResponse:
    """Do something to a person and go back to whom they are then."""
    found = find_person(pk)
    try:
        messages.success(request, change(found))
    except DomainError as error:
        messages.error(request, error.message)
    return go_back(request, redirect("people:detail", request.workspace.slug, pk)["Location"])


@require_POST
@action("users.edit")
def unmerge_person(request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
    """Let an id stand for itself again; within 30 days of the merge."""

    def change(found: EndUser) -> str:
        undo_merge(found, request.user)
        return _("%(who)s stands for itself again. The numbers follow with the next daily update.") % {
            "who": found.external_id
        }

    return changed(request, pk, change)


@require_POST
@action("users.edit")
def merge_person(request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
    """Say that another id is this person too."""

    def change(found: EndUser) -> str:
        told = request.POST.get("previous", "").strip()
        kinds = ("user", "anonymous")
        ids = [person_id(request.workspace.pk, told, kind) for kind in kinds]
        other = EndUser.objects.filter(pk__in=ids).order_by("-identified").first()
        if other is None:
            raise DomainError("not_found", _("There is nobody with the ID “%(id)s”.") % {"id": told[:255]}, "previous")
        merge_people(other, found, request.user)
        return _("%(previous)s and %(who)s are one person now.") % {
            "previous": other.external_id,
            "who": found.external_id,
        }

    return changed(request, pk, change)
