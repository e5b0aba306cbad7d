"""The door of the dashboard: path and membership in, scope open, strangers get 404. And an id for every request."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable
from typing import Any

from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import ImproperlyConfigured, PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.urls import is_valid_path

from workspaces.models import Membership, Workspace
from workspaces.permissions import allowed
from workspaces.scoping import door, workspace_scope

GetResponse = Callable[[HttpRequest], HttpResponse]


class RequestId:
    """Gives every request an id, which errors and logs repeat."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        given = request.headers.get("X-Request-Id", "")
        request.request_id = given if re.fullmatch(r"[\w-]{8,64}", given) else uuid.uuid4().hex  # type: ignore[attr-defined]
        response = self.get_response(request)
        response["X-Request-Id"] = request.request_id  # type: ignore[attr-defined]
        return response


def find_membership(operator: Any, slug: str) -> tuple[Workspace, Membership]:
    """The workspace and the operator's membership in it. Raises Http404 for strangers and unknown slugs alike."""
    workspace = Workspace.objects.filter(slug=slug).first()
    if workspace is None:
        raise Http404
    with door("operator_id", str(operator.pk)):
        membership = Membership.unscoped.filter(workspace=workspace, operator=operator).first()
    if membership is None:
        raise Http404
    return workspace, membership


def memberships_of(operator: Any) -> list[Membership]:
    """The operator's own memberships with their workspaces, by name: what the chooser of workspaces shows."""
    with door("operator_id", str(operator.pk)):
        rows = Membership.unscoped.filter(operator=operator).select_related("workspace")
        return list(rows.order_by("workspace__name"))


def without_nul(typed: QueryDict) -> QueryDict:
    """The same without NUL characters, which no browser sends and PostgreSQL does not take."""
    if not any("\0" in value for _name, values in typed.lists() for value in values):
        return typed
    clean = QueryDict(mutable=True)
    for name, values in typed.lists():
        clean.setlist(name, [value.replace("\0", "") for value in values])
    return clean


def page_above(path: str) -> str:
    """The nearest address above that there is: /w/acme/settings/ of /w/acme/settings/change/."""
    above = f"{path.rstrip('/').rpartition('/')[0]}/"
    return above if is_valid_path(above) else page_above(above)


class WorkspaceDoor:
    """Every URL with a `slug` belongs to a workspace; its view must name an action."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        # Whoever chooses a language on the answer to a form, or logs in again after sending one, comes back to the form's
        # address, where there is nothing to see.
        looks = request.method == "GET" and "text/html" in request.headers.get("Accept", "")
        if response.status_code == 405 and looks and hasattr(request, "workspace"):
            return HttpResponseRedirect(page_above(request.path))
        if hasattr(request, "membership"):
            # Of people, for the one who asked: kept by nothing on the way, nor by a browser after they logged out.
            response.setdefault("Cache-Control", "no-store")
        return response

    def process_view(self, request: HttpRequest, view: Callable, args: tuple, kwargs: dict) -> HttpResponse | None:
        if "slug" not in kwargs:
            return None
        if not request.user.is_authenticated:
            return redirect_to_login(request.get_full_path())
        request.workspace, request.membership = find_membership(request.user, kwargs.pop("slug"))  # type: ignore[attr-defined]
        name = getattr(view, "action", None)
        if name is None:
            raise ImproperlyConfigured(f"{view} names no action; see workspaces.permissions.")
        if not allowed(request.membership.role, name):  # type: ignore[attr-defined]
            raise PermissionDenied
        request.GET, request.POST = without_nul(request.GET), without_nul(request.POST)  # type: ignore[assignment]
        if view.scope_by_hand:  # type: ignore[attr-defined]
            return view(request, *args, **kwargs)
        with workspace_scope(request.workspace):  # type: ignore[attr-defined]
            return view(request, *args, **kwargs)
