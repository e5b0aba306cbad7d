"""Errors the domain raises, and the one shape in which the API tells them."""

from __future__ import annotations

import sys
from contextlib import suppress
from typing import Any

from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse, UnreadablePostError
from django.views import defaults
from rest_framework import exceptions, status
from rest_framework.response import Response

from workspaces.scoping import NoScope, current_workspace
from workspaces.sql import is_away

# Addresses that programs ask; everything else is pages.
PROGRAMS = (
    "/api/",
    "/v1/",
    "/beacon/",
    "/pixel/",
    "/sa/",
    "/sa.gif/",
    "/debug/",
    "/batch/",
    "/capture/",
    "/e/",
    "/i/v0/",
    "/health/",
)


class DomainError(Exception):
    """A rule was broken. `code` is stable, `message` is for people, `path` names the field."""

    status = status.HTTP_400_BAD_REQUEST

    def __init__(self, code: str, message: str, path: str = "") -> None:
        super().__init__(message)
        self.code, self.message, self.path = code, str(message), path


class Conflict(DomainError):
    """The thing is not in the state that the change starts from."""

    status = status.HTTP_409_CONFLICT


def error_body(code: str, message: str, request_id: str = "", details: list[dict[str, Any]] | None = None) -> dict:
    return {"error": {"code": code, "message": message, "request_id": request_id, "details": details or []}}


def api_exception_handler(error: Exception, context: dict[str, Any]) -> Response | None:
    """Turn what an API view raised into `{"error": {code, message, request_id, details}}`.

    What it does not know becomes 503 or 500 in the same shape: see `workspaces.errors.server_error`.
    """
    request_id = getattr(context["request"]._request, "request_id", "")
    with suppress(NoScope):  # without a scope nothing was begun that could be undone
        current_workspace()
        transaction.set_rollback(True)
    headers: dict[str, str] = {}
    details: list[dict[str, Any]] = []
    if isinstance(error, DomainError):
        http_status, code, message = error.status, error.code, error.message
        details = [{"path": error.path, "code": error.code}] if error.path else []
    elif isinstance(error, Http404):
        http_status, code, message = 404, "not_found", "Not found."
    elif isinstance(error, PermissionDenied):
        http_status, code, message = 403, "not_allowed", "This key may not do that."
    elif isinstance(error, ValidationError):
        http_status, code, message = 400, "invalid", "; ".join(error.messages)
    elif isinstance(error, UnreadablePostError):
        http_status, code, message = 400, "incomplete", "The body ended too early."
    elif isinstance(error, exceptions.APIException):
        codes = error.get_codes()
        http_status, code = error.status_code, codes if isinstance(codes, str) else error.default_code
        message = "The input is not valid." if isinstance(error, exceptions.ValidationError) else str(error.detail)
        details = flatten(error.get_full_details()) if isinstance(error, exceptions.ValidationError) else []
        if wait := getattr(error, "wait", None):
            headers["Retry-After"] = str(int(wait))
        if challenge := getattr(error, "auth_header", None):
            headers["WWW-Authenticate"] = challenge
    else:
        return None
    return Response(error_body(code, message, request_id, details), status=http_status, headers=headers)


def flatten(detail: Any, path: str = "") -> list[dict[str, Any]]:
    """DRF's nested validation details as a flat list of {path, code, message}."""
    if isinstance(detail, dict) and set(detail) == {"message", "code"}:
        return [{"path": path, "code": detail["code"], "message": str(detail["message"])}]
    pairs = detail.items() if isinstance(detail, dict) else enumerate(detail)
    rows = []
    for key, value in pairs:
        only = isinstance(key, int) and len(detail) == 1  # a field's single message needs no number
        rows += flatten(value, path if only else f"{path}/{key}")
    return rows


def json_error(request: HttpRequest, http_status: int, code: str, message: str) -> JsonResponse:
    return JsonResponse(error_body(code, message, getattr(request, "request_id", "")), status=http_status)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """404 in the language of whoever asked: JSON for programs, a page for people."""
    if is_program(request):
        return json_error(request, 404, "not_found", "There is no such address here.")
    return defaults.page_not_found(request, exception)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """400 for what Django refuses before any view runs, such as a foreign Host."""
    if is_program(request):
        return json_error(request, 400, "bad_request", "The request is not valid.")
    return defaults.bad_request(request, exception)


def server_error(request: HttpRequest) -> HttpResponse:
    """500 for what nobody expected; 503 while the database is away, so that the program asks again."""
    if not is_program(request):
        return defaults.server_error(request)
    if not is_away(sys.exception()):
        return json_error(request, 500, "internal_error", "Something went wrong here; nothing was changed.")
    response = json_error(request, 503, "unavailable", "The database does not answer. Try again later.")
    response["Retry-After"] = "5"
    return response


def is_program(request: HttpRequest) -> bool:
    return f"{request.path_info}/".startswith(PROGRAMS)
