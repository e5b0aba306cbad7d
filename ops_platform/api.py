"""What product apps ask: a user with facts, stage and RFM; users by page; nights and what they counted."""

from __future__ import annotations

import uuid
from collections.abc import Collection
from datetime import date
from typing import Any

from django.db import transaction
from django.http import Http404
from django.urls import path
from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from lifecycle.churn import ACTIVITIES
from lifecycle.models import PersonValue, Standing
from lifecycle.stages import all_stages
from ops_platform.models import Alert, Night, NightStep
from ops_platform.nightly import STEPS
from ops_platform.nights import ask_night
from segmentation.models import RfmScore
from segmentation.rfm import GROUPS
from segmentation.tagging import all_tags, ruled_tags
from users.devices import list_devices
from users.identity import merge_people, person_behind, undo_merge
from users.models import EndUser, Facts, PushDevice, person_id
from workspaces.authentication import WorkspaceAPIView
from workspaces.errors import Conflict, DomainError
from workspaces.scoping import current_workspace

PAGE = 100
# What people may be listed by: the table and column it stands in, and its values.
FILTERS: dict[str, tuple[Any, str, Collection[str]]] = {
    "stage": (Standing, "stage", all_stages()),
    "activity": (Standing, "activity", ACTIVITIES),
    "rfm_group": (RfmScore, "group", GROUPS),
}


class FactsOut(serializers.ModelSerializer):
    """Facts as of the published day; money in minor units, days as ISO dates."""

    class Meta:
        model = Facts
        exclude = ["pk", "workspace", "end_user"]


class StandingOut(serializers.ModelSerializer):
    """Stage and activity flag, since when, and the limit in days that decides."""

    class Meta:
        model = Standing
        exclude = ["pk", "workspace", "end_user"]


class RfmOut(serializers.ModelSerializer):
    """RFM scores 1–5, group and bits; null for whoever is not scored. What is scored are three of the facts: see settings."""

    class Meta:
        model = RfmScore
        fields = ["r_score", "f_score", "m_score", "group", "bits"]


class ValueOut(serializers.ModelSerializer):
    """What is expected of a buyer in the next 52 weeks; `alive_percent` is null for people who ordered on one day only."""

    class Meta:
        model = PersonValue
        fields = ["expected_orders", "expected_revenue_minor", "alive_percent"]


class IdOut(serializers.Serializer):
    """One of the ids that a person goes by."""

    external_id = serializers.CharField()
    visitor = serializers.BooleanField()


class DeviceOut(serializers.Serializer):
    """An app on a device that pushes go to, until the provider says it is gone."""

    app = serializers.CharField(help_text="As the SDK names it; empty when it does not.")
    platform = serializers.CharField()
    token = serializers.CharField(source="short_token", help_text="Shortened.")
    seen_at = serializers.DateTimeField(help_text="To within a day.")
    dead_at = serializers.DateTimeField(allow_null=True)


class UserOut(serializers.Serializer):
    """An end user with everything the night knows."""

    id = serializers.UUIDField()
    external_id = serializers.CharField()
    ids = IdOut(many=True, help_text="Every id of this person: `external_id` first, then those merged into it.")
    name = serializers.CharField()
    email = serializers.CharField()
    phone = serializers.CharField()
    city = serializers.CharField()
    source = serializers.CharField()
    devices = DeviceOut(many=True, help_text="Living ones first, and of those the one seen last.")
    tags = serializers.ListField(child=serializers.CharField())
    attributes = serializers.DictField()
    created_at = serializers.DateTimeField()
    as_of = serializers.DateField(allow_null=True)
    facts = FactsOut(allow_null=True)
    standing = StandingOut(allow_null=True)
    rfm = RfmOut(allow_null=True)
    value = ValueOut(allow_null=True, help_text="Null where nothing is predicted.")


class UserPage(serializers.Serializer):
    results = UserOut(many=True)
    next = serializers.CharField(allow_null=True, help_text="Pass as `after` for the next page; null on the last.")


