"""Says what the demo is doing, and how long each step took."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Steps:
    """`with steps("load the shop"):` prints the name, then the seconds; `took` keeps them for the summary."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self.say = say
        self.took: list[tuple[str, float]] = []

    @contextmanager
    def __call__(self, name: str) -> Iterator[None]:
        began = time.monotonic()
        yield
        seconds = time.monotonic() - began
        self.took.append((name, seconds))
        self.say(f"  {seconds:6.1f} s  {name}")
