"""How far long work is. Whoever does it says so; whoever started it may listen; without a listener nothing happens."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

Listener = Callable[[int, int], None]
_listener: ContextVar[Listener | None] = ContextVar("progress", default=None)


def progress(done: int, total: int) -> None:
    """Tell that `done` of `total` rows are worked off. Costs nothing to speak of; call it as often as you like."""
    if listener := _listener.get():
        listener(done, total)


@contextmanager
def listening(listener: Listener) -> Iterator[None]:
    """Hear what the work inside tells, in its own thread: keep it short."""
    token = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(token)
