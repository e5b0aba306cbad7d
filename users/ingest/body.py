"""From an HTTP request to JSON bytes: bounded reading, bounded inflating. What is too large is never held in memory."""

from __future__ import annotations

import base64
import zlib
from collections.abc import Mapping
from urllib.parse import parse_qsl

from django.http import HttpRequest, UnreadablePostError

MAX_BYTES = 4 * 1024 * 1024
GZIP_MAGIC = b"\x1f\x8b"


class BadRequest(Exception):
    """The request as a whole cannot be read. `status` is the HTTP status, `code` and `message` go into the answer."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message


TOO_LARGE = (413, "too_large", "At most 4 MiB, before and after decompression.")


def inflated(raw: bytes, encoding: str) -> bytes:
    """The body as it was before compression. Raises BadRequest. The content type is ignored: SDKs send what they like."""
    encoding = encoding.strip().lower()
    if encoding not in ("", "identity", "gzip", "x-gzip"):
        raise BadRequest(415, "unsupported_encoding", "Send JSON plain or with Content-Encoding: gzip.")
    if encoding.endswith("gzip") or raw.startswith(GZIP_MAGIC):
        raw = inflate(raw)
    return raw.removeprefix(b"\xef\xbb\xbf")


def read_bounded(request: HttpRequest) -> bytes:
    """At most MAX_BYTES, also of a chunked body, which has no length and which Django would read as empty."""
    length = request.META.get("CONTENT_LENGTH") or ""
    if length.isdecimal() and int(length) > MAX_BYTES:
        raise BadRequest(*TOO_LARGE)
    chunked = "chunked" in request.headers.get("Transfer-Encoding", "").lower()
    source = request.environ["wsgi.input"] if chunked and not length and hasattr(request, "environ") else request
    try:
        raw = source.read(MAX_BYTES + 1)
    except (UnreadablePostError, OSError) as error:
        raise BadRequest(400, "incomplete", "The body ended too early.") from error
    if len(raw) > MAX_BYTES:
        raise BadRequest(*TOO_LARGE)
    if length.isdecimal() and len(raw) < int(length):
        raise BadRequest(400, "incomplete", "The body ended too early.")
    return raw


def inflate(raw: bytes) -> bytes:
    """One whole gzip member of at most MAX_BYTES. Raises BadRequest for bombs, cut, trailing or foreign bytes."""
    stream = zlib.decompressobj(wbits=31)
    try:
        text = stream.decompress(raw, MAX_BYTES + 1)
    except zlib.error as error:
        raise BadRequest(400, "invalid_encoding", "The body is not gzip.") from error
    if len(text) > MAX_BYTES:
        raise BadRequest(*TOO_LARGE)
    if not stream.eof or stream.unused_data:
        raise BadRequest(400, "invalid_encoding", "The gzip body is cut short or has something behind it.")
    return text


def from_base64(text: str | bytes) -> bytes:
    """The bytes behind base64 text, inflated where they are gzip. A plus that a form turned into a blank is mended.

    Raises BadRequest.
    """
    raw = text.encode() if isinstance(text, str) else text
    try:
        raw = base64.b64decode(raw.strip().replace(b" ", b"+").replace(b"-", b"+").replace(b"_", b"/") + b"==")
    except ValueError as error:
        raise BadRequest(400, "invalid_encoding", "The data is not base64.") from error
    return inflate(raw) if raw.startswith(GZIP_MAGIC) else raw


def form_of(body: bytes, query: Mapping[str, str]) -> dict[str, str]:
    """Fields of a form body over those of the address; of a body that is no form, just the latter. Raises BadRequest."""
    try:
        told = parse_qsl(body.decode("ascii"), keep_blank_values=True, max_num_fields=50) if b"=" in body[:200] else []
    except ValueError as error:
        raise BadRequest(400, "invalid_encoding", "The form cannot be read.") from error
    return {**query, **dict(told)}
