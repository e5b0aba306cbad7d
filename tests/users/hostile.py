"""What senders with bad intentions or bad programs send to ingest or upload, and the one answer that each must get.

Bodies that are large are made when they are asked for. Every message has an id of its own, so that no case can take
another's for a repeat.
"""

from __future__ import annotations

import gzip
import io
import itertools
import json
import struct
import zlib
from collections.abc import Callable
from typing import Any, NamedTuple
from zipfile import ZIP_DEFLATED, ZipFile

AT = "2026-08-01T09:00:00+08:00"
PACKED = {"Content-Encoding": "gzip"}
MIB = 1024 * 1024
_ids = itertools.count()


class Case(NamedTuple):
    """A request and its answer: the status, `code` of all of it, and `items`, the codes of single items."""

    status: int
    body: bytes | Callable[[], bytes] = b""
    code: str = ""
    items: tuple[str, ...] = ()
    path: str = "/v1/track"
    method: str = "POST"
    headers: dict[str, str] = {}
    key: bool = True

    def sent(self) -> bytes:
        return self.body if isinstance(self.body, bytes) else self.body()


def message(**changes: Any) -> dict[str, Any]:
    told = {"userId": "mallory", "event": "Looked", "messageId": f"hostile-{next(_ids)}", "timestamp": AT} | changes
    return {name: value for name, value in told.items() if value is not ...}


def track(**changes: Any) -> bytes:
    return json.dumps(message(**changes)).encode()


def raw(properties: bytes) -> bytes:
    """A message whose properties are these bytes, JSON or not."""
    return track(properties="@").replace(b'"@"', properties)


def person(**traits: Any) -> bytes:
    return json.dumps(message(event=..., traits=traits)).encode()


def batch(*items: Any) -> bytes:
    return json.dumps({"batch": items}).encode()


def nested(levels: int, opening: bytes = b'{"a":', closing: bytes = b"}") -> bytes:
    return opening * levels + b"1" + closing * levels


def good(**changes: Any) -> dict[str, Any]:
    return {"type": "track"} | message(**changes)


def refused(code: str, *bodies: bytes | Callable[[], bytes], **more: Any) -> list[Case]:
    return [Case(400, body, code, **more) for body in bodies]


def taken(*bodies: bytes | Callable[[], bytes], **more: Any) -> list[Case]:
    return [Case(200, body, "ok", **more) for body in bodies]


def packed(*cases: Case) -> list[Case]:
    return [case._replace(headers=PACKED | case.headers, path="/v1/batch") for case in cases]


