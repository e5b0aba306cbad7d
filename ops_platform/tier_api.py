"""What product apps ask of days and movement: sizes and flows of a day, moves between two days, early warnings, churn."""

from __future__ import annotations

import uuid
from datetime import date
from typing import Any

from django.http import Http404
from django.urls import path
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from lifecycle.models import DayFlow, FlagAudit
from ops_platform import churn_reads, day_reads, path_reads, selectors
from workspaces.authentication import WorkspaceAPIView
from workspaces.errors import DomainError
from workspaces.scoping import current_workspace

PAGE = 100


class GroupOfDay(serializers.Serializer):
    board = serializers.CharField(
        help_text="stage, activity, rfm, bits (value classes) or cells (R and F scores, “53”)"
    )
    key = serializers.CharField()
    people = serializers.IntegerField()
    money_minor = serializers.IntegerField(
        help_text="Spend of 365 days, value at risk, or revenue of the window, by board."
    )


class FlowOut(serializers.Serializer):
    board = serializers.CharField()
    from_key = serializers.CharField(help_text="Empty: joined.")
    to_key = serializers.CharField(help_text="Empty: left.")
    people = serializers.IntegerField()


class SegmentOfDay(serializers.Serializer):
    id = serializers.UUIDField(source="segment_id")
    name = serializers.CharField(source="segment.name")
    size = serializers.IntegerField()
    entered = serializers.IntegerField()
    left = serializers.IntegerField()


class DayOut(serializers.Serializer):
    """What was kept of one day, as it was told."""

    day = serializers.DateField()
    counts = GroupOfDay(many=True)
    flows = FlowOut(many=True)
    segments = SegmentOfDay(many=True)


class OneDay(WorkspaceAPIView):
    actions = {"get": "tiers.view"}

    @extend_schema(operation_id="days_retrieve", responses=DayOut)
    def get(self, request: Request, day: date) -> Response:
        """Sizes and flows of a day: stages, activity flags, RFM groups, value classes, segments. 404 without a night."""
        boards = selectors.board_counts(day)
        if not boards["stage"]:
            raise Http404
        counts = [row for board in boards.values() for row in board.values()]
        flows = DayFlow.objects.filter(day=day).order_by("board", "from_key", "to_key")
        told = {"day": day, "counts": counts, "flows": flows, "segments": day_reads.segments_on(day)}
        return Response(DayOut(told).data)


class MoveOut(serializers.Serializer):
    from_stage = serializers.CharField(help_text="Empty: joined.")
    to_stage = serializers.CharField(help_text="Empty: left.")
    people = serializers.IntegerField()


class PathOut(serializers.Serializer):
    path = serializers.CharField(help_text="Stages with > between them; begins empty for people who joined.")
    people = serializers.IntegerField()
    days = serializers.FloatField(help_text="Median days from the first change to the last.")


class MovesOut(serializers.Serializer):
    """Net moves between the ends of two days, and the most common paths of two changes or more."""

    since = serializers.DateField()
    until = serializers.DateField()
    moves = MoveOut(many=True)
    paths = PathOut(many=True)


class ListMoves(WorkspaceAPIView):
    actions = {"get": "tiers.view"}

    @extend_schema(
        operation_id="moves_list",
        parameters=[
            OpenApiParameter("since", date, required=True, description="The day before the first that counts."),
            OpenApiParameter("until", date, required=True),
        ],
        responses=MovesOut,
    )
    def get(self, request: Request) -> Response:
        """Who moved from stage to stage between the ends of two days."""
        since, until = (read_day(request, name) for name in ("since", "until"))
        if since > until:
            raise DomainError("invalid", "`since` is not after `until`.", "since")
        told = {
            "since": since,
            "until": until,
            "moves": selectors.stage_moves(since, until),
            "paths": path_reads.paths(since, until),
        }
        return Response(MovesOut(told).data)


def read_day(request: Request, name: str) -> date:
    try:
        return date.fromisoformat(request.query_params.get(name, ""))
    except ValueError as error:
        raise DomainError("invalid", f"`{name}` is a day such as 2026-08-31.", name) from error


