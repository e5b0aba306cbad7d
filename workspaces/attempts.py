"""Where attempts to log in are counted: Valkey, for all processes. While it is away each process counts its own, so that
operators get in meanwhile, and nobody guesses without end."""

from __future__ import annotations

from typing import Any

import redis
from django.core.cache.backends.locmem import LocMemCache
from django.core.cache.backends.redis import RedisCache

MOST_OF_ONES_OWN = 10_000


class AttemptsCache(RedisCache):
    """What django-allauth asks of a cache."""

    def __init__(self, server: str, params: dict[str, Any]) -> None:
        super().__init__(server, params)
        self.own = LocMemCache("attempts", {"max_entries": MOST_OF_ONES_OWN})

    def get(self, *args: Any, **kwargs: Any) -> Any:
        try:
            return super().get(*args, **kwargs)
        except redis.RedisError:
            return self.own.get(*args, **kwargs)

    def set(self, *args: Any, **kwargs: Any) -> None:
        try:
            super().set(*args, **kwargs)
        except redis.RedisError:
            self.own.set(*args, **kwargs)

    def add(self, *args: Any, **kwargs: Any) -> bool:
        try:
            return super().add(*args, **kwargs)
        except redis.RedisError:
            return self.own.add(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> bool:
        try:
            return super().delete(*args, **kwargs)
        except redis.RedisError:
            return self.own.delete(*args, **kwargs)
