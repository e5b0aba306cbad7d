"""The HTTP door of ingest: a request in, one answer per item out, and 200 only after the commit."""

from __future__ import annotations

import base64
import binascii
import logging
import re
from collections.abc import Callable
from functools import wraps
from typing import Any

import msgspec
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt

from users.ingest.body import BadRequest, read_body
from users.ingest.normal import Refused, Result, refused
from users.ingest.rejects import keep_rejects
from users.ingest.segment import Reading, Request, look_up, read_item
from users.ingest.write import write
from users.services import in_scope, sqlstate
from workspaces.authentication import bearer_secret, find_key, touch_key
from workspaces.models import AccessKey

logger = logging.getLogger(__name__)
RETRY_SECONDS = 5
STORAGE_FULL = {"53100", "53200", "53300", "53400"}
HEADERS = "Authorization, Content-Type, Content-Encoding, X-Retry-Count, AnonymousId, SentAt"


def open_to_browsers(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """Answer preflights and every error in JSON, and let pages of any origin read the answer: the key is the proof."""

    @csrf_exempt
    @wraps(view)
    def answer(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if request.method == "OPTIONS":
            response = preflight(request)
        elif request.method != "POST":
            response = problem(405, "method_not_allowed", "Send a POST.")
            response["Allow"] = "POST, OPTIONS"
        else:
            response = guarded(view, request, *args, **kwargs)
        response["Access-Control-Allow-Origin"] = "*"
        return response

    return answer


def guarded(view: Callable[..., HttpResponse], request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
    """Run the view; whatever goes wrong is an answer an SDK understands: it retries 503 and gives up on 400."""
    try:
        return view(request, *args, **kwargs)
    except BadRequest as error:
        return problem(error.status, error.code, error.message)
    except (OperationalError, InterfaceError) as error:
        logger.warning("ingest: the database is not available: %s", error)
        full = sqlstate(error) in STORAGE_FULL
        response = problem(503, "storage_full" if full else "unavailable", "Nothing was stored. Try again later.")
        response["Retry-After"] = str(RETRY_SECONDS)
        return response
    except Exception:  # a bug of ours: the client keeps its events and tries again
        logger.exception("ingest: unexpected error")
        return problem(500, "internal_error", "Nothing was stored. Try again later.")


def preflight(request: HttpRequest) -> HttpResponse:
    asked = request.headers.get("Access-Control-Request-Headers", "")
    response = HttpResponse(status=204)
    response["Access-Control-Allow-Methods"] = "POST, OPTIONS"
    response["Access-Control-Allow-Headers"] = asked if re.fullmatch(r"[\w\-, ]{1,500}", asked, re.ASCII) else HEADERS
    response["Access-Control-Max-Age"] = "86400"
    return response


def problem(status: int, code: str, message: str) -> HttpResponse:
    return json(status, {"success": False, "code": code, "message": message, "items": []})


def json(status: int, answer: dict[str, Any]) -> HttpResponse:
    return HttpResponse(msgspec.json.encode(answer), content_type="application/json", status=status)


@open_to_browsers
def receive(request: HttpRequest, kind: str) -> HttpResponse:
    """Take one message (`kind` is its type) or a batch. 400 for one bad message; a batch is never refused for an item."""
    single = kind != "batch"
    key = presented_key(request)
    opened = Request(read_body(request), single)
    key = key or (find_key(opened.write_key, "write") if opened.write_key else None)
    if key is None:
        return problem(401, "unauthenticated", "The write key is missing, not known, or revoked.")
    results = take(key, opened, kind if single else None)
    return summarise(results, single)


def presented_key(request: HttpRequest) -> AccessKey | None:
    """The write key of the header or the query, where it is a live one. It may also stand in the body."""
    for secret in (basic_user(request), bearer_secret(request), request.GET.get("writeKey", "")):
        if secret and (key := find_key(secret, "write")):
            return key
    return None


def basic_user(request: HttpRequest) -> str:
    scheme, _, encoded = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return ""
    try:
        return base64.b64decode(encoded.strip(), validate=True).decode().partition(":")[0]
    except (binascii.Error, ValueError):
        return ""


def take(key: AccessKey, opened: Request, kind: str | None) -> list[Result]:
    """Read and store every item in one transaction; returns what became of each."""
    now = timezone.now()
    readings = [read(item, kind, opened, now, key.workspace.currency) for item in opened.items]
    places, normal = [], []
    for n, reading in enumerate(readings):
        if isinstance(reading, Reading):
            for item in (reading.event, reading.profile):
                if item is not None:
                    places.append(n)
                    normal.append(item)

    def store() -> list[Result]:
        results = [reading if isinstance(reading, Result) else Result("accepted") for reading in readings]
        touch_key(key)
        for n, result in zip(places, write(normal, now), strict=True):
            if result.status != "accepted":
                results[n] = result
        bad = [(raw_of(opened.items[n]), result) for n, result in enumerate(results) if result.status == "rejected"]
        keep_rejects(key.workspace, bad, look_up(opened.context, "library", "name"), now)
        return results

    return noted(in_scope(key.workspace, store), readings)


def read(item: bytes | Refused, kind: str | None, opened: Request, now: Any, currency: str) -> Reading | Result:
    try:
        if isinstance(item, Refused):
            raise item
        return read_item(item, kind, opened, now, currency)
    except Refused as reason:
        return refused(reason)


def raw_of(item: bytes | Refused) -> bytes:
    return item if isinstance(item, bytes) else b""


def noted(results: list[Result], readings: list[Reading | Result]) -> list[Result]:
    """Accepted items carry a note about what was left out of them."""
    return [
        reading.note if result.status == "accepted" and isinstance(reading, Reading) and reading.note else result
        for result, reading in zip(results, readings, strict=True)
    ]


def summarise(results: list[Result], single: bool) -> HttpResponse:
    """The answer: counts, and one line per item with its place, status, code, message and path."""
    counts = {status: sum(r.status == status for r in results) for status in ("accepted", "duplicate", "rejected")}
    items = [
        {"index": n, "status": r.status, "code": r.code, "message": r.message, "path": r.path}
        for n, r in enumerate(results)
    ]
    answer: dict[str, Any] = {"success": True, "code": "ok", "message": "", **counts, "items": items}
    if single and counts["rejected"]:
        answer |= {"success": False, "code": items[0]["code"], "message": items[0]["message"]}
    return json(200 if answer["success"] else 400, answer)


@open_to_browsers
def not_found(request: HttpRequest, rest: str = "") -> HttpResponse:
    return problem(404, "not_found", "There is no such address here.")
