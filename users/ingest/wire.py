"""Ingest straight from the socket: requests to its addresses are read and answered here, all others are uvicorn's.

A request with one event costs little beside its event: no task, no messages between server and application, no timer of
its own. The event loop takes requests apart, the one thread of `group.Writer` reads and stores what waits, all in one go.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Any

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from users.ingest import addresses, door
from users.ingest.body import MAX_BYTES, TOO_LARGE
from users.ingest.heads import Head, Headers, KnownHeads, plain_head, query_of, split_target, written
from users.ingest.patience import Patience
from users.ingest.protocol import Answer, Incoming
from users.ingest.taking import take

# Browsers and SDKs send one or two KB.
MAX_HEAD_BYTES = 32 * 1024
HEAD_TOO_LARGE = (431, "headers_too_large", f"At most {MAX_HEAD_BYTES} bytes of headers.")
UNREADABLE = (400, "invalid_request", "This is not HTTP.")
# So long the head of a request may take to arrive.
HEAD_S = 30.0
# So long a body may take to arrive, however slow the line: what has come of it is held in memory.
BODY_S = 60.0
TOO_SLOW = (408, "too_slow", f"The body took longer than {BODY_S:.0f} seconds.")
# An upload to a page may take longer, while as much of it comes in that time.
UPLOAD_STEP = 64 * 1024
# So long a request that was read may wait for the database, be it stopped or only slow; then its client comes back.
ANSWER_S = 8.0
# So long a connection is kept for the next request, longer than what proxies in front keep theirs for.
IDLE_S = 75.0
# A client that is still sending what nobody wants reads its answer only then.
LINGER_S = 2.0
# So long a client may read nothing of what is there for it.
UNREAD_S = 60.0
# Requests that a connection may have under way before it is read no further.
MAX_TURNS = 100
KNOWN_HEADS = KnownHeads()


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
        # Whether a head is under way, and how much of it came, or of what stands around a body since the last byte of that.
        self.heading, self.head = False, 0
        # The request to ingest whose body is under way, what came of it, and whether the connection goes on after it.
        self.incoming: Incoming | None = None
        self.body, self.keep = bytearray(), True
        # What began with a request and may end with it.
        self.piece = b""
        # The body of a request to a page is under way, and how much of it came in its step.
        self.uploading, self.step = False, 0
        self.turns: deque[Turn] = deque()
        # Nothing is read any more: the last answer ends the connection. The server is about to end.
        self.deaf = self.leaving = False
        # How much its client had left unread when that was last looked at.
        self.unread = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        HEADS.begin(self)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        for patience in (HEADS, BODIES, IDLE, UNREAD):
            patience.end(self)

    def data_received(self, data: bytes) -> None:
        if self.heading or self.uploading or self.deaf or self.incoming is not None:
            self.piece = b""
        elif found := KNOWN_HEADS.find(data):
            self.repeat(*found)
            return
        else:
            self.piece = data
        self.head += len(data)
        while data and not self.deaf:
            try:
                self.parser.feed_data(data)
                break
            except httptools.HttpParserUpgrade as stop:
                data = self.plainly(data[stop.args[0] :])
            except httptools.HttpParserError:
                self.refuse(*UNREADABLE)
        if self.deaf:
            return
        if self.heading:
            HEADS.begin(self)
        elif self.incoming is not None:
            BODIES.begin(self)
        elif self.uploading:
            self.step += len(data)
            if self.step >= UPLOAD_STEP:
                self.step = 0
                BODIES.end(self)
            BODIES.begin(self)
        else:
            return
        if self.head > MAX_HEAD_BYTES:
            self.refuse(*HEAD_TOO_LARGE)

    def eof_received(self) -> bool | None:  # type: ignore[override]
        """A client that sends no more may still wait for what it asked."""
        self.deaf = True
        if self.turns:
            self.turns[-1].keep = False
        else:
            self.part()
        return bool(self.turns)

    # What the parser tells

    def on_message_begin(self) -> None:
        self._unset_keepalive_if_required()
        IDLE.end(self)
        self.url, self.headers, self.expect_100_continue = b"", [], False
        self.heading, self.head = True, 0

    def on_header(self, name: bytes, value: bytes) -> None:
        """uvicorn's, but what stands behind a body is no header: no proxy has looked at it."""
        if self.heading:
            name = name.lower()
            if name == b"expect" and value.lower() == b"100-continue":
                self.expect_100_continue = True
            self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        self.heading = False
        HEADS.end(self)
        if self.deaf or self.parser.should_upgrade():
            return
        if sum([len(name) + len(value) for name, value in self.headers], len(self.url)) > MAX_HEAD_BYTES:
            self.refuse(*HEAD_TOO_LARGE)
            return
        path, query = split_target(self.url)
        if not addresses.is_ours(path):
            self.hand_on()
        else:
            self.begin(path, query)

    def on_body(self, body: bytes) -> None:
        self.head = 0
        if self.incoming is not None:
            self.body += body
            if len(self.body) > MAX_BYTES:
                self.refuse(*TOO_LARGE)
        elif not self.deaf:
            super().on_body(body)

    def on_message_complete(self) -> None:
        if self.incoming is not None:
            self.complete(self.incoming)
        elif self.uploading:
            self.uploading = False
            BODIES.end(self)
            super().on_message_complete()

    def plainly(self, behind: bytes) -> bytes:
        """The request whose head is here, to be read again without the wish to speak something else: nobody here does."""
        if self.parser.get_method() == b"CONNECT":
            self.refuse(*UNREADABLE)
            return b""
        head = plain_head(self.parser, self.url, self.headers)
        self.parser = httptools.HttpRequestParser(self)
        return head + behind

    # Requests to ingest

    def begin(self, path: str, query: str) -> None:
        headers = Headers(self.headers)
        self.incoming = Incoming(self.parser.get_method().decode(), path, query_of(query), headers)
        self.keep = self.parser.get_http_version() == "1.1" and self.parser.should_keep_alive() and not self.leaving
        length = headers.get("content-length", "")
        if length.isdecimal() and int(length) > MAX_BYTES:
            self.refuse(*TOO_LARGE)
        elif self.expect_100_continue:
            self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def complete(self, incoming: Incoming) -> None:
        """The whole request is here."""
        BODIES.end(self)
        incoming.body = bytes(self.body)
        self.incoming, self.body = None, bytearray()
        if self.piece and self.keep:
            KNOWN_HEADS.learn(self.piece, incoming)
        self.piece = b""
        self.ask(incoming, self.keep)

    def repeat(self, head: Head, body: bytes) -> None:
        """The whole request came at once, with a head that was read before."""
        self._unset_keepalive_if_required()
        HEADS.end(self)
        IDLE.end(self)
        incoming = Incoming(head.method, head.path, head.query, head.headers, body)
        self.ask(incoming, not self.leaving)

    def ask(self, incoming: Incoming, keep: bool) -> None:
        """Answer a request, or have it answered."""
        turn = Turn(self, keep, incoming.method == "HEAD")
        self.turns.append(turn)
        if len(self.turns) > MAX_TURNS:
            self.flow.pause_reading()
        if not keep:
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
        self.heading, self.incoming, self.body = False, None, bytearray()
        HEADS.end(self)
        BODIES.end(self)
        if self.uploading:  # who waits for the rest of it is told that nothing comes
            self.part()
            return
        turn = Turn(self, False, False, linger=True)
        self.turns.append(turn)
        turn.end(door.problem(status, code, message))

    def answer(self) -> None:
        """Write what can be written: the answers of the first turns, as far as there are any, behind that to a page."""
        if self.transport.is_closing() or self.is_on_a_page():
            return
        while self.turns and (found := self.turns[0].answer):
            turn = self.turns.popleft()
            self.transport.write(written(found, turn.keep, turn.bodiless, self.server_state.default_headers))
            if not turn.keep:
                self.hang_up(linger=turn.linger)
                return
        if not self.turns:
            if not self.heading and self.incoming is None:
                IDLE.begin(self)
            if not self.flow.write_paused:
                self.flow.resume_reading()

    def hang_up(self, *, linger: bool) -> None:
        """End the connection, not before its client had time to read: on what it still sends, TCP would throw that away."""
        self.deaf = True
        if linger and self.transport.can_write_eof():
            self.transport.write_eof()
            self.loop.call_later(LINGER_S, self.part)
        else:
            self.part()

    def part(self) -> None:
        """Close the connection when its client has read what is there."""
        self.deaf = True
        if not self.transport.is_closing():
            self.transport.close()
            self.watch_reader()

    timeout_keep_alive_handler = part

    def watch_reader(self) -> None:
        self.unread = self.transport.get_write_buffer_size()
        UNREAD.begin(self)

    def lose_reader(self) -> None:
        """A client that read nothing for so long is gone, one that is slow is not."""
        if self.transport.get_write_buffer_size() < self.unread:
            self.watch_reader()
        else:
            self.transport.abort()

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
        # To Django, X_Forwarded_For would be X-Forwarded-For, which only the proxy may say.
        self.headers += [header for header in headers if b"_" not in header[0]]
        self.uploading, self.step = True, 0
        super().on_headers_complete()
        if self.leaving:
            self.cycle.keep_alive = False

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self.transport.is_closing():
            self.watch_reader()
        elif self.turns:  # of events that were sent as soon as the page was there, or before
            self.answer()

    def is_on_a_page(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def shutdown(self) -> None:
        """Called by the server before it ends: what is under way is answered, and nothing else is taken."""
        self.leaving = True
        if self.turns:
            self.turns[-1].keep, self.deaf = False, True
        elif self.incoming is not None:
            self.keep = False
        elif self.is_new():  # what it asks may be on its way
            self.loop.call_later(LINGER_S, self.leave)
        elif not self.heading:
            super().shutdown()

    def is_new(self) -> bool:
        """Whether nothing was heard of its client yet."""
        return not self.heading and self in HEADS.waiting

    def leave(self) -> None:
        if self.is_new():
            self.part()

    def pause_writing(self) -> None:
        """A client that does not read its answers is not read either."""
        super().pause_writing()
        self.flow.pause_reading()
        self.watch_reader()

    def resume_writing(self) -> None:
        super().resume_writing()
        self.flow.resume_reading()
        UNREAD.end(self)
        if self.transport.is_closing():
            self.watch_reader()

    def lose_head(self) -> None:
        if self.is_on_a_page():  # which ends the connection
            self.deaf, self.cycle.keep_alive = True, False
        else:
            self.part()

    def lose_body(self) -> None:
        if self.flow.read_paused:  # it is we who are slow
            BODIES.begin(self)
        else:
            self.refuse(*TOO_SLOW)


HEADS: Patience[Wire] = Patience(HEAD_S, Wire.lose_head)
BODIES: Patience[Wire] = Patience(BODY_S, Wire.lose_body)
IDLE: Patience[Wire] = Patience(IDLE_S, Wire.part)
UNREAD: Patience[Wire] = Patience(UNREAD_S, Wire.lose_reader)
ANSWERS: Patience[Turn] = Patience(ANSWER_S, Turn.give_up)