CASES: dict[str, list[Case]] = {
    "JSON that is no message": refused("invalid_type", b"null", b'"hello"', b"3.14", b"[]", b"true"),
    "text that is no JSON": refused(
        "invalid_json",
        b"",
        track() + b" and more",
        track() + track(),
        track()[:-1] + b",}",
        track()[:-1] + b"// why not\n}",
        b'{"userId": "mallory',
        b"{userId: mallory}",
        b"<!doctype html><title>Sign in</title>",
        b"\xff\xfe" + track().decode().encode("utf-16-le"),
        b'{"userId":"mall\xc3\x28ory","event":"Looked"}',
    ),
    "numbers that JSON has not": refused(
        "invalid_json", raw(b'{"n":NaN}'), raw(b'{"n":-Infinity}'), raw(b'{"n":0xff}'), raw(b'{"n":012}')
    ),
    "numbers past what is kept": refused(
        "number_out_of_range",
        raw(b'{"n":' + b"7" * 700 + b"}"),
        raw(b'{"n":' + b"7" * 6000 + b"}"),
        raw(b'{"n":1e99999}'),
        raw(b'{"n":18446744073709551616}'),
    ),
    "numbers at the edge of what is kept": taken(raw(b'{"n":-0.0}'), raw(b'{"n":9007199254740993}')),
    "boxes in boxes": refused(
        "too_deep",
        raw(b'{"x":' + nested(50_000, b"[", b"]") + b"}"),
        raw(nested(20_000)),
        raw(nested(33)),
        raw(nested(20)),
    ),
    "boxes as deep as may be": taken(raw(nested(19))),
    "texts that PostgreSQL cannot hold": refused(
        "invalid_string",
        track(userId="mal\0lory"),
        track(properties={"note": "nul \0 nul"}),
        track(properties={"note\0": 1}),
        track(properties={"note": "half an emoji \ud83d"}),
        track(properties={"\udc00": 1}),
    ),
    "ids that mean nobody": refused(
        "invalid_identifier",
        *(track(userId=word) for word in ("undefined", "NaN", "[object Object]", "0", "false", "null", "guest")),
        track(userId=0),
    ),
    "ids of another type": refused("invalid_type", *(track(userId=id_) for id_ in (True, ["m"], {"$ne": ""}, 2.5))),
    "ids and names that are too long": refused("too_long", track(userId="m" * 1025), track(event="L" * 257)),
    "no id at all": refused("missing_identifier", track(userId=...)),
    "somebody who is themselves": refused(
        "invalid_identifier", json.dumps({"userId": "m", "previousId": "m"}).encode(), path="/v1/alias"
    ),
    "names from other languages' insides": taken(
        track(event="__proto__", properties={"__proto__": {"is_admin": True}, "constructor": {"prototype": {"y": 1}}}),
        track(properties={"x'); delete from event;--": 1}),
        track(properties={"$where": "while(1);", "$set": {"is_superuser": True}}),
    ),
    "a text of 40 KB": refused("event_too_large", track(properties={"text": "v" * 40_000})),
    "traits named as columns": taken(
        person(workspace_id="other", pk=1, id=1, excluded=True, merged_into=None), path="/v1/identify"
    ),
    "mail to more than one, or to nobody": refused(
        "invalid_email",
        *(
            person(email=text)
            for text in (
                "m@shop.test\r\nBcc: all@shop.test",
                "m" * 310 + "@shop.test",
                "m@shop@test.test",
                '"m m"@shop.test',
                "m@[127.0.0.1]",
                "m@shop.test.",
                "<>",
            )
        ),
        path="/v1/identify",
    ),
    "mail to a name in punycode": taken(person(email="m@xn--80ak6aa92e.com"), path="/v1/identify"),
    "numbers nobody can call": taken(  # kept as attributes, and the sender is told
        *(person(phone=text) for text in ("110", "2" * 40, "\u0661\u0662\u0663")),
        path="/v1/identify",
        items=("invalid_phone",),
    ),
    "a number without its country": taken(person(phone="13912345678"), path="/v1/identify", items=("",)),
    "times that are none": refused(
        "invalid_timestamp",
        *(
            track(timestamp=time)
            for time in (
                *("10001-01-01T00:00:00Z", "-infinity", "yesterday", "2026-03-29T02:30:00", ""),
                *("Sat, 01 Aug 2026 09:00:00 GMT", 1_785_546_000_000_000, -7, True, "1999-01-01T00:00:00Z"),
            )
        ),
    ),
    "times in other forms": taken(
        *(track(timestamp=time) for time in ("2026-08-01T01:00:00.123456789Z", 1_785_546_000, 1_785_546_000_123)),
        track(timestamp="2016-02-29T12:00:00Z"),
    ),
    "another method": [Case(405, code="method_not_allowed", method=method) for method in ("GET", "PUT", "TRACE")],
    # What is sent is looked at, not what is said of it: browsers may only send text/plain.
    "another content type": [
        *(
            case._replace(headers={"Content-Type": kind})
            for kind in ("text/plain", "", "application/json; charset=klingon")
            for case in taken(track())
        ),
        *refused(
            "invalid_json",
            b"<!DOCTYPE m [<!ENTITY e SYSTEM 'file:///etc/shadow'>]><m>&e;</m>",
            headers={"Content-Type": "application/xml"},
        ),
    ],
    "bombs": packed(
        Case(413, lambda: gzip.compress(bytes(64 * MIB)), "too_large"),
        Case(415, lambda: gzip.compress(gzip.compress(bytes(64 * MIB))), "unsupported_encoding")._replace(
            headers={"Content-Encoding": "gzip, gzip"}
        ),
    ),
    "gzip that is broken": packed(
        *refused(
            "invalid_encoding",
            gzip.compress(batch(good()))[:-5],
            gzip.compress(batch(good())) + b"tail",
            gzip.compress(b'{"batch":') + gzip.compress(b"[]}"),
            batch(good()),
        )
    ),
    "encodings that nobody speaks here": [
        Case(415, b"m", "unsupported_encoding", headers={"Content-Encoding": told}, path="/v1/batch")
        for told in ("br", "zstd", ",".join(["gzip"] * 300))
    ],
    "a body past the limit": [
        Case(413, lambda: b'{"batch":["' + b"x" * 4 * MIB + b'"]}', "too_large", path="/v1/batch")
    ],
    "a batch of nothing, or of too much": [
        *refused("empty_batch", batch(), path="/v1/batch"),
        *refused("too_many_items", batch(*range(2501)), path="/v1/batch"),
        *refused("too_many_items", lambda: b'{"batch":[{}' + b",{}" * MIB + b"]}", path="/v1/batch"),
    ],
    "bad items among good ones": taken(
        batch(good(), {"type": "track"}, good()), path="/v1/batch", items=("", "missing_identifier", "")
    )
    + taken(batch(good(), good(properties={"n": "\0"}), good()), path="/v1/batch", items=("", "invalid_string", ""))
    + taken(batch({"type": "drop_table", "userId": "m"}), path="/v1/batch", items=("unknown_type",)),
    "addresses that are not there": [
        Case(404, track(), "not_found", path=path) for path in ("/v1/%2574rack", "/v1/../admin/", "/v1/track/../../x")
    ],
    "keys that are none": [
        Case(401, track(), "unauthenticated", headers=headers, key=False, path=path)
        for headers, path in (
            ({"Authorization": "Bearer "}, "/v1/track"),
            ({"Authorization": "Basic bWFsbG9yeQ=="}, "/v1/track"),
            ({"Authorization": "Bearer x' or 'a'='a"}, "/v1/track"),
            ({}, "/v1/track?key={key}"),
            ({"Authorization": "Bearer {KEY}"}, "/v1/track"),
        )
    ],
}


