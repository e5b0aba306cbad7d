"""Value, for programs: the model of the published day, sources with what they brought and cost, and the costs themselves."""

from __future__ import annotations

from typing import Any

from django.http import Http404
from django.urls import path
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from lifecycle.models import SourceCost, ValueModel
from lifecycle.sources import LTV_DAYS, MOST_LINES, MOST_MINOR, list_sources, parse_month, remove_cost, save_costs
from ops_platform.value_reads import model_of
from workspaces.authentication import WorkspaceAPIView
from workspaces.errors import DomainError
from workspaces.scoping import current_workspace


class ValueModelOut(serializers.ModelSerializer):
    """What a night found out about repeat buying. Times of `buying` are weeks, money minor units."""

    class Meta:
        model = ValueModel
        exclude = ["pk", "workspace"]


class ShowModel(WorkspaceAPIView):
    actions = {"get": "tiers.view"}

    @extend_schema(responses=ValueModelOut)
    def get(self, request: Request) -> Response:
        """The model of the published day with its back-test; `outcome` says why where nothing is predicted."""
        model = model_of(current_workspace().current_day)
        if model is None:
            raise Http404
        return Response(ValueModelOut(model).data)


class FiguresOut(serializers.Serializer):
    """People registered from a source, what one of them brought and cost, in minor units; null where it is not known."""

    source = serializers.CharField(help_text="Empty for people of whom none is known.")
    people = serializers.IntegerField()
    effective = serializers.IntegerField()
    buyers = serializers.IntegerField()
    revenue_minor = serializers.IntegerField(help_text="Of all of them together, to date.")
    expected_revenue_minor = serializers.IntegerField(help_text="Of all of them together, in the next 52 weeks.")
    ltv = serializers.DictField(
        child=serializers.IntegerField(allow_null=True),
        help_text="Days → what one person brought in so many first days.",
    )
    cost_minor = serializers.IntegerField(allow_null=True)
    cac_minor = serializers.IntegerField(allow_null=True, help_text="Of the months that have a cost.")
    cac_effective_minor = serializers.IntegerField(allow_null=True)
    payback_days = serializers.IntegerField(allow_null=True)


class SourcePage(serializers.Serializer):
    results = FiguresOut(many=True)


class Sources(WorkspaceAPIView):
    actions = {"get": "tiers.view"}

    @extend_schema(operation_id="sources_list", responses=SourcePage)
    def get(self, request: Request) -> Response:
        """Every source, those with most people first. Costs count over the months that have one."""
        margin = current_workspace().rules.margin_percent
        rows = [
            {name: getattr(one.all, name) for name in ("source", "people", "effective", "buyers")}
            | {name: getattr(one.all, name) for name in ("revenue_minor", "expected_revenue_minor")}
            | {name: getattr(one.paid, name) for name in ("cost_minor", "cac_minor", "cac_effective_minor")}
            | {"ltv": {str(days): one.all.ltv(days) for days in LTV_DAYS}}
            | {"payback_days": one.paid.payback_days(margin)}
            for one in list_sources()
        ]
        return Response(SourcePage({"results": rows}).data)


class CostOut(serializers.Serializer):
    """What one month of a source cost, in minor units."""

    source = serializers.CharField(max_length=100)
    month = serializers.RegexField(r"^\d{4}-(0[1-9]|1[0-2])$", help_text="YYYY-MM")
    spend_minor = serializers.IntegerField(min_value=0, max_value=MOST_MINOR)
    rewards_minor = serializers.IntegerField(min_value=0, max_value=MOST_MINOR, default=0, help_text="Cash rewards.")


class CostsIn(serializers.Serializer):
    costs = CostOut(many=True, max_length=MOST_LINES)


class CostPage(serializers.Serializer):
    results = CostOut(many=True)


class Costs(WorkspaceAPIView):
    actions = {"get": "tiers.view", "put": "costs.edit", "delete": "costs.edit"}

    @extend_schema(operation_id="source_costs_list", responses=CostPage)
    def get(self, request: Request) -> Response:
        """Every cost that is known, newest month first."""
        return Response(CostPage({"results": costs()}).data)

    @extend_schema(request=CostsIn, responses=CostPage)
    def put(self, request: Request) -> Response:
        """Set what months of sources cost. What stood for such a month is replaced; other months keep theirs."""
        body = CostsIn(data=request.data)
        body.is_valid(raise_exception=True)
        save_costs(row | {"month": month_of(row["month"])} for row in body.validated_data["costs"])
        return Response(CostPage({"results": costs()}).data)

    @extend_schema(
        parameters=[OpenApiParameter("source", str, required=True), OpenApiParameter("month", str, required=True)],
        responses={204: None},
    )
    def delete(self, request: Request) -> Response:
        """Forget what one month of a source cost."""
        if not remove_cost(request.query_params.get("source", ""), month_of(request.query_params.get("month", ""))):
            raise Http404
        return Response(status=204)


def month_of(text: str) -> Any:
    month = parse_month(text)
    if month is None:
        raise DomainError("invalid", "`month` is written like 2026-08.", "month")
    return month


def costs() -> list[dict[str, Any]]:
    rows = SourceCost.objects.order_by("-month", "source").values("source", "month", "spend_minor", "rewards_minor")
    return [row | {"month": f"{row['month']:%Y-%m}"} for row in rows]


urlpatterns = [
    path("value", ShowModel.as_view()),
    path("sources", Sources.as_view()),
    path("source-costs", Costs.as_view()),
]
