"""The door of ingest, whatever server stands in front: a request in, and 200 only after the commit.

`open_request` reads and checks without the database; `store` writes; both end in an `Answer`. `view.py` is the door for
Django's requests, `wire.py` the fast one on the connection itself.
"""

from __future__ import annotations

import base64
import binascii
import logging
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from itertools import islice
from typing import Any

import msgspec
from django.utils import timezone

from users.ingest.arrivals import Taken, count_arrivals, note_arrivals
from users.ingest.body import BadRequest, inflated
from users.ingest.limits import take
from users.ingest.normal import ACCEPTED, Reading, Refused, Result, refused
from users.ingest.people import writing_scope
from users.ingest.protocol import Answer, Incoming, Request, tell
from users.ingest.rejects import keep_rejects
from users.ingest.write import write
from users.services import in_scope
from workspaces.authentication import find_key, touch_key
from workspaces.models import AccessKey, Workspace
from workspaces.sql import is_away, sqlstate

logger = logging.getLogger(__name__)
RETRY_SECONDS = 5
STORAGE_FULL = {"53100", "53200", "53300", "53400"}
HEADERS = "Authorization, Content-Type, Content-Encoding, X-Retry-Count, AnonymousId, SentAt"


Note = Callable[[Workspace, list[Taken], datetime], None]


class Address(msgspec.Struct, frozen=True):
    """What stands at an address: a protocol that takes events, or an answer that is the same for everybody."""

    methods: tuple[str, ...]
    protocol: Callable[..., Request] | None = None
    named: dict[str, Any] = {}
    fixed: Callable[[Incoming], Answer] | None = None


class Opened(msgspec.Struct):
    """A request that was read: whose key it carries, and every item in the normal form or the reason against it."""

    key: AccessKey
    request: Request
    readings: list[Reading | Result]
    received_at: datetime


def open_request(address: Address, incoming: Incoming) -> Request:
    """Split the body into items. Raises BadRequest. Needs no database."""
    assert address.protocol is not None
    incoming.body = inflated(incoming.body, incoming.headers.get("content-encoding", ""))
    return address.protocol(incoming, **address.named)


def secrets_of(incoming: Incoming, request: Request) -> list[str]:
    """Every text of the request that may be its write key: SDKs put it in the header, the address or the body."""
    scheme, _, told = incoming.headers.get("authorization", "").partition(" ")
    scheme = scheme.lower()
    outside = told.strip() if scheme == "bearer" else basic_user(told) if scheme == "basic" else ""
    return [secret for secret in (outside, incoming.query.get("writeKey", ""), *request.secrets) if secret]


def basic_user(encoded: str) -> str:
    try:
        return base64.b64decode(encoded.strip(), validate=True).decode().partition(":")[0]
    except (binascii.Error, ValueError):
        return ""


def first_key(secrets: list[str]) -> AccessKey | None:
    """The first live write key among them."""
    return next((key for secret in secrets if (key := find_key(secret, "write"))), None)


def read_all(key: AccessKey, request: Request, received_at: datetime | None = None) -> Opened:
    """Every item in the normal form, or why it cannot be taken. Needs no database."""
    now = received_at or timezone.now()
    currency, read = key.workspace.currency, request.read
    readings: list[Reading | Result] = []
    for item in request.items:
        try:
            if isinstance(item, Refused):
                raise item
            readings.append(read(item, now, currency))
        except Refused as reason:
            readings.append(refused(reason))
    return Opened(key, request, readings, now)


def over_limit(key: AccessKey, request: Request) -> Answer | None:
    """What is told to a key that sends more than it may; it waits, and sends the same again. None when all may pass."""
    wait = 0 if request.dry_run else take(key, len(request.items))
    if not wait:
        return None
    answer = problem(429, "rate_limited", f"This key may send {key.events_per_second} events per second.")
    answer.headers |= {"Retry-After": str(wait), "Access-Control-Expose-Headers": "Retry-After"}
    return answer


