"""Campaigns over the API: list, create, change, launch, stop, and the report."""

from __future__ import annotations

import uuid

from django.http import Http404
from django.urls import path
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from campaigns import selectors, services
from campaigns.editing import save_campaign
from campaigns.models import Campaign
from campaigns.tasks import send_campaigns
from workspaces.authentication import MomentField, WorkspaceAPIView
from workspaces.scoping import current_workspace


def find(pk: uuid.UUID) -> Campaign:
    campaign = Campaign.objects.filter(pk=pk).first()
    if campaign is None:
        raise Http404
    return campaign


class CampaignOut(serializers.Serializer):
    """A campaign as the API shows it."""

    id = serializers.UUIDField()
    name = serializers.CharField()
    channel = serializers.CharField()
    segment = serializers.UUIDField(source="segment_id", allow_null=True)
    topic = serializers.CharField(help_text="Key of the topic it is about; empty for none.")
    content = serializers.DictField()
    state = serializers.CharField(help_text="draft, scheduled, running, paused, finished or cancelled")
    scheduled_at = serializers.DateTimeField(allow_null=True)
    control_percent = serializers.DecimalField(5, 2, coerce_to_string=False)
    conversion_event = serializers.CharField()
    conversion_days = serializers.IntegerField()
    created_at = serializers.DateTimeField()


class CampaignIn(serializers.Serializer):
    """What may be set. Fields left out keep their value."""

    name = serializers.CharField(max_length=100, required=False)
    channel = serializers.CharField(max_length=20, required=False)
    segment = serializers.UUIDField(required=False, allow_null=True)
    topic = serializers.CharField(required=False, allow_blank=True, max_length=40)
    content = serializers.DictField(required=False)
    control_percent = serializers.DecimalField(5, 2, required=False, min_value=0, max_value=50)
    conversion_event = serializers.CharField(required=False, allow_blank=True, max_length=200)
    conversion_days = serializers.IntegerField(required=False, min_value=1, max_value=30)


class ListCampaigns(WorkspaceAPIView):
    actions = {"get": "campaigns.view", "post": "campaigns.edit"}

    @extend_schema(responses=CampaignOut(many=True))
    def get(self, request: Request) -> Response:
        """Campaigns, newest first (at most 200)."""
        rows = Campaign.objects.order_by("-created_at")[:200]
        return Response({"results": CampaignOut(rows, many=True).data})

    @extend_schema(request=CampaignIn, responses={201: CampaignOut})
    def post(self, request: Request) -> Response:
        """Create a draft. Errors name the field in `details[].path`."""
        body = CampaignIn(data=request.data)
        body.is_valid(raise_exception=True)
        return Response(CampaignOut(save_campaign(None, body.validated_data)).data, status=201)


class OneCampaign(WorkspaceAPIView):
    actions = {"get": "campaigns.view", "patch": "campaigns.edit"}

    @extend_schema(responses=CampaignOut)
    def get(self, request: Request, pk: uuid.UUID) -> Response:
        """One campaign."""
        return Response(CampaignOut(find(pk)).data)

    @extend_schema(request=CampaignIn, responses=CampaignOut)
    def patch(self, request: Request, pk: uuid.UUID) -> Response:
        """Change a draft; 409 once it has been sent."""
        body = CampaignIn(data=request.data, partial=True)
        body.is_valid(raise_exception=True)
        return Response(CampaignOut(save_campaign(find(pk), body.validated_data)).data)


class LaunchIn(serializers.Serializer):
    at = MomentField(required=False, help_text="With its offset from UTC. Left out: now.")


class LaunchCampaign(WorkspaceAPIView):
    actions = {"post": "campaigns.send"}

    @extend_schema(request=LaunchIn, responses=CampaignOut)
    def post(self, request: Request, pk: uuid.UUID) -> Response:
        """Send now or at a time. A second launch answers 409 and sends nothing twice."""
        body = LaunchIn(data=request.data)
        body.is_valid(raise_exception=True)
        campaign = find(pk)
        services.launch(campaign, body.validated_data.get("at"))
        send_campaigns.ring(current_workspace())
        campaign.refresh_from_db()
        return Response(CampaignOut(campaign).data)


class PauseCampaign(WorkspaceAPIView):
    actions = {"post": "campaigns.send"}

    @extend_schema(request=None, responses=CampaignOut)
    def post(self, request: Request, pk: uuid.UUID) -> Response:
        """Interrupt the sending; 409 when it is not being sent."""
        return moved(find(pk), "pause")


class ResumeCampaign(WorkspaceAPIView):
    actions = {"post": "campaigns.send"}

    @extend_schema(request=None, responses=CampaignOut)
    def post(self, request: Request, pk: uuid.UUID) -> Response:
        """Go on; 409 when it is not paused."""
        answer = moved(find(pk), "resume")
        send_campaigns.ring(current_workspace())
        return answer


def moved(campaign: Campaign, verb: str) -> Response:
    services.move(campaign, verb)
    campaign.refresh_from_db()
    return Response(CampaignOut(campaign).data)


class CancelCampaign(WorkspaceAPIView):
    actions = {"post": "campaigns.send"}

    @extend_schema(request=None, responses=OpenApiTypes.OBJECT)
    def post(self, request: Request, pk: uuid.UUID) -> Response:
        """Stop for good; `stopped` people will not be written to any more."""
        return Response({"stopped": services.cancel(find(pk))})


class CampaignReport(WorkspaceAPIView):
    actions = {"get": "campaigns.view"}

    @extend_schema(responses=OpenApiTypes.OBJECT)
    def get(self, request: Request, pk: uuid.UUID) -> Response:
        """Both arms, lift with its 95 % interval, what was sent and what came back. Money in minor units; without its
        interval (null) where an arm has one person only."""
        return Response(selectors.report(find(pk)).as_dict())


urlpatterns = [
    path("campaigns", ListCampaigns.as_view()),
    path("campaigns/<uuid:pk>", OneCampaign.as_view()),
    path("campaigns/<uuid:pk>/launch", LaunchCampaign.as_view()),
    path("campaigns/<uuid:pk>/pause", PauseCampaign.as_view()),
    path("campaigns/<uuid:pk>/resume", ResumeCampaign.as_view()),
    path("campaigns/<uuid:pk>/cancel", CancelCampaign.as_view()),
    path("campaigns/<uuid:pk>/report", CampaignReport.as_view()),
]
