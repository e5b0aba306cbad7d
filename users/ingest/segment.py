"""The Segment protocol, which RudderStack speaks too: its messages, read into the normal form one by one.

https://segment.com/docs/connections/spec/ and, for what the SDKs really send, the clients in tests/users/sdks/.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from functools import lru_cache
from typing import Any

import msgspec

from users.ingest import normal
from users.ingest.body import BadRequest, from_base64
from users.ingest.normal import (
    Device,
    NormalAlias,
    NormalEvent,
    NormalProfile,
    PersonKey,
    Reading,
    Refused,
    Result,
    Told,
)
from users.ingest.protocol import (
    GIF,
    Answer,
    Incoming,
    Item,
    Request,
    as_dict,
    check_items,
    decode,
    first_of,
    lenient_time,
    look_up,
    short_text,
    split,
    summary,
    tell,
    texts,
)
from users.traits import clean_phone, region_of

VIEWED = {"page": "Page Viewed", "screen": "Screen Viewed"}
GROUPED = "Group Identified"
UNNAMED = Result("accepted", "no_message_id", "Without a messageId a repeat is stored again.", "messageId")
KINDS = ("track", "identify", "page", "screen", "group", "alias")


class Envelope(msgspec.Struct, rename="camel"):
    """What stands around the items of a batch, or in a single message beside them."""

    batch: list[msgspec.Raw] | None = None
    write_key: object = None
    sent_at: object = None
    context: object = None


class Message(msgspec.Struct, rename="camel", gc=False):
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
    properties: msgspec.Raw = msgspec.Raw()
    traits: dict[str, object] | None = None
    context: msgspec.Raw = msgspec.Raw()
    group_id: str | int | None = None
    previous_id: str | int | None = None


class Library(msgspec.Struct):
    name: object = None


class NamedContext(msgspec.Struct):
    library: Library | None = None


class Named(msgspec.Struct):
    """Of an item, the name of the SDK that made it."""

    context: NamedContext | None = None


class Context(msgspec.Struct, frozen=True):
    """What a context tells: about the event, about the device's owner, and what `context.traits` say of the person.

    `traits` are as they came; `passing` are the clean ones, with `note` for what was left out; `push` is where the device
    takes pushes. Shared between events, so nobody changes what is inside.
    """

    event: dict[str, str] = {}
    device: dict[str, Any] = {}
    firsts: dict[str, Any] = {}
    traits: dict[str, Any] = {}
    passing: dict[str, Any] = {}
    note: Result | None = None
    push: Device | None = None


class SegmentRequest(Request):
    """`kind` is what the URL names: one of KINDS for a single message, or batch."""

    def __init__(self, incoming: Incoming, kind: str) -> None:
        envelope, items = split(incoming.body, Envelope)
        self.kind = None if kind == "batch" else kind
        single: list[Item] = [incoming.body] if items is None or envelope.batch is not None else items
        self.items = check_items(items or []) if self.kind is None else single
        self.secrets = texts(envelope.write_key)
        self.sent_at = lenient_time(envelope.sent_at) if self.kind is None else None
        self.context = msgspec.json.encode(envelope.context) if self.kind is None and envelope.context else b""
        self.library = look_up(as_dict(envelope.context), "library", "name") or library_of(self.items)

    def read(self, item: bytes, received_at: datetime, currency: str) -> Reading:
        return read_item(item, self.kind, self, received_at, currency)

    def answer(self, results: list[Result]) -> Answer:
        """400 for a refused single message; a batch is never refused for an item, or SDKs would drop all of it."""
        if self.kind and results[0].status == "rejected":
            told = msgspec.json.decode(summary(results).body)
            return tell(400, told | {"success": False, "code": results[0].code, "message": results[0].message})
        return summary(results)


class PixelRequest(SegmentRequest):
    """A message in a picture's address, for mails and pages without scripts: the answer is the picture in any case."""

    def __init__(self, incoming: Incoming, kind: str) -> None:
        told = from_base64(incoming.query["data"]) if "data" in incoming.query else from_query(incoming.query)
        incoming.body = told
        super().__init__(incoming, kind)

    def answer(self, results: list[Result]) -> Answer:
        return Answer(200, GIF, "image/gif")


