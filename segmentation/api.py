"""Segments over the API: list, create, read, change, delete; members by page; how many a rule would match."""

from __future__ import annotations

import uuid
from typing import Any

from django.http import Http404
from django.urls import path
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from segmentation import selectors, services
from segmentation.definition import InvalidDefinition, parse
from segmentation.models import Segment
from segmentation.sentence import describe
from segmentation.vocabulary import Vocabulary
from workspaces.authentication import WorkspaceAPIView
from workspaces.errors import DomainError
from workspaces.scoping import current_workspace

PAGE, LARGEST_PAGE = 100, 1000


class SegmentOut(serializers.Serializer):
    """A segment: its rule, the same as a sentence, and its size as of the last refresh."""

    id = serializers.UUIDField()
    name = serializers.CharField()
    goal = serializers.CharField(help_text="scale or value")
    definition = serializers.DictField()
    sentence = serializers.SerializerMethodField()
    size = serializers.IntegerField(allow_null=True)
    refreshed_on = serializers.DateField(allow_null=True)
    error = serializers.CharField(help_text="Why the last refresh kept the old members; empty when it did not.")
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()
    archived_at = serializers.DateTimeField(allow_null=True)

    def get_sentence(self, segment: Segment) -> str:
        try:
            return describe(segment.definition, self.context["vocabulary"])
        except LookupError:
            return ""


class SegmentIn(serializers.Serializer):
    """What may be set. The rule: {"all": [...]}, {"any": [...]}, {"not": ...} or {"kind": condition, ...}."""

    name = serializers.CharField(max_length=100)
    definition = serializers.JSONField()
    goal = serializers.ChoiceField(services.GOALS, default="value")


class SegmentChangeIn(serializers.Serializer):
    """Fields left out keep their value."""

    name = serializers.CharField(max_length=100, required=False)
    definition = serializers.JSONField(required=False)
    goal = serializers.ChoiceField(services.GOALS, required=False)
    archived = serializers.BooleanField(required=False)


class SegmentPage(serializers.Serializer):
    results = SegmentOut(many=True)


class MemberOut(serializers.Serializer):
    """Somebody in the segment, and since when."""

    id = serializers.UUIDField()
    external_id = serializers.CharField()
    name = serializers.CharField()
    entered_on = serializers.DateField()


class MemberPage(serializers.Serializer):
    results = MemberOut(many=True)
    next = serializers.CharField(allow_null=True, help_text="Pass as `after` for the next page; null on the last.")


class CountIn(serializers.Serializer):
    definition = serializers.JSONField()


class CountOut(serializers.Serializer):
    """How many match now, of how many, and how many of them each channel reaches."""

    people = serializers.IntegerField()
    base = serializers.IntegerField()
    reach = serializers.DictField(child=serializers.IntegerField())
    sentence = serializers.CharField()


def find(pk: uuid.UUID) -> Segment:
    segment = Segment.objects.filter(pk=pk).first()
    if segment is None:
        raise Http404
    return segment


def shown(segments: Any, many: bool = False) -> Any:
    """Segments as JSON; names of other segments are looked up once for all."""
    return SegmentOut(segments, many=many, context={"vocabulary": Vocabulary(current_workspace())}).data


def at_definition(error: InvalidDefinition) -> DomainError:
    """The same error with the path from the body down: "definition/all/0/days"."""
    return DomainError(error.code, error.message, f"definition{error.path}")


class SegmentView(WorkspaceAPIView):
    def handle_exception(self, error: Exception) -> Response:
        return super().handle_exception(at_definition(error) if isinstance(error, InvalidDefinition) else error)


class ListSegments(SegmentView):
    actions = {"get": "segments.view", "post": "segments.edit"}

    @extend_schema(
        operation_id="segments_list",
        parameters=[OpenApiParameter("archived", bool, description="Only the archived ones.")],
        responses=SegmentPage,
    )
    def get(self, request: Request) -> Response:
        """Segments by name."""
        archived = request.query_params.get("archived", "").lower() in ("1", "true")
        return Response({"results": shown(selectors.list_segments(archived=archived), many=True)})

    @extend_schema(request=SegmentIn, responses={201: SegmentOut})
    def post(self, request: Request) -> Response:
        """Create a segment. Errors name the place in the rule in `details[].path`."""
        body = SegmentIn(data=request.data)
        body.is_valid(raise_exception=True)
        return Response(shown(services.create_segment(**body.validated_data)), status=201)


class OneSegment(SegmentView):
    actions = {"get": "segments.view", "patch": "segments.edit", "delete": "segments.edit"}

    @extend_schema(responses=SegmentOut)
    def get(self, request: Request, pk: uuid.UUID) -> Response:
        """One segment."""
        return Response(shown(find(pk)))

    @extend_schema(request=SegmentChangeIn, responses=SegmentOut)
    def patch(self, request: Request, pk: uuid.UUID) -> Response:
        """Change a segment, archive it or bring it back. A changed rule recomputes the members at once."""
        body = SegmentChangeIn(data=request.data)
        body.is_valid(raise_exception=True)
        segment, changes = find(pk), dict(body.validated_data)
        archived = changes.pop("archived", None)
        if archived is False:
            services.restore_segment(segment)
        if changes:
            services.update_segment(segment, **changes)
        if archived:
            services.archive_segment(segment)
        return Response(shown(segment))

    @extend_schema(responses={204: None})
    def delete(self, request: Request, pk: uuid.UUID) -> Response:
        """Delete for good; 409 while a campaign or another segment uses it."""
        services.delete_segment(find(pk))
        return Response(status=204)


class SegmentMembers(SegmentView):
    actions = {"get": "users.view"}

    @extend_schema(
        parameters=[
            OpenApiParameter("after", uuid.UUID, description="`next` of the page before."),
            OpenApiParameter("limit", int, description="1 to 1000; 100 when left out."),
        ],
        responses=MemberPage,
    )
    def get(self, request: Request, pk: uuid.UUID) -> Response:
        """Who is in the segment as of its last refresh, by id."""
        after, limit = request.query_params.get("after", ""), request.query_params.get("limit", str(PAGE))
        if after and not selectors.as_id(after):
            raise DomainError("invalid", "`after` is the `next` of an earlier page.", "after")
        # Of thousands of digits Python makes no number.
        if not (limit.isdecimal() and len(limit) < 10 and 1 <= int(limit) <= LARGEST_PAGE):
            raise DomainError("invalid", f"`limit` is a number from 1 to {LARGEST_PAGE}.", "limit")
        page = selectors.members(find(pk), after, int(limit))
        return Response({"results": MemberOut(page.people, many=True).data, "next": page.next or None})


class CountSegment(SegmentView):
    actions = {"post": "segments.view"}

    @extend_schema(request=CountIn, responses=CountOut)
    def post(self, request: Request) -> Response:
        """How many people a rule matches now; nothing is stored."""
        body = CountIn(data=request.data)
        body.is_valid(raise_exception=True)
        workspace = current_workspace()
        vocabulary = Vocabulary(workspace)
        definition = parse(body.validated_data["definition"], vocabulary)
        counted = selectors.count_live(definition, workspace, sample=0)
        answer = {"people": counted.people, "base": counted.base, "reach": counted.reach}
        return Response({**answer, "sentence": describe(definition, vocabulary)})


urlpatterns = [
    path("segments", ListSegments.as_view()),
    path("segments/count", CountSegment.as_view()),
    path("segments/<uuid:pk>", OneSegment.as_view()),
    path("segments/<uuid:pk>/members", SegmentMembers.as_view()),
]
