"""Wrong builds of ingest: each puts something else into a place of the product, in the server's own process (planted.py)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import redis
from django.conf import settings
from django.db import connection

from users.ingest import addresses, body, door, group, keys, taking, wire
from users.ingest.arrivals import Taken
from users.ingest.body import BadRequest
from users.ingest.normal import NormalEvent, Reading, Result
from users.ingest.patience import Patience
from users.ingest.protocol import tell

Put = Callable[[Any, str, Any], Any]


def answer_first(put: Put) -> None:
    """F1: the answer leaves at once, the commit follows when it can."""

    later: list[asyncio.Future[None]] = []

    async def store_later(secrets: list[str], request: Any) -> None:
        key = await keys.find_key(secrets)
        assert key
        await asyncio.sleep(0.2)
        await taking.WRITER.submit(key, request)

    def hasty(incoming: Any) -> Any:
        address = addresses.find(incoming.path)
        assert address
        request = door.open_request(address, incoming)
        later.append(asyncio.ensure_future(store_later(door.secrets_of(incoming, request), request)))
        return request.answer([Result("accepted") for _item in request.items])

    put(wire, "take", hasty)


def asynchronous_commit(put: Put) -> None:
    """F2: PostgreSQL says that it has committed before that is on disk."""

    def hasty(batch: Any, note: Any) -> Any:
        with connection.cursor() as cursor:
            cursor.execute("set synchronous_commit to off")
        return door.store(batch, note)

    put(group, "store", hasty)


def endless_patience(put: Put) -> None:
    """F3: a request waits for the database as long as that takes."""
    put(wire, "ANSWERS", Patience(1e9, wire.Turn.give_up))


def count_repeats(put: Put) -> None:
    """F6: the hour's counts, which are an effect of storing, do not look at what was a repeat."""
    plain = door.count_arrivals

    def blind(taken: Any, at: Any) -> Any:
        alike = [Taken(one.library, one.readings, [Result("accepted")] * len(one.results)) for one in taken]
        return plain(alike, at)

    put(door, "count_arrivals", blind)


def all_or_nothing(put: Put) -> None:
    """F8: one bad item, and its batch is refused for good."""

    def strict(*told: Any) -> Any:
        opened = plain(*told)
        for reading in opened.readings:
            if isinstance(reading, Result):
                raise BadRequest(400, reading.code, reading.message)
        return opened

    plain = door.read_all
    for place in (door, group):
        put(place, "read_all", strict)


def wait_for_the_broker(put: Put) -> None:
    """F5: the request puts a task into the queue and waits until that has taken it."""
    broker = redis.Redis.from_url(settings.REDIS_URL)

    def chatty(batch: Any, note: Any) -> Any:
        with suppress(redis.RedisError):
            broker.lpush("told", "something arrived")
        return door.store(batch, note)

    put(group, "store", chatty)


def remember_a_day(put: Put) -> None:
    """F7: whether a message is known is remembered for a day."""

    def forgetful(*told: Any) -> Any:
        opened = plain(*told)
        for reading in opened.readings:
            if isinstance(reading, Reading):
                for item in reading.items:
                    if isinstance(item, NormalEvent):
                        item.message_id += f"@{opened.received_at:%Y-%m-%d}"
        return opened

    plain = door.read_all
    for place in (door, group):
        put(place, "read_all", forgetful)


def overlook_a_full_disk(put: Put) -> None:
    """F9: the answer is 200 although nothing could be stored."""
    plain = door.explain

    def hopeful(error: Exception) -> Any:
        answer = plain(error)
        return tell(200, {"success": True}) if b"storage_full" in answer.body else answer

    put(door, "explain", hopeful)


def take_everything(put: Put) -> None:
    """F10: bodies of any size, before and after they are inflated."""
    for place in (wire, body):
        put(place, "MAX_BYTES", 2**40)


SABOTAGE: dict[str, Callable[[Put], None]] = {
    "none": lambda put: None,
    "answer_first": answer_first,
    "asynchronous_commit": asynchronous_commit,
    "endless_patience": endless_patience,
    "count_repeats": count_repeats,
    "all_or_nothing": all_or_nothing,
    "wait_for_the_broker": wait_for_the_broker,
    "remember_a_day": remember_a_day,
    "overlook_a_full_disk": overlook_a_full_disk,
    "take_everything": take_everything,
}
