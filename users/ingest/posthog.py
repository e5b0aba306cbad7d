"""PostHog: events as its SDKs send them, `$identify`, `$create_alias` and `$set` among them.

https://posthog.com/docs/api/capture; what the SDKs really send stands in tests/users/sdks/.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from hashlib import sha1
from typing import Any

import msgspec

from users.ingest import normal
from users.ingest.body import BadRequest, form_of, from_base64
from users.ingest.normal import NormalAlias, NormalEvent, NormalProfile, PersonKey, Reading, Refused, Result
from users.ingest.protocol import (
    Answer,
    Incoming,
    Request,
    as_dict,
    check_items,
    decode,
    first_of,
    lenient_time,
    short_text,
    split,
    tell,
    texts,
)

# Told about the person or about the transport; as properties of every event they would only take room.
NOT_KEPT = ("token", "$set", "$set_once", "$unset", "$anon_distinct_id", "$ignore_sent_at", "distinct_id")
PERSONAL_KEY = "phx_"


class Envelope(msgspec.Struct):
    """What stands around a batch, or in a single event."""

    batch: list[msgspec.Raw] | None = None
    api_key: object = None
    token: object = None
    sent_at: object = None
    historical_migration: object = False


class Captured(msgspec.Struct):
    """One event."""

    event: str | None = None
    distinct_id: str | int | None = None
    properties: dict[str, object] | None = None
    timestamp: object = None
    offset: object = None
    uuid: object = None
    api_key: object = None
    token: object = None
    set_: dict[str, object] | None = msgspec.field(default=None, name="$set")
    set_once: dict[str, object] | None = msgspec.field(default=None, name="$set_once")


class NamedProperties(msgspec.Struct):
    lib: object = msgspec.field(default=None, name="$lib")


class Named(msgspec.Struct):
    """Of an event, the name of the SDK that made it."""

    properties: NamedProperties | None = None


class PosthogRequest(Request):
    """A batch, a single event, or an array of events; plain, gzipped, or as base64 in a form."""

    library = "PostHog"

    def __init__(self, incoming: Incoming) -> None:
        body = incoming.body
        if incoming.method == "GET" or body[:5] == b"data=" or incoming.query.get("compression") == "base64":
            told = form_of(body, incoming.query)
            body = from_base64(told.get("data", body))
        envelope, items = split(body, Envelope, arrays=True)
        self.items = check_items([body] if items is None else items)
        self.library = library_of(self.items)
        self.history = envelope.historical_migration is True
        self.sent_at = lenient_time(envelope.sent_at) or lenient_time(number_of(incoming.query.get("_")))
        self.secrets = keys_of(envelope, self.items, incoming.query)
        if len(set(self.secrets)) > 1:
            raise BadRequest(400, "mixed_keys", "All events of a request carry the same key.")
        if any(key.startswith(PERSONAL_KEY) for key in self.secrets):
            raise BadRequest(401, "unauthenticated", "Send a write key, not a personal key.")

    def read(self, item: bytes, received_at: datetime, currency: str) -> Reading:
        return read_item(item, self, received_at, currency)

    def answer(self, results: list[Result]) -> Answer:
        """200 whatever became of single events; the SDKs look at nothing else."""
        told = msgspec.json.decode(super().answer(results).body)
        return tell(200, {"status": 1} | told)


def library_of(items: list[bytes | Refused]) -> str:
    """The SDK as the first event names it; the browser's calls itself just "web"."""
    named = first_of(items, Named)
    told = short_text(named.properties.lib) if named and named.properties else ""
    return "posthog-js" if told == "web" else told or PosthogRequest.library


def keys_of(envelope: Envelope, items: list[bytes | Refused], query: Mapping[str, str]) -> tuple[str, ...]:
    """Write keys of the request. Without one around the events, the first event's own properties carry it."""
    found = texts(envelope.api_key, envelope.token, query.get("token"), query.get("api_key"))
    if found or not isinstance(items[0], bytes):
        return found
    try:
        first = decode(items[0], Captured)
    except Refused:
        return ()
    return texts(first.api_key, first.token, (first.properties or {}).get("token"))[:1]


def number_of(text: str | None) -> int | None:
    return int(text) if text and text.isdecimal() and len(text) < 15 else None


def quiet(_incoming: Incoming) -> Answer:
    """What browser SDKs ask for beside sending (feature flags, remote configuration): nothing is configured here."""
    return tell(
        200,
        {"featureFlags": {}, "featureFlagPayloads": {}, "flags": {}, "config": {}, "supportedCompression": ["gzip"]},
    )


