"""What event names mean, and which attributes people have, for programs."""

from __future__ import annotations

from typing import Any

from django.urls import path
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from users.attributes import list_attributes
from users.mapping import set_roles
from users.models import Attribute
from users.selectors import Arrived, count_events, list_event_names, roles_of
from workspaces.authentication import WorkspaceAPIView
from workspaces.rules import ROLES
from workspaces.scoping import current_workspace


class EventNameOut(serializers.Serializer):
    """A name that arrived or is expected: the roles it plays, how often it arrived, and when last."""

    name = serializers.CharField()
    roles = serializers.ListField(child=serializers.ChoiceField(ROLES))
    events = serializers.IntegerField()
    last_at = serializers.DateTimeField(allow_null=True)


class EventNameIn(serializers.Serializer):
    """The roles a name shall play: these and no others."""

    name = serializers.CharField(max_length=200)
    roles = serializers.ListField(child=serializers.ChoiceField(ROLES))


class EventNamesIn(serializers.Serializer):
    event_names = EventNameIn(many=True, max_length=500)


class EventNames(WorkspaceAPIView):
    actions = {"get": "settings.view", "put": "mapping.edit"}

    @extend_schema(responses=EventNameOut(many=True))
    def get(self, request: Request) -> Response:
        """Every event name with its roles; those that play one first, at most 500."""
        return Response(as_rows())

    @extend_schema(request=EventNamesIn, responses=EventNameOut(many=True))
    def put(self, request: Request) -> Response:
        """Set the roles of the given names. Names that are not given keep theirs; names that never arrived are remembered."""
        body = EventNamesIn(data=request.data)
        body.is_valid(raise_exception=True)
        given = {row["name"]: row["roles"] for row in body.validated_data["event_names"]}
        set_roles({role: [name for name in given if role in given[name]] for role in ROLES}, of=given)
        return Response(as_rows())


def as_rows() -> list[dict[str, Any]]:
    arrived = count_events(current_workspace())
    rows = []
    for name in list_event_names():
        told = arrived.get(name.pk, Arrived())
        rows.append({"name": name.name, "roles": roles_of(name), "events": told.events, "last_at": told.last_at})
    return rows


class AttributeOut(serializers.ModelSerializer):
    """An attribute that was told of somebody, with the type of its first value. Counts are those of the last night."""

    class Meta:
        model = Attribute
        fields = [
            "name",
            "label",
            "kind",
            "people",
            "conflicts",
            "other_kind",
            "other_value",
            "first_at",
            "last_at",
            "hidden",
            "personal",
        ]


class AttributePage(serializers.Serializer):
    results = AttributeOut(many=True)


class Attributes(WorkspaceAPIView):
    actions = {"get": "users.view"}

    @extend_schema(operation_id="attributes_list", responses=AttributePage)
    def get(self, request: Request) -> Response:
        """Every attribute, hidden ones last, those with values of another type first; at most 2,000."""
        rows = [*list_attributes(), *list_attributes(hidden=True)]
        return Response(AttributePage({"results": rows}).data)


urlpatterns = [path("event-names", EventNames.as_view()), path("attributes", Attributes.as_view())]
