"""Settings, for programs: what they are, what a change of them would move, whom, and the change itself."""

from __future__ import annotations

import uuid
from typing import Any

from django.http import Http404
from django.urls import path
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from ops_platform import names, rules_change
from ops_platform.models import RulesChange, RulesMove
from ops_platform.tasks import run_rules_changes
from segmentation.rfm_axes import CHOICES
from users.models import EndUser
from workspaces.authentication import WorkspaceAPIView
from workspaces.errors import Conflict, DomainError
from workspaces.rules import FIRST_STEP, PRESETS, Rules
from workspaces.scoping import current_workspace

PAGE = 1000


class SettingsOut(serializers.Serializer):
    """Every setting as it stands."""

    industry = serializers.CharField(help_text="Whose preset holds where nothing was set.")
    settings = serializers.DictField(help_text="Every setting by name; money in minor units.")
    own = serializers.ListField(child=serializers.CharField(), help_text="Those that this workspace set itself.")
    moving = serializers.ListField(child=serializers.CharField(), help_text="Those whose change can move people.")
    axes = serializers.ListField(child=serializers.CharField(), help_text="Metrics that R, F and M can be.")


class PresetOut(serializers.Serializer):
    """What choosing an industry sets; roles are names of events."""

    industry = serializers.CharField()
    settings = serializers.DictField()
    roles = serializers.DictField()


class PresetPage(serializers.Serializer):
    results = PresetOut(many=True)


class ChangeIn(serializers.Serializer):
    """Settings and their new values; with `industry`, its preset is taken before."""

    changes = serializers.DictField(default=dict)
    industry = serializers.ChoiceField(choices=[*PRESETS], required=False)


class BoardMoveOut(serializers.Serializer):
    """So many people from one key to another; empty is not there."""

    from_key = serializers.CharField(allow_blank=True)
    to_key = serializers.CharField(allow_blank=True)
    people = serializers.IntegerField()


class BoardMovesOut(serializers.Serializer):
    stage = BoardMoveOut(many=True)
    activity = BoardMoveOut(many=True)
    rfm = BoardMoveOut(many=True)
    bits = BoardMoveOut(many=True)


class ChangeOut(serializers.Serializer):
    """A change of settings. `moves` are known from the state ready on."""

    id = serializers.UUIDField()
    state = serializers.CharField(help_text="due, previewing, ready, wanted, applying, applied or failed")
    step = serializers.CharField(help_text="The step of the night that runs now; empty while nothing does.")
    changes = serializers.DictField()
    industry = serializers.CharField()
    moves = BoardMovesOut()
    sizes = serializers.DictField(help_text="People per board and key before the change.")
    outdated = serializers.BooleanField(help_text="Whether settings or numbers have changed since.")
    expected_seconds = serializers.FloatField(allow_null=True)
    preview_seconds = serializers.FloatField(allow_null=True)
    apply_seconds = serializers.FloatField(allow_null=True)
    error = serializers.CharField()
    created_at = serializers.DateTimeField()


class ChangePage(serializers.Serializer):
    results = ChangeOut(many=True)


class StoredOut(serializers.Serializer):
    """A change that moves nobody, or before the first daily update, is stored at once: there is nothing to preview."""

    state = serializers.CharField(help_text="stored")


class MovedUserOut(serializers.Serializer):
    external_id = serializers.CharField()
    board = serializers.CharField(help_text="stage, activity, rfm or bits")
    from_key = serializers.CharField()
    to_key = serializers.CharField()


class MovedPage(serializers.Serializer):
    results = MovedUserOut(many=True)
    next = serializers.CharField(allow_null=True, help_text="Pass as `after` for the next page; null on the last.")


def told(change: RulesChange) -> dict[str, Any]:
    """A change as ChangeOut tells it."""
    moves = {
        board: [{"from_key": was, "to_key": now, "people": people} for was, now, people in change.moves.get(board, [])]
        for board in rules_change.BOARDS
    }
    plain = {name: getattr(change, name) for name in ChangeOut().fields if name not in ("moves", "outdated")}
    return ChangeOut(plain | {"moves": moves, "outdated": rules_change.is_outdated(change, current_workspace())}).data


def find(pk: uuid.UUID) -> RulesChange:
    change = RulesChange.objects.filter(pk=pk).first()
    if change is None:
        raise Http404
    return change


class Settings(WorkspaceAPIView):
    actions = {"get": "settings.view"}

    @extend_schema(responses=SettingsOut)
    def get(self, request: Request) -> Response:
        """Every setting as it stands, and which of them can move people."""
        workspace = current_workspace()
        body = {
            "industry": workspace.industry,
            "settings": workspace.rules.as_dict(),
            "own": sorted(workspace.settings.keys() & Rules().as_dict().keys()),
            "moving": list(FIRST_STEP),
            "axes": list(CHOICES),
        }
        return Response(SettingsOut(body).data)


