"""A server in this process with a stand-in for the database behind it, and a client's connection to it."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
import uvicorn

from users.ingest import taking
from users.ingest.protocol import Answer
from users.ingest.wire import Wire

KIB = 1024


class Store:
    """Answers with the name of the event, after the seconds that stand behind it."""

    def __init__(self) -> None:
        self.taken: list[str] = []
        self.size = 0

    def submit(self, _key: Any, request: Any) -> asyncio.Future[Answer]:
        name, _, seconds = json.loads(request.items[0])["event"].partition(" ")
        self.taken.append(name)
        loop = asyncio.get_running_loop()
        found: asyncio.Future[Answer] = loop.create_future()
        answer = Answer(200, name.encode() + bytes(self.size), "text/plain")
        loop.call_later(float(seconds or 0), lambda: found.done() or found.set_result(answer))
        return found


async def pages(scope: Any, receive: Any, send: Any) -> None:
    """Says which page it is, how much was sent to it, and for whom; takes as long as its query says.

    Tells its end a moment later, as Django's do.
    """
    size, more = 0, True
    while more:
        message = await receive()
        size, more = size + len(message.get("body", b"")), message.get("more_body", False)
    await asyncio.sleep(float(scope["query_string"] or b"0"))
    told = f"{scope['path']} {size}".encode()
    told += b"".join(b" for " + value for name, value in scope["headers"] if name.startswith(b"x") and b"forw" in name)
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(told))]})
    await send({"type": "http.response.body", "body": told, "more_body": True})
    await asyncio.sleep(0.02)
    await send({"type": "http.response.body", "body": b""})


class Line:
    """A client's connection."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=10)
        self.answers = self.socket.makefile("rb")

    def send(self, *parts: bytes, pause: float = 0.02) -> Line:
        """Each part in a packet of its own."""
        for n, part in enumerate(parts):
            time.sleep(pause if n else 0)
            self.socket.sendall(part)
        return self

    def read(self, bodiless: bool = False) -> tuple[int, str, dict[str, str]]:
        """(status, body, headers) of the next answer."""
        status = int(self.answers.readline().split()[1])
        lines = iter(lambda: self.answers.readline().decode().strip(), "")
        headers = dict(line.split(": ", 1) for line in lines)
        body = self.answers.read(0 if bodiless else int(headers.get("content-length", 0)))
        return status, body.rstrip(b"\0").decode(), headers

    def is_over(self, seconds: float = 10) -> bool:
        """Whether the server hangs up within so many seconds."""
        self.socket.settimeout(seconds)
        try:
            return self.answers.read(1) == b""
        except TimeoutError:
            return False
        except ConnectionError:
            return True


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Store:
    """Who stores what is sent, with a key that everybody has."""
    stand_in = Store()
    monkeypatch.setattr(taking, "WRITER", stand_in)
    monkeypatch.setattr(taking, "remembered", lambda _secrets: SimpleNamespace(events_per_second=0))
    return stand_in


@pytest.fixture
def serve(store: Store) -> Iterator[Callable[[], SimpleNamespace]]:
    """Starts a server in a thread: {port, stop(), lines}."""
    running: list[SimpleNamespace] = []

    def start() -> SimpleNamespace:
        config = uvicorn.Config(
            pages, http=Wire, loop="uvloop", interface="asgi3", lifespan="off", ws="none", log_config=None,
            timeout_graceful_shutdown=5,
        )  # fmt: skip
        server, listener = uvicorn.Server(config), socket.create_server(("127.0.0.1", 0))
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()

        def stop() -> None:
            server.should_exit = True

        port, lines = listener.getsockname()[1], server.server_state.connections
        running.append(SimpleNamespace(port=port, stop=stop, thread=thread, lines=lines))
        return running[-1]

    yield start
    for server in running:
        server.stop()
        server.thread.join(20)
        assert not server.thread.is_alive()


@pytest.fixture
def line(serve: Callable[[], SimpleNamespace]) -> Line:
    return Line(serve().port)


def event(name: str, *lines: str, target: str = "/v1/track", method: str = "POST", version: str = "1.1") -> bytes:
    body = json.dumps({"event": name, "userId": "u"}).encode()
    told = (f"{method} {target} HTTP/{version}", "Host: shop.test", f"Content-Length: {len(body)}", *lines, "", "")
    return "\r\n".join(told).encode() + body


def page(path: str, *lines: str, body: bytes = b"") -> bytes:
    told = (f"POST {path} HTTP/1.1", "Host: shop.test", f"Content-Length: {len(body)}", *lines, "", "")
    return "\r\n".join(told).encode() + body
