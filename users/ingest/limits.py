"""How much a write key may send: so many events per second, and so many at once. Only keys with a limit come here.

Counted in Valkey, in one step for all processes. With Valkey away everything passes: a limit is a courtesy, and no request
waits for it.
"""

from __future__ import annotations

import logging
import math
import time
from functools import cache
from typing import Any

import redis
from django.conf import settings
from redis.backoff import NoBackoff
from redis.retry import Retry

from workspaces.models import AccessKey

logger = logging.getLogger(__name__)
# As long may a request wait for Valkey, and as long is it left alone after it did not answer.
PATIENCE_S = 0.02
PAUSE_S = 2.0
LONGEST_WAIT_S = 300
# The moment until which the key's allowance is used up, by Valkey's own clock in microseconds. What is more than may be
# sent at once passes when nothing was sent lately, and is worked off: else it could never be sent.
TAKE = """
local told = redis.call('time')
local now = (told[1] - 1700000000) * 1000000 + told[2]
local each = 1000000 / ARGV[1]
local room = ARGV[2] * each
local full = math.max(tonumber(redis.call('get', KEYS[1]) or '0'), now)
local wait = full - now + math.min(ARGV[3] * each, room) - room
if wait > 1 then return math.ceil(wait) end
full = full + ARGV[3] * each
redis.call('set', KEYS[1], string.format('%.3f', full), 'px', math.ceil((full - now) / 1000) + 1000)
return 0
"""
_silent_until = 0.0
_told_of_silence = False


@cache
def take_script() -> Any:
    client = redis.Redis.from_url(
        settings.REDIS_URL.replace("redis+socket://", "unix://"),
        socket_timeout=PATIENCE_S,
        socket_connect_timeout=PATIENCE_S,
        # Once more, at once: the connection may be one that a restart of Valkey has closed.
        retry=Retry(NoBackoff(), 1),
    )
    return client.register_script(TAKE)


def name_of(key: AccessKey) -> str:
    return f"uop:rate:{key.pk}"


def take(key: AccessKey, items: int) -> int:
    """Use up the key's allowance for so many items; 0 when they may pass, else the seconds to wait."""
    global _silent_until, _told_of_silence
    if not key.events_per_second or not items or time.monotonic() < _silent_until:
        return 0
    try:
        wait = take_script()(keys=[name_of(key)], args=[key.events_per_second, key.events_at_once(), items])
    except redis.RedisError as error:
        _silent_until = time.monotonic() + PAUSE_S
        if not _told_of_silence:
            logger.warning("ingest: Valkey does not answer, so limits of keys are not kept: %s", error)
        _told_of_silence = True
        return 0
    _told_of_silence = False
    return min(LONGEST_WAIT_S, math.ceil(wait / 1_000_000))
