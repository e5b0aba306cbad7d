"""Tags, for product apps: which there are, of one person, and of up to a thousand people at once."""

from __future__ import annotations

from typing import Any

from django.http import Http404
from django.urls import path
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from ops_platform.api import person_who_remains
from segmentation.tagging import all_tags, list_tags, ruled_tags
from users.identity import person_behind, remaining
from users.models import EndUser, person_id
from users.profiles import LONGEST_TAG, MOST_TAGS, add_tag, remove_tag
from workspaces.authentication import WorkspaceAPIView
from workspaces.scoping import current_workspace

MOST_USERS = 1000


class TagOut(serializers.Serializer):
    """A tag: how many people have it by hand or by the API, and the segment that gives it, if one does."""

    tag = serializers.CharField()
    people = serializers.IntegerField()
    segment = serializers.UUIDField(source="rule.segment_id", allow_null=True, default=None)


class TagPage(serializers.Serializer):
    results = TagOut(many=True)


def tags_field(**options: Any) -> serializers.ListField:
    one = serializers.CharField(max_length=LONGEST_TAG)
    return serializers.ListField(child=one, max_length=MOST_TAGS, default=list, **options)


class PersonTagsIn(serializers.Serializer):
    """What to add and what to take away; a tag that is in both is taken away."""

    add = tags_field()
    remove = tags_field()


class PersonTagsOut(serializers.Serializer):
    """All tags of one person, those that a segment gives behind the others."""

    tags = serializers.ListField(child=serializers.CharField())


class TagPeopleIn(serializers.Serializer):
    """One tag, and the ids your product uses."""

    tag = serializers.CharField(max_length=LONGEST_TAG)
    users = serializers.ListField(child=serializers.CharField(max_length=255), min_length=1, max_length=MOST_USERS)
    remove = serializers.BooleanField(default=False)


class TagPeopleOut(serializers.Serializer):
    """For how many people that was news, and which ids nobody has."""

    changed = serializers.IntegerField()
    unknown = serializers.ListField(child=serializers.CharField())


class Tags(WorkspaceAPIView):
    actions = {"get": "segments.view", "post": "users.edit"}

    @extend_schema(operation_id="tags_list", responses=TagPage)
    def get(self, request: Request) -> Response:
        """Every tag in use or given by a segment."""
        return Response(TagPage({"results": list_tags()}).data)

    @extend_schema(request=TagPeopleIn, responses=TagPeopleOut)
    def post(self, request: Request) -> Response:
        """Give a tag to up to 1,000 people, or take it off them. Ids nobody has are named and hinder nothing."""
        body = TagPeopleIn(data=request.data)
        body.is_valid(raise_exception=True)
        told = body.validated_data
        ids = {external: person_id(current_workspace().pk, external, "user") for external in told["users"]}
        known = set(EndUser.objects.filter(pk__in=ids.values()).values_list("pk", flat=True))
        change = remove_tag if told["remove"] else add_tag
        unknown = [external for external, pk in ids.items() if pk not in known]
        return Response(TagPeopleOut({"changed": change(remaining(known), told["tag"]), "unknown": unknown}).data)


class PersonTags(WorkspaceAPIView):
    actions = {"post": "users.edit"}

    @extend_schema(request=PersonTagsIn, responses=PersonTagsOut)
    def post(self, request: Request, external_id: str) -> Response:
        """Add and take away tags of one user; what is there already, or gone, changes nothing."""
        found = EndUser.objects.filter(pk=person_id(current_workspace().pk, external_id, "user")).first()
        if (person := person_behind(found)) is None:
            raise Http404
        body = PersonTagsIn(data=request.data)
        body.is_valid(raise_exception=True)
        for tag in body.validated_data["remove"]:
            remove_tag([person.pk], tag)
        for tag in body.validated_data["add"]:
            if tag not in body.validated_data["remove"]:
                add_tag([person.pk], tag)
        person = person_who_remains(person)
        return Response({"tags": all_tags(person.tags, ruled_tags([person.pk]).get(person.pk, ()))})


urlpatterns = [
    path("tags", Tags.as_view()),
    path("users/<path:external_id>/tags", PersonTags.as_view()),
]
