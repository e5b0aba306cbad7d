"""Ingest straight from the socket: requests to its addresses are read and answered here, all others are uvicorn's.

A request with one event costs little beside its event: no task, no messages between server and application, no timer of
its own. The event loop takes requests apart, the one thread of `group.Writer` reads and stores what waits, all in one go.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import parse_qsl, unquote

import httptools
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from users.ingest import addresses, door
from users.ingest.body import MAX_BYTES, TOO_LARGE
from users.ingest.group import Writer
from users.ingest.keys import find_key, remembered
from users.ingest.patience import Patience
from users.ingest.protocol import Answer, Incoming, Request

# Browsers and SDKs send one or two KB.
MAX_HEAD_BYTES = 32 * 1024
HEAD_TOO_LARGE = (431, "headers_too_large", f"At most {MAX_HEAD_BYTES} bytes of headers.")
UNREADABLE = (400, "invalid_request", "This is not HTTP.")
# So long the head of a request may take to arrive.
HEAD_S = 30.0
# So long a body may take to arrive, however slow the line: what has come of it is held in memory.
BODY_S = 60.0
TOO_SLOW = (408, "too_slow", f"The body took longer than {BODY_S:.0f} seconds.")
# So long a request that was read may wait for the database, be it stopped or only slow; then its client comes back.
ANSWER_S = 8.0
# So long a connection is kept for the next request, longer than what proxies in front keep theirs for.
IDLE_S = 75.0
# A client that is still sending what nobody wants reads its answer only then.
LINGER_S = 2.0
# Requests that a connection may have under way before it is read no further.
MAX_TURNS = 100
# Headers by which a client asks to speak something else.
WISHES = {b"connection", b"http2-settings", b"upgrade"}
WRITER = Writer()


class Headers(Mapping[str, str]):
    """The headers of a request, each read when it is asked for: an SDK sends ten, and two or three matter."""

    def __init__(self, raw: Iterable[tuple[bytes, bytes]]) -> None:
        self.raw = dict(raw)

    def __getitem__(self, name: str) -> str:
        return self.raw[name.encode("latin-1")].decode("latin-1")

    def get(self, name: str, default: Any = None) -> Any:  # that of Mapping raises and catches for each that is missing
        found = self.raw.get(name.encode("latin-1"))
        return default if found is None else found.decode("latin-1")

    def __iter__(self) -> Iterator[str]:
        return (name.decode("latin-1") for name in self.raw)

    def __len__(self) -> int:
        return len(self.raw)


class Turn:
    """A request to ingest that waits for its answer. `keep`: the connection goes on after it; `linger`: its client may
    still be sending."""

    __slots__ = ("answer", "bodiless", "found", "keep", "linger", "wire")

    def __init__(self, wire: Wire, keep: bool, bodiless: bool, linger: bool = False) -> None:
        self.wire, self.keep, self.bodiless, self.linger = wire, keep, bodiless, linger
        self.answer: Answer | None = None
        self.found: asyncio.Future[Answer] | None = None

    def wait(self, found: asyncio.Future[Answer]) -> None:
        self.found = found
        ANSWERS.begin(self)
        found.add_done_callback(self.done)

    def done(self, found: asyncio.Future[Answer]) -> None:
        ANSWERS.end(self)
        error = TimeoutError() if found.cancelled() else found.exception()
        self.end(found.result() if error is None else door.explain(error))  # type: ignore[arg-type]

    def end(self, answer: Answer) -> None:
        self.answer = answer
        self.wire.answer()

    def give_up(self) -> None:
        """Whoever stores leaves it alone from now on, unless that is under way."""
        assert self.found is not None
        self.found.cancel()


class Wire(HttpToolsProtocol):
    """One connection. Answers go out in the order in which requests came, also to a client that does not wait for them."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.headers: list[tuple[bytes, bytes]] = []
        # Whether a head is under way, and how much of it came.
        self.heading, self.head = False, 0
        # The request to ingest whose body is under way, what came of it, and whether the connection goes on after it.
        self.incoming: Incoming | None = None
        self.parts: list[bytes] = []
        self.size, self.keep = 0, True
        self.turns: deque[Turn] = deque()
        # Nothing is read any more: the last answer ends the connection. The server is about to end.
        self.deaf = self.leaving = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        HEADS.begin(self)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        for patience in (HEADS, BODIES, IDLE):
            patience.end(self)

    def data_received(self, data: bytes) -> None:
        if self.deaf:
            return
        self._unset_keepalive_if_required()
        IDLE.end(self)
        if self.heading:
            self.head += len(data)
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as stop:
            self.read_plainly(data[stop.args[0] :])
            return
        except httptools.HttpParserError:
            self.refuse(*UNREADABLE)
        if self.heading:
            HEADS.begin(self)
            if self.head > MAX_HEAD_BYTES:
                self.refuse(*HEAD_TOO_LARGE)
        elif self.incoming is not None:
            BODIES.begin(self)

    def eof_received(self) -> bool | None:  # type: ignore[override]
        """A client that sends no more may still wait for what it asked."""
        self.deaf = True
        if self.turns:
            self.turns[-1].keep = False
        return bool(self.turns)

    # What the parser tells

    def on_message_begin(self) -> None:
        self.url, self.headers, self.expect_100_continue = b"", [], False
        self.heading, self.head = True, 0

    def on_headers_complete(self) -> None:
        self.heading = False
        HEADS.end(self)
        if self.deaf or self.parser.should_upgrade():
            return
        if sum([len(name) + len(value) for name, value in self.headers]) > MAX_HEAD_BYTES:
            self.refuse(*HEAD_TOO_LARGE)
            return
        path, query = split_target(self.url)
        if not addresses.is_ours(path):
            self.hand_on()
        elif self.cycle is not None and not self.cycle.response_complete:
            self.end_with(self.cycle)
        else:
            self.begin(path, query)

    def on_body(self, body: bytes) -> None:
        if self.incoming is not None:
            self.size += len(body)
            self.parts.append(body)
            if self.size > MAX_BYTES:
                self.refuse(*TOO_LARGE)
        elif not self.deaf:
            super().on_body(body)

    def on_message_complete(self) -> None:
        if self.incoming is not None:
            self.complete(self.incoming)
        elif not self.deaf and not self.parser.should_upgrade():
            super().on_message_complete()

    def read_plainly(self, behind: bytes) -> None:
        """Nobody here speaks anything else than HTTP: read the same request again without the wish for it, as it is sent by
        Java's own client for one. The parser has left out its body."""
        method, version = self.parser.get_method(), self.parser.get_http_version().encode()
        if method == b"CONNECT":
            self.refuse(*UNREADABLE)
            return
        lines = [b"%s %s HTTP/%s" % (method, self.url, version)]
        lines += [b"%s: %s" % header for header in self.headers if header[0] not in WISHES]
        self.parser = httptools.HttpRequestParser(self)
        self.data_received(b"\r\n".join([*lines, b"", behind]))

    # Requests to ingest

    def begin(self, path: str, query: str) -> None:
        headers = Headers(self.headers)
        self.incoming = Incoming(self.parser.get_method().decode(), path, query_of(query), headers)
        self.keep = self.parser.get_http_version() == "1.1" and self.parser.should_keep_alive() and not self.leaving
        self.size = 0
        length = headers.get("content-length", "")
        if length.isdecimal() and int(length) > MAX_BYTES:
            self.refuse(*TOO_LARGE)
        elif self.expect_100_continue:
            self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def complete(self, incoming: Incoming) -> None:
        """The whole request is here: answer it, or have it answered."""
        BODIES.end(self)
        incoming.body = self.parts[0] if len(self.parts) == 1 else b"".join(self.parts)
        self.incoming, self.parts = None, []
        turn = Turn(self, self.keep, incoming.method == "HEAD")
        self.turns.append(turn)
        if len(self.turns) > MAX_TURNS:
            self.flow.pause_reading()
        if not self.keep:
            self.deaf = True
        found = take(incoming)
        if isinstance(found, Answer):
            turn.end(found)
        else:
            turn.wait(found)

    def refuse(self, status: int, code: str, message: str) -> None:
        """Answer so, and end the connection: where the next request would begin is not known."""
        if self.deaf:
            return
        self.deaf = True
        self.heading, self.incoming, self.parts = False, None, []
        HEADS.end(self)
        BODIES.end(self)
        if self.cycle is not None and not self.cycle.response_complete:
            self.end_with(self.cycle)
            return
        turn = Turn(self, False, False, linger=True)
        self.turns.append(turn)
        turn.end(door.problem(status, code, message))

    def answer(self) -> None:
        """Write what can be written: the answers of the first turns, as far as there are any."""
        if self.transport.is_closing():
            return
        while self.turns and (found := self.turns[0].answer):
            turn = self.turns.popleft()
            self.transport.write(written(found, turn, self.server_state.default_headers))
            if not turn.keep:
                self.hang_up(linger=turn.linger)
                return
        if not self.turns:
            IDLE.begin(self)
            if not self.flow.write_paused:
                self.flow.resume_reading()

    def hang_up(self, *, linger: bool) -> None:
        """End the connection, not before its client had time to read: on what it still sends, TCP would throw that away."""
        self.deaf = True
        if linger and self.transport.can_write_eof():
            self.transport.write_eof()
            self.loop.call_later(LINGER_S, self.transport.close)
        else:
            self.transport.close()

    # Requests to others

    def hand_on(self) -> None:
        """Let uvicorn take the request whose head is here."""
        if self.turns:
            self.turns[-1].keep = False
            self.deaf = True
            return
        url, headers, expects = self.url, self.headers, self.expect_100_continue
        super().on_message_begin()
        self.url, self.expect_100_continue = url, expects
        self.headers += headers
        super().on_headers_complete()
        if self.leaving:
            self.cycle.keep_alive = False

    def end_with(self, cycle: Any) -> None:
        """Have the connection end with the answer to a page; a client that did not wait for it asks the rest again."""
        self.deaf, cycle.keep_alive = True, False

    def shutdown(self) -> None:
        """Called by the server before it ends: what is under way is answered, and nothing else is taken."""
        self.leaving = True
        if self.turns:
            self.turns[-1].keep, self.deaf = False, True
        elif self.incoming is not None:
            self.keep = False
        elif not self.heading:
            super().shutdown()

    def pause_writing(self) -> None:
        """A client that does not read its answers is not read either."""
        super().pause_writing()
        self.flow.pause_reading()

    def resume_writing(self) -> None:
        super().resume_writing()
        self.flow.resume_reading()


