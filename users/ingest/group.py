"""Group commit: requests that wait at the same time are stored in one transaction, so that a commit serves many.

One thread and one connection per process. A request that breaks the transaction it shares is tried alone, so that it harms
nobody else; while the database is away all of them fail, and their SDKs come back.
"""

from __future__ import annotations

import asyncio
import threading
import time
from datetime import UTC, datetime
from itertools import groupby
from queue import Empty, SimpleQueue
from typing import NamedTuple

from django.db import close_old_connections, connection

from users.ingest.arrivals import NOTE_EVERY_S, Held
from users.ingest.body import BadRequest
from users.ingest.door import read_all, store
from users.ingest.protocol import Answer, Request
from users.ingest.write import forget
from workspaces.models import AccessKey
from workspaces.sql import is_away

# As many items share a commit, and as many may wait before clients are asked to come back later.
MAX_ITEMS = 5_000
MAX_WAITING = 50_000
# What is larger counts for several: with the database away, 50,000 bodies of 4 MiB would wait.
ITEM_BYTES = 4 * 1024
IDLE_S = 1.0


class Job(NamedTuple):
    """A request that waits to be read and stored, who waits for what becomes of it, and for how many items it counts."""

    key: AccessKey
    request: Request
    received_at: datetime
    answered: asyncio.Future[Answer]
    weight: int


class Writer:
    """Takes requests from the event loop; each future ends with the answer, or with an exception.

    Items are read here and not in the loop: hundreds in one go cost half of what they do one at a time between two
    switches of threads.
    """

    def __init__(self) -> None:
        self.queue: SimpleQueue[Job] = SimpleQueue()
        self.waiting = 0
        self.lock = threading.Lock()
        self.thread: threading.Thread | None = None
        self.held = Held()
        self.failed = False
        self.session: object = None

    def submit(self, key: AccessKey, request: Request) -> asyncio.Future[Answer]:
        """Raises BadRequest (503) when too much waits already."""
        counts_for = weight(request)
        with self.lock:
            if self.waiting > MAX_WAITING:
                raise BadRequest(503, "overloaded", "Too much is waiting to be stored. Try again later.")
            self.waiting += counts_for
            if self.thread is None:
                self.thread = threading.Thread(target=self.run, name="ingest-writer", daemon=True)
                self.thread.start()
        answered = asyncio.get_running_loop().create_future()
        self.queue.put(Job(key, request, datetime.now(UTC), answered, counts_for))
        return answered

    def run(self) -> None:
        used = 0.0
        while True:
            jobs = self.take()
            # Asks whether the connection still lives, which is not worth a question for each of a hundred groups a second.
            if self.failed or time.monotonic() - used > IDLE_S:
                close_old_connections()
                self.failed = False
            used = time.monotonic()
            # Whose client hung up or was told to come back is left alone.
            wanted = [job for job in jobs if not job.answered.done()]
            wanted.sort(key=lambda job: job.key.workspace_id.bytes)
            for _workspace, group in groupby(wanted, key=lambda job: job.key.workspace_id):
                self.store(list(group))
            self.held.flush()
            with self.lock:
                self.waiting -= sum(job.weight for job in jobs)

    def take(self) -> list[Job]:
        """Everything that waits, up to MAX_ITEMS; waits for the first, though not for ever: something may be held."""
        try:
            jobs = [self.queue.get(timeout=NOTE_EVERY_S if self.held.newest else None)]
        except Empty:
            return []
        size = len(jobs[0].request.items)
        while size < MAX_ITEMS:
            try:
                jobs.append(self.queue.get_nowait())
            except Empty:
                break
            size += len(jobs[-1].request.items)
        return jobs

    def store(self, jobs: list[Job]) -> None:
        try:
            self.meet()
            found = store([read_all(job.key, job.request, job.received_at) for job in jobs], self.held.note)
            answer(jobs, [job.request.answer(results) for job, results in zip(jobs, found, strict=True)])
        except Exception as error:
            if len(jobs) > 1 and not is_away(error):
                for job in jobs:
                    self.store([job])
            else:
                self.failed = True
                answer(jobs, error)

    def meet(self) -> None:
        """Trust what is remembered only as long as the session lasts in which it was learnt.

        After a failover, or from a backup, a database comes back without what it had last: months, names and people that
        this process would go on to rely on.
        """
        connection.close_if_health_check_failed()
        connection.ensure_connection()
        if connection.connection is not self.session:
            forget()
            self.session = connection.connection


def weight(request: Request) -> int:
    """How many items wait in a request."""
    return len(request.items) + sum([len(item) for item in request.items if isinstance(item, bytes)]) // ITEM_BYTES


def answer(jobs: list[Job], found: list[Answer] | Exception) -> None:
    """End the futures of a group, waking their loop once."""

    def end() -> None:
        for n, job in enumerate(jobs):
            if job.answered.done():  # the client hung up
                continue
            if isinstance(found, Exception):
                job.answered.set_exception(found)
            else:
                job.answered.set_result(found[n])

    jobs[0].answered.get_loop().call_soon_threadsafe(end)
