"""The door of the API: a key names the workspace and a role; the scope opens around the whole operation."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework import authentication, permissions, serializers
from rest_framework.exceptions import AuthenticationFailed, ParseError
from rest_framework.parsers import JSONParser
from rest_framework.request import Request
from rest_framework.views import APIView

from workspaces.errors import DomainError
from workspaces.models import AccessKey, Workspace
from workspaces.permissions import allowed
from workspaces.scoping import current_key, door, workspace_scope


def find_key(secret: str, kind: str) -> AccessKey | None:
    """The live key with this secret, its workspace loaded; None when unknown, revoked or of another kind."""
    key_hash = AccessKey.hash_of(secret)
    with door("key_hash", key_hash):
        key = AccessKey.unscoped.filter(key_hash=key_hash, kind=kind, revoked_at=None).first()
    if key is not None:
        key.workspace = Workspace.objects.get(pk=key.workspace_id)
    return key


def touch_key(key: AccessKey) -> None:
    """Remember that the key was used, at most once an hour."""
    now = timezone.now()
    if key.last_used_at is None or (now - key.last_used_at).total_seconds() > 3600:
        with workspace_scope(key.workspace):
            AccessKey.objects.filter(pk=key.pk).update(last_used_at=now)
        key.last_used_at = now


def bearer_secret(request: HttpRequest) -> str:
    scheme, _, secret = request.headers.get("Authorization", "").partition(" ")
    return secret.strip() if scheme.lower() == "bearer" else ""


class ApiKeyAuthentication(authentication.BaseAuthentication):
    """`Authorization: Bearer <api key>`. The view has already looked the key up to open the scope."""

    def authenticate(self, request: Request) -> tuple[Any, AccessKey] | None:
        if not bearer_secret(request._request):
            return None
        key = getattr(request._request, "access_key", None)
        if key is None:
            raise AuthenticationFailed("The API key is not known or was revoked.", code="bad_key")
        return None, key  # type: ignore[return-value]

    def authenticate_header(self, request: Request) -> str:
        return "Bearer"


class ApiKeyScheme(OpenApiAuthenticationExtension):
    target_class = ApiKeyAuthentication
    name = "apiKey"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {"type": "http", "scheme": "bearer"}


class HasAction(permissions.BasePermission):
    """The operation's action, by method, must be allowed to the key's role."""

    def has_permission(self, request: Request, view: Any) -> bool:
        method = "get" if request.method == "HEAD" else request.method.lower()
        if request.auth is None or method not in view.actions:
            return request.auth is not None  # no such method: the view says so itself
        return allowed(request.auth.role, view.actions[method])


class BoundedJSONParser(JSONParser):
    """JSON that can be worked with: nesting beyond what Python reads, and half a surrogate pair, are errors of the sender."""

    def parse(self, *args: Any, **kwargs: Any) -> Any:
        try:
            parsed = super().parse(*args, **kwargs)
            json.dumps(parsed, ensure_ascii=False).encode()
        except RecursionError:
            raise DomainError("too_deep", "The JSON is nested too deeply.") from None
        except UnicodeEncodeError:
            raise ParseError("JSON parse error - half of a surrogate pair is not text") from None
        return parsed


class MomentField(serializers.DateTimeField):
    """A moment that is given with its offset: without one, an hour of Shanghai would be taken as one of Greenwich."""

    default_error_messages = {"no_offset": gettext_lazy("Give the time with its offset from UTC, such as +08:00.")}

    def enforce_timezone(self, value: datetime) -> datetime:
        if timezone.is_naive(value):
            self.fail("no_offset")
        return super().enforce_timezone(value)


class WorkspaceAPIView(APIView):
    """Base of every API operation. Subclasses name an action per method: `actions = {"get": "users.view"}`."""

    # Not in settings: rest_framework.views reads those while this module, which imports it, is still loading.
    authentication_classes = [ApiKeyAuthentication]
    permission_classes = [HasAction]
    parser_classes = [BoundedJSONParser]
    actions: dict[str, str] = {}

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        secret = bearer_secret(request)
        key = find_key(secret, "api") if secret else None
        request.access_key = key  # type: ignore[attr-defined]
        if key is None:
            return super().dispatch(request, *args, **kwargs)
        request.workspace = key.workspace  # type: ignore[attr-defined]
        # Before the request's own transaction: until the end of a long one all others of the key would wait for its row.
        touch_key(key)
        token = current_key.set(key.name)
        try:
            with workspace_scope(key.workspace):
                return super().dispatch(request, *args, **kwargs)
        finally:
            current_key.reset(token)

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        for name, values in request.query_params.lists():
            if any("\0" in value for value in values):
                raise DomainError("invalid", _("This text has characters that cannot be stored."), name)