def library_of(items: list[Item]) -> str:
    """The SDK as the first item names it: servers say it in every item, not around them."""
    named = first_of(items, Named)
    library = named and named.context and named.context.library
    return short_text(library.name) if library else ""


def from_query(query: Mapping[str, str]) -> bytes:
    """Fields of the address as a message: `properties.plan=pro` is {"properties": {"plan": "pro"}}."""
    message: dict[str, Any] = {}
    for key, value in query.items():
        *path, last = key.split(".")
        place = message
        for step in path[:3]:
            place = place.setdefault(step, {})
            if not isinstance(place, dict):
                raise BadRequest(400, "invalid_type", f"{key} stands inside another field.")
        place[last] = value
    return msgspec.json.encode(message)


def browser_settings(incoming: Incoming) -> Answer:
    """What Segment's browser SDK asks for before it sends anything. It tells nothing about whether the key is known.

    Without the sample rate each page would report every 30 seconds to Segment how the SDK is used.
    """
    write_key, host = incoming.path.split("/")[3][:200], incoming.headers.get("host", "")[:255]
    scheme = incoming.headers.get("x-forwarded-proto", "http")
    told = {"apiKey": write_key, "apiHost": f"{host}/v1", "protocol": "https" if scheme == "https" else "http"}
    plan = {"track": {"__default": {"enabled": True}}}
    return tell(200, {"integrations": {"Segment.io": told}, "plan": plan, "metrics": {"sampleRate": 0}})


def read_item(item: bytes, kind: str | None, request: SegmentRequest, received_at: datetime, currency: str) -> Reading:
    """One item in the normal form; `kind` is set where the URL names it. Raises Refused.

    The straight way is that of a `track`, of which there are a thousand for each of all others.
    """
    message = decode(item, Message)
    kind = kind or message.type
    if kind not in KINDS:
        raise Refused("unknown_type", f"Send one of {', '.join(KINDS)}.", "type")
    context = NO_CONTEXT
    if request.context or len(message.context) > 2:
        context = read_context(request.context, bytes(message.context), currency)
    user_id = "" if message.user_id is None else normal.clean_id(message.user_id, "userId")
    visitor = "" if user_id and message.anonymous_id is None else read_visitor(message, bool(user_id))
    person = PersonKey(user_id or visitor, bool(user_id))
    client_at = None
    if message.original_timestamp is not None:
        client_at = normal.parse_time(message.original_timestamp, "originalTimestamp")
    client_at = client_at or normal.parse_time(message.timestamp)
    sent_at = request.sent_at or lenient_time(message.sent_at)
    at = normal.correct_time(client_at, sent_at, received_at) if client_at else received_at
    if kind == "identify":
        profile = read_identify(message, context, person, at, visitor if user_id else "")
        return Reading([profile], note_phone(profile.traits, "traits.phone", currency))
    if kind == "alias":
        return Reading(read_alias(message, user_id, visitor, at))
    if kind == "track":
        name, raw = normal.clean_name(message.event), message.properties
    else:
        name, raw = name_event(message, kind)
    text, amount_minor, order_id = normal.read_properties(raw, context.event, currency)
    message_id = normal.clean_text(message.message_id, "messageId")
    event = NormalEvent(person, name, message_id or str(uuid.uuid4()), at, client_at, text, amount_minor, order_id)
    if context is NO_CONTEXT and kind != "group":
        return Reading([event], None if message_id else UNNAMED)
    return read_around(message, kind, context, event, context.note if message_id else UNNAMED)


def read_around(message: Message, kind: str, context: Context, event: NormalEvent, note: Result | None) -> Reading:
    """The event, and what came with it about the person."""
    traits = context.device | context.passing
    if kind == "group":
        traits["group_id"] = normal.clean_text(message.group_id, "groupId")
    if not traits and not context.firsts and not context.push:
        return Reading([event], note)
    profile = NormalProfile(event.person, event.at, traits, context.firsts, passing=True, device=context.push)
    return Reading([event, profile], note)


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