HEADS: Patience[Wire] = Patience(HEAD_S, lambda wire: wire.transport.close())
BODIES: Patience[Wire] = Patience(BODY_S, lambda wire: wire.refuse(*TOO_SLOW))
IDLE: Patience[Wire] = Patience(IDLE_S, lambda wire: wire.transport.close())
ANSWERS: Patience[Turn] = Patience(ANSWER_S, Turn.give_up)


def take(incoming: Incoming) -> Answer | asyncio.Future[Answer]:
    """The answer to a request, or who will have it once that is committed."""
    address = addresses.find(incoming.path)
    try:
        if answer := door.without_key(address, incoming):
            return answer
        assert address is not None
        request = door.open_request(address, incoming)
        secrets = door.secrets_of(incoming, request)
        key = remembered(secrets)
        if key is None or key.events_per_second:
            return asyncio.ensure_future(look_twice(secrets, request))
        return WRITER.submit(key, request)
    except Exception as error:
        return door.explain(error)


async def look_twice(secrets: list[str], request: Request) -> Answer:
    """The same where the key, or how much it may send, has to be asked for."""
    key = await find_key(secrets)
    if key is None:
        return door.unauthenticated()
    if key.events_per_second and (answer := await asyncio.to_thread(door.over_limit, key, request)):
        return answer
    return await WRITER.submit(key, request)