class WarningOut(serializers.Serializer):
    """Somebody slipping: what is at risk, and why."""

    id = serializers.UUIDField()
    external_id = serializers.CharField()
    stage = serializers.CharField()
    rfm_group = serializers.CharField(allow_null=True)
    value_at_risk_minor = serializers.IntegerField()
    idle = serializers.IntegerField(help_text="Days away.")
    limit_days = serializers.FloatField()
    rung = serializers.IntegerField(allow_null=True, help_text="The rung of the recall ladder they stand on.")
    signals = serializers.ListField(child=serializers.CharField())
    reason = serializers.CharField(help_text="In words, in the language asked for.")


class WarningPage(serializers.Serializer):
    results = WarningOut(many=True)
    next = serializers.CharField(allow_null=True, help_text="Pass as `after` for the next page; null on the last.")


class ListWarnings(WorkspaceAPIView):
    actions = {"get": "tiers.view"}

    @extend_schema(
        operation_id="warnings_list",
        parameters=[OpenApiParameter("after", str, description="`next` of the page before.")],
        responses=WarningPage,
    )
    def get(self, request: Request) -> Response:
        """Slipping people by value at risk, the dearest first, 100 a page, as of the published day."""
        workspace = current_workspace()
        if workspace.current_day is None:
            return Response({"results": [], "next": None})
        edge = read_edge(request.query_params.get("after", ""))
        rows = churn_reads.warnings(workspace, workspace.current_day, PAGE + 1, edge)
        last = rows[PAGE - 1] if len(rows) > PAGE else None
        more = f"{last['value_at_risk_minor']}.{last['id']}" if last else None
        return Response(WarningPage({"results": rows[:PAGE], "next": more}).data)


def read_edge(token: str) -> tuple[int, uuid.UUID] | None:
    if not token:
        return None
    value, _dot, person = token.partition(".")
    try:
        edge = int(value), uuid.UUID(person)
    except ValueError as error:
        raise DomainError("invalid", "`after` is the `next` of an earlier page.", "after") from error
    if abs(edge[0]) >= 2**63:
        raise DomainError("invalid", "`after` is the `next` of an earlier page.", "after")
    return edge


class RateOut(serializers.Serializer):
    idle_days = serializers.IntegerField()
    spells = serializers.IntegerField()
    returned = serializers.IntegerField()


class AuditOut(serializers.ModelSerializer):
    """Of the people who got a flag `after_days` before the day, how many were seen since."""

    class Meta:
        model = FlagAudit
        exclude = ["pk", "workspace"]


class RungOut(serializers.Serializer):
    rung = serializers.IntegerField(help_text="Days away.")
    people = serializers.IntegerField(help_text="Reached it on the day.")
    lately = serializers.IntegerField(help_text="Reached it in the 30 days up to the day.")
    seen_again = serializers.IntegerField(help_text="Of those, came back since.")


class ChurnOut(serializers.Serializer):
    """The return curve with the limit it suggests, what became of warnings, and the recall ladder."""

    day = serializers.DateField(allow_null=True)
    suggested_limit = serializers.IntegerField(
        allow_null=True, help_text="Fewest days after which at most 10 % come back."
    )
    curve = RateOut(many=True)
    audits = AuditOut(many=True)
    ladder = RungOut(many=True)


class ShowChurn(WorkspaceAPIView):
    actions = {"get": "tiers.view"}

    @extend_schema(operation_id="churn_retrieve", responses=ChurnOut)
    def get(self, request: Request) -> Response:
        """How good the limit and the warnings are, as of the published day."""
        workspace = current_workspace()
        day = workspace.current_day
        told: dict[str, Any] = {"day": day, "suggested_limit": None, "curve": [], "audits": [], "ladder": []}
        if day:
            curve = churn_reads.return_rates(day)
            told |= {"curve": curve, "suggested_limit": churn_reads.smallest_limit(curve, 0.10)}
            told |= {"audits": day_reads.audits(day), "ladder": churn_reads.ladder(workspace, day)}
        return Response(ChurnOut(told).data)


urlpatterns = [
    path("days/<day:day>", OneDay.as_view()),
    path("moves", ListMoves.as_view()),
    path("warnings", ListWarnings.as_view()),
    path("churn", ShowChurn.as_view()),
]
