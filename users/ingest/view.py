"""The HTTP door of ingest: a request in, one answer per item out, and 200 only after the commit."""

from __future__ import annotations

import base64
import binascii
import logging
import re
from collections.abc import Callable
from functools import wraps
from typing import Any

from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt

from users.ingest.body import BadRequest, read_body
from users.ingest.normal import Reading, Refused, Result, refused
from users.ingest.posthog import quiet
from users.ingest.protocol import Answer, Incoming, Request, tell
from users.ingest.rejects import keep_rejects
from users.ingest.segment import browser_settings
from users.ingest.write import write
from users.services import in_scope, sqlstate
from workspaces.authentication import bearer_secret, find_key, touch_key
from workspaces.models import AccessKey

View = Callable[..., HttpResponse]
logger = logging.getLogger(__name__)
RETRY_SECONDS = 5
STORAGE_FULL = {"53100", "53200", "53300", "53400"}
HEADERS = "Authorization, Content-Type, Content-Encoding, X-Retry-Count, AnonymousId, SentAt"


def open_to_browsers(*methods: str) -> Callable[[View], View]:
    """Answer preflights and every error in JSON, and let pages of any origin read the answer: the key is the proof."""

    def decorate(view: View) -> View:
        @csrf_exempt
        @wraps(view)
        def answer(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            if request.method == "OPTIONS":
                response = preflight(request)
            elif request.method not in methods:
                response = problem(405, "method_not_allowed", f"Send a {methods[0]}.")
                response["Allow"] = ", ".join((*methods, "OPTIONS"))
            else:
                response = guarded(view, request, *args, **kwargs)
            response["Access-Control-Allow-Origin"] = "*"
            return response

        return answer

    return decorate


def guarded(view: View, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
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
    response["Access-Control-Allow-Methods"] = "GET, POST, OPTIONS"
    response["Access-Control-Allow-Headers"] = asked if re.fullmatch(r"[\w\-, ]{1,500}", asked, re.ASCII) else HEADERS
    response["Access-Control-Max-Age"] = "86400"
    return response


def problem(status: int, code: str, message: str) -> HttpResponse:
    return respond(tell(status, {"success": False, "code": code, "message": message, "detail": message, "items": []}))


def respond(answer: Answer) -> HttpResponse:
    return HttpResponse(answer.body, content_type=answer.content_type, status=answer.status)


def receive(protocol: Callable[..., Request], *methods: str) -> View:
    """The view that takes requests of one protocol; what the URL names goes to `protocol` with the request."""

    @open_to_browsers(*(methods or ("POST",)))
    def view(request: HttpRequest, **named: Any) -> HttpResponse:
        secrets = presented_secrets(request)
        incoming = Incoming(request.method or "", request.GET.dict(), request.headers, read_body(request))
        opened = protocol(incoming, **named)
        key = next(
            (key for secret in (*secrets, *opened.secrets) if secret and (key := find_key(secret, "write"))), None
        )
        if key is None:
            return problem(401, "unauthenticated", "The write key is missing, not known, or revoked.")
        return respond(opened.answer(take(key, opened)))

    return view


def presented_secrets(request: HttpRequest) -> tuple[str, ...]:
    """Where the write key may stand outside of the body. Some protocols carry it inside."""
    return basic_user(request), bearer_secret(request), request.GET.get("writeKey", "")


def basic_user(request: HttpRequest) -> str:
    scheme, _, encoded = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return ""
    try:
        return base64.b64decode(encoded.strip(), validate=True).decode().partition(":")[0]
    except (binascii.Error, ValueError):
        return ""


def take(key: AccessKey, opened: Request) -> list[Result]:
    """Read and store every item in one transaction; returns what became of each."""
    now = timezone.now()
    readings = [read(item, opened, now, key.workspace.currency) for item in opened.items]
    parts = [(n, part) for n, reading in enumerate(readings) if isinstance(reading, Reading) for part in reading.items]

    def store() -> list[Result]:
        results = [reading if isinstance(reading, Result) else Result("accepted") for reading in readings]
        touch_key(key)
        for (n, _part), result in zip(parts, write([part for _n, part in parts], now), strict=True):
            if result.status != "accepted":
                results[n] = result
        bad = [(raw_of(opened.items[n]), result) for n, result in enumerate(results) if result.status == "rejected"]
        keep_rejects(key.workspace, bad, opened.library, now)
        return results

    if opened.dry_run:
        return [reading if isinstance(reading, Result) else reading.note or Result("accepted") for reading in readings]
    return noted(in_scope(key.workspace, store), readings)


def read(item: bytes | Refused, opened: Request, now: Any, currency: str) -> Reading | Result:
    try:
        if isinstance(item, Refused):
            raise item
        return opened.read(item, now, currency)
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


@open_to_browsers("GET")
def segment_settings(request: HttpRequest, write_key: str) -> HttpResponse:
    return respond(browser_settings(write_key[:200], request.get_host(), request.scheme or "https"))


@open_to_browsers("GET", "POST")
def posthog_quiet(request: HttpRequest, rest: str = "") -> HttpResponse:
    return respond(quiet())


@open_to_browsers("POST", "GET")
def not_found(request: HttpRequest, rest: str = "") -> HttpResponse:
    return problem(404, "not_found", "There is no such address here.")
