"""Write keys as this process remembers them: a busy SDK sends the same one a thousand times a second."""

from __future__ import annotations

import asyncio
import time

from django.db import close_old_connections

from users.ingest import door
from workspaces.models import AccessKey

# So long may a revoked key still be taken.
REMEMBER_S = 5.0
MAX_REMEMBERED = 10_000
_keys: dict[str, tuple[AccessKey, float]] = {}
_asking: dict[tuple[str, ...], asyncio.Future[AccessKey | None]] = {}


def remembered(secrets: list[str]) -> AccessKey | None:
    """The first live key among the secrets, as the database said at most REMEMBER_S ago; None where it has to be asked.

    It is asked again while the answer still holds, so that nobody waits for it twice.
    """
    now = time.monotonic()
    for secret in secrets:
        if (known := _keys.get(secret)) and known[1] > now:
            if known[1] - now < REMEMBER_S / 2:
                ask([secret])
            return known[0]
    return None


async def find_key(secrets: list[str]) -> AccessKey | None:
    """The first live key among the secrets. The database is asked once for all requests that want to know."""
    return remembered(secrets) or (await asyncio.shield(ask(secrets)) if secrets else None)


def ask(secrets: list[str]) -> asyncio.Future[AccessKey | None]:
    """The look-up of these secrets that is under way, or a new one."""
    told = tuple(secrets)
    if told not in _asking:
        _asking[told] = asyncio.ensure_future(asyncio.to_thread(look_up, secrets))
        _asking[told].add_done_callback(lambda done: (_asking.pop(told), done.cancelled() or done.exception()))
    return _asking[told]


def look_up(secrets: list[str]) -> AccessKey | None:
    close_old_connections()
    for secret in secrets:
        if key := door.first_key([secret]):
            if len(_keys) >= MAX_REMEMBERED:
                _keys.clear()
            _keys[secret] = key, time.monotonic() + REMEMBER_S
            return key
        _keys.pop(secret, None)
    return None