class Presets(WorkspaceAPIView):
    actions = {"get": "settings.view"}

    @extend_schema(operation_id="settings_presets_list", responses=PresetPage)
    def get(self, request: Request) -> Response:
        """The presets of the industries."""
        presets = [
            {"industry": key, "settings": preset.rules.as_dict(), "roles": preset.roles}
            for key, preset in PRESETS.items()
        ]
        return Response(PresetPage({"results": presets}).data)


class Changes(WorkspaceAPIView):
    actions = {"get": "settings.view", "post": "settings.edit"}

    @extend_schema(operation_id="settings_changes_list", responses=ChangePage)
    def get(self, request: Request) -> Response:
        """The latest changes, newest first."""
        return Response({"results": [told(change) for change in RulesChange.objects.order_by("-created_at")]})

    @extend_schema(request=ChangeIn, responses={202: ChangeOut, 200: StoredOut})
    def post(self, request: Request) -> Response:
        """Preview a change of settings. Nothing is changed until it is applied; what moves nobody is stored at once.

        Errors: 400 naming the setting.
        """
        body = ChangeIn(data=request.data)
        body.is_valid(raise_exception=True)
        change = rules_change.propose(body.validated_data["changes"], body.validated_data.get("industry", ""))
        if change is None:
            return Response(StoredOut({"state": "stored"}).data)
        run_rules_changes.ring(current_workspace())
        return Response(told(change), status=202)


class OneChange(WorkspaceAPIView):
    actions = {"get": "settings.view"}

    @extend_schema(responses=ChangeOut)
    def get(self, request: Request, pk: uuid.UUID) -> Response:
        """How far a change is, and once it is previewed, who moves from where to where."""
        return Response(told(find(pk)))


class ApplyChange(WorkspaceAPIView):
    actions = {"post": "settings.edit"}

    @extend_schema(request=None, responses={202: ChangeOut})
    def post(self, request: Request, pk: uuid.UUID) -> Response:
        """Store the settings of a previewed change and decide everybody anew. Answers at once; ask the change how far it is.

        Errors: 409 `not_ready` without a preview, 409 `outdated` when settings or numbers have changed since.
        """
        change = find(pk)
        rules_change.ask_to_apply(change)
        run_rules_changes.ring(current_workspace())
        return Response(told(change), status=202)


class ChangePeople(WorkspaceAPIView):
    actions = {"get": "users.view"}

    @extend_schema(
        parameters=[
            OpenApiParameter("board", str, description="stage, activity, rfm or bits."),
            OpenApiParameter("from", str, description="Only from this key; `none` for not there."),
            OpenApiParameter("to", str, description="Only to this key; `none` for not there."),
            OpenApiParameter("after", uuid.UUID, description="`next` of the page before."),
        ],
        responses=MovedPage,
    )
    def get(self, request: Request, pk: uuid.UUID) -> Response:
        """Whom a change moves, 1,000 a page, on one board. Kept for the newest preview only."""
        change = find(pk)
        if change.state not in ("ready", "applied"):
            raise Conflict("not_ready", "The change has not been previewed.")
        query = request.query_params
        board = query.get("board", "stage")
        if board not in rules_change.BOARDS:
            raise DomainError("invalid", f"`board` is one of {', '.join(rules_change.BOARDS)}.", "board")
        rows = RulesMove.objects.filter(change=change, board=board).order_by("end_user_id")
        for side in ("from", "to"):
            if key := query.get(side):
                if key != "none" and key not in names.KINDS[board]:
                    raise DomainError("invalid", f"`{side}` is `none` or one of {', '.join(names.KINDS[board])}.", side)
                rows = rows.filter(**{f"{side}_key": "" if key == "none" else key})
        if after := query.get("after"):
            try:
                rows = rows.filter(end_user_id__gt=uuid.UUID(after))
            except ValueError as error:
                raise DomainError("invalid", "`after` is the `next` of an earlier page.", "after") from error
        found = list(rows[: PAGE + 1])
        page = found[:PAGE]
        external = dict(
            EndUser.objects.filter(pk__in=[row.end_user_id for row in page]).values_list("pk", "external_id")
        )
        results = [
            {
                "external_id": external.get(row.end_user_id, ""),
                "board": board,
                "from_key": row.from_key,
                "to_key": row.to_key,
            }
            for row in page
        ]
        more = str(page[-1].end_user_id) if len(found) > PAGE else None
        return Response(MovedPage({"results": results, "next": more}).data)


urlpatterns = [
    path("settings", Settings.as_view()),
    path("settings/presets", Presets.as_view()),
    path("settings/changes", Changes.as_view()),
    path("settings/changes/<uuid:pk>", OneChange.as_view()),
    path("settings/changes/<uuid:pk>/apply", ApplyChange.as_view()),
    path("settings/changes/<uuid:pk>/people", ChangePeople.as_view()),
]
