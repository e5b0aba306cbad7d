"""The fast door: ingest straight from the server, beside Django, so that a small request costs little.

The event loop takes requests, the one thread of `group.Writer` reads and stores what waits, all of it in one go; keys are
remembered for a few seconds.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, MutableMapping
from typing import Any
from urllib.parse import parse_qsl

from django.db import close_old_connections

from users.ingest import addresses, door
from users.ingest.body import MAX_BYTES, TOO_LARGE, BadRequest
from users.ingest.group import Writer
from users.ingest.patience import Patience
from users.ingest.protocol import Answer, Incoming
from workspaces.models import AccessKey

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
# So long may a revoked key still be taken.
REMEMBER_S = 5.0
MAX_REMEMBERED = 10_000
# So long a request that was read may wait for the database, be it stopped or only slow; then its client comes back.
ANSWER_S = 8.0
# So long a body may take to arrive, however slow the line: what has come of it is held in memory.
BODY_S = 60.0
READING, WAITING = Patience(BODY_S), Patience(ANSWER_S)
_keys: dict[str, tuple[AccessKey, float]] = {}
_asking: dict[tuple[str, ...], asyncio.Future[AccessKey | None]] = {}
WRITER = Writer()


class Headers(Mapping[str, str]):
    """The headers of a request, each read when it is asked for: an SDK sends ten, and two or three matter."""

    def __init__(self, raw: Iterable[tuple[bytes, bytes]]) -> None:
        self.raw = dict(raw)

    def __getitem__(self, name: str) -> str:
        return self.raw[name.encode("latin-1")].decode("latin-1")

    def __iter__(self) -> Iterator[str]:
        return (name.decode("latin-1") for name in self.raw)

    def __len__(self) -> int:
        return len(self.raw)


class ClientLeft(Exception):
    """The client hung up in the middle of its request; nobody waits for an answer."""


async def application(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer one HTTP request to one of the addresses of ingest."""
    incoming = Incoming(
        scope["method"],
        scope["path"],
        query_of(scope["query_string"]),
        Headers(scope["headers"]),
    )
    try:
        answer = await take(incoming, receive)
    except ClientLeft:
        return
    except Exception as error:
        answer = door.explain(error)
    await respond(send, answer, bodiless=incoming.method == "HEAD")


async def respond(send: Send, answer: Answer, *, bodiless: bool = False) -> None:
    headers = [
        (b"content-type", answer.content_type.encode("latin-1")),
        (b"content-length", b"%d" % len(answer.body)),
        (b"access-control-allow-origin", b"*"),
        *((name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in answer.headers.items()),
    ]
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if bodiless else answer.body})


def query_of(raw: bytes) -> dict[str, str]:
    return dict(parse_qsl(raw.decode("ascii", "replace"), keep_blank_values=True)) if raw else {}


async def take(incoming: Incoming, receive: Receive) -> Answer:
    address = addresses.find(incoming.path)
    if answer := door.without_key(address, incoming):
        return answer
    assert address is not None
    try:
        with READING:
            incoming.body = await read_body(receive, incoming.headers.get("content-length", ""))
    except TimeoutError as error:
        raise BadRequest(408, "too_slow", f"The body took longer than {BODY_S:.0f} seconds.") from error
    request = door.open_request(address, incoming)
    with WAITING:
        key = await find_key(door.secrets_of(incoming, request))
        if key is None:
            return door.unauthenticated()
        if key.events_per_second and (answer := await asyncio.to_thread(door.over_limit, key, request)):
            return answer
        return await WRITER.submit(key, request)


async def read_body(receive: Receive, length: str) -> bytes:
    """The whole body, at most MAX_BYTES of it. Raises BadRequest, and ClientLeft."""
    if length.isdecimal() and int(length) > MAX_BYTES:
        raise BadRequest(*TOO_LARGE)
    parts, size = [], 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientLeft
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > MAX_BYTES:
            raise BadRequest(*TOO_LARGE)
        if not message.get("more_body"):
            return parts[0] if len(parts) == 1 else b"".join(parts)


async def find_key(secrets: list[str]) -> AccessKey | None:
    """The first live write key among the secrets, as the database said at most REMEMBER_S ago.

    Asked again while the answer still holds, and once for all requests that want to know: nobody waits for it twice.
    """
    now = time.monotonic()
    for secret in secrets:
        if (known := _keys.get(secret)) and known[1] > now:
            if known[1] - now < REMEMBER_S / 2:
                ask([secret])
            return known[0]
    return await asyncio.shield(ask(secrets)) if secrets else None


def ask(secrets: list[str]) -> asyncio.Future[AccessKey | None]:
    """The look-up of these secrets that is under way, or a new one."""
    told = tuple(secrets)
    if told not in _asking:
        _asking[told] = asyncio.ensure_future(asyncio.to_thread(look_up, secrets))
        _asking[told].add_done_callback(lambda done: (_asking.pop(told), done.cancelled() or done.exception()))
    return _asking[told]


def look_up(secrets: list[str]) -> AccessKey | None:
    close_old_connections()
    for secret in secrets:
        if key := door.first_key([secret]):
            if len(_keys) >= MAX_REMEMBERED:
                _keys.clear()
            _keys[secret] = key, time.monotonic() + REMEMBER_S
            return key
        _keys.pop(secret, None)
    return None
