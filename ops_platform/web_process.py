"""One process of the web server: uvicorn, with ingest on the wire itself, on a socket that it shares with others."""

from __future__ import annotations

import asyncio
import os
import resource
import socket
from typing import Any

import uvicorn
from uvicorn.importer import import_from_string

# So long answers that are under way may take when the process is told to stop; then they are cut off.
GRACE_S = 8
# So long whoever has more connections than another leaves the next one to that, and more means by an eighth: with a
# thousand clients that come back at once, nobody counts each.
ASIDE_S = 0.002
SLACK = 8
# Connections that are taken in one go, while those who have one wait.
AT_ONCE = 64
# As many files are left to those who answer: the database, templates, uploads. Connections wait until there are more.
SPARE_FILES = 100


class Acceptor:
    """Takes connections from the shared socket. Left to the kernel, who was awake last gets nearly all of them.

    `counts`: how many each process has, in memory that they share, -1 for none such; `place`: which is this one's.
    """

    def __init__(self, server: Server, listener: socket.socket, counts: Any, place: int) -> None:
        self.server, self.listener, self.counts, self.place = server, listener, counts, place
        self.loop = asyncio.get_running_loop()
        self.taking: set[asyncio.Task[Any]] = set()
        self.most = resource.getrlimit(resource.RLIMIT_NOFILE)[0] - SPARE_FILES
        self.aside: asyncio.TimerHandle | None = None
        self.loop.add_reader(listener, self.accept)

    def accept(self) -> None:
        """Take a few, or leave them to somebody who has fewer."""
        for _ in range(AT_ONCE):
            self.counts[self.place] = mine = self.count()
            if mine >= self.most or any(0 <= count < mine - mine // SLACK for count in self.counts):
                self.step_aside()
                return
            if not self.take():
                return

    def count(self) -> int:
        return len(self.server.server_state.connections) + len(self.taking)

    def take(self) -> bool:
        """Whether there was one, and may be more."""
        try:
            line, _address = self.listener.accept()
        except (BlockingIOError, ConnectionError):
            return False  # somebody else has it, or it is gone
        except OSError:
            self.step_aside()  # too many files are open
            return False
        line.setblocking(False)
        task = self.loop.create_task(self.loop.connect_accepted_socket(self.server.make_protocol, line))
        self.taking.add(task)
        task.add_done_callback(self.taken)
        return True

    def taken(self, task: asyncio.Task[Any]) -> None:
        self.taking.discard(task)
        task.exception()  # that of somebody who is gone already

    def step_aside(self) -> None:
        self.loop.remove_reader(self.listener)
        self.aside = self.loop.call_later(ASIDE_S, self.come_back)

    def come_back(self) -> None:
        """Take what is still there: the others may be busy, or stand still."""
        self.loop.add_reader(self.listener, self.accept)
        if self.count() < self.most:
            self.take()

    def close(self) -> None:
        if self.aside:
            self.aside.cancel()
        self.loop.remove_reader(self.listener)
        self.counts[self.place] = -1

    async def wait_closed(self) -> None:
        await asyncio.gather(*self.taking, return_exceptions=True)


class Server(uvicorn.Server):
    """uvicorn's, whose connections an Acceptor takes. Writes to the pipe `ready` when it answers."""

    def __init__(self, config: uvicorn.Config, listener: socket.socket, counts: Any, place: int, ready: int) -> None:
        super().__init__(config)
        self.listener, self.counts, self.place, self.ready = listener, counts, place, ready

    def make_protocol(self) -> asyncio.Protocol:
        wire: Any = self.config.http_protocol_class(  # type: ignore[call-arg]
            config=self.config, server_state=self.server_state, app_state=self.lifespan.state
        )
        wire.leaving = self.should_exit  # taken too late to be told
        return wire  # type: ignore[no-any-return]

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=[])
        self.servers = [Acceptor(self, self.listener, self.counts, self.place)]  # type: ignore[list-item]
        self.counts[self.place] = 0
        os.write(self.ready, b".")
        os.close(self.ready)


def serve(application: str, listener: socket.socket, counts: Any, place: int, ready: int) -> None:
    """Answer until SIGTERM, and then what is under way."""
    config = uvicorn.Config(
        import_from_string(application),  # sets Django up, which the next needs
        http=import_from_string("users.ingest.wire:Wire"),
        loop="uvloop",
        interface="asgi3",
        lifespan="off",
        ws="none",
        log_config=None,
        log_level="warning",
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=GRACE_S,
    )
    Server(config, listener, counts, place, ready).run()