def read_item(raw: bytes, request: PosthogRequest, received_at: datetime, currency: str) -> Reading:
    """One event in the normal form. Raises Refused."""
    captured = decode(raw, Captured)
    told = captured.properties or {}
    name = normal.clean_name(captured.event)
    distinct = normal.clean_id(captured.distinct_id or told.get("distinct_id"), "distinct_id")
    if not distinct:
        raise Refused("missing_identifier", "Send a distinct_id.", "distinct_id")
    if name == "$groupidentify":  # sent under a made-up person
        return Reading([], Result("accepted", "groups_not_kept", "Properties of groups are not kept.", "event"))
    client_at = moment(captured, received_at)
    at = correct(client_at, told, request, received_at)
    visitor = "" if name != "$identify" else normal.clean_id(told.get("$anon_distinct_id"), "$anon_distinct_id")
    person = PersonKey(distinct, bool(visitor) or is_known(distinct, told))
    news = profile_of(captured, told, person, at, visitor)
    aliases = read_alias(told, distinct, at) if name == "$create_alias" else []
    kept = {key: value for key, value in told.items() if key not in NOT_KEPT}
    for key, source in (("app_version", "$app_version"), ("os", "$os")):
        if key not in kept and isinstance(value := told.get(source), str) and value:
            kept[key] = value[:100]
    properties = normal.clean_properties(kept)
    event = NormalEvent(
        person,
        name,
        normal.clean_text(captured.uuid, "uuid") or sha1(raw, usedforsecurity=False).hexdigest(),
        at,
        client_at,
        normal.encode(properties),
        normal.read_money(properties, currency),
        normal.read_order_id(properties),
    )
    told_only = name in ("$identify", "$create_alias", "$set")
    return Reading([*([] if told_only else [event]), *([news] if news else []), *aliases])


def moment(captured: Captured, received_at: datetime) -> datetime | None:
    """When the client says it happened: a time, or how many milliseconds ago."""
    if captured.timestamp is None and isinstance(captured.offset, int) and 0 <= captured.offset < 1e11:
        return received_at - timedelta(milliseconds=captured.offset)
    return normal.parse_time(captured.timestamp)


def correct(
    client_at: datetime | None, told: dict[str, Any], request: PosthogRequest, received_at: datetime
) -> datetime:
    if client_at is None:
        return received_at
    if request.history:
        return normal.check_history(client_at, received_at)
    return normal.correct_time(client_at, None if told.get("$ignore_sent_at") else request.sent_at, received_at)


def is_known(distinct: str, told: dict[str, Any]) -> bool:
    """Browsers say whether somebody is logged in; servers speak of users."""
    if isinstance(said := told.get("$is_identified"), bool):
        return said
    return distinct != told.get("$device_id") and told.get("$process_person_profile") is not False


def profile_of(
    captured: Captured, told: dict[str, Any], person: PersonKey, at: datetime, visitor: str
) -> NormalProfile | None:
    """`$set`, `$set_once` and `$unset`, whether they stand in the properties or beside them. Raises Refused."""
    traits = as_dict(told.get("$set")) | (captured.set_ or {})
    firsts = as_dict(told.get("$set_once")) | (captured.set_once or {})
    unset = told.get("$unset")
    gone = dict.fromkeys(key for key in unset if isinstance(key, str)) if isinstance(unset, list) else {}
    gone = normal.clean_traits(normal.clean_properties(gone, "$unset"))
    traits = normal.clean_traits(normal.clean_properties(traits, "$set")) | gone
    firsts = normal.that_fill(normal.clean_traits(normal.clean_properties(firsts, "$set_once")))
    source = told.get("utm_source") or firsts.pop("$initial_utm_source", None)
    if isinstance(source, str) and source:
        firsts = {"source": source[:100]} | firsts
    if not traits and not firsts and not visitor:
        return None
    return NormalProfile(person, at, traits, firsts, visitor, passing=captured.event not in ("$identify", "$set"))


def read_alias(told: dict[str, Any], distinct: str, at: datetime) -> list[NormalAlias]:
    """`alias` is who `distinct_id`, visitor or not, is from now on. Raises Refused."""
    alias = normal.clean_id(told.get("alias"), "properties.alias")
    if not alias or alias == distinct:
        raise Refused("invalid_identifier", "Send an alias that differs from the distinct_id.", "properties.alias")
    return [NormalAlias(PersonKey(alias), PersonKey(distinct, known), at) for known in (False, True)]
