"""神策 (Sensors Analytics): records as its SDKs send them, in a form or a picture's address.

https://manual.sensorsdata.cn/sa/latest/ (数据格式); what the SDKs really send stands in tests/users/sdks/.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from hashlib import sha1
from typing import Any

import msgspec

from users.ingest import normal
from users.ingest.body import form_of, from_base64
from users.ingest.normal import (
    MAX_LIST,
    Change,
    NormalAlias,
    NormalEvent,
    NormalProfile,
    PersonKey,
    Reading,
    Refused,
    Result,
)
from users.ingest.protocol import (
    GIF,
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

SIGNED_UP, BOUND = "$SignUp", "$BindID"
LOGIN = "$identity_login_id"
# Devices and browsers; every other identity (phone, mail, an app's own) names a person.
DEVICES = ("cookie", "anonymous", "android", "ios", "idf", "device", "mp_", "distinct", "uuid", "oaid")
SOURCES = ("$utm_source", "$latest_utm_source", "utm_source")
LIFTED = ("$project", "$token", "$time", "$is_login_id")


class Record(msgspec.Struct):
    """One record. `time` is Unix milliseconds, also as seconds or text; `properties` are an event's or a person's."""

    type: str = ""
    distinct_id: str | int | None = None
    event: str | None = None
    time: object = None
    properties: dict[str, object] | None = None
    original_id: str | int | None = None
    login_id: str | int | None = None
    anonymous_id: str | int | None = None
    identities: dict[str, object] | None = None
    lib: object = None
    time_free: object = False
    token: object = None
    track_id: object = msgspec.field(default=None, name="_track_id")
    flush_time: object = msgspec.field(default=None, name="_flush_time")


class Envelope(msgspec.Struct):
    """A body that is one record; its key may stand inside."""

    token: object = None


class NamedLib(msgspec.Struct):
    lib: object = msgspec.field(default=None, name="$lib")


class Named(msgspec.Struct):
    """Of a record, the name of the SDK that made it."""

    lib: NamedLib | None = None


class SensorsRequest(Request):
    """The data may stand in the form, in the address, or be the body itself."""

    library = "神策"

    def __init__(self, incoming: Incoming, check: bool = False) -> None:
        told = form_of(incoming.body, incoming.query)
        data = told.get("data_list") or told.get("data")
        envelope, items = split(from_base64(data) if data else incoming.body, Envelope, arrays=True)
        self.items = check_items([from_base64(data) if data else incoming.body] if items is None else items)
        named = first_of(self.items, Named)
        lib = short_text(named.lib.lib) if named and named.lib else ""
        self.library = f"{self.library} {lib}".strip()
        self.secrets = texts(incoming.query.get("token"), incoming.query.get("project"), envelope.token)
        self.dry_run = check and incoming.headers.get("dry-run", "").lower() == "true"
        self.check = check
        self.picture = incoming.method == "GET"

    def read(self, item: bytes, received_at: datetime, currency: str) -> Reading:
        return read_item(item, received_at, currency)

    def answer(self, results: list[Result]) -> Answer:
        """200 whatever became of single records: on an error these SDKs drop everything they hold."""
        if self.check:
            return super().answer(results)
        return Answer(200, GIF, "image/gif") if self.picture else tell(200, {"code": 0})


def read_item(raw: bytes, received_at: datetime, currency: str) -> Reading:
    """One record in the normal form. Raises Refused."""
    record = decode(raw, Record)
    properties = dict(record.properties or {})
    lifted = {key: properties.pop(key) for key in LIFTED if key in properties}
    record.time = lifted.get("$time") or record.time
    client_at = normal.parse_time(record.time, "time")
    at = correct(client_at, record, received_at)
    person, others = who(record, lifted.get("$is_login_id") is True)
    aliases = [NormalAlias(person, other, at) for other in others]
    if record.type.startswith("profile_"):
        profile = read_profile(record, person, at, properties, raw)
        return Reading([profile, *aliases])
    if record.type not in ("track", "track_signup", "track_id_bind", "track_id_unbind"):
        raise Refused("unknown_type", "Send track, track_signup, track_id_bind or profile_….", "type")
    name = {"track_signup": SIGNED_UP, "track_id_bind": BOUND}.get(record.type, "") or normal.clean_name(record.event)
    event = read_event(name, record, person, at, client_at, properties, raw, currency)
    source = next((text for key in SOURCES if isinstance(text := properties.get(key), str) and text), "")
    seen = NormalProfile(person, at, {}, {"source": source[:100]}, passing=True) if source else None
    note = None
    if record.type == "track_id_unbind":
        aliases, note = [], Result("accepted", "not_unbound", "Undo a merge on the person's page.", "type")
    return Reading([event, *([seen] if seen else []), *aliases], note)


def correct(client_at: datetime | None, record: Record, received_at: datetime) -> datetime:
    if client_at is None:
        return received_at
    if record.time_free:
        return normal.check_history(client_at, received_at)
    return normal.correct_time(client_at, lenient_time(record.flush_time), received_at)


def read_event(
    name: str,
    record: Record,
    person: PersonKey,
    at: datetime,
    client_at: datetime | None,
    properties: dict[str, Any],
    raw: bytes,
    currency: str,
) -> NormalEvent:
    properties = normal.clean_properties(properties)
    device = as_dict(record.lib) | properties
    for key in ("app_version", "os"):
        if key not in properties and isinstance(told := device.get(f"${key}"), str) and told:
            properties = properties | {key: normal.clean_text(told[:100], f"lib.${key}")}
    return NormalEvent(
        person,
        name,
        message_id_of(record, raw),
        at,
        client_at,
        normal.encode(properties),
        normal.read_money(properties, currency),
        normal.read_order_id(properties),
    )


def message_id_of(record: Record, raw: bytes) -> str:
    """Records have no id of their own: a random track id within person, time and event, or else what was sent itself.

    Raises Refused.
    """
    told = record.track_id
    if isinstance(told, (int, str)) and not isinstance(told, bool) and told != "":
        text = f"{told}:{record.distinct_id}:{record.time}:{record.event or record.type}"
        return normal.clean_text(text, "_track_id", normal.MAX_ITEM_BYTES)[: normal.MAX_ID]
    return sha1(raw, usedforsecurity=False).hexdigest()


def who(record: Record, logged_in: bool) -> tuple[PersonKey, list[PersonKey]]:
    """Whom the record is about, and the other ids it says are the same person. Raises Refused."""
    told = {normal.clean_text(key, "identities"): value for key, value in (record.identities or {}).items()}
    identities = [(key, text) for key, value in told.items() if (text := normal.clean_id(value, key))]
    named = dict(identities)
    distinct = normal.clean_id(record.distinct_id, "distinct_id")
    login = normal.clean_id(record.login_id, "login_id") or named.get(LOGIN, "")
    if not login and (logged_in or record.type == "track_signup"):
        login = distinct
    keys = [PersonKey(login)] if login else []
    # Ids that name people come before devices, so that a record with a phone number is about a person.
    keys += sorted((identity_key(*pair) for pair in identities if pair[0] != LOGIN), key=lambda k: not k.identified)
    if distinct and distinct not in (login, *(f"{key}+{value}" for key, value in identities)):
        keys.append(PersonKey(distinct, False))
    visitors = [record.anonymous_id, record.original_id if record.type == "track_signup" else None]
    keys += [PersonKey(text, False) for value in visitors if (text := normal.clean_id(value, "anonymous_id"))]
    keys = unique(keys)
    if not keys:
        raise Refused("missing_identifier", "Send a distinct_id.", "distinct_id")
    return keys[0], [key for key in keys[1:] if keys[0].identified]


def identity_key(key: str, value: str) -> PersonKey:
    """Raises Refused."""
    device = any(key.removeprefix("$identity_").startswith(word) for word in DEVICES)
    return PersonKey(value, False) if device else PersonKey(normal.clean_text(f"{key}+{value}", "identities"))


def unique(keys: Iterable[PersonKey]) -> list[PersonKey]:
    return list(dict.fromkeys(keys))


def read_profile(
    record: Record, person: PersonKey, at: datetime, properties: dict[str, Any], raw: bytes
) -> NormalProfile:
    """profile_set, _set_once, _unset, _increment, _append and _delete. Raises Refused."""
    told = normal.clean_traits(normal.clean_properties(properties))
    verb = record.type.removeprefix("profile_")
    if verb == "set":
        return NormalProfile(person, at, told)
    if verb == "set_once":
        return NormalProfile(person, at, {}, normal.that_fill(told))
    if verb == "unset":
        return NormalProfile(person, at, dict.fromkeys(told))
    if verb == "increment":
        change = Change("add", message_id_of(record, raw), {key: read_number(key, told[key]) for key in told})
    elif verb == "append":
        change = Change("append", message_id_of(record, raw), {key: read_texts(key, told[key]) for key in told})
    elif verb == "delete":
        change = Change("forget")
    else:
        raise Refused("unknown_type", "Send profile_set, _set_once, _increment, _append, _unset or _delete.", "type")
    return NormalProfile(person, at, change=change)


def read_number(key: str, value: Any) -> int | float:
    """A number to add to an attribute. Raises Refused."""
    check_attribute(key)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise Refused("invalid_type", "Expected a number to add.", f"properties.{key}")
    return value


def read_texts(key: str, value: Any) -> list[str]:
    """Texts to append to an attribute; one alone is a list of one. Raises Refused."""
    check_attribute(key)
    texts = [value] if isinstance(value, str) else value
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise Refused("invalid_type", "Expected a list of texts to append.", f"properties.{key}")
    if len(texts) > MAX_LIST:
        raise Refused("too_many_values", f"A list holds at most {MAX_LIST} texts.", f"properties.{key}")
    if any(len(text) > normal.MAX_ID for text in texts):
        raise Refused("too_long", f"At most {normal.MAX_ID} characters.", f"properties.{key}")
    return texts


def check_attribute(key: str) -> None:
    if len(key) > normal.MAX_ID:
        raise Refused("too_long", f"At most {normal.MAX_ID} characters.", "properties")
