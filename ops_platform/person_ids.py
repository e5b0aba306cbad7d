"""Every id of a person: since when and why each belongs to them, what was taken back, and the way to do either."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from users.identity import can_undo, ids_of, merge_people, undo_merge
from users.models import EndUser, IdentityMerge, person_id
from workspaces.errors import DomainError
from workspaces.models import Operator
from workspaces.permissions import action


@dataclass(frozen=True)
class Id:
    """One line of the card. `ended_at` is set for an id that belonged to the person once."""

    pk: uuid.UUID
    external_id: str
    visitor: bool
    merged_at: datetime | None = None
    why: str = ""
    can_undo: bool = False
    ended_at: datetime | None = None
    undone: bool = False


def read_ids(person: EndUser) -> list[Id]:
    """The id that remains, those merged into it, and last those that are so no longer."""
    logs = list(IdentityMerge.objects.filter(into_id=person.pk).order_by("-at")[:200])
    stands = {log.end_user_id: log for log in logs if log.ended_at is None}
    names = operator_names(logs)
    lines = []
    for one in ids_of(person):
        log = stands.get(one.pk)
        why = reason(log, names) if log else ""
        at = log.at if log else None
        lines.append(Id(one.pk, one.external_id, not one.identified, at, why, bool(log and can_undo(log))))
    ended = {log.end_user_id: log for log in reversed(logs) if log.ended_at and log.end_user_id not in stands}
    for one in EndUser.objects.filter(pk__in=list(ended)).order_by("external_id"):
        log = ended[one.pk]
        undone = log.undone_by is not None
        lines.append(
            Id(
                one.pk,
                one.external_id,
                not one.identified,
                log.at,
                ended_words(log, names),
                False,
                log.ended_at,
                undone,
            )
        )
    return lines


def operator_names(logs: list[IdentityMerge]) -> dict[uuid.UUID, str]:
    ids = {pk for log in logs for pk in (log.merged_by, log.undone_by) if pk}
    return {one.pk: one.name or one.email for one in Operator.objects.filter(pk__in=ids)} if ids else {}


def reason(log: IdentityMerge, names: dict[uuid.UUID, str]) -> str:
    """Why an id belongs to a person, in words."""
    if log.merged_by:
        return _("merged by %(who)s") % {"who": names.get(log.merged_by, "")}
    link = next(iter(log.why), None)
    if link is None:
        return ""
    if link["kind"] == "login":
        return _("%(visitor)s logged in as %(user)s") % {"visitor": link["previous"], "user": link["person"]}
    return _("a message said that %(previous)s is %(person)s now") % link


def ended_words(log: IdentityMerge, names: dict[uuid.UUID, str]) -> str:
    if log.undone_by:
        return _("taken back by %(who)s") % {"who": names.get(log.undone_by, "")}
    return _("belongs to somebody else, as was told later")


def changed(request: HttpRequest, pk: uuid.UUID, change: Callable[[EndUser], str]) -> HttpResponse:
    """Do something to a person and go back to whom they are then."""
    from ops_platform.people import find_person, go_back

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
