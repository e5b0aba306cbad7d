"""Strangers: connections that drip, and bodies that are more than they seem or never end."""

from __future__ import annotations

import gzip
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from typing import Any

SLOW, MIB = 200, 2**20


class Strangers:
    """200 slow connections and four threads of monstrous requests; all end with the block. `told`: what they got."""

    def __init__(self, port: int, key: str) -> None:
        self.port, self.told, self.over = port, Counter[tuple[str, int]](), threading.Event()
        self.head = f"POST /v1/batch HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {key}\r\n".encode()
        self.threads = [threading.Thread(target=deed, daemon=True) for deed in (self.drip, self.send_chunks)]
        # What fits into the limit, and is a hundred times as large to whoever reads it without care.
        monsters = {
            "bomb": (gzip.compress(bytes(64 * MIB)), b"Content-Encoding: gzip\r\n"),
            "deep": (b'{"batch":[' + b"[" * (4 * MIB - 100),),
            "many": (b'{"batch":[NaN' + b",{}" * MIB + b"]}",),
        }
        for kind, sent in monsters.items():
            self.threads.append(threading.Thread(target=self.send_body, args=(kind, *sent), daemon=True))

    def __enter__(self) -> Strangers:
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *error: Any) -> None:
        self.over.set()
        for thread in self.threads:
            thread.join()

    def connect(self) -> socket.socket:
        line = socket.create_connection(("127.0.0.1", self.port))
        line.settimeout(20)
        return line

    def drip(self) -> None:
        """Half of them never end their headers, half never their bodies: one byte a second."""
        lines = [self.connect() for _ in range(SLOW)]
        for n, line in enumerate(lines):
            line.sendall(self.head + (b"X-Slow: " if n % 2 else b"Content-Length: 1000000\r\n\r\n"))
        while not self.over.wait(1):
            for line in list(lines):
                try:
                    line.sendall(b"x")
                except OSError:
                    lines.remove(line)
                    self.told["slow", 0] += 1
        for line in lines:
            line.close()

    def repeat(self, kind: str, send: Callable[[socket.socket], None]) -> None:
        while not self.over.is_set():
            with self.connect() as line:
                with suppress(OSError):  # it need not listen to the end
                    send(line)
                with suppress(OSError, ValueError):
                    self.told[kind, int((line.recv(64).split() or [b"", b"0"])[1])] += 1
            time.sleep(0.5)

    def send_body(self, kind: str, body: bytes, header: bytes = b"") -> None:
        head = self.head + header + b"Content-Length: %d\r\n\r\n" % len(body)
        self.repeat(kind, lambda line: line.sendall(head + body))

    def send_chunks(self) -> None:
        """100 MiB, which no header announces."""

        def send(line: socket.socket) -> None:
            line.sendall(self.head + b"Transfer-Encoding: chunked\r\n\r\n")
            for _ in range(100):
                line.sendall(b"100000\r\n" + bytes(MIB) + b"\r\n")
            line.sendall(b"0\r\n\r\n")

        self.repeat("chunks", send)
