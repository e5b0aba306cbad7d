"""One connection to ingest, told by its bytes: a server in this process with a stand-in for the database behind it."""

from __future__ import annotations

import json
import logging
import socket
import threading
import time
from typing import Any

import pytest

from tests.users.wire_server import KIB, Line, Store, event, page
from users.ingest import wire
from users.ingest.body import MAX_BYTES
from users.ingest.heads import KnownHeads
from users.ingest.patience import Patience
from users.ingest.wire import Turn, Wire


def test_answers_leave_in_the_order_of_requests_whoever_is_done_first(line: Line, store: Store) -> None:
    line.send(event("slow 0.2") + event("quick") + event("last"))
    assert [line.read()[1] for _ in range(3)] == ["slow", "quick", "last"]
    assert store.taken == ["slow", "quick", "last"] and not line.is_over(0.2)


@pytest.mark.parametrize("size", [1, 7, 10_000])
def test_it_does_not_matter_how_a_request_is_cut(line: Line, size: int) -> None:
    raw = event("cut", "X-Long: " + "x" * 100)
    line.send(*[raw[n : n + size] for n in range(0, len(raw), size)], pause=0.001)
    assert line.read()[:2] == (200, "cut")


def test_a_head_that_came_before_is_not_read_again(serve: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    known, parsed, begin = KnownHeads(), [], Wire.on_message_begin
    monkeypatch.setattr(wire, "KNOWN_HEADS", known)
    monkeypatch.setattr(Wire, "on_message_begin", lambda wire: (parsed.append(wire), begin(wire)))
    line, (one, two, six, ten) = Line(serve().port), [event(name) for name in ("one", "two", "six", "ten")]
    assert line.send(one).read()[1] == "one" and list(known.heads) == [one.partition(b"{")[0]]
    assert line.send(two).read()[1] == "two" and len(parsed) == 1
    # However it comes, the answer is the same: in two pieces, cut within the head, with what follows.
    for pieces in ([six[:-5], six[-5:]], [six[:20], six[20:]], [six + ten[:9], ten[9:]]):
        line.send(*pieces, pause=0.05)
        assert line.read()[1] == "six"
    assert line.read()[1] == "ten" and len(parsed) == 5
    assert line.send(one + two).read()[1] == "one" and line.read()[1] == "two"
    assert line.send(page("/there/") + one).read()[1] == "/there/ 0" and line.read()[1] == "one"
    assert line.send(two + b"no HTTP\r\n\r\n").read()[1] == "two" and line.read()[0] == 400 and line.is_over()


def test_a_head_is_remembered_that_means_the_same_each_time(serve: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    known, port = KnownHeads(), serve().port
    monkeypatch.setattr(wire, "KNOWN_HEADS", known)
    monkeypatch.setattr(KnownHeads, "MOST", 2)
    for header in ("Upgrade: h2c", "X-Long: " + "x" * KnownHeads.MAX_BYTES, "Connection: close"):
        assert Line(port).send(event("e", header)).read()[1] == "e" and not known.heads
    asked = Line(port).send(event("e", "Expect: 100-continue"))
    assert (asked.read()[0], asked.read()[1]) == (100, "e") and not known.heads
    line = Line(port).send(event("two") + event("two"))
    assert line.read()[1] == line.read()[1] == "two" and not known.heads
    for name in ("e", "ee", "eee"):
        assert line.send(event(name)).read()[1] == name
    assert list(known.heads) == [event(name).partition(b"{")[0] for name in ("ee", "eee")]


def test_a_body_in_chunks_is_one_body(line: Line) -> None:
    head, _, body = event("chunked", "Transfer-Encoding: chunked").partition(b"\r\n\r\n")
    head = head.replace(b"Content-Length: %d\r\n" % len(body), b"") + b"\r\n\r\n"
    chunks = [b"%x\r\n%s\r\n" % (len(part), part) for part in (body[:5], body[5:])]
    assert line.send(head, *chunks, b"0\r\n\r\n" + event("next")).read()[1] == "chunked"
    assert line.read()[1] == "next"


def test_a_client_that_asks_first_is_told_to_go_on(line: Line) -> None:
    head, _, body = event("asked", "Expect: 100-continue").partition(b"\r\n\r\n")
    assert line.send(head + b"\r\n\r\n").read()[0] == 100
    assert line.send(body).read()[:2] == (200, "asked")


@pytest.mark.parametrize(
    "target", ["/v1/track/", "/v1/t?x=1", "/v1/tr%61ck", "http://shop.test/v1/track", "http://shop.test/v1/track?x=1"]
)
def test_an_address_is_the_same_however_it_is_written(line: Line, target: str) -> None:
    assert line.send(event("there", target=target)).read()[:2] == (200, "there")


def test_a_connection_is_kept_unless_somebody_wants_it_to_end(serve: Any) -> None:
    port = serve().port
    kept = Line(port)
    for _ in range(3):
        status, _body, headers = kept.send(event("e")).read()
        assert status == 200 and "connection" not in headers and headers["date"].endswith("GMT")
    for raw in (event("e", "Connection: close"), event("e", version="1.0")):
        status, _body, headers = (line := Line(port)).send(raw + event("behind")).read()
        assert (status, headers["connection"]) == (200, "close") and line.is_over()


def test_a_head_has_no_body_and_no_body_has_no_length(line: Line) -> None:
    status, _body, headers = line.send(event("e", method="HEAD")).read(bodiless=True)
    assert (status, headers["allow"]) == (405, "POST, OPTIONS") and int(headers["content-length"]) > 0
    status, _body, headers = line.send(event("e", method="OPTIONS")).read()
    assert status == 204 and "content-length" not in headers
    assert line.send(event("next")).read()[1] == "next"


def test_pages_and_events_share_a_connection(line: Line) -> None:
    for _ in range(2):
        assert line.send(page("/there/", body=b"12345")).read()[:2] == (200, "/there/ 5")
        assert line.send(event("e")).read()[:2] == (200, "e")


def test_an_event_behind_a_page_is_answered_behind_it(line: Line, store: Store) -> None:
    line.send(page("/there/?0.2") + event("behind"))
    assert line.read()[1] == "/there/ 0" and store.taken == ["behind"]
    assert line.read()[1] == "behind"
    for path in ("/one/", "/two/"):  # as soon as the page is there, which is before its end is told
        assert line.send(page(path)).read()[1] == f"{path} 0"
        assert line.send(event("next")).read()[1] == "next"
    assert not line.is_over(0.1)


def test_who_asks_for_a_page_before_an_answer_is_answered_once_and_asks_again(line: Line) -> None:
    line.send(event("slow 0.1") + page("/there/"))
    assert line.read()[1] == "slow" and line.is_over()


def test_whoever_would_rather_speak_something_else_is_answered_as_well(line: Line) -> None:
    other = ("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQAAP__")
    for _ in range(2):
        assert line.send(event("e", *other)).read()[:2] == (200, "e")
        assert line.send(page("/there/", *other, body=b"12")).read()[:2] == (200, "/there/ 2")
    assert line.send(b"CONNECT shop.test:443 HTTP/1.1\r\nHost: shop.test\r\n\r\n").read()[0] == 400


def test_who_sends_no_more_still_gets_the_answer(line: Line) -> None:
    line.send(event("slow 0.2"))
    line.socket.shutdown(socket.SHUT_WR)
    assert line.read()[1] == "slow" and line.is_over()


def test_who_hangs_up_does_no_harm(serve: Any, store: Store, caplog: pytest.LogCaptureFixture) -> None:
    port = serve().port
    with caplog.at_level(logging.WARNING):
        for raw in (event("slow 0.2"), event("half")[:-5], event("none")[:20], page("/there/?0.2"), b""):
            Line(port).send(raw).socket.close()
        time.sleep(0.4)
        assert Line(port).send(event("next")).read()[1] == "next"
    assert store.taken == ["slow", "next"] and not caplog.records


@pytest.mark.parametrize("told", [True, False])
def test_a_body_that_is_too_large_is_refused_to_a_client_that_is_still_sending(line: Line, told: bool) -> None:
    length = f"Content-Length: {5 * MAX_BYTES}" if told else "Transfer-Encoding: chunked"
    line.send("\r\n".join(("POST /v1/batch HTTP/1.1", "Host: shop.test", length, "", "")).encode())
    chunk = bytes(KIB * KIB) if told else b"%x\r\n%s\r\n" % (KIB * KIB, bytes(KIB * KIB))
    line.send(*[chunk] * 8, pause=0.01)
    status, body, headers = line.read()
    assert (status, json.loads(body)["code"], headers["connection"]) == (413, "too_large", "close") and line.is_over()


@pytest.mark.parametrize("pieces", [1, 200])
@pytest.mark.parametrize("path", ["/v1/track", "/there/"])
def test_a_head_that_is_too_large_is_refused_wherever_it_goes(line: Line, path: str, pieces: int) -> None:
    raw = f"POST {path} HTTP/1.1\r\n".encode() + b"X-Long: " + b"x" * 65_000
    raw += b"\r\n\r\n" if pieces == 1 else b""
    size = len(raw) // pieces + 1
    line.send(*[raw[n : n + size] for n in range(0, len(raw), size)], pause=0.001)
    status, body, _headers = line.read()
    assert (status, json.loads(body)["code"]) == (431, "headers_too_large") and line.is_over()


@pytest.mark.parametrize(
    "raw",
    [b"\x16\x03\x01\x02\x00", b"GET\r\n\r\n", event("e", "Transfer-Encoding: chunked"), b"GET /\xff HTTP/1.1\r\n\r\n"],
)
def test_what_is_no_http_is_told_so(line: Line, raw: bytes) -> None:
    line.send(event("slow 0.1") + raw)
    assert line.read()[1] == "slow"
    status, body, _headers = line.read()
    assert (status, json.loads(body)["code"]) == (400, "invalid_request") and line.is_over()


def test_nobody_waits_for_ever(serve: Any, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, lost in (("HEADS", wire.HEADS.lost), ("BODIES", wire.BODIES.lost), ("ANSWERS", Turn.give_up)):
        monkeypatch.setattr(wire, name, Patience(0.4, lost))
    monkeypatch.setattr(wire, "IDLE", Patience(1.2, wire.IDLE.lost))
    port = serve().port
    lines = [Line(port) for _ in range(5)]
    silent, halfway, slow, waiting, idle = lines
    halfway.send(event("e")[:30])
    slow.send(event("e")[:-5])
    waiting.send(event("slow 60"))
    assert idle.send(event("e")).read()[0] == 200
    assert silent.is_over() and halfway.is_over()
    status, body, _headers = slow.read()
    assert (status, json.loads(body)["code"]) == (408, "too_slow") and slow.is_over()
    status, body, headers = waiting.read()
    assert (status, json.loads(body)["code"], headers["retry-after"]) == (503, "unavailable", "5")
    assert waiting.send(event("next")).read()[1] == "next"
    assert idle.send(event("e 0.3")).read()[1] == "e" and idle.is_over()


def test_a_server_that_ends_answers_what_is_under_way(serve: Any) -> None:
    server = serve()
    idle, waiting, sending, page_waiting = lines = [Line(server.port) for _ in range(4)]
    raw = event("late")
    for line in lines:
        assert line.send(event("e")).read()[0] == 200
    waiting.send(event("slow 0.5"))
    sending.send(raw[:-5])
    page_waiting.send(page("/there/?0.5"))
    time.sleep(0.1)
    server.stop()
    assert idle.is_over(1)
    for line, told in ((waiting, "slow"), (sending.send(raw[-5:]), "late"), (page_waiting, "/there/ 0")):
        status, body, headers = line.read()
        assert (status, body, headers["connection"]) == (200, told, "close") and line.is_over()


def test_a_client_that_reads_nothing_is_not_read_either(line: Line, store: Store) -> None:
    store.size = 64 * KIB
    sending = threading.Thread(target=lambda: line.send(event("e") * 20_000))
    sending.start()
    time.sleep(1)
    held = len(store.taken)
    for _ in range(20_000):
        line.read()
    sending.join()
    assert held < 5_000 and len(store.taken) == 20_000, "what nobody reads fills the memory"
