"""Where attempts to log in are counted: Valkey, for all processes. While it is away each process counts its own, so that
operators get in meanwhile, and nobody guesses without end."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, ClassVar

import redis
from django.core.cache.backends.locmem import LocMemCache
from django.core.cache.backends.redis import RedisCache

MOST_OF_ONES_OWN = 10_000
# As long is Valkey left alone after it did not answer: a login asks ten times.
PAUSE_S = 10.0


class AttemptsCache(RedisCache):
    """What django-allauth asks of a cache."""

    silent_until: ClassVar[float] = 0.0  # each thread has a cache of its own

    def __init__(self, server: str, params: dict[str, Any]) -> None:
        super().__init__(server, params)
        self.own = LocMemCache("attempts", {"max_entries": MOST_OF_ONES_OWN})

    def get(self, *args: Any, **kwargs: Any) -> Any:
        return self.ask(super().get, self.own.get, *args, **kwargs)

    def set(self, *args: Any, **kwargs: Any) -> None:
        self.ask(super().set, self.own.set, *args, **kwargs)

    def add(self, *args: Any, **kwargs: Any) -> bool:
        return self.ask(super().add, self.own.add, *args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> bool:
        return self.ask(super().delete, self.own.delete, *args, **kwargs)

    def ask(self, valkey: Callable[..., Any], own: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        if time.monotonic() >= AttemptsCache.silent_until:
            try:
                return valkey(*args, **kwargs)
            except redis.RedisError:
                AttemptsCache.silent_until = time.monotonic() + PAUSE_S
        return own(*args, **kwargs)
