"""Hostile inputs, each with the answer it must get: one at a time, and served, where all of them together may not make
the server large."""

from __future__ import annotations

import io
import json
import socket
import time
from collections.abc import Iterator
from contextlib import suppress
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from typing import Any

import httpx
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils.translation import override

from benchmarks.ingest import family, pss_of
from ops_platform.serving import Children
from tests.sdks.lab import Server
from tests.users.conftest import stored
from tests.users.hostile import CASES, FILES, MIB, Case, File, batch, good, track
from users import imports
from users.import_run import run_import
from users.import_words import sentence
from users.models import Import, ImportRowError
from workspaces.models import Workspace
from workspaces.scoping import workspace_scope

EACH = [pytest.param(case, id=f"{name} {n}") for name, cases in CASES.items() for n, case in enumerate(cases, 1)]
UPLOAD = "/w/acme/imports/upload/"
MORE_MIB = 64


def filled(case: Case, key: str) -> tuple[str, dict[str, str]]:
    """The path and headers, with the write key where the case wants it, or a spoiled one."""
    own = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {key}"} if case.key else {})
    headers = {name: text.replace("{KEY}", key.upper()) for name, text in (own | case.headers).items()}
    return case.path.replace("{key}", key), headers


def check(case: Case, status: int, kind: str | None, body: bytes) -> None:
    """The answer is the expected one and, whatever it is, JSON."""
    assert status == case.status < 500, body[:300]
    assert kind == "application/json", body[:300]
    told = json.loads(body)
    assert told["code"] == case.code, told
    if case.items:
        assert tuple(item["code"] for item in told["items"]) == case.items
        assert told["rejected"] == sum(code not in ("", "invalid_phone") for code in case.items)
    elif case.status == 200:
        assert told["accepted"] == len(told["items"])


@pytest.mark.parametrize("case", EACH)
def test_every_hostile_message_gets_its_answer(client: Any, world: Any, acme: Workspace, case: Case) -> None:
    path, headers = filled(case, world.acme_write_key)
    kind = headers.pop("Content-Type")
    answer = client.generic(case.method, path, case.sent(), kind, headers=headers)
    check(case, answer.status_code, answer["Content-Type"], answer.content)
    events = sum(code == "" for code in case.items) if case.items else int(case.status == 200)
    assert len(stored(acme)) == (0 if case.path == "/v1/identify" else events)


# --- files ---------------------------------------------------------------------------------------------------------


def reason(file: File) -> str:
    with override("en"):
        return "The submitted file is empty." if file.code == "empty" else sentence(file.code)


@pytest.mark.parametrize("case", FILES)
def test_every_hostile_file_gets_its_answer(as_role: Any, acme: Workspace, media: Path, case: str) -> None:
    file = FILES[case]
    upload = SimpleUploadedFile("x.csv", file.sent())
    upload.name, upload._name = file.name, file.name  # the path as a program would send it
    answer = as_role("operator").post(UPLOAD, {"file": upload}, headers={"Accept-Language": "en"})
    kept = [path.parent for path in media.rglob("*") if path.is_file()]
    if file.code:
        assert answer.status_code == 422 and reason(file) in answer.content.decode(), answer.content.decode()
        assert kept == []
        return
    assert answer.status_code == 302 and kept == [media / "imports"]
    with workspace_scope(acme):
        row = Import.objects.get()
        imports.start_import(row, imports.mapping_of(row), False)
        assert "/" not in row.name
    row = run_import(acme, row.pk)  # type: ignore[assignment]
    with workspace_scope(acme):
        codes = ImportRowError.objects.order_by("line").values_list("code", flat=True)
        assert (row.state, row.accepted, tuple(codes)) == ("done", file.taken, file.rows)
    page = as_role("operator").get(answer["Location"]).content.decode()
    assert "<svg onload" not in page
    assert (b"{{7*7}}" in file.sent()) == ("{{7*7}}" in page), "a name is shown as it is"


