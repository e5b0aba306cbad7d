"""Sockets of the channels: a deadline for any of them, and HTTP that knows whether a request may have arrived."""

from __future__ import annotations

import contextlib
import logging
import re
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cache
from ipaddress import ip_address
from typing import Any

import httpx
from django.conf import settings

from . import ChannelError, Message, Outcome, Result

# At INFO httpx logs whole URLs, and the URL of an SMS request holds a telephone number.
logging.getLogger("httpx").setLevel(logging.WARNING)

MAX_ANSWER = 64 * 1024
# Where Alibaba Cloud, AWS, Google Cloud and Azure keep what a machine may know of itself, beside link-local addresses.
METADATA = frozenset(map(ip_address, ("100.100.100.200", "fd00:ec2::254", "fd20:ce::254", "168.63.129.16")))
# Answers of something that is not the provider: the address in the settings is wrong, for every message.
WRONG_ADDRESS = frozenset({301, 302, 303, 307, 308, 401, 403, 404, 405, 407})


class UnansweredError(Exception):
    """The request was (partly) written and no answer came: nobody can say whether it was acted on."""


class Deadline:
    """Cuts a socket when a step takes longer than `seconds`.

    Timeouts of sockets count from byte to byte, so a server that drips can hold a sender for hours. After the cut the
    step sees an ordinary lost connection. One thread watches a whole batch and looks ten times a second.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._due = float("inf")
        self._get_socket: Callable[[], socket.socket | None] = lambda: None
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Deadline:
        self._thread.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._over.set()

    @contextlib.contextmanager
    def step(self, get_socket: Callable[[], socket.socket | None]) -> Iterator[None]:
        """Give the block its time; `get_socket` is asked at the moment of the cut."""
        self._get_socket, self._due = get_socket, time.monotonic() + self._seconds
        try:
            yield
        finally:
            self._due = float("inf")

    def _watch(self) -> None:
        while not self._over.wait(0.1):
            if time.monotonic() < self._due:
                continue
            self._due = float("inf")
            sock = self._get_socket()
            if sock is not None:
                with contextlib.suppress(OSError):
                    sock.shutdown(socket.SHUT_RDWR)


@cache
def trusted() -> ssl.SSLContext:
    """The authorities we believe, read once: a session each chunk of messages would read the file again, some 25 ms."""
    return httpx.create_ssl_context(trust_env=False)


class HttpSession:
    """One kept connection to a provider. No redirects, no proxies from the environment, no second tries."""

    def __init__(self, timeout: float) -> None:
        self._deadline = Deadline(timeout)
        self._socket: socket.socket | None = None
        self._client = httpx.Client(
            verify=trusted(),
            timeout=timeout,
            follow_redirects=False,
            trust_env=False,
            limits=httpx.Limits(max_connections=1),
        )

    def __enter__(self) -> HttpSession:
        self._deadline.__enter__()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._deadline.__exit__()
        self._client.close()

    def post(self, url: str, content: bytes = b"", headers: Mapping[str, str] | None = None) -> httpx.Response:
        """Return the answer, whatever its status.

        Raises ChannelError (not permanent) when no connection could be made, UnansweredError when the connection failed
        after that.
        """
        request = self._client.build_request(
            "POST", url, content=content, headers=headers, extensions={"trace": self._remember_socket}
        )
        try:
            with self._deadline.step(lambda: self._socket):
                response = self._client.send(request, stream=True)
                try:
                    return _read(response)
                finally:
                    response.close()
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol) as problem:
            raise ChannelError(False, "connect", str(problem)) from problem
        except (httpx.HTTPError, httpx.StreamError) as problem:
            raise UnansweredError(f"{type(problem).__name__}: {problem}") from problem

    def _remember_socket(self, event: str, info: Mapping[str, Any]) -> None:
        if event in ("connection.connect_tcp.complete", "connection.start_tls.complete"):
            self._socket = info["return_value"].get_extra_info("socket")
            refuse_own_network(self._socket)


def refuse_own_network(sock: socket.socket, *, loopback: bool = False) -> None:
    """Raise ChannelError where no provider is: the network's own services (a cloud's credentials stand on such an address)
    and, unless `loopback`, this machine, where the local servers of development do not run. Nothing has been written yet,
    and the address is the one connected to, so that no name server can lie about it."""
    address = ip_address(sock.getpeername()[0].partition("%")[0])
    address = getattr(address, "ipv4_mapped", None) or address
    own = address.is_link_local or address in METADATA
    if own or (address.is_loopback and not (loopback or settings.LOCAL_INBOX)):
        raise ChannelError(True, "forbidden_address", f"{address} belongs to no provider")


def _read(response: httpx.Response) -> httpx.Response:
    """Return the answer with its body in memory, cut at MAX_ANSWER: answers of providers are short."""
    body = b""
    for piece in response.iter_bytes():
        body += piece
        if len(body) >= MAX_ANSWER:
            break
    headers = {name: value for name, value in response.headers.items() if name != "content-encoding"}
    return httpx.Response(response.status_code, headers=headers, content=body[:MAX_ANSWER])


def retry_after(response: httpx.Response) -> int | None:
    """Return the seconds of a Retry-After header (number or date), or None."""
    value = response.headers.get("retry-after", "").strip()
    if re.fullmatch(r"[0-9]{1,8}", value):
        return int(value)
    try:
        moment = parsedate_to_datetime(value)
    except (ValueError, OverflowError):
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0, round((moment - datetime.now(UTC)).total_seconds()))


def refusal(
    message: Message,
    response: httpx.Response,
    code: str,
    detail: str,
    *,
    later: bool = False,
    wait: int | None = None,
    address_is_bad: bool = False,
) -> Result:
    """Return the result for an answer that is not "accepted"; `code` is the provider's own, or empty if it gave none.

    later: the provider's code asks to come again; `wait` is in how many seconds, if a header does not say.
    """
    status = response.status_code
    if not code and status in WRONG_ADDRESS:
        raise ChannelError(True, str(status), detail)
    outcome: Outcome = "failed"
    if later or status in (429, 503) or (status >= 500 and code):
        outcome = "deferred"
    elif status >= 500 or (response.is_success and not code):
        # Not the provider's own words: a proxy between us gave up, perhaps after passing the request on.
        outcome = "unknown"
    return Result(
        message.delivery_id,
        outcome,
        code=code or str(status),
        detail=detail,
        retry_after_seconds=(retry_after(response) or wait) if outcome == "deferred" else None,
        address_is_bad=outcome == "failed" and address_is_bad,
    )
