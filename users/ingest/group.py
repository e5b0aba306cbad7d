"""Group commit: requests that wait at the same time are stored in one transaction, so that a commit serves many.

One thread and one connection per process. A request that breaks the transaction it shares is tried alone, so that it harms
nobody else; while the database is away all of them fail, and their SDKs come back.
"""

from __future__ import annotations

import threading
from concurrent.futures import Future
from itertools import groupby
from queue import Empty, SimpleQueue

from django.db import InterfaceError, OperationalError, close_old_connections

from users.ingest.body import BadRequest
from users.ingest.door import Opened, store
from users.ingest.normal import Result

# As many items share a commit, and as many may wait before clients are asked to come back later.
MAX_ITEMS = 5_000
MAX_WAITING = 50_000
Answered = Future[list[Result]]


class Writer:
    """Takes opened requests from any thread; each future ends with what became of its items, or with an exception."""

    def __init__(self) -> None:
        self.queue: SimpleQueue[tuple[Opened, Answered]] = SimpleQueue()
        self.waiting = 0
        self.lock = threading.Lock()
        self.thread: threading.Thread | None = None

    def submit(self, opened: Opened) -> Answered:
        """Raises BadRequest (503) when too much waits already."""
        with self.lock:
            if self.waiting > MAX_WAITING:
                raise BadRequest(503, "overloaded", "Too much is waiting to be stored. Try again later.")
            self.waiting += len(opened.readings)
            if self.thread is None:
                self.thread = threading.Thread(target=self.run, name="ingest-writer", daemon=True)
                self.thread.start()
        answered: Answered = Future()
        self.queue.put((opened, answered))
        return answered

    def run(self) -> None:
        while True:
            jobs = self.take()
            close_old_connections()
            # Whose client has been told to come back is left alone; the others can be called off no more.
            wanted = [job for job in jobs if job[1].set_running_or_notify_cancel()]
            by_workspace = sorted(wanted, key=lambda job: job[0].key.workspace_id.bytes)
            for _workspace, group in groupby(by_workspace, key=lambda job: job[0].key.workspace_id):
                store_group(list(group))
            with self.lock:
                self.waiting -= sum(len(opened.readings) for opened, _answered in jobs)

    def take(self) -> list[tuple[Opened, Answered]]:
        """Everything that waits, up to MAX_ITEMS; waits for the first."""
        jobs = [self.queue.get()]
        size = len(jobs[0][0].readings)
        while size < MAX_ITEMS:
            try:
                jobs.append(self.queue.get_nowait())
            except Empty:
                break
            size += len(jobs[-1][0].readings)
        return jobs


def store_group(jobs: list[tuple[Opened, Answered]]) -> None:
    try:
        for (_opened, answered), results in zip(jobs, store([opened for opened, _answered in jobs]), strict=True):
            answered.set_result(results)
    except Exception as error:
        if len(jobs) > 1 and not isinstance(error, OperationalError | InterfaceError):
            for job in jobs:
                store_group([job])
        else:
            for _opened, answered in jobs:
                answered.set_exception(error)
