"""What product apps pass on for their users: what is held about one, and that it be erased."""

from __future__ import annotations

import uuid

from django.http import Http404
from django.http.response import HttpResponseBase, StreamingHttpResponse
from django.urls import path
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from ops_platform.api import named
from users.erasure import ask_erasure, readmit_id
from users.identity import person_behind
from users.models import EndUser, Erasure
from users.person_export import begin_export, json_pieces
from users.tasks import run_erasures
from workspaces.authentication import WorkspaceAPIView
from workspaces.scoping import current_workspace

VISITOR = OpenApiParameter("visitor", bool, description="Whether the id in the path is an anonymous id.")


class ErasureOut(serializers.Serializer):
    """How far an erasure is. It is done when `state` is done: until then some of it may still be there."""

    id = serializers.UUIDField()
    state = serializers.CharField(help_text="due, first, settling, second, done")
    rows = serializers.IntegerField(help_text="Rows erased so far.")
    asked_at = serializers.DateTimeField()
    finished_at = serializers.DateTimeField(allow_null=True)


class ReadmitOut(serializers.Serializer):
    readmitted = serializers.BooleanField(help_text="False when the id was not kept out.")


def person_in(request: Request, external_id: str) -> EndUser:
    visitor = request.query_params.get("visitor", "").lower() in ("1", "true")
    person = person_behind(named(external_id, visitor=visitor))
    if person is None:
        raise Http404
    return person


class ExportUser(WorkspaceAPIView):
    actions = {"get": "users.export"}

    @extend_schema(parameters=[VISITOR], responses={200: OpenApiTypes.OBJECT})
    def get(self, request: Request, external_id: str) -> HttpResponseBase:
        """Everything held about a user under all their ids, as JSON: {workspace, ids, tables: {name: [rows]}}."""
        ids = begin_export(person_in(request, external_id))
        pieces = json_pieces(current_workspace(), ids)
        return StreamingHttpResponse(pieces, content_type="application/json; charset=utf-8")


class EraseUser(WorkspaceAPIView):
    actions = {"post": "users.erase"}

    @extend_schema(request=None, parameters=[VISITOR], responses={202: ErasureOut})
    def post(self, request: Request, external_id: str) -> Response:
        """Erase a user under all their ids, for good. Answers at once; the work takes some minutes."""
        erasure = ask_erasure(person_in(request, external_id))
        run_erasures.ring(current_workspace())
        return Response(ErasureOut(erasure).data, status=202)


class ReadmitUser(WorkspaceAPIView):
    actions = {"post": "users.erase"}

    @extend_schema(request=None, responses=ReadmitOut)
    def post(self, request: Request, external_id: str) -> Response:
        """Take the id of an erased user in again, as somebody new: until then nothing that is sent for it is kept. 409 while
        they are still being erased."""
        return Response({"readmitted": readmit_id(external_id)})


class OneErasure(WorkspaceAPIView):
    actions = {"get": "users.erase"}

    @extend_schema(responses=ErasureOut)
    def get(self, request: Request, pk: uuid.UUID) -> Response:
        """How far an erasure is."""
        erasure = Erasure.objects.filter(pk=pk).first()
        if erasure is None:
            raise Http404
        return Response(ErasureOut(erasure).data)


urlpatterns = [
    path("users/<path:external_id>/export", ExportUser.as_view()),
    path("users/<path:external_id>/erase", EraseUser.as_view()),
    path("users/<path:external_id>/readmit", ReadmitUser.as_view()),
    path("erasures/<uuid:pk>", OneErasure.as_view()),
]
