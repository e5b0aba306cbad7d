"""`python -m ops_platform.web --port 8000 --workers 2`: the web server, some processes that answer on one port.

What each of them is stands in web_process.py. One that dies is replaced at once. SIGHUP replaces them one after the other,
each when its successor answers, while the port stays open: so a new version is put in place. Libraries are loaded before
the processes are forked, so that all share their memory and a new one is there in half the time; our own code is loaded by
each, so that those which SIGHUP starts run the new one.
"""

from __future__ import annotations

import argparse
import gc
import mmap
import os
import resource
import select
import signal
import socket
import sys
import time
from array import array
from dataclasses import dataclass
from importlib import import_module

from ops_platform.embedded.processes import signal_when_parent_dies

LIBRARIES = (
    "a2wsgi",
    "celery",
    "cryptography.fernet",
    "django.core.handlers.wsgi",
    "django.db.backends.postgresql.base",
    "django.db.models",
    "httptools",
    "httpx",
    "jwt",
    "liquid",
    "msgspec",
    "numpy",
    "phonenumbers",
    "redis",
    "uvicorn.protocols.http.httptools_impl",
    "uvloop",
)
# As many may there be for a moment, with those that are about to end.
MOST = 64
WATCHED = {signal.SIGCHLD, signal.SIGHUP, signal.SIGINT, signal.SIGTERM}
# So many files, each connection being one, a process may have open: a shell gives it 1,024, a container a million.
FILES = 20_000
# So long a process may take to end before it is killed: a little longer than web_process.GRACE_S.
END_S = 10
# A process that dies before it answers is not started again and again without a pause.
PAUSE_S = 1.0


@dataclass(eq=False)
class Worker:
    """One process. `place`: where it counts its connections. `ready`: the end of a pipe on which it tells that it answers."""

    pid: int
    place: int
    ready: int
    answers: bool = False
    outdated: bool = False
    told_to_stop: float = 0.0

    def look(self) -> bool:
        if not self.answers and select.select([self.ready], [], [], 0)[0]:
            self.answers = os.read(self.ready, 1) != b""
        return self.answers

    def kill(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)  # it is ours and not waited for, so nobody else has its number


class Web:
    """The parent of the processes, and who holds the port."""

    def __init__(self, application: str, listener: socket.socket, size: int) -> None:
        self.application, self.listener, self.size = application, listener, size
        self.workers: list[Worker] = []
        # Connections by place, which the processes share; -1 where there is none that takes any.
        self.counts = memoryview(mmap.mmap(-1, 4 * MOST)).cast("i")
        self.counts[:] = memoryview(array("i", [-1] * MOST))
        self.has_answered, self.pause_until = False, 0.0

    def run(self) -> int:
        """Keep so many processes until a signal ends it; returns the exit code: 1 when none ever came to answer."""
        while True:
            if not self.bury() and not self.has_answered:
                return 1
            self.renew()
            settled = len(self.workers) == self.size and all(w.answers and not w.outdated for w in self.workers)
            told = signal.sigtimedwait(WATCHED, 30 if settled else 0.05)
            if told is None or told.si_signo == signal.SIGCHLD:
                continue
            if told.si_signo != signal.SIGHUP:
                break
            for worker in self.workers:
                worker.outdated = True
        self.end()
        return 0

    def bury(self) -> bool:
        """Let go of processes that ended; False when one of them never answered."""
        for worker in [worker for worker in self.workers if os.waitpid(worker.pid, os.WNOHANG)[0]]:
            self.workers.remove(worker)
            self.counts[worker.place] = -1
            answered = worker.look()
            os.close(worker.ready)
            if not answered and not worker.told_to_stop:
                self.pause_until = time.monotonic() + PAUSE_S
                return False
        return True

    def renew(self) -> None:
        """Start one where one is missing, and stop one for which another answers."""
        for worker in self.workers:
            self.has_answered |= worker.look()
        staying = [worker for worker in self.workers if not worker.told_to_stop]
        current = [worker for worker in staying if not worker.outdated]
        outdated = [worker for worker in staying if worker.outdated]
        if len(current) < self.size and len(staying) <= self.size and time.monotonic() > self.pause_until:
            self.workers.append(self.start())
        if outdated and len(outdated) + sum(worker.answers for worker in current) > self.size:
            self.stop(outdated[0])
        for worker in self.workers:
            if worker.told_to_stop and time.monotonic() - worker.told_to_stop > END_S:
                worker.kill(signal.SIGKILL)

    def stop(self, worker: Worker) -> None:
        worker.told_to_stop = time.monotonic()
        self.counts[worker.place] = -1
        worker.kill(signal.SIGTERM)

    def start(self) -> Worker:
        reading, writing = os.pipe()
        place = min({*range(MOST)} - {worker.place for worker in self.workers})
        end_with_parent = signal_when_parent_dies(signal.SIGTERM)
        if pid := os.fork():
            os.close(writing)
            return Worker(pid, place, reading)
        code = 1
        try:
            os.close(reading)
            if end_with_parent:
                end_with_parent()
            signal.signal(signal.SIGHUP, signal.SIG_IGN)  # the parent's, also when it is sent to all of them
            signal.pthread_sigmask(signal.SIG_UNBLOCK, WATCHED)
            from ops_platform.web_process import serve  # by now: as it is on the disk

            serve(self.application, self.listener, self.counts, place, writing)
            code = 0
        except Exception:
            sys.excepthook(*sys.exc_info())
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)

    def end(self) -> None:
        for worker in self.workers:
            self.stop(worker)
        deadline = time.monotonic() + END_S
        while self.workers:
            if time.monotonic() > deadline:
                for worker in self.workers:
                    worker.kill(signal.SIGKILL)
            signal.sigtimedwait({signal.SIGCHLD}, 0.1)
            self.bury()


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m ops_platform.web")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("application", nargs="?", default="ops_platform.asgi:application")
    asked = parser.parse_args()
    if "DATABASE_URL" not in os.environ:
        parser.error("DATABASE_URL is not set (with servers of its own, `make serve` starts it)")
    # Before anything else, threads of libraries too: what comes while they are loaded waits until it can be heeded.
    signal.pthread_sigmask(signal.SIG_BLOCK, WATCHED)
    try:
        listener = socket.create_server((asked.host, asked.port), backlog=2048)
    except OSError as problem:
        parser.error(f"{asked.host}:{asked.port}: {problem.strerror}")
    listener.setblocking(False)
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(most, FILES), most))
    for library in LIBRARIES:
        import_module(library)
    gc.freeze()
    return Web(asked.application, listener, asked.workers).run()


if __name__ == "__main__":
    sys.exit(main())