def split_target(target: bytes) -> tuple[str, str]:
    """(path, query) of what a request asks for. A proxy names it with scheme and host."""
    if not target.startswith(b"/"):
        try:
            parsed = httptools.parse_url(target)
        except httptools.HttpParserInvalidURLError:
            return "", ""
        target = (parsed.path or b"") + b"?" + (parsed.query or b"")
    path, _, query = target.decode("ascii", "replace").partition("?")
    return unquote(path) if "%" in path else path, query


def query_of(raw: str) -> dict[str, str]:
    return dict(parse_qsl(raw, keep_blank_values=True)) if raw else {}


def written(answer: Answer, turn: Turn, more: Iterable[tuple[bytes, bytes]]) -> bytes:
    """The answer as it goes over the line. `more`: headers that the server gives every answer."""
    lines = [STATUS_LINE[answer.status], b"access-control-allow-origin: *\r\n"]
    if answer.status != 204:
        lines.append(b"content-type: %s\r\ncontent-length: %d\r\n" % (answer.content_type.encode(), len(answer.body)))
    lines += [b"%s: %s\r\n" % header for header in more]
    lines += [f"{name.lower()}: {value}\r\n".encode("latin-1") for name, value in answer.headers.items()]
    if not turn.keep:
        lines.append(b"connection: close\r\n")
    lines += [b"\r\n", b"" if turn.bodiless else answer.body]
    return b"".join(lines)