def test_a_file_past_the_limit_leaves_nothing(as_role: Any, media: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(imports, "MAX_FILE_BYTES", 3 * MIB)
    upload = SimpleUploadedFile("users.csv", b"user_id\n" + b"m\n" * 2 * MIB)
    assert as_role("operator").post(UPLOAD, {"file": upload}).status_code == 422
    assert [path for path in media.rglob("*") if path.is_file()] == []


# --- served --------------------------------------------------------------------------------------------------------


@pytest.fixture
def server(transactional_db: None, world: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("MEDIA_ROOT", str(tmp_path))
    with Children() as children:
        yield Server(children)


def memory_mib(server: Server) -> float:
    """What all its processes hold now."""
    return sum(map(pss_of, family(server.process.pid))) / 1024


def peak_mib(server: Server) -> float:
    """The most that they ever held."""
    told = [Path(f"/proc/{pid}/status").read_text() for pid in family(server.process.pid)]
    return sum(int(text.partition("VmHWM:")[2].split()[0]) for text in told) / 1024


def answer_of(server: Server, *sent: bytes) -> tuple[int, str | None, bytes]:
    """The first answer to these bytes on one connection; the server may hang up before it has all of them."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as line:
        with suppress(OSError):
            for part in sent:
                line.sendall(part)
        answer = HTTPResponse(line)
        answer.begin()
        return answer.status, answer.headers["Content-Type"], answer.read()


def served(server: Server, case: Case, key: str) -> tuple[int, str | None, bytes]:
    path, headers = filled(case, key)
    line = HTTPConnection("127.0.0.1", server.port, timeout=20)
    line.putrequest(case.method, path)
    body = case.sent()
    for name, text in (headers | {"Content-Length": str(len(body))}).items():
        if text:
            line.putheader(name, text)
    with suppress(OSError):  # told before all of it was sent
        line.endheaders(body)
    answer = line.getresponse()
    told = answer.status, answer.headers["Content-Type"], answer.read()
    line.close()
    return told


def send_files(server: Server, session: str) -> None:
    """Every file through the form, as somebody who is logged in; and a thousand of them at once."""
    cookies, headers = {"session": session}, {"Accept-Language": "en"}
    with httpx.Client(base_url=server.address, timeout=60, cookies=cookies, headers=headers) as desk:
        assert desk.get("/w/acme/imports/").status_code == 200
        form = {"csrfmiddlewaretoken": desk.cookies["csrf"]}
        for name, file in FILES.items():
            answer = desk.post(UPLOAD, data=form, files={"file": (file.name, io.BytesIO(file.sent()))})
            assert answer.status_code == (422 if file.code else 302), (name, answer.text)
            assert reason(file) in answer.text if file.code else True, name
        crowd = [("file", (f"{n}.csv", b"user_id\nm\n")) for n in range(1000)]
        assert desk.post(UPLOAD, data=form, files=crowd).status_code in (400, 413)


def test_all_of_them_together_leave_the_server_as_small_as_it_was(server: Server, world: Any, as_role: Any) -> None:
    key, session = world.acme_write_key, as_role("operator").cookies["session"].value
    for _ in range(50):
        check(Case(200, code="ok"), *served(server, Case(200, track(), "ok"), key))
    before, peak = memory_mib(server), peak_mib(server)
    for case in (case for cases in CASES.values() for case in cases):
        check(case, *served(server, case, key))
    send_files(server, session)
    grown, risen = memory_mib(server) - before, peak_mib(server) - peak
    assert max(grown, risen) < MORE_MIB, f"from {before:.0f} MiB by {grown:.0f}, for a moment by {risen:.0f}"
    check(Case(200, code="ok"), *served(server, Case(200, track(), "ok"), key))


def test_what_stands_in_an_address_is_no_error_of_ours(server: Server) -> None:
    for key in (b"%ff", b"%ed%a0%80", b"%00", b"\xff", b"\xed\xa0\x80", b"%C3%A9"):
        request = b"GET /v1/projects/" + key + b"/settings HTTP/1.1\r\nHost: \xffshop.test\r\n\r\n"
        status, _kind, body = answer_of(server, request)
        assert status in (200, 400), (key, status, body)


def head(key: str, *lines: str) -> bytes:
    told = ("POST /v1/batch HTTP/1.1", "Host: shop.test", f"Authorization: Bearer {key}", *lines)
    return "\r\n".join([*told, "", ""]).encode()


def test_what_no_http_library_would_send(server: Server, world: Any) -> None:
    key, message = world.acme_write_key, batch(good())
    large = Case(431, track(), "headers_too_large", headers={"X-Padding": "p" * 65_000})
    check(large, *served(server, large, key))
    endless = (b"%x\r\n%s\r\n" % (MIB, bytes(MIB)) for _ in range(100))
    told = answer_of(server, head(key, "Transfer-Encoding: chunked"), *endless)
    check(Case(413, code="too_large"), *told)
    short = answer_of(server, head(key, "Content-Length: 5"), message)
    check(Case(400, code="invalid_json"), *short)
    both = head(key, "Content-Length: 6", "Transfer-Encoding: chunked")
    assert answer_of(server, both, b"0\r\n\r\nG")[0] == 400
    with socket.create_connection(("127.0.0.1", server.port)) as leaver:
        leaver.sendall(head(key, "Content-Length: 90000") + message[:-1])
    time.sleep(0.5)
    assert stored(world.acme) == []
    check(Case(200, code="ok"), *served(server, Case(200, track(), "ok"), key))
