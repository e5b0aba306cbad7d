"""Events of our own making (the demo, a benchmark) in the normal form, chunk by chunk, as fast as Python goes.

Input: a pandas DataFrame, or an iterable of dicts, with message_id, external_id or else anonymous_id, event, at (aware,
UTC), properties (compact JSON text). Unlike messages from outside they are not checked for limits.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC
from itertools import islice
from typing import Any

import msgspec

from users.ingest.normal import NormalEvent, PersonKey, nfc, read_money, read_order_id

COLUMNS = ("message_id", "external_id", "anonymous_id", "event", "at", "properties")
# Most events carry no money: then there is nothing to decode.
MONEY = re.compile(r'"(?:total|revenue|value|order_id)"').search
decode = msgspec.json.Decoder(dict[str, Any]).decode


def normal_chunks(events: Any, currency: str, chunk: int) -> Iterator[list[NormalEvent]]:
    """Lists of at most `chunk` events. Raises Refused for an amount in another currency."""
    for rows in frame_chunks(events, chunk) if hasattr(events, "iloc") else dict_chunks(events, chunk):
        yield [make_event(row, currency) for row in rows]


def frame_chunks(frame: Any, chunk: int) -> Iterator[list[tuple]]:
    for start in range(0, len(frame), chunk):
        part = frame.iloc[start : start + chunk]
        columns = {name: part[name].tolist() if name in part else [""] * len(part) for name in COLUMNS if name != "at"}
        # By way of numpy: a pandas Timestamp per event would cost as much as the rest of its way.
        times = part["at"].to_numpy(dtype="datetime64[us]").tolist()
        columns["at"] = [at.replace(tzinfo=UTC) for at in times]
        yield list(zip(*(columns[name] for name in COLUMNS), strict=True))


def dict_chunks(rows: Any, chunk: int) -> Iterator[list[tuple]]:
    rows = iter(rows)
    while part := list(islice(rows, chunk)):
        yield [tuple(row.get(name, "") for name in COLUMNS) for row in part]


def make_event(row: tuple, currency: str) -> NormalEvent:
    message_id, external_id, anonymous_id, name, at, text = row
    text = nfc(text or "{}")
    properties = decode(text) if MONEY(text) else {}
    return NormalEvent(
        PersonKey(external_id or anonymous_id, bool(external_id)),
        name,
        message_id,
        at,
        at,
        text,
        read_money(properties, currency),
        read_order_id(properties),
    )