def name_event(message: Message, kind: str) -> tuple[str, msgspec.Raw]:
    """What a view or a group is called as an event, and its properties as JSON. Raises Refused."""
    if kind == "group":
        group = normal.clean_id(message.group_id, "groupId")
        if not group:
            raise Refused("missing_identifier", "Send a groupId.", "groupId")
        return GROUPED, msgspec.Raw(normal.ENCODE({"group_id": group} | (message.traits or {})))
    told = {"name": message.name, "page_category": message.category}
    named = {key: normal.clean_text(text, key) for key, text in told.items() if text}
    if not named:
        return VIEWED[kind], message.properties
    raw = bytes(message.properties)
    told = normal.decode_object(raw) if raw not in (b"", b"null") else {}
    return VIEWED[kind], msgspec.Raw(normal.ENCODE(named | told))


def read_alias(message: Message, user_id: str, visitor: str, at: datetime) -> list[Told]:
    """`previousId` may be a visitor or somebody known; both are told to be who `userId` names. Raises Refused."""
    if not user_id:
        raise Refused("missing_identifier", "Send a userId.", "userId")
    previous = normal.clean_id(message.previous_id, "previousId") or visitor
    if not previous or previous == user_id:
        raise Refused("invalid_identifier", "Send a previousId that differs from the userId.", "previousId")
    return [NormalAlias(PersonKey(user_id), PersonKey(previous, kind), at) for kind in (False, True)]


def read_identify(message: Message, context: Context, person: PersonKey, at: datetime, visitor: str) -> NormalProfile:
    """Traits of the message over those of its context (where Rudder puts them). Raises Refused."""
    traits = context.device | normal.clean_properties(context.traits | (message.traits or {}), "traits")
    profile = NormalProfile(person, at, normal.clean_traits(traits), context.firsts, visitor, device=context.push)
    if profile.traits.get("email") and not normal.clean_email(profile.traits["email"]):
        raise Refused("invalid_email", "This is not an email address.", "traits.email")
    return profile


def note_phone(traits: dict[str, Any], path: str, currency: str) -> Result | None:
    """What the sender is told about a number that nobody can call: it stays an attribute, and no SMS goes there."""
    phone = traits.get("phone")
    if phone is None or phone == "" or clean_phone(phone, region_of(currency)):
        return None
    return Result("accepted", "invalid_phone", "This is not a phone number; it is kept as an attribute only.", path)


NO_CONTEXT = Context()


@lru_cache(maxsize=2_000)
def read_context(around: bytes, raw: bytes, currency: str) -> Context:
    """The context of a message over that of its batch. Remembered: an SDK repeats the same for hours."""
    told: dict[str, Any] = {}
    for part in (around, raw):
        with suppress(Refused):  # a context that is no object says nothing
            told |= normal.decode_object(part)
    places = {"app_version": ("app", "version"), "os": ("os", "name")}
    event = {key: text for key, place in places.items() if (text := look_up(told, *place))}
    traits = as_dict(told.get("traits"))
    passing, note = read_passing(traits, currency)
    return Context(event, context_traits(told), campaign_source(told), traits, passing, note, push_device(told))


def read_passing(told: dict[str, Any], currency: str) -> tuple[dict[str, Any], Result | None]:
    """Traits that an event carries along. Whatever is wrong with them never costs the event."""
    try:
        traits = normal.clean_properties(told, "context.traits")
        if traits.get("email") and not normal.clean_email(traits["email"]):
            raise Refused("invalid_email", "This is not an email address.", "context.traits.email")
        return normal.clean_traits(traits), note_phone(traits, "context.traits.phone", currency)
    except Refused as problem:
        return {}, Result("accepted", problem.code, problem.message, problem.path)


def context_traits(context: dict[str, Any]) -> dict[str, Any]:
    """What the device tells about its owner."""
    told = {
        "locale": look_up(context, "locale"),
        "timezone": look_up(context, "timezone"),
    }
    return {key: value for key, value in told.items() if value}


def push_device(context: dict[str, Any]) -> Device | None:
    """The app that tells its push token; SDKs name it in the app's namespace."""
    token = look_up(context, "device", "token", limit=400)
    if not token:
        return None
    app = look_up(context, "app", "namespace") or look_up(context, "app", "name")
    return Device(app, token, look_up(context, "device", "type") or look_up(context, "os", "name"))


def campaign_source(context: dict[str, Any]) -> dict[str, Any]:
    """Where the person came from; only the first answer counts."""
    source = look_up(context, "campaign", "source")
    return {"source": source} if source else {}
