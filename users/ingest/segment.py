"""The Segment protocol: its messages, read into the normal form one by one."""

from __future__ import annotations

import json
import re
import uuid
from datetime import datetime
from typing import Any, TypeGuard

import msgspec
import numpy as np

from users.ingest import normal
from users.ingest.body import BadRequest
from users.ingest.normal import NormalEvent, NormalProfile, PersonKey, Refused, Result
from users.traits import clean_phone, region_of

MAX_ITEMS = 2_500
VIEWED = {"page": "Page Viewed", "screen": "Screen Viewed"}
READABLE = ("track", "identify", *VIEWED)
LATER = ("group", "alias", "merge")
# Deeper than any item may be, and far from where decoders give up.
READ_DEPTH = 100
ESCAPED = re.compile(rb"\\.", re.DOTALL)
OPENING, CLOSING = list(b"[{"), list(b"]}")


class Envelope(msgspec.Struct, rename="camel"):
    """What stands around the items of a batch, or in a single message beside them."""

    batch: list[msgspec.Raw] | None = None
    write_key: object = None
    sent_at: object = None
    context: object = None


class Message(msgspec.Struct, rename="camel"):
    """One item. Numbers are taken as ids, because SDKs of untyped languages send them."""

    type: str | None = None
    user_id: str | int | None = None
    anonymous_id: str | int | None = None
    message_id: str | int | None = None
    timestamp: object = None
    original_timestamp: object = None
    sent_at: object = None
    event: str | None = None
    name: str | None = None
    category: str | None = None
    properties: dict[str, object] | None = None
    traits: dict[str, object] | None = None
    context: object = None


class Reading(msgspec.Struct):
    """What one item said: an event, news about a person, or both; `note` for what was left out of it."""

    event: NormalEvent | None = None
    profile: NormalProfile | None = None
    note: Result | None = None


decode_envelope = msgspec.json.Decoder(Envelope).decode
decode_message = msgspec.json.Decoder(Message).decode


class Request:
    """A decoded body: `items` are the raw bytes of each item, or why it cannot even be told apart.

    Raises BadRequest when the body as a whole is no JSON object, an empty batch, or too many items.
    """

    def __init__(self, body: bytes, single: bool) -> None:
        try:
            envelope, self.items = divide(body, single)
        except RecursionError:
            envelope, self.items = divide(without_depths(body), single)
        if not self.items:
            raise BadRequest(400, "empty_batch", "The batch holds no items.")
        if len(self.items) > MAX_ITEMS:
            raise BadRequest(400, "too_many_items", f"At most {MAX_ITEMS} items in a batch.")
        # Half a surrogate pair is in no key of ours, and cannot be hashed.
        self.write_key = envelope.write_key if is_text(envelope.write_key) else ""
        self.sent_at = None if single else lenient_time(envelope.sent_at)
        self.context = envelope.context if not single and isinstance(envelope.context, dict) else {}


def divide(body: bytes, single: bool) -> tuple[Envelope, list[bytes | Refused]]:
    """What stands around the items, and the items. Raises BadRequest, and RecursionError for what is nested too deeply."""
    try:
        envelope = decode_envelope(body)
        return envelope, [body] if single else [bytes(item) for item in envelope.batch or ()]
    except msgspec.ValidationError as error:
        raise BadRequest(400, "invalid_type", str(error)) from error
    except (msgspec.DecodeError, UnicodeDecodeError):
        return reread(body, single)


def without_depths(body: bytes) -> bytes:
    """The body with whatever is nested deeper than READ_DEPTH cut out, which a decoder could not even skip.

    The item it was in is still deeper than an item may be, and is refused for that; its neighbours are not.
    """
    marks = np.frombuffer(ESCAPED.sub(b"__", body), np.uint8)
    outside = np.cumsum(marks == ord('"')) % 2 == 0
    steps = np.where(outside & np.isin(marks, OPENING), 1, 0) - np.where(outside & np.isin(marks, CLOSING), 1, 0)
    after = np.cumsum(steps)
    before = after - steps
    first = (before == READ_DEPTH) & (after > READ_DEPTH)
    text = np.where(first, ord("0"), np.frombuffer(body, np.uint8)).astype(np.uint8)
    return text[first | (np.maximum(before, after) <= READ_DEPTH)].tobytes()