def with_numbers(people: list[EndUser]) -> list[dict[str, Any]]:
    """People with their ids, tags, facts, standing and RFM, in eight queries whatever their number."""
    ids = [person.pk for person in people]
    merged: dict[uuid.UUID | None, list[EndUser]] = {}
    for one in EndUser.objects.filter(merged_into__in=ids).order_by("-identified", "external_id"):
        merged.setdefault(one.merged_into, []).append(one)
    found = [
        {row.end_user_id: row for row in model.objects.filter(end_user_id__in=ids)}
        for model in (Facts, Standing, RfmScore, PersonValue)
    ]
    plain = ("id", "external_id", "name", "email", "phone", "city", "source", "attributes", "created_at")
    ruled = ruled_tags(ids)
    owners = {one.pk: owner for owner, several in merged.items() for one in several}
    devices: dict[uuid.UUID, list[PushDevice]] = {}
    for device in list_devices([*ids, *owners]):
        devices.setdefault(owners.get(device.end_user_id) or device.end_user_id, []).append(device)
    return [
        {name: getattr(person, name) for name in plain}
        | {"as_of": current_workspace().current_day, "tags": all_tags(person.tags, ruled.get(person.pk, ()))}
        | {
            "ids": [
                {"external_id": one.external_id, "visitor": not one.identified}
                for one in (person, *merged.get(person.pk, ()))
            ]
        }
        | {"devices": devices.get(person.pk, [])}
        | dict(zip(("facts", "standing", "rfm", "value"), (rows.get(person.pk) for rows in found), strict=True))
        for person in people
    ]


class ListUsers(WorkspaceAPIView):
    actions = {"get": "users.view"}

    @extend_schema(
        operation_id="users_list",
        parameters=[
            OpenApiParameter("after", uuid.UUID, description="`next` of the page before."),
            OpenApiParameter("stage", str, description="Only this lifecycle stage."),
            OpenApiParameter("activity", str, description="active, slipping or dormant."),
            OpenApiParameter("rfm_group", str, description="Only this RFM group."),
        ],
        responses=UserPage,
    )
    def get(self, request: Request) -> Response:
        """End users by id, 100 a page."""
        rows = EndUser.objects.counted().order_by("pk")
        for name, (model, column, known) in FILTERS.items():
            if value := request.query_params.get(name):
                if value not in known:
                    raise DomainError("invalid", f"`{name}` is one of {', '.join(known)}.", name)
                rows = rows.filter(pk__in=model.objects.filter(**{column: value}).values("end_user_id"))
        if after := request.query_params.get("after"):
            try:
                rows = rows.filter(pk__gt=uuid.UUID(after))
            except ValueError as error:
                raise DomainError("invalid", "`after` is the `next` of an earlier page.", "after") from error
        people = list(rows[: PAGE + 1])
        page = with_numbers(people[:PAGE])
        more = str(people[PAGE - 1].pk) if len(people) > PAGE else None
        return Response(UserPage({"results": page, "next": more}).data)


class OneUser(WorkspaceAPIView):
    actions = {"get": "users.view"}

    @extend_schema(responses=UserOut)
    def get(self, request: Request, external_id: str) -> Response:
        """One end user by the id your product uses. An id that was merged answers with the person who remains."""
        person = person_behind(named(external_id))
        if person is None or person.excluded:
            raise Http404
        return Response(UserOut(with_numbers([person])[0]).data)


def named(external_id: str, *, visitor: bool = False) -> EndUser | None:
    kind = "anonymous" if visitor else "user"
    return EndUser.objects.filter(pk=person_id(current_workspace().pk, external_id, kind)).first()


def person_who_remains(person: EndUser) -> EndUser:
    """Who somebody is by now. Raises Http404 when they were erased in this moment."""
    found = person_behind(EndUser.objects.filter(pk=person.pk).first())
    if found is None:
        raise Http404
    return found


class MergeIn(serializers.Serializer):
    """The id this user went by before."""

    previous = serializers.CharField(max_length=255)
    visitor = serializers.BooleanField(default=False, help_text="Whether `previous` is an anonymous id.")


class MergeUser(WorkspaceAPIView):
    actions = {"post": "users.edit"}

    @extend_schema(request=MergeIn, responses=UserOut)
    def post(self, request: Request, external_id: str) -> Response:
        """Say that another id is this user too. Answers with the person who remains."""
        person = named(external_id)
        body = MergeIn(data=request.data)
        body.is_valid(raise_exception=True)
        previous = named(body.validated_data["previous"], visitor=body.validated_data["visitor"])
        if person is None or previous is None:
            raise Http404
        merge_people(previous, person)
        return Response(UserOut(with_numbers([person_who_remains(person)])[0]).data)


class UnmergeIn(serializers.Serializer):
    visitor = serializers.BooleanField(default=False, help_text="Whether the id in the path is an anonymous id.")


class UnmergeUser(WorkspaceAPIView):
    actions = {"post": "users.edit"}

    @extend_schema(request=UnmergeIn, responses=UserOut)
    def post(self, request: Request, external_id: str) -> Response:
        """Let a merged id stand for itself again, within 30 days of the merge; its links are refused for good."""
        body = UnmergeIn(data=request.data)
        body.is_valid(raise_exception=True)
        person = named(external_id, visitor=body.validated_data["visitor"])
        if person is None:
            raise Http404
        undo_merge(person)
        return Response(UserOut(with_numbers([person_who_remains(person)])[0]).data)


