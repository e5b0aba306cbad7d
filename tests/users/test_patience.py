"""One timer for all that wait: it goes on whatever becomes of one of them, and however many they are."""

from __future__ import annotations

import asyncio
import time

from users.ingest.patience import Patience


def test_whoever_cannot_be_let_go_of_keeps_nobody_else() -> None:
    gone: list[int] = []

    def lost(n: int) -> None:
        gone.append(n)
        if n == 5:
            raise RuntimeError("this one fails")

    async def run() -> float:
        asyncio.get_running_loop().set_exception_handler(lambda *_: None)
        patience = Patience(0.2, lost)
        for n in range(30_000):
            patience.begin(n)
        await asyncio.sleep(0.2)
        started = time.monotonic()
        while len(gone) < 30_000 and time.monotonic() < started + 3:
            await asyncio.sleep(0)
        return time.monotonic() - started

    took = asyncio.run(run())
    assert len(gone) == 30_000 and took < 2
