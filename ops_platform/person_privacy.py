"""What somebody may ask about themselves: everything that is held about them, and that it be erased."""

from __future__ import annotations

import uuid

from django.contrib import messages
from django.http import FileResponse, Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from users.erasure import ask_erasure
from users.identity import person_behind
from users.models import EndUser
from users.person_export import begin_export, zip_file
from users.tasks import run_erasures
from workspaces.permissions import action
from workspaces.scoping import workspace_scope


def find(pk: uuid.UUID) -> EndUser:
    """The person whom an id stands for. Raises Http404."""
    person = person_behind(EndUser.objects.filter(pk=pk).first())
    if person is None:
        raise Http404
    return person


@require_POST
@action("users.export", by_hand=True)
def export_person(request: HttpRequest, pk: uuid.UUID) -> HttpResponseBase:
    """Everything held about a person: one JSON, and a CSV of each table, in a zip."""
    workspace = request.workspace  # type: ignore[attr-defined]
    with workspace_scope(workspace):
        ids = begin_export(find(pk), request.user)  # type: ignore[arg-type]
    response = FileResponse(zip_file(workspace, ids), content_type="application/zip", as_attachment=True)
    response["Content-Disposition"] = f'attachment; filename="user-{pk}.zip"'
    response["Cache-Control"] = "no-store"
    return response


@require_POST
@action("users.erase")
def erase_person(request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
    """Ask for a person's erasure; `confirm` is their id, typed."""
    person, workspace = find(pk), request.workspace  # type: ignore[attr-defined]
    if request.POST.get("confirm", "").strip() != person.external_id.strip():
        messages.error(request, _("Nothing was erased: what you typed is not the ID of this user."))
        return redirect("people:detail", workspace.slug, person.pk)
    ask_erasure(person, request.user)  # type: ignore[arg-type]
    run_erasures.ring(workspace)
    messages.success(request, _("The user is being erased."))
    return redirect("users:erasures", workspace.slug)
