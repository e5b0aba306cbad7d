"""What stands before the bodies: the head of a request as it is read, and an answer as it goes over the line."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, unquote

import httptools
from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from users.ingest.protocol import Answer, Incoming

# Headers by which a client asks to speak something else.
WISHES = {b"connection", b"http2-settings", b"upgrade"}


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


class Head(NamedTuple):
    """What a head said: the request without its body, and how long that is."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Headers
    length: int


class KnownHeads:
    """Heads that were read before: a client repeats the same one all day, and what it says needs no parser again.

    By all of its bytes, of requests that came in one piece with their bodies and after which the connection went on.
    Those met first are forgotten first.
    """

    MOST = 1_000
    # Of what is larger, or lasts for one request, a thousand would only take memory.
    MAX_BYTES = 4 * 1024
    END = b"\r\n\r\n"
    # What makes a head say more than the length of its body.
    UNUSUAL = ("transfer-encoding", "expect", "upgrade")

    def __init__(self) -> None:
        self.heads: dict[bytes, Head] = {}

    def find(self, data: bytes) -> tuple[Head, bytes] | None:
        """The head that this begins with, if it is known, and the body, if that is all the rest."""
        end = data.find(self.END) + 4
        head = self.heads.get(data[:end])
        return (head, data[end:]) if head and len(data) == end + head.length else None

    def learn(self, data: bytes, incoming: Incoming) -> None:
        """Remember the head of a request that was read out of this, if that was all there was in it."""
        end, headers = data.find(self.END) + 4, incoming.headers
        length = len(data) - end
        if (
            end > self.MAX_BYTES
            or headers.get("content-length") != str(length)
            or len(incoming.body) != length
            or any(name in headers for name in self.UNUSUAL)
        ):
            return
        if len(self.heads) >= self.MOST:
            del self.heads[next(iter(self.heads))]
        said = Head(incoming.method, incoming.path, incoming.query, headers, length)  # type: ignore[arg-type]
        self.heads[data[:end]] = said


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


def plain_head(parser: httptools.HttpRequestParser, url: bytes, headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    """The same head without the wish to speak something else, as it is sent by Java's own client for one.

    The parser has left out the body.
    """
    lines = [b"%s %s HTTP/%s" % (parser.get_method(), url, parser.get_http_version().encode())]
    lines += [b"%s: %s" % header for header in headers if header[0] not in WISHES]
    if not parser.should_keep_alive():
        lines.append(b"connection: close")
    return b"\r\n".join([*lines, b"", b""])


def query_of(raw: str) -> dict[str, str]:
    return dict(parse_qsl(raw, keep_blank_values=True)) if raw else {}


def written(answer: Answer, keep: bool, bodiless: bool, more: Iterable[tuple[bytes, bytes]]) -> bytes:
    """The answer as it goes over the line. `more`: headers that the server gives every answer."""
    lines = [STATUS_LINE[answer.status], b"access-control-allow-origin: *\r\n"]
    if answer.status != 204:
        lines.append(b"content-type: %s\r\ncontent-length: %d\r\n" % (answer.content_type.encode(), len(answer.body)))
    lines += [b"%s: %s\r\n" % header for header in more]
    lines += [f"{name.lower()}: {value}\r\n".encode("latin-1") for name, value in answer.headers.items()]
    if not keep:
        lines.append(b"connection: close\r\n")
    lines += [b"\r\n", b"" if bodiless else answer.body]
    return b"".join(lines)