class File(NamedTuple):
    """An upload: `code` why it is refused whole; else how many rows are taken in and the codes of the others."""

    name: str
    content: bytes | Callable[[], bytes]
    code: str = ""
    taken: int = 0
    rows: tuple[str, ...] = ()

    def sent(self) -> bytes:
        return self.content if isinstance(self.content, bytes) else self.content()


def users(*rows: str, header: str = "user_id,name", end: str = "\n") -> bytes:
    return end.join([header, *rows, ""]).encode()


def book(**parts: Callable[[], bytes]) -> bytes:
    """A zip file with these parts, whatever they are."""
    packed = io.BytesIO()
    with ZipFile(packed, "w", ZIP_DEFLATED) as file:
        for name, content in parts.items():
            file.writestr(name, content())
    return packed.getvalue()


def picture(side: int, pixels: bytes) -> bytes:
    """A PNG file that says it is so many pixels wide and high."""
    told = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    parts = [
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in ((b"IHDR", told), (b"IDAT", pixels), (b"IEND", b""))
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def many_zeros(mebibytes: int) -> bytes:
    squeezed = zlib.compressobj()
    return b"".join([*(squeezed.compress(bytes(MIB)) for _ in range(mebibytes)), squeezed.flush()])


NAMES = (
    "<svg onload=alert(1)>", "{{7*7}}{% load x %}", '"=HYPERLINK(""http://mallory.test"",""click"")"',
    "+1+1", "-2+3", "@SUM(1)", '"\t=1"', "＝1+1", "\"=cmd|'/c calc'!A1\"", "\u202egpj.exe",
)  # fmt: skip
FILES = {
    "nothing in it": File("users.csv", b"", "empty"),
    "no rows": File("users.csv", b"user_id,name\n", "no_rows"),
    "a column twice": File("users.csv", b"user_id,user_id\nm,n\n", "duplicate_column"),
    "too many columns": File("users.csv", ",".join(f"c{n}" for n in range(600)).encode() + b"\n", "too_many_columns"),
    "cells that a spreadsheet or a browser would run": File(
        "users.csv", users(*(f"m{n},{name}" for n, name in enumerate(NAMES))), taken=len(NAMES)
    ),
    "a quote that stays open": File("users.csv", users('m,"Mal', "n,Nan"), "malformed_csv:2"),
    "a byte order mark": File("users.csv", b"\xef\xbb\xbf" + users("m,Mal"), taken=1),
    "line ends of three kinds": File("users.csv", b"user_id,name\r\nm,Mal\nn,Nan\ro,Oz\r\n", taken=3),
    "a phone that a spreadsheet ruined": File(
        "users.csv", users("m,8.61391E+12", "n,13912345678", header="user_id,phone"), taken=1, rows=("invalid_phone",)
    ),
    "a day that may be another": File(
        "users.csv",
        users("m,03/04/2026", "n,2026-04-03", header="user_id,registered_at"),
        taken=1,
        rows=("invalid_timestamp",),
    ),
    "ids that mean nobody": File(
        "users.csv", users("null,Mal", "0,Nan", ",Oz"), rows=("invalid_identifier",) * 2 + ("missing_identifier",)
    ),
    "GB18030": File("users.csv", "user_id,name\nm,张三\n".encode("gb18030"), taken=1),
    "no text in any way": File("users.csv", b"user_id,name\nm,\x81\xff\n", "invalid_encoding"),
    "a path for a name": File("../../etc/cron.d/users.csv", users("m,Mal"), taken=1),
    "another type behind the name": File("users.csv.php", users("m,Mal"), taken=1),
    "a workbook that unpacks to far more": File(
        "users.xlsx", lambda: book(**{"xl/worksheets/sheet1.xml": lambda: b"0" * (256 * MIB)}), "xlsx_bomb"
    ),
    "a zip that is no workbook": File("users.csv", lambda: book(**{"../../evil.py": lambda: b"x"}), "broken_xlsx"),
    "a drawing with a script": File("users.svg", b"<svg xmlns='urn:x'><script>alert(1)</script></svg>", "no_rows"),
    "a program named as a picture": File("logo.php.png", b"<?php", "no_rows"),
    "a picture that is a program": File("logo.gif", b"GIF89a/*<script>*/=1;", "no_rows"),
    "a picture of 50,000 pixels a side": File("logo.png", picture(50_000, b""), "invalid_encoding"),
    "a picture that unpacks to a gigabyte": File(
        "logo.png", lambda: picture(100, many_zeros(1024)), "invalid_encoding"
    ),
}
