"""Clients that mean harm, or hang: none keeps a connection, memory or a thread for ever, or speaks for somebody else."""

from __future__ import annotations

import asyncio
import json
import socket
import time
import tracemalloc
from types import SimpleNamespace
from typing import Any

import pytest
import uvicorn

from ops_platform.serving import wait_until
from ops_platform.web_process import Server
from tests.users.wire_server import KIB, Line, Store, event, page, pages
from users.ingest import wire
from users.ingest.body import MAX_BYTES, BadRequest
from users.ingest.group import Writer
from users.ingest.patience import Patience
from users.ingest.wire import Wire

CHUNKED = b"POST %s HTTP/1.1\r\nHost: shop.test\r\nTransfer-Encoding: chunked\r\n\r\n"
OTHER = ("Connection: Upgrade", "Upgrade: h2c")


def hurry(monkeypatch: pytest.MonkeyPatch, **seconds: float) -> None:
    for name, each in seconds.items():
        monkeypatch.setattr(wire, name, Patience(each, getattr(wire, name).lost))


def test_empty_lines_keep_nothing_open(serve: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    hurry(monkeypatch, IDLE=0.5)
    line = Line(serve().port)
    assert line.send(event("e")).read()[0] == 200
    assert line.send(b"\r\n").is_over(3)


@pytest.mark.parametrize("last", [b"", event("e", "Connection: close"), b"nonsense\r\n\r\n"])
def test_who_never_reads_is_let_go_of(serve: Any, store: Store, monkeypatch: pytest.MonkeyPatch, last: bytes) -> None:
    hurry(monkeypatch, IDLE=0.5, UNREAD=0.5)
    monkeypatch.setattr(wire, "LINGER_S", 0.1)
    store.size = 16 * KIB * KIB
    server = serve()
    line = Line(server.port).send(event("e") + last)
    wait_until(lambda: store.taken, "nothing arrives")
    wait_until(lambda: not server.lines, "it is kept for ever", 5)
    line.socket.close()


def test_who_reads_slowly_gets_all_of_it(serve: Any, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    hurry(monkeypatch, IDLE=0.5, UNREAD=0.5)
    store.size = 16 * KIB * KIB
    line, read = Line(serve().port).send(event("e")), 0
    while read < store.size:
        part = line.socket.recv(2 * KIB * KIB)
        assert part, "it was cut off"
        read += len(part)
        time.sleep(0.1)


def test_a_page_does_not_wait_for_a_body_that_does_not_come(serve: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    hurry(monkeypatch, BODIES=0.6)
    raw, port = page("/there/", body=b"12345678"), serve().port
    assert Line(port).send(raw[:-4]).is_over(3)
    assert Line(port).send(CHUNKED % b"/there/" + b"4\r\n1234\r\nnonsense\r\n").is_over(3)


def test_an_upload_may_take_long_as_long_as_it_goes_on(serve: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    hurry(monkeypatch, BODIES=0.6, IDLE=0.6)
    raw = page("/there/", body=bytes(1200 * KIB))
    line = Line(serve().port).send(event("e 0.1") + raw[:5])
    assert line.read()[0] == 200
    line.send(*[raw[n : n + 100 * KIB] for n in range(5, len(raw), 100 * KIB)], pause=0.12)
    assert line.read()[:2] == (200, f"/there/ {1200 * KIB}")


def test_what_stands_behind_a_body_is_not_read_as_headers(serve: Any) -> None:
    port = serve().port
    chunks = b"2\r\nab\r\n0\r\nX-Forwarded-For: 1.2.3.4\r\n\r\n"
    assert Line(port).send(CHUNKED % b"/there/" + chunks).read()[1] == "/there/ 2"


def test_a_header_is_not_mistaken_for_that_of_the_proxy(line: Line) -> None:
    """For Django, X_Forwarded_For is X-Forwarded-For."""
    assert line.send(page("/there/", "X_Forwarded_For: 1.2.3.4", "X-Forwarded-For: 5.6.7.8")).read()[1] == (
        "/there/ 0 for 5.6.7.8"
    )


@pytest.mark.parametrize("before", [b"0\r\nX-Long: ", b"1;"])
def test_what_stands_around_a_body_is_not_without_end(line: Line, before: bytes) -> None:
    line.send(CHUNKED % b"/v1/track" + before)
    around = b"y" * 10_000
    try:
        for _ in range(5 * MAX_BYTES // len(around)):
            line.socket.sendall(around)
    except ConnectionError:
        return
    status, body, _headers = line.read()
    assert (status, json.loads(body)["code"]) == (431, "headers_too_large") and line.is_over()


def test_small_chunks_take_no_more_memory_than_large_ones(line: Line) -> None:
    line.send(CHUNKED % b"/v1/track" + b"1\r\n[\r\n")
    tracemalloc.start()
    try:
        for _ in range(200):
            line.socket.sendall(b"2\r\n  \r\n" * 1000)
        line.send(b"0\r\n\r\n").read()
        assert tracemalloc.get_traced_memory()[1] < 4 * MAX_BYTES
    finally:
        tracemalloc.stop()


def test_many_that_would_rather_speak_something_else_at_once(line: Line, store: Store) -> None:
    line.send(event("e", *OTHER) * 1000)
    assert {line.read()[0] for _ in range(1000)} == {200} and len(store.taken) == 1000


def test_who_wants_the_end_and_something_else_gets_the_end(line: Line) -> None:
    told = event("e", "Connection: close, Upgrade", "Upgrade: h2c")
    assert line.send(told).read()[2]["connection"] == "close" and line.is_over(3)


@pytest.mark.parametrize("path", ["/v1/track", "/there/"])
def test_an_address_that_is_too_long_is_refused_wherever_it_goes(line: Line, path: str) -> None:
    assert line.send(event("e", target=path + "?" + "x" * 40_000)).read()[0] == 431 and line.is_over()


def test_a_connection_that_was_just_taken_may_still_ask(serve: Any) -> None:
    server = serve()
    asking, silent = Line(server.port), Line(server.port)
    wait_until(lambda: len(server.lines) == 2, "nobody takes them")
    server.stop()
    time.sleep(0.3)
    status, _body, headers = asking.send(event("e")).read()
    assert (status, headers["connection"]) == (200, "close") and silent.is_over(4)


def test_a_connection_that_was_taken_too_late_is_not_kept() -> None:
    async def is_leaving(ends: bool) -> bool:
        config = uvicorn.Config(pages, http=Wire, lifespan="off", ws="none", log_config=None)
        config.load()
        server = Server(config, socket.socket(), None, 0, 0)
        server.lifespan, server.should_exit = config.lifespan_class(config), ends
        made = server.make_protocol()
        return isinstance(made, Wire) and made.leaving

    assert [asyncio.run(is_leaving(ends)) for ends in (False, True)] == [False, True]


def test_what_waits_for_the_database_is_bounded_however_large_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Writer, "run", lambda _writer: None)
    large: Any = SimpleNamespace(items=[bytes(MAX_BYTES)])

    async def fill() -> int:
        writer, key = Writer(), SimpleNamespace()
        for n in range(1000):
            try:
                writer.submit(key, large)
            except BadRequest:
                return n
        return 1000

    assert asyncio.run(fill()) < 100


def test_pages_asked_for_at_once_are_all_answered(line: Line) -> None:
    """As by a client that has the whole answer before whoever gave it has told its end."""
    line.send(page("/one/?0.1") + page("/two/", body=b"12") + page("/three/"))
    assert [line.read()[1] for _ in range(3)] == ["/one/ 0", "/two/ 2", "/three/ 0"]


def test_a_page_is_not_cut_off_by_half_of_the_next_request(serve: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    hurry(monkeypatch, HEADS=0.2)
    line = Line(serve().port).send(page("/there/?0.8") + event("e")[:20])
    assert line.read()[:2] == (200, "/there/ 0") and line.is_over(3)
