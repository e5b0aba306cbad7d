"""Property: whatever bytes arrive, reading them ends in items or in a refusal, and never in anything else."""

from __future__ import annotations

import base64
import gzip
import json
import math
from collections.abc import Callable
from contextlib import nullcontext, suppress
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import msgspec
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from users.ingest.body import BadRequest, inflate
from users.ingest.normal import NormalAlias, NormalEvent, NormalProfile, Refused, Told
from users.ingest.posthog import PosthogRequest
from users.ingest.protocol import Incoming, Request
from users.ingest.segment import KINDS, PixelRequest, SegmentRequest
from users.ingest.sensors import SensorsRequest

NOW = datetime(2026, 8, 1, tzinfo=UTC)
WORDS = (
    "type userId anonymousId messageId timestamp originalTimestamp sentAt event properties traits context name category batch"
    " writeKey integrations groupId previousId distinct_id original_id login_id anonymous_id identities lib time_free time"
    " token _track_id _flush_time api_key sent_at uuid offset $set $set_once $unset $anon_distinct_id $is_login_id alias"
)
FIELDS = WORDS.split()
VALUES = [
    *KINDS,
    "profile_set",
    "profile_increment",
    "track_signup",
    "$identify",
    "$create_alias",
    "2026-08-01T00:00:00Z",
]
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(VALUES),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
messages = st.dictionaries(st.sampled_from(FIELDS), anything, max_size=10)
valid = st.fixed_dictionaries(
    {
        "type": st.just("track"),
        "userId": st.text(min_size=1, max_size=20),
        "event": st.text(min_size=1, max_size=20),
        "properties": messages,
    }
)


def incoming(body: bytes, **query: str) -> Incoming:
    return Incoming("POST", "/", query, {}, body)


OPENERS: list[Callable[[bytes], Request]] = [
    lambda body: SegmentRequest(incoming(body), "batch"),
    *(lambda body, kind=kind: SegmentRequest(incoming(body), kind) for kind in KINDS),  # type: ignore[misc]
    lambda body: PixelRequest(incoming(b"", data=base64.b64encode(body).decode()), "track"),
    lambda body: SensorsRequest(incoming(body)),
    lambda body: SensorsRequest(incoming(b"data_list=" + quote(base64.b64encode(gzip.compress(body))).encode())),
    lambda body: PosthogRequest(incoming(body)),
    lambda body: PosthogRequest(incoming(b"data=" + quote(base64.b64encode(body)).encode())),
]


def read_all(body: bytes, opener: Callable[[bytes], Request]) -> None:
    """As the view does: only these two exceptions are answers."""
    try:
        request = opener(body)
    except BadRequest:
        return
    for item in request.items:
        try:
            if isinstance(item, Refused):
                raise item
            reading = request.read(item, NOW, "CNY")
        except Refused:
            continue
        assert reading.items or reading.note
        for told in reading.items:
            check(told)


def check(told: Told) -> None:
    """What was read can be stored: clean text, finite numbers, times PostgreSQL knows."""
    assert 0 < len(told.person.external_id) <= 300
    told.person.external_id.encode()
    assert told.at.year >= 1970 and told.at.tzinfo is not None
    if isinstance(told, NormalEvent):
        assert 0 < len(told.name) <= 200 and 0 < len(told.message_id) <= 255
        assert "\0" not in told.properties and "\\u0000" not in told.properties.replace("\\\\", "")
        told.properties.encode()
        assert isinstance(msgspec.json.decode(told.properties), dict)
        assert told.amount_minor is None or abs(told.amount_minor) < 2**63
    elif isinstance(told, NormalProfile):
        json.dumps([told.traits, told.firsts], allow_nan=False, ensure_ascii=False).encode()
    else:
        assert isinstance(told, NormalAlias) and told.previous != told.person


def read_track(message: Any) -> NormalEvent:
    request = SegmentRequest(incoming(json.dumps(message).encode()), "track")
    [told] = request.read(bytes(request.items[0]), NOW, "CNY").items  # type: ignore[arg-type]
    assert isinstance(told, NormalEvent)
    return told


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=200), st.sampled_from(OPENERS))
@example(b'{"batch":[' + b"[" * 100_000, OPENERS[0])
@example(b'{"userId":"\\ud800","event":"\\udfff"}', OPENERS[1])
@example(b'{"batch":[{"timestamp":1e308},{"timestamp":-1e308},{"timestamp":"0001-01-01T00:00:00+14:00"}]}', OPENERS[0])
def test_any_bytes(body, opener):
    read_all(body, opener)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(messages, st.sampled_from(OPENERS))
def test_any_message(message, opener):
    text = json.dumps(message, default=str).encode()  # writes lone surrogates, NaN and infinities as Python does
    read_all(text, opener)
    read_all(json.dumps([message]).encode(), opener)
    read_all(json.dumps({"batch": [message, message], "sentAt": message.get("sentAt")}).encode(), opener)


@settings(max_examples=100, deadline=None)
@given(valid)
def test_properties_come_out_as_they_went_in(message):
    """Round trip of every message that is taken, up to Unicode spelling."""
    try:
        event = read_track(message)
    except (BadRequest, Refused, TypeError):
        return
    told = msgspec.json.decode(event.properties)
    if all(text.isascii() for text in texts_of(message["properties"])):
        assert told == message["properties"]


def texts_of(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [text for key, inner in value.items() for text in (key, *texts_of(inner))]
    if isinstance(value, list):
        return [text for inner in value for text in texts_of(inner)]
    return [value] if isinstance(value, str) else []


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=300), st.integers(0, 30))
def test_any_gzip(raw, cut):
    squeezed = gzip.compress(raw)
    assert inflate(squeezed) == raw
    for broken in (squeezed[: len(squeezed) - cut - 1], raw, squeezed + raw[:1] + b"x"):
        with suppress(BadRequest):
            inflate(broken)


@pytest.mark.parametrize(
    ("number", "taken"), [(math.nextafter(1e15, 0), True), (1e15, False), (-1e15, False), (5e-324, True)]
)
def test_floats_of_every_size_are_told_apart(number, taken):
    with nullcontext() if taken else pytest.raises(Refused, match="below 1e15"):
        read_track({"userId": "u", "event": "e", "properties": {"x": number}})
