"""Consent, for product apps: what a user agreed to, a word of theirs on a channel or a topic, and the topics there are."""

from __future__ import annotations

from typing import Any

from django.http import Http404
from django.urls import path
from django.utils import timezone
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from users.consent import CHANNELS, consent_key, create_topic, list_topics, set_consent
from users.identity import person_behind
from users.ingest.normal import AHEAD, FIRST_AT
from users.models import Consent, EndUser, person_id
from workspaces.authentication import MomentField, WorkspaceAPIView
from workspaces.errors import DomainError
from workspaces.scoping import current_workspace


class TopicOut(serializers.Serializer):
    """A kind of message that people may opt out of."""

    key = serializers.CharField(max_length=40)
    name = serializers.CharField(max_length=100)


class TopicPage(serializers.Serializer):
    results = TopicOut(many=True)


class ConsentOut(serializers.Serializer):
    """The latest word on a channel, or on a topic of it; an empty topic is the channel as a whole."""

    channel = serializers.CharField()
    topic = serializers.CharField()
    opted_in = serializers.BooleanField()
    source = serializers.CharField()
    at = serializers.DateTimeField()


class ConsentPage(serializers.Serializer):
    results = ConsentOut(many=True)


class ConsentIn(serializers.Serializer):
    """The person's own choice: where it was made and when. A word older than the one known changes nothing."""

    channel = serializers.ChoiceField(CHANNELS)
    topic = serializers.CharField(max_length=40, required=False, allow_blank=True, default="")
    opted_in = serializers.BooleanField()
    source = serializers.CharField(max_length=100, default="api")
    at = MomentField(required=False, help_text="With its offset from UTC. Left out: now.")


def rows_of(person: EndUser) -> list[dict[str, Any]]:
    """The words that stand, channels before their topics."""
    words = Consent.objects.filter(end_user=person.pk).order_by("channel").values("channel", "opted_in", "source", "at")
    return [
        word | {"channel": channel, "topic": topic}
        for word in words
        for channel, _slash, topic in [word["channel"].partition("/")]
    ]


def found(external_id: str) -> EndUser:
    person = EndUser.objects.filter(pk=person_id(current_workspace().pk, external_id, "user")).first()
    if (owner := person_behind(person)) is None:
        raise Http404
    return owner


class Topics(WorkspaceAPIView):
    actions = {"get": "settings.view", "post": "campaigns.edit"}

    @extend_schema(operation_id="topics_list", responses=TopicPage)
    def get(self, request: Request) -> Response:
        """Every topic."""
        return Response(TopicPage({"results": list_topics()}).data)

    @extend_schema(request=TopicOut, responses={201: TopicOut})
    def post(self, request: Request) -> Response:
        """Make a topic; 409 when its key is taken."""
        body = TopicOut(data=request.data)
        body.is_valid(raise_exception=True)
        return Response(TopicOut(create_topic(**body.validated_data)).data, status=201)


class Consents(WorkspaceAPIView):
    actions = {"get": "users.view", "put": "users.edit"}

    @extend_schema(operation_id="users_consents_list", responses=ConsentPage)
    def get(self, request: Request, external_id: str) -> Response:
        """What one user agreed to; nothing is listed that was never said."""
        return Response(ConsentPage({"results": rows_of(found(external_id))}).data)

    @extend_schema(request=ConsentIn, responses=ConsentPage)
    def put(self, request: Request, external_id: str) -> Response:
        """Keep one word of one user. It may turn an opt-out into an opt-in: send only what the person chose."""
        person = found(external_id)
        body = ConsentIn(data=request.data)
        body.is_valid(raise_exception=True)
        word = body.validated_data
        at = word.get("at")
        if at and not FIRST_AT <= at <= timezone.now() + AHEAD:
            raise DomainError("invalid", _("The time lies before 2000 or in the future."), "at")
        set_consent(
            [person.pk], consent_key(word["channel"], word["topic"]), word["opted_in"], word["source"], word.get("at")
        )
        return Response(ConsentPage({"results": rows_of(found(external_id))}).data)


urlpatterns = [path("topics", Topics.as_view()), path("users/<path:external_id>/consents", Consents.as_view())]