def store(batch: list[Opened], note: Note = note_arrivals) -> list[list[Result]]:
    """Store requests of one workspace in one transaction; returns what became of each one's items.

    `note` is called inside it with what was taken, for the page that shows it.
    """
    writes = [opened for opened in batch if not opened.request.dry_run]
    if writes:
        told = [part for opened in writes for reading in opened.readings for part in parts_of(reading)]
        received_at = max(opened.received_at for opened in writes)

        def work() -> list[list[Result]]:
            touch_key(writes[0].key)
            taken: list[Taken] = []

            def count(told_of: list[Result]) -> str:
                taken[:] = take_all(writes, told_of)
                return count_arrivals(taken, received_at)

            write(told, received_at, count)
            for opened, one in zip(writes, taken, strict=True):
                bad = [
                    (raw_of(opened.request.items[n]), r) for n, r in enumerate(one.results) if r.status == "rejected"
                ]
                keep_rejects(opened.key.workspace, bad, opened.request.library, received_at)
            note(writes[0].key.workspace, taken, received_at)
            return [one.results for one in taken]

        stored = iter(in_scope(writes[0].key.workspace, work, scope=writing_scope))
    return [
        [outcome(reading, None) for reading in opened.readings] if opened.request.dry_run else next(stored)
        for opened in batch
    ]


def take_all(batch: list[Opened], told_of: list[Result]) -> list[Taken]:
    """Each request with what became of its items; `told_of`: what became of the parts of all of them."""
    outcomes = None if told_of.count(ACCEPTED) == len(told_of) else iter(told_of)
    return [
        Taken(opened.request.library, opened.readings, [outcome(reading, outcomes) for reading in opened.readings])
        for opened in batch
    ]


def parts_of(reading: Reading | Result) -> list[Any]:
    return reading.items if isinstance(reading, Reading) else []


def outcome(reading: Reading | Result, outcomes: Iterator[Result] | None) -> Result:
    """What became of one item: refused, or what became of the first of its parts that was not accepted, or accepted with a
    note. `outcomes` is None where all parts were accepted."""
    if isinstance(reading, Result):
        return reading
    if outcomes:
        for result in list(islice(outcomes, len(reading.items))):
            if result is not ACCEPTED:
                return result
    return reading.note or ACCEPTED


def raw_of(item: bytes | Refused) -> bytes:
    return item if isinstance(item, bytes) else b""


def explain(error: Exception) -> Answer:
    """What an SDK is told when nothing was stored: it comes back after a 503, and gives up on a 400."""
    if isinstance(error, BadRequest):
        answer = problem(error.status, error.code, str(error))
    elif isinstance(error, TimeoutError):
        logger.warning("ingest: the database did not answer in time")
        answer = problem(503, "unavailable", "Perhaps nothing was stored. Send the same again later.")
    elif is_away(error):
        logger.warning("ingest: the database is not available: %s", error)
        full = sqlstate(error) in STORAGE_FULL
        answer = problem(503, "storage_full" if full else "unavailable", "Nothing was stored. Try again later.")
    else:  # a bug of ours: the client keeps its events and tries again
        logger.error("ingest: unexpected error", exc_info=error)
        answer = problem(500, "internal_error", "Nothing was stored. Try again later.")
    if answer.status == 503:
        answer.headers["Retry-After"] = str(RETRY_SECONDS)
    return answer


def unauthenticated() -> Answer:
    return problem(401, "unauthenticated", "The write key is missing, not known, or revoked.")


def problem(status: int, code: str, message: str) -> Answer:
    return tell(status, {"success": False, "code": code, "message": message, "detail": message, "items": []})


def without_key(address: Address | None, incoming: Incoming) -> Answer | None:
    """The answer where none needs a key: preflights, wrong methods and addresses, and what is the same for everybody."""
    if incoming.method == "OPTIONS":
        return preflight(incoming.headers)
    if address is None:
        return problem(404, "not_found", "There is no such address here.")
    if incoming.method not in address.methods:
        answer = problem(405, "method_not_allowed", f"Send a {address.methods[0]}.")
        answer.headers["Allow"] = ", ".join((*address.methods, "OPTIONS"))
        return answer
    return address.fixed(incoming) if address.fixed else None


def preflight(headers: Mapping[str, str]) -> Answer:
    """Pages of any origin may send, and read the answer: the key is the proof."""
    asked = headers.get("access-control-request-headers", "")
    answer = Answer(204, b"")
    answer.headers["Access-Control-Allow-Methods"] = "GET, POST, OPTIONS"
    answer.headers["Access-Control-Allow-Headers"] = (
        asked if re.fullmatch(r"[\w\-, ]{1,500}", asked, re.ASCII) else HEADERS
    )
    answer.headers["Access-Control-Max-Age"] = "86400"
    return answer