def reread(body: bytes, single: bool) -> tuple[Envelope, list[bytes | Refused]]:
    """The body read by the standard library, which takes lone surrogates and NaN: JavaScript sends the one when it cuts
    an emoji in half, Python the other. They refuse the item they are in; without this, one would refuse the whole batch."""
    try:
        document = json.loads(body.decode(), parse_int=read_whole)
    except ValueError as error:
        raise BadRequest(400, "invalid_json", "The body is not JSON in UTF-8.") from error
    if not isinstance(document, dict) or not isinstance(document.get("batch", []), list):
        raise BadRequest(400, "invalid_type", "Expected an object, and a list of items in it.")
    envelope = Envelope(None, document.get("writeKey"), document.get("sentAt"), document.get("context"))
    return envelope, [rewrite(item) for item in ([document] if single else document.get("batch", []))]


def rewrite(item: Any) -> bytes | Refused:
    try:
        return json.dumps(item, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return Refused("invalid_string", "Half of a surrogate pair is not text.")


def read_whole(digits: str) -> int | float:
    """A whole number; one too long for Python to read, which no item may hold, becomes infinite and refuses its item."""
    return int(digits) if len(digits) < 1000 else float("inf")


def is_text(value: Any) -> TypeGuard[str]:
    """Whether this is a text that can be written as UTF-8."""
    return isinstance(value, str) and not any("\ud800" <= letter <= "\udfff" for letter in value)


def lenient_time(value: Any) -> datetime | None:
    """A time that only serves to correct another one: when it cannot be read, nothing is corrected."""
    try:
        return normal.parse_time(value)
    except Refused:
        return None


def read_item(raw: bytes, kind: str | None, request: Request, received_at: datetime, currency: str) -> Reading:
    """One item in the normal form; `kind` is set where the URL names it. Raises Refused."""
    if len(raw) > normal.MAX_ITEM_BYTES:
        raise Refused("event_too_large", "At most 32 KiB per item.")
    message = decode(raw)
    kind = kind or message.type
    if kind not in READABLE:
        later = kind in LATER
        raise Refused("unsupported_type" if later else "unknown_type", f"Send one of {', '.join(READABLE)}.", "type")
    context = request.context | message.context if isinstance(message.context, dict) else request.context
    user_id = normal.clean_id(message.user_id, "userId")
    visitor = read_visitor(message, bool(user_id))
    person = PersonKey(user_id or visitor, bool(user_id))
    client_at = normal.parse_time(message.original_timestamp, "originalTimestamp")
    client_at = client_at or normal.parse_time(message.timestamp)
    sent_at = request.sent_at or lenient_time(message.sent_at)
    at = normal.correct_time(client_at, sent_at, received_at) if client_at else received_at
    if kind == "identify":
        profile = read_identify(message, context, person, at, visitor if user_id else "")
        return Reading(profile=profile, note=note_phone(profile.traits, "traits.phone", currency))
    return read_event(message, context, person, at, client_at, VIEWED.get(kind or ""), currency)


def decode(raw: bytes) -> Message:
    try:
        return decode_message(raw)
    except RecursionError as error:
        raise Refused("too_deep", f"At most {normal.MAX_DEPTH} levels.") from error
    except msgspec.ValidationError as error:
        reason, _, place = str(error).partition(" - at ")
        code = "number_out_of_range" if "out of range" in reason else "invalid_type"
        raise Refused(code, reason, re.sub(r"^`\$\.?|`$", "", place)) from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Refused("invalid_json", "The item is not JSON in UTF-8.") from error


def read_visitor(message: Message, named: bool) -> str:
    """The anonymous id. A bad one beside a good user id is ignored; without any id the item is refused."""
    try:
        visitor = normal.clean_id(message.anonymous_id, "anonymousId")
    except Refused:
        if named:
            return ""
        raise
    if not visitor and not named:
        raise Refused("missing_identifier", "Send a userId or an anonymousId.", "userId")
    return visitor


def read_event(
    message: Message,
    context: dict[str, Any],
    person: PersonKey,
    at: datetime,
    client_at: datetime | None,
    viewed: str | None,
    currency: str,
) -> Reading:
    properties = normal.clean_properties(message.properties)
    if viewed:
        named = {"name": message.name, "page_category": message.category}
        properties = {key: normal.clean_text(text, key) for key, text in named.items() if text} | properties
    for key, place in (("app_version", ("app", "version")), ("os", ("os", "name"))):
        if key not in properties and (told := look_up(context, *place)):
            properties = properties | {key: told}
    message_id = normal.clean_text(message.message_id, "messageId")
    event = NormalEvent(
        person,
        viewed or normal.clean_name(message.event),
        message_id or str(uuid.uuid4()),
        at,
        client_at,
        normal.encode(properties),
        normal.read_money(properties, currency),
        normal.read_order_id(properties),
    )
    unnamed = Result("accepted", "no_message_id", "Without a messageId a repeat is stored again.", "messageId")
    profile, note = read_passing(context, person, at, currency)
    return Reading(event, profile, note if message_id else unnamed)


def read_identify(
    message: Message, context: dict[str, Any], person: PersonKey, at: datetime, visitor: str
) -> NormalProfile:
    """Traits of the message over those of its context (where Rudder puts them). Raises Refused."""
    told = context.get("traits")
    traits = (told if isinstance(told, dict) else {}) | (message.traits or {})
    traits = context_traits(context) | normal.clean_properties(traits, "traits")
    profile = NormalProfile(person, at, normal.clean_traits(traits), campaign_source(context), visitor)
    if profile.traits.get("email") and not normal.clean_email(profile.traits["email"]):
        raise Refused("invalid_email", "This is not an email address.", "traits.email")
    return profile


def note_phone(traits: dict[str, Any], path: str, currency: str) -> Result | None:
    """What the sender is told about a number that nobody can call: it stays an attribute, and no SMS goes there."""
    phone = traits.get("phone")
    if phone is None or phone == "" or clean_phone(phone, region_of(currency)):
        return None
    return Result("accepted", "invalid_phone", "This is not a phone number; it is kept as an attribute only.", path)


def read_passing(
    context: dict[str, Any], person: PersonKey, at: datetime, currency: str
) -> tuple[NormalProfile | None, Result | None]:
    """What an event's context says about the person. Whatever is wrong with it never costs the event."""
    told, note = context.get("traits"), None
    try:
        traits = normal.clean_properties(told if isinstance(told, dict) else {}, "context.traits")
        if traits.get("email") and not normal.clean_email(traits["email"]):
            raise Refused("invalid_email", "This is not an email address.", "context.traits.email")
        note = note_phone(traits, "context.traits.phone", currency)
    except Refused as problem:
        traits, note = {}, Result("accepted", problem.code, problem.message, problem.path)
    traits, firsts = context_traits(context) | traits, campaign_source(context)
    if not traits and not firsts:
        return None, note
    return NormalProfile(person, at, normal.clean_traits(traits), firsts, passing=True), note


def context_traits(context: dict[str, Any]) -> dict[str, Any]:
    """What the device tells about its owner."""
    told = {
        "push_token": look_up(context, "device", "token", limit=400),
        "locale": look_up(context, "locale"),
        "timezone": look_up(context, "timezone"),
    }
    return {key: value for key, value in told.items() if value}


def campaign_source(context: dict[str, Any]) -> dict[str, Any]:
    """Where the person came from; only the first answer counts."""
    source = look_up(context, "campaign", "source")
    return {"source": source} if source else {}


def look_up(context: dict[str, Any], *path: str, limit: int = 100) -> str:
    """A short text somewhere in the context; "" when it is missing or not a clean text."""
    value: Any = context
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
        if value is None:
            return ""
    try:
        return normal.clean_text(value, "context", limit)
    except Refused:
        return ""
