"""A load generator that costs little: requests made beforehand, a few kept-alive connections, one loop.

`python -m benchmarks.load PORT KEY --items 100 --requests 2000` prints one JSON object: how many requests and events a
second were answered with 200, and how long answers took. `--rate` asks for that many requests a second instead of as many
as the server takes; `--twice` sends each request a second time; `--age` makes the events so many seconds older.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import select
import socket
import time
import uuid
from datetime import UTC, datetime, timedelta

EVENTS = [f"Event {n}" for n in range(25)]
PEOPLE = 100_000
LENGTH = re.compile(rb"content-length: *(\d+)\r\n", re.IGNORECASE)


def message(rng: random.Random, now: datetime) -> dict[str, object]:
    """One event of a plausible size: about 90 bytes of properties, of one of 100,000 people, up to ten minutes old."""
    return {
        "type": "track",
        "userId": f"user-{rng.randrange(PEOPLE)}",
        "event": rng.choice(EVENTS),
        "messageId": str(uuid.UUID(int=rng.getrandbits(128), version=4)),
        "timestamp": (now - timedelta(seconds=rng.random() * 600)).isoformat(),
        "properties": {
            "category": "美妆",
            "price": rng.randrange(10_000) / 100,
            "sku": f"s{rng.randrange(5000)}",
            "position": 3,
        },
    }


def requests(port: int, key: str, items: int, count: int, age: int = 0) -> list[bytes]:
    """`count` whole HTTP requests with `items` events each, `age` seconds old, as an SDK of the Segment family writes them."""
    rng, now = random.Random(), datetime.now(UTC) - timedelta(seconds=age)
    made = []
    for _ in range(count):
        messages = [message(rng, now) for _ in range(items)]
        body = messages[0] if items == 1 else {"batch": messages, "sentAt": datetime.now(UTC).isoformat()}
        raw = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
        path = "/v1/track" if items == 1 else "/v1/batch"
        head = (f"POST {path} HTTP/1.1", f"Host: 127.0.0.1:{port}", f"Authorization: Bearer {key}")
        made.append("\r\n".join((*head, f"Content-Length: {len(raw)}", "", "")).encode() + raw)
    return made


class Connection:
    """One kept-alive connection with at most one request in flight."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sent_at = 0.0
        self.held = b""

    def send(self, raw: bytes) -> None:
        self.held, self.sent_at = b"", time.perf_counter()
        self.socket.sendall(raw)

    def receive(self) -> bool | None:
        """None while the answer is not whole; then whether it was a 200."""
        self.held += self.socket.recv(65_536)
        end = self.held.find(b"\r\n\r\n")
        if end < 0:
            return None
        length = int(LENGTH.search(self.held, 0, end + 2)[1])  # type: ignore[index]
        return None if len(self.held) < end + 4 + length else self.held.startswith(b"HTTP/1.1 200")


def drive(port: int, made: list[bytes], connections: int, rate: float) -> dict[str, float]:
    """Send everything; returns seconds, the processor's seconds it cost here, answers that were no 200, and latencies in
    milliseconds."""
    poll, waiting = select.epoll(), [Connection(port) for _ in range(connections)]
    by_number = {connection.socket.fileno(): connection for connection in waiting}
    for number in by_number:
        poll.register(number, select.EPOLLIN)
    todo, latencies, bad = iter(made), [], 0
    began, cpu, sent, left = time.perf_counter(), time.process_time(), 0, len(made)
    while left:
        while waiting and sent < len(made) and (not rate or sent < (time.perf_counter() - began) * rate):
            waiting.pop().send(next(todo))
            sent += 1
        for number, _events in poll.poll(0.001 if rate else 0.1):
            connection = by_number[number]
            good = connection.receive()
            if good is None:
                continue
            latencies.append(time.perf_counter() - connection.sent_at)
            bad, left = bad + (not good), left - 1
            waiting.append(connection)
    latencies.sort()
    return {
        "seconds": time.perf_counter() - began,
        "cpu": time.process_time() - cpu,
        "bad": bad,
        "p50_ms": latencies[len(latencies) // 2] * 1000,
        "p99_ms": latencies[int(len(latencies) * 0.99)] * 1000,
    }


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("port", type=int)
    parser.add_argument("key")
    parser.add_argument("--items", type=int, default=100)
    parser.add_argument("--requests", type=int, default=1000)
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--age", type=int, default=0)
    parser.add_argument("--rate", type=float, default=0)
    parser.add_argument("--twice", action="store_true")
    asked = parser.parse_args()
    made = requests(asked.port, asked.key, asked.items, asked.requests, asked.age)
    if asked.twice:
        made = [raw for pair in zip(made, made, strict=True) for raw in pair]
    told = drive(asked.port, made, asked.connections, asked.rate)
    told["requests_s"] = len(made) / told["seconds"]
    told["events_s"] = told["requests_s"] * asked.items
    print(json.dumps(told))


if __name__ == "__main__":
    main()
