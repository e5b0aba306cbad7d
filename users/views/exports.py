"""数据导出: lists as files, made in the background."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import FileResponse, Http404, HttpRequest, HttpResponse, QueryDict
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST, require_safe

from users import export_run
from users.export_kinds import Kind, all_kinds
from users.models import Export
from users.tasks import run_exports
from workspaces.errors import DomainError
from workspaces.models import Operator
from workspaces.permissions import action, allowed
from workspaces.services import audit

LISTED = 100


def kind_of(request: HttpRequest, key: str) -> Kind:
    """The kind of list, which the reader must be allowed to see. Raises Http404 and PermissionDenied."""
    kind = all_kinds().get(key)
    if kind is None:
        raise Http404
    if not allowed(request.membership.role, kind.action):
        raise PermissionDenied
    return kind


def find(request: HttpRequest, pk: uuid.UUID) -> Export:
    export = Export.objects.filter(pk=pk).first()
    if export is None:
        raise Http404
    kind_of(request, export.kind)
    return export


@require_safe
@action("exports.run")
def list_exports(request: HttpRequest) -> HttpResponse:
    """Every export that the reader may have, the newest first; those being written refresh themselves."""
    kinds = {key: kind for key, kind in all_kinds().items() if allowed(request.membership.role, kind.action)}
    rows = list(Export.objects.filter(kind__in=kinds).order_by("-asked_at")[:LISTED])
    names = {one.pk: one.name or one.email for one in Operator.objects.filter(pk__in={row.asked_by for row in rows})}
    jobs = [line(row, kinds[row.kind], names) for row in rows]
    days = request.workspace.rules.keep_exports_days
    context = {
        "title": _("Exports"),
        "summary": ngettext("Files are kept for %(n)s day.", "Files are kept for %(n)s days.", days) % {"n": days},
        "jobs": jobs,
        "active": any(job["active"] for job in jobs),
    }
    return render(request, "users/_exports.html" if request.htmx else "users/exports.html", context)


def line(export: Export, kind: Kind, names: Mapping[uuid.UUID | None, str]) -> dict[str, Any]:
    return export_run.export_job(export) | {
        "export": export,
        "label": kind.label,
        "who": names.get(export.asked_by, ""),
    }


@require_POST
@action("exports.run")
def ask_export(request: HttpRequest) -> HttpResponse:
    """Ask for a list: `kind`, and the address of the list in `query`. A second click shows the file of the first."""
    kind = kind_of(request, request.POST.get("kind", ""))
    try:
        export_run.ask_export(kind, QueryDict(request.POST.get("query", "")).dict(), request.user)
    except DomainError as error:
        messages.error(request, error.message)
    else:
        run_exports.ring(request.workspace)
    return redirect("users:exports", request.workspace.slug)


@require_POST
@action("exports.run")
def cancel_export(request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
    if not export_run.cancel_export(find(request, pk)):
        messages.warning(request, _("There was nothing to stop any more."))
    return redirect("users:exports", request.workspace.slug)


@require_safe
@action("exports.run")
def download_export(request: HttpRequest, pk: uuid.UUID) -> HttpResponseBase:
    """The finished file, for those who may see the list. Each download is noted."""
    response = send_file(find(request, pk), request.user)
    if response is None:
        raise Http404
    return response


def send_file(export: Export, by: Operator | None = None) -> HttpResponseBase | None:
    """The file as an answer, noted in the audit trail; None while there is none, or no more."""
    path = export_run.path_of(export)
    if export.state != "done" or not path.exists():
        return None
    audit("export.download", export.kind, by, export=str(export.pk))
    response = FileResponse(path.open("rb"), content_type="text/csv; charset=utf-8")
    name = quote(f"{export.name[:100] or all_kinds()[export.kind].label}.csv", safe="")
    response["Content-Disposition"] = f"attachment; filename=\"export.csv\"; filename*=UTF-8''{name}"
    response["Cache-Control"] = "no-store"
    return response
