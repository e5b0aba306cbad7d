"""What every protocol is to the door: it opens a request into items, reads one item, and words the answer its SDK expects.

Splitting a body into items is shared: each item stays bytes until it is read, so that a bad one costs only itself.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from functools import cache, lru_cache
from typing import Any, TypeVar

import msgspec
import numpy as np

from users.ingest import normal
from users.ingest.body import BadRequest
from users.ingest.normal import ACCEPTED, Reading, Refused, Result

MAX_ITEMS = 2_500
# Deeper than any item may be, and far from where decoders give up.
READ_DEPTH = 100
PIECE = 256 * 1024
MANY_COMMAS = 50_000
TOO_DEEP = Refused("too_deep", f"At most {normal.MAX_DEPTH} levels.")
TOO_MANY = (400, "too_many_items", f"At most {MAX_ITEMS} items in a batch.")
ESCAPED = re.compile(rb"\\.", re.DOTALL)
OPENING, CLOSING = list(b"[{"), list(b"]}")
GIF = base64.b64decode("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7")
Struct = TypeVar("Struct", bound=msgspec.Struct)
Item = bytes | Refused


class Incoming(msgspec.Struct):
    """An HTTP request, whatever server took it. Names of headers are in lower case; a protocol sees `body` inflated."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes = b""


class Answer(msgspec.Struct):
    """What goes back to the SDK."""

    status: int
    body: bytes
    content_type: str = "application/json"
    headers: dict[str, str] = {}


class Request:
    """One request, opened. A protocol's subclass fills `items`, and `secrets` where the body or query carries write keys.

    `library` names the SDK in the list of refused items. `dry_run`: check everything, store nothing.
    """

    items: list[Item]
    secrets: tuple[str, ...] = ()
    library = ""
    dry_run = False

    def read(self, item: bytes, received_at: datetime, currency: str) -> Reading:
        """One item in the normal form. Raises Refused."""
        raise NotImplementedError

    def answer(self, results: list[Result]) -> Answer:
        """What the SDK has to hear once everything is committed: exactly 200, whatever became of single items."""
        return summary(results)


def tell(status: int, told: dict[str, Any]) -> Answer:
    return Answer(status, msgspec.json.encode(told))


class ItemTold(msgspec.Struct):
    """What became of the item at place `index`."""

    index: int
    status: str
    code: str
    message: str
    path: str


def summary(results: list[Result]) -> Answer:
    """Counts, and one line per item with its place, status, code, message and path."""
    if results.count(ACCEPTED) == len(results):
        return Answer(200, all_accepted(len(results)))
    return tell(200, count(results))


@lru_cache(maxsize=100)
def all_accepted(items: int) -> bytes:
    """What nearly everybody is told."""
    return msgspec.json.encode(count([ACCEPTED] * items))


def count(results: list[Result]) -> dict[str, Any]:
    counts = {status: sum([r.status == status for r in results]) for status in ("accepted", "duplicate", "rejected")}
    items = [ItemTold(n, r.status, r.code, r.message, r.path) for n, r in enumerate(results)]
    return {"success": True, "code": "ok", "message": "", **counts, "items": items}


@cache
def decoder(kind: Any) -> msgspec.json.Decoder:
    return msgspec.json.Decoder(kind)


def split(body: bytes, envelope: type[Struct], arrays: bool = False) -> tuple[Struct, list[Item] | None]:
    """The envelope, and the raw items of its field `batch`, or of the array that the body is where `arrays` may be.

    None for items: the body is one object without a batch. Raises BadRequest when it is nothing of that.
    """
    try:
        return divide(body, envelope, arrays)
    except RecursionError:
        return divide(without_depths(body), envelope, arrays)


def divide(body: bytes, envelope: type[Struct], arrays: bool) -> tuple[Struct, list[Item] | None]:
    """As `split`; raises RecursionError for what is nested too deeply."""
    listed = arrays and body.lstrip()[:1] == b"["
    if is_crowded(body, listed):
        raise BadRequest(*TOO_MANY)
    try:
        if listed:
            return envelope(), [bytes(item) for item in decoder(list[msgspec.Raw]).decode(body)]
        told = decoder(envelope).decode(body)
        batch = getattr(told, "batch", None)
        return told, None if batch is None else [bytes(item) for item in batch]
    except msgspec.ValidationError as error:
        raise BadRequest(400, "invalid_type", str(error)) from error
    except (msgspec.DecodeError, UnicodeDecodeError):
        return reread(body, envelope, listed)


def pieces(body: bytes) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
    """Stretches of a body: where each begins, its bytes (0 for those inside of texts), and how deep one is after each.

    In stretches, because arrays for all of it would be many times as large.
    """
    plain = np.frombuffer(ESCAPED.sub(b"__", body), np.uint8)
    depth, inside = 0, False
    for start in range(0, len(body), PIECE):
        marks = plain[start : start + PIECE]
        quoted = np.logical_xor.accumulate(marks == ord('"')) ^ inside
        marks = np.where(quoted, 0, marks)
        after = depth + np.cumsum(np.isin(marks, OPENING).astype(int) - np.isin(marks, CLOSING))
        yield start, marks, after
        depth, inside = int(after[-1]), bool(quoted[-1])


