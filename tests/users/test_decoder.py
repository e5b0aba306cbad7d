"""Property: whatever bytes arrive, reading them ends in items or in a refusal, and never in anything else."""

from __future__ import annotations

import gzip
import json
import math
from contextlib import nullcontext, suppress
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from users.ingest.body import BadRequest, inflate
from users.ingest.normal import NormalEvent, NormalProfile, Refused
from users.ingest.segment import Request, read_item

NOW = datetime(2026, 8, 1, tzinfo=UTC)
FIELDS = [
    "type",
    "userId",
    "anonymousId",
    "messageId",
    "timestamp",
    "originalTimestamp",
    "sentAt",
    "event",
    "properties",
]
FIELDS += ["traits", "context", "name", "category", "batch", "writeKey", "integrations"]
anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.sampled_from(["track", "identify", "page", "2026-08-01T00:00:00Z"]),
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


def read_all(body: bytes, single: bool) -> None:
    """As the view does: only these two exceptions are answers."""
    try:
        request = Request(body, single)
    except BadRequest:
        return
    for item in request.items:
        try:
            if isinstance(item, Refused):
                raise item
            reading = read_item(item, "track" if single else None, request, NOW, "CNY")
        except Refused:
            pass
        else:
            check(reading.event, reading.profile)


def check(event: NormalEvent | None, profile: NormalProfile | None) -> None:
    """What was read can be stored: clean text, finite numbers, times PostgreSQL knows."""
    assert event or profile
    if event:
        assert (
            0 < len(event.person.external_id) <= 255 and 0 < len(event.name) <= 200 and 0 < len(event.message_id) <= 255
        )
        assert "\0" not in event.properties and "\\u0000" not in event.properties.replace("\\\\", "")
        event.properties.encode()
        assert isinstance(msgspec.json.decode(event.properties), dict)
        assert event.at.year >= 2000 and event.at.tzinfo is not None
        assert event.amount_minor is None or abs(event.amount_minor) < 2**63
    if profile:
        json.dumps(profile.traits, allow_nan=False, ensure_ascii=False).encode()


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=200), st.booleans())
@example(b'{"batch":[' + b"[" * 100_000, False)
@example(b'{"userId":"\\ud800","event":"\\udfff"}', True)
@example(b'{"batch":[{"timestamp":1e308},{"timestamp":-1e308},{"timestamp":"0001-01-01T00:00:00+14:00"}]}', False)
def test_any_bytes(body, single):
    read_all(body, single)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(messages, st.booleans())
def test_any_message(message, single):
    text = json.dumps(message, default=str).encode()  # writes lone surrogates, NaN and infinities as Python does
    read_all(text, single)
    read_all(json.dumps({"batch": [message, message], "sentAt": message.get("sentAt")}).encode(), False)


@settings(max_examples=100, deadline=None)
@given(valid)
def test_properties_come_out_as_they_went_in(message):
    """Round trip of every message that is taken, up to Unicode spelling."""
    body = json.dumps(message).encode()
    try:
        request = Request(body, True)
        event = read_item(bytes(request.items[0]), "track", request, NOW, "CNY").event  # type: ignore[arg-type]
    except (BadRequest, Refused, TypeError):
        return
    assert event is not None
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
    body = json.dumps({"userId": "u", "event": "e", "properties": {"x": number}}).encode()
    request = Request(body, True)
    with nullcontext() if taken else pytest.raises(Refused, match="below 1e15"):
        read_item(bytes(request.items[0]), "track", request, NOW, "CNY")  # type: ignore[arg-type]