class StepOut(serializers.Serializer):
    step = serializers.CharField()
    state = serializers.CharField()
    seconds = serializers.FloatField(allow_null=True)
    counts = serializers.DictField()
    attempts = serializers.IntegerField(help_text="More than one: the workers before were killed in it.")
    done = serializers.IntegerField(help_text="Rows worked off so far; 0 for a step that cannot tell.")
    total = serializers.IntegerField()


class AlertOut(serializers.Serializer):
    """Something about the night that admins were told."""

    kind = serializers.CharField(help_text="late, failed or jump")
    key = serializers.CharField(help_text="Of a jump: what was counted, such as stage:paying, or people for everybody.")
    before = serializers.IntegerField()
    now = serializers.IntegerField()


class NightOut(serializers.Serializer):
    """One night and its steps."""

    day = serializers.DateField()
    state = serializers.CharField(help_text="running, done or failed")
    started_at = serializers.DateTimeField()
    seconds = serializers.FloatField(allow_null=True)
    error = serializers.CharField()
    runs = serializers.IntegerField(help_text="How often it was begun anew.")
    steps = StepOut(many=True)
    alerts = AlertOut(many=True)


def nights(limit: int = 60, day: date | None = None) -> list[dict[str, Any]]:
    rows = Night.objects.order_by("-day")
    rows = rows.filter(day=day) if day else rows[:limit]
    found = list(rows)
    steps: dict[date, list[NightStep]] = {}
    for step in NightStep.objects.filter(day__in=[night.day for night in found]).order_by("position"):
        steps.setdefault(step.day, []).append(step)
    alerts: dict[date, list[Alert]] = {}
    for alert in Alert.objects.filter(day__in=[night.day for night in found]).order_by("kind", "key"):
        alerts.setdefault(alert.day, []).append(alert)
    names = ("day", "state", "started_at", "seconds", "error", "runs")
    return [
        {n: getattr(night, n) for n in names} | {"steps": steps.get(night.day, []), "alerts": alerts.get(night.day, [])}
        for night in found
    ]


class ListNights(WorkspaceAPIView):
    actions = {"get": "nights.view"}

    @extend_schema(operation_id="nights_list", responses=NightOut(many=True))
    def get(self, request: Request) -> Response:
        """The last 60 nights, newest first."""
        return Response({"results": NightOut(nights(), many=True).data})


class OneNight(WorkspaceAPIView):
    actions = {"get": "nights.view"}

    @extend_schema(responses=NightOut)
    def get(self, request: Request, day: date) -> Response:
        """One night by its day."""
        found = nights(day=day)
        if not found:
            raise Http404
        return Response(NightOut(found[0]).data)


class RunIn(serializers.Serializer):
    """What to compute again."""

    step = serializers.ChoiceField(
        choices=[step.key for step in STEPS], default="", allow_blank=True, help_text="Empty for the whole night."
    )


class AskedOut(serializers.Serializer):
    day = serializers.DateField()
    step = serializers.CharField()


class RunNight(WorkspaceAPIView):
    actions = {"post": "nights.run"}

    @extend_schema(request=RunIn, responses={202: AskedOut})
    def post(self, request: Request, day: date) -> Response:
        """Ask for a night, or for one step of it, to be run again. `nights/<day>` tells how far it is.

        Asked for the whole while one runs, that one counts; a step is refused then (409), as is a day before the published
        one, or of which nothing is known, and a step that decides (activity and those after it) for any day but the
        published one. A day that has not begun is wrong (400).
        """
        body = RunIn(data=request.data)
        body.is_valid(raise_exception=True)
        workspace, step = current_workspace(), body.validated_data["step"]
        if day > workspace.today():
            raise DomainError("invalid", _("This day has not begun."), "day")
        if workspace.current_day is not None and day < workspace.current_day:
            later = {"day": workspace.current_day.isoformat()}
            raise Conflict("day_passed", _("The numbers already stand at a later day: %(day)s.") % later, "day")
        transaction.on_commit(ask_night(workspace, day, step, None), robust=True)
        return Response({"day": day, "step": step}, status=202)


urlpatterns = [
    path("users", ListUsers.as_view()),
    path("users/<path:external_id>/merge", MergeUser.as_view()),
    path("users/<path:external_id>/unmerge", UnmergeUser.as_view()),
    path("users/<path:external_id>", OneUser.as_view()),
    path("nights", ListNights.as_view()),
    path("nights/<day:day>", OneNight.as_view()),
    path("nights/<day:day>/run", RunNight.as_view()),
]
