"""Lists as files, for programs: ask for one, ask how far it is, fetch it."""

from __future__ import annotations

import uuid

from django.core.exceptions import PermissionDenied
from django.http import Http404
from django.http.response import HttpResponseBase
from django.urls import path
from django.utils.translation import gettext as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from users.export_kinds import Kind, all_kinds
from users.export_run import ask_export, cancel_export
from users.models import Export
from users.tasks import run_exports
from users.views.exports import send_file
from workspaces.authentication import WorkspaceAPIView
from workspaces.errors import Conflict, DomainError
from workspaces.permissions import allowed
from workspaces.scoping import current_workspace

LISTED = 100


class ExportIn(serializers.Serializer):
    """Which list: its kind, and what narrows it, named as in the address of the list's page."""

    kind = serializers.CharField(
        max_length=20,
        help_text="people, events, members, deliveries, warnings, moves, attributes, tags, consents, audit",
    )
    query = serializers.DictField(child=serializers.CharField(max_length=300), default=dict)


class ExportOut(serializers.ModelSerializer):
    """A list on its way into a file. It can be fetched while `state` is done."""

    state = serializers.CharField(help_text="due, running, done, failed, cancelled, gone (its days are over)")
    total = serializers.IntegerField(allow_null=True, help_text="Rows there are to write; null until the first are.")

    class Meta:
        model = Export
        fields = ["id", "kind", "query", "name", "state", "rows", "total", "bytes", "error", "asked_at", "finished_at"]


class ExportPage(serializers.Serializer):
    results = ExportOut(many=True)


def kind_for(request: Request, key: str) -> Kind:
    """The kind of list, which the key's role must be allowed to see. Raises DomainError and PermissionDenied."""
    kind = all_kinds().get(key)
    if kind is None:
        raise DomainError("invalid", _("There is no such kind of list."), "kind")
    if not allowed(request.auth.role, kind.action):
        raise PermissionDenied
    return kind


def found(request: Request, pk: uuid.UUID) -> Export:
    export = Export.objects.filter(pk=pk).first()
    if export is None:
        raise Http404
    kind_for(request, export.kind)
    return export


class Exports(WorkspaceAPIView):
    actions = {"get": "exports.run", "post": "exports.run"}

    @extend_schema(operation_id="exports_list", responses=ExportPage)
    def get(self, request: Request) -> Response:
        """The last 100 exports of the kinds that the key's role may see, newest first."""
        kinds = [key for key, kind in all_kinds().items() if allowed(request.auth.role, kind.action)]
        rows = Export.objects.filter(kind__in=kinds).order_by("-asked_at")[:LISTED]
        return Response(ExportPage({"results": rows}).data)

    @extend_schema(request=ExportIn, responses={202: ExportOut})
    def post(self, request: Request) -> Response:
        """Have a list written. While the same one waits or is written, that is the answer.

        What the list does not understand is refused: a filter with a typing mistake would be a file of everybody.
        """
        body = ExportIn(data=request.data)
        body.is_valid(raise_exception=True)
        kind, query = kind_for(request, body.validated_data["kind"]), body.validated_data["query"]
        export = ask_export(kind, query)
        if unknown := sorted(query.keys() - export.query.keys()):
            words = _("This list cannot be narrowed by %(names)s, or not by that value.")
            raise DomainError("invalid", words % {"names": ", ".join(unknown)}, "query")
        run_exports.ring(current_workspace())
        return Response(ExportOut(export).data, status=202)


class OneExport(WorkspaceAPIView):
    actions = {"get": "exports.run", "delete": "exports.run"}

    @extend_schema(responses=ExportOut)
    def get(self, request: Request, pk: uuid.UUID) -> Response:
        """How far an export is."""
        return Response(ExportOut(found(request, pk)).data)

    @extend_schema(responses={204: None})
    def delete(self, request: Request, pk: uuid.UUID) -> Response:
        """Stop an export that waits or is written; 409 when there is nothing to stop."""
        if not cancel_export(found(request, pk)):
            raise Conflict("not_running", _("There was nothing to stop any more."))
        return Response(status=204)


class ExportFile(WorkspaceAPIView):
    actions = {"get": "exports.run"}

    @extend_schema(responses={(200, "text/csv"): OpenApiTypes.BINARY})
    def get(self, request: Request, pk: uuid.UUID) -> HttpResponseBase:
        """The file: CSV in UTF-8 with a byte order mark, safe to open in a spreadsheet. 409 while there is none."""
        answer = send_file(found(request, pk))
        if answer is None:
            raise Conflict("not_ready", _("There is no file: it is not written yet, or no longer kept."))
        return answer


urlpatterns = [
    path("exports", Exports.as_view()),
    path("exports/<uuid:pk>", OneExport.as_view()),
    path("exports/<uuid:pk>/file", ExportFile.as_view()),
]
