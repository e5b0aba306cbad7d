"""How long something is waited for. One timer for all that wait: one for each costs a third of what it takes to answer a
request with a single event."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Generic, TypeVar

Thing = TypeVar("Thing")
# Between two sweeps: each passes by all that were let go of by the ones before.
LEAST_S = 0.02


class Patience(Generic[Thing]):
    """Tells `lost` of whatever was begun so many seconds ago and has not ended since.

    For the event loop of a process; one that ended leaves nothing behind.
    """

    def __init__(self, seconds: float, lost: Callable[[Thing], object]) -> None:
        self.seconds, self.lost = seconds, lost
        # When each is lost, in the order they were begun, which is the order in which they will be.
        self.waiting: dict[Thing, float] = {}
        self.loop: asyncio.AbstractEventLoop | None = None

    def begin(self, thing: Thing) -> None:
        """Wait for it from now on, unless it is waited for already."""
        loop = asyncio.get_running_loop()
        if self.loop is not loop:
            self.loop = loop
            self.waiting.clear()
            loop.call_later(self.seconds, self.sweep)
        if thing not in self.waiting:
            self.waiting[thing] = loop.time() + self.seconds

    def end(self, thing: Thing) -> None:
        self.waiting.pop(thing, None)

    def sweep(self) -> None:
        """Let go of what took too long, and come again when the next one will have, though not more often than needed."""
        assert self.loop is not None
        now = self.loop.time()
        again, late = now + self.seconds, []
        for thing, until in self.waiting.items():
            if until > now:
                again = max(until, now + LEAST_S)
                break
            late.append(thing)
        self.loop.call_at(again, self.sweep)  # first: who fails below keeps nobody else
        for thing in late:
            if self.waiting.pop(thing, None) is not None:  # another one may have ended it
                self.lost(thing)
