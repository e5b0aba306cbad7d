"""Clients as SDKs are: they send a batch until it is acknowledged, always with the same message ids, and write down what
they were told."""

from __future__ import annotations

import http.client
import itertools
import json
import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import islice
from queue import Empty, SimpleQueue
from typing import Any

# Longer than the server may take, so that one that is too slow is seen.
PATIENCE_S = 30
START = datetime(2026, 8, 1, tzinfo=UTC)


@dataclass
class Batch:
    """Message ids, and the request that carries them."""

    ids: list[str]
    body: bytes
    tries: int = 0
    cut: bool = False


@dataclass
class Attempt:
    """What one request came to: `status` 0 when there was no answer; `batch` is the id() of its batch."""

    at: float
    seconds: float
    status: int
    retry_after: str
    body: bytes
    batch: int


@dataclass
class Journal:
    """What the clients were told."""

    acked: set[str] = field(default_factory=set)
    attempts: list[Attempt] = field(default_factory=list)

    def statuses(self) -> Counter[int]:
        return Counter(attempt.status for attempt in self.attempts)

    def slowest(self) -> float:
        return max(attempt.seconds for attempt in self.attempts)

    def percentile(self, share: float, since: float = 0, until: float = float("inf")) -> float:
        """Seconds that so large a share of the answered requests of a stretch of time took at most."""
        times = sorted(a.seconds for a in self.attempts if since <= a.at < until and a.status)
        return times[min(len(times) - 1, int(len(times) * share))]

    def first_after(self, moment: float) -> float:
        """Seconds from a moment to the first acknowledgement of a request sent after it."""
        return min(a.at + a.seconds for a in self.attempts if a.status == 200 and a.at > moment) - moment


class Clients:
    """Some threads that send the batches of `source`, each until it is acknowledged.

    A refusal for good (4xx) drops the batch, as SDKs do. `pace_s`: the time from one request of a client to its next.
    """

    def __init__(
        self, port: int, key: str, source: Iterable[Batch], clients: int = 4, pace_s: float = 0, path: str = "/v1/batch"
    ) -> None:
        self.port, self.path, self.pace_s = port, path, pace_s
        self.headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
        self.source, self.again = iter(source), SimpleQueue[Batch]()
        self.journal, self.lock = Journal(), threading.Lock()
        self.feeding, self.open, self.over = True, 0, threading.Event()
        self.threads = [threading.Thread(target=self._run, daemon=True) for _ in range(clients)]
        for thread in self.threads:
            thread.start()

    def stop_feeding(self) -> None:
        """Begin no batch any more."""
        with self.lock:
            self.feeding = False

    def answered_since(self, moment: float) -> bool:
        """Whether a request that was sent after this moment has been acknowledged."""
        return any(a.status == 200 and a.at > moment for a in self.journal.attempts[-50:])

    def finish(self, seconds: float = 300) -> Journal:
        """Wait until everything is acknowledged or refused. Fails after so many seconds."""
        deadline = time.monotonic() + seconds
        while self.feeding or self.open:
            assert time.monotonic() < deadline, f"{self.open} batches are open; {self.journal.statuses()}"
            time.sleep(0.01)
        self.over.set()
        for thread in self.threads:
            thread.join()
        return self.journal

    def __enter__(self) -> Clients:
        return self

    def __exit__(self, *error: Any) -> None:
        self.over.set()

    def _run(self) -> None:
        line = self._connect()
        while not self.over.is_set():
            batch, began = self._next(), time.monotonic()
            if batch is None:
                time.sleep(0.01)
            elif not self._send(line, batch):
                line.close()
                line = self._connect()
            time.sleep(max(0, self.pace_s - (time.monotonic() - began)))
        line.close()

    def _next(self) -> Batch | None:
        """What has to be sent again, or else the next of the source; None when there is neither right now."""
        with suppress(Empty):
            return self.again.get_nowait()
        with self.lock:
            batch = next(self.source, None) if self.feeding else None
            self.feeding = batch is not None
            self.open += batch is not None
        return batch

    def _connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_S)

    def _send(self, line: http.client.HTTPConnection, batch: Batch) -> bool:
        """One attempt; returns whether the connection is still good."""
        began, status, told, retry_after = time.monotonic(), 0, b"", ""
        try:
            line.request("POST", self.path, batch.body, self.headers)
            answer = line.getresponse()  # has read the first line: the server has committed
            if batch.cut:
                batch.cut = False
            else:
                told = answer.read()
                status, retry_after = answer.status, answer.headers.get("Retry-After", "")
        except (OSError, http.client.HTTPException):
            pass
        attempt = Attempt(began, time.monotonic() - began, status, retry_after, told, id(batch))
        batch.tries += 1
        with self.lock:
            self.journal.attempts.append(attempt)
            if status == 200:
                self.journal.acked.update(batch.ids)
            again = status == 0 or status >= 500 or status == 429
            self.open -= not again
        if again:
            time.sleep(0.1 if status == 0 else 0.3)
            self.again.put(batch)
        return status != 0


def track(name: str, person: str, n: int, at: datetime | None, **more: Any) -> dict[str, Any]:
    message = {
        "type": "track",
        "event": name,
        "userId": person,
        "messageId": f"{name}-{n}",
        "properties": {"n": n},
        **more,
    }
    return message if at is None else message | {"timestamp": at.isoformat()}


def make_batches(messages: Iterable[dict[str, Any]], size: int = 50) -> Iterator[Batch]:
    messages = iter(messages)
    while part := list(islice(messages, size)):
        yield Batch([message["messageId"] for message in part], json.dumps({"batch": part}).encode())


def events(name: str, count: int | None = None, people: int = 500) -> Iterator[dict[str, Any]]:
    """Plain events of some people, one a second, endlessly unless counted; message ids begin with their name."""
    for n in range(count) if count else itertools.count():
        yield track(name, f"u{n % people}", n, START + timedelta(seconds=n))