def depth_of(body: bytes) -> int:
    """How many containers stand around the deepest place, whatever else may be wrong with the body."""
    return max((int(after.max()) for _, _, after in pieces(body)), default=0)


def without_depths(body: bytes) -> bytes:
    """The body with whatever is nested deeper than READ_DEPTH cut out, which a decoder could not even skip.

    The item it was in is still deeper than an item may be, and is refused for that; its neighbours are not.
    """
    kept: list[bytes] = []
    for start, marks, after in pieces(body):
        first = (after == READ_DEPTH + 1) & np.isin(marks, OPENING)
        text = np.frombuffer(body, np.uint8, len(marks), start).copy()
        text[first] = ord("0")
        kept.append(text[first | (after + np.isin(marks, CLOSING) <= READ_DEPTH)].tobytes())
    return b"".join(kept)


def is_crowded(body: bytes, listed: bool) -> bool:
    """Whether there are far too many items, as a glance at the commas between them tells: a million objects, each of two
    characters, would be a hundred times their size in memory."""
    if body.count(b",") <= MANY_COMMAS:
        return False
    level = 1 if listed else 2
    return sum(int(((marks == ord(",")) & (after == level)).sum()) for _, marks, after in pieces(body)) > 2 * MAX_ITEMS


def reread(body: bytes, envelope: type[Struct], listed: bool) -> tuple[Struct, list[Item] | None]:
    """The body read by the standard library, which takes lone surrogates and NaN: JavaScript sends the one when it cuts
    an emoji in half, Python the other. They refuse the item they are in; without this, one would refuse the whole batch."""
    try:
        document = json.loads(body.decode(), parse_int=read_whole)
    except ValueError as error:
        raise BadRequest(400, "invalid_json", "The body is not JSON in UTF-8.") from error
    if listed:
        return envelope(), [rewrite(item) for item in document]
    if not isinstance(document, dict) or not isinstance(document.get("batch", []), list):
        raise BadRequest(400, "invalid_type", "Expected an object, and a list of items in it.")
    names = {field.encode_name: field.name for field in msgspec.structs.fields(envelope) if field.name != "batch"}
    told = envelope(**{name: document[key] for key, name in names.items() if key in document})
    batch = document.get("batch")
    return told, [rewrite(document)] if batch is None else [rewrite(item) for item in batch]


def rewrite(item: Any) -> Item:
    try:
        return json.dumps(item, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return Refused("invalid_string", "Half of a surrogate pair is not text.")


def read_whole(digits: str) -> int | float:
    """A whole number; one too long for Python to read, which no item may hold, becomes infinite and refuses its item."""
    return int(digits) if len(digits) < 1000 else float("inf")


def texts(*values: Any) -> tuple[str, ...]:
    """Those of the values that are texts and can be written as UTF-8: half a surrogate pair cannot even be hashed."""
    return tuple(v for v in values if isinstance(v, str) and v and not any("\ud800" <= c <= "\udfff" for c in v))


def check_items(items: list[Item]) -> list[Item]:
    """The items of a batch. Raises BadRequest when there are none, or too many."""
    if not items:
        raise BadRequest(400, "empty_batch", "The batch holds no items.")
    if len(items) > MAX_ITEMS:
        raise BadRequest(*TOO_MANY)
    return items


def decode(raw: bytes, kind: type[Struct]) -> Struct:
    """One item as `kind`. Raises Refused, naming the field."""
    if len(raw) > normal.MAX_ITEM_BYTES:
        # Brackets alone can make it that large, and cutting texts would not help its sender.
        raise TOO_DEEP if depth_of(raw) > normal.MAX_DEPTH else Refused("event_too_large", "At most 32 KiB per item.")
    try:
        return decoder(kind).decode(raw)
    except RecursionError as error:
        raise TOO_DEEP from error
    except msgspec.ValidationError as error:
        reason, _, place = str(error).partition(" - at ")
        code = "number_out_of_range" if "out of range" in reason else "invalid_type"
        raise Refused(code, reason, re.sub(r"^`\$\.?|`$", "", place)) from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Refused("invalid_json", "The item is not JSON in UTF-8.") from error


def first_of(items: list[Item], kind: type[Struct]) -> Struct | None:
    """The first item as `kind`; None when it cannot be read, which its own reading will say."""
    try:
        return decode(items[0], kind) if items and isinstance(items[0], bytes) else None
    except Refused:
        return None


def short_text(value: Any, limit: int = 40) -> str:
    """A clean short text, "" for anything else."""
    try:
        return normal.clean_text(value, "", limit)
    except Refused:
        return ""


def lenient_time(value: Any) -> datetime | None:
    """A time that only serves to correct another one: when it cannot be read, nothing is corrected."""
    try:
        return normal.parse_time(value)
    except Refused:
        return None


def as_dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def look_up(told: Mapping[str, Any], *path: str, limit: int = 100) -> str:
    """A short text somewhere in what was told; "" when it is missing or not a clean text."""
    value: Any = told
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
        if value is None:
            return ""
    try:
        return normal.clean_text(value, "context", limit)
    except Refused:
        return ""
