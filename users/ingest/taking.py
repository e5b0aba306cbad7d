"""A request that is here as a whole, on its way from the socket to the thread that stores: opened, and its key looked up."""

from __future__ import annotations

import asyncio

from users.ingest import addresses, door
from users.ingest.group import Writer
from users.ingest.keys import find_key, remembered
from users.ingest.protocol import Answer, Incoming, Request

WRITER = Writer()


def take(incoming: Incoming) -> Answer | asyncio.Future[Answer]:
    """The answer to a request, or who will have it once that is committed."""
    address = addresses.find(incoming.path)
    try:
        if answer := door.without_key(address, incoming):
            return answer
        assert address is not None
        request = door.open_request(address, incoming)
        secrets = door.secrets_of(incoming, request)
        key = remembered(secrets)
        if key is None or key.events_per_second:
            return asyncio.ensure_future(look_twice(secrets, request))
        return WRITER.submit(key, request)
    except Exception as error:
        return door.explain(error)


async def look_twice(secrets: list[str], request: Request) -> Answer:
    """The same where the key, or how much it may send, has to be asked for."""
    key = await find_key(secrets)
    if key is None:
        return door.unauthenticated()
    if key.events_per_second and (answer := await asyncio.to_thread(door.over_limit, key, request)):
        return answer
    return await WRITER.submit(key, request)
