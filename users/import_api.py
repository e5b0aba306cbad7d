"""Imports, for programs that watch them: how far each is, and what a check found that it would do."""

from __future__ import annotations

import uuid

from django.http import Http404
from django.urls import path
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from users.models import Import
from users.selectors import find_import, list_imports
from workspaces.authentication import WorkspaceAPIView


class ExampleOut(serializers.Serializer):
    """A value of the file: where it stands, whose it is, what is known (empty: nothing), and what would be."""

    line = serializers.IntegerField()
    who = serializers.CharField()
    before = serializers.CharField()
    value = serializers.CharField()


class ColumnOut(serializers.Serializer):
    """What becomes of a column's values; cells that are empty count nowhere."""

    set = serializers.IntegerField(help_text="Nothing was known.")
    changed = serializers.IntegerField(help_text="Something else was known.")
    same = serializers.IntegerField()
    older = serializers.IntegerField(help_text="Something newer is known, or another row of the file counts.")
    refused = serializers.IntegerField(help_text="Rows that are refused for this column.")
    changes = ExampleOut(many=True, help_text="The first three that would change.")
    fills = ExampleOut(many=True, help_text="The first three of which nothing was known.")


class EffectsOut(serializers.Serializer):
    """What a file of users would do. People are counted once each, whatever the number of their rows."""

    new = serializers.IntegerField()
    changed = serializers.IntegerField()
    unchanged = serializers.IntegerField()
    columns = serializers.DictField(child=ColumnOut())


class ImportOut(serializers.ModelSerializer):
    """A file that is taken in, or checked (`dry_run`), with its counts so far."""

    error = serializers.SerializerMethodField(help_text="Why a failed one ended, and at which line; else empty.")
    effects = serializers.SerializerMethodField(help_text="Only of a check of a file of users; else null.")

    class Meta:
        model = Import
        fields = [
            *("id", "name", "kind", "dry_run", "state", "error", "total_bytes", "done_bytes", "rows", "accepted"),
            *("duplicates", "rejected", "new_people", "effects", "created_at", "started_at", "finished_at"),
        ]

    def get_error(self, file: Import) -> str:
        return file.error if file.state == "failed" else ""

    @extend_schema_field(EffectsOut(allow_null=True))
    def get_effects(self, file: Import) -> dict | None:
        return file.effects or None


class ImportPage(serializers.Serializer):
    results = ImportOut(many=True)


class Imports(WorkspaceAPIView):
    actions = {"get": "imports.view"}

    @extend_schema(operation_id="imports_list", responses=ImportPage)
    def get(self, request: Request) -> Response:
        """The last 100 imports and checks, newest first."""
        return Response(ImportPage({"results": list_imports()}).data)


class OneImport(WorkspaceAPIView):
    actions = {"get": "imports.view"}

    @extend_schema(responses=ImportOut)
    def get(self, request: Request, pk: uuid.UUID) -> Response:
        """How far an import is, or what a check found."""
        file = find_import(pk)
        if file is None:
            raise Http404
        return Response(ImportOut(file).data)


urlpatterns = [path("imports", Imports.as_view()), path("imports/<uuid:pk>", OneImport.as_view())]
