"""One mail as bytes, ready for the DATA command.

Building a tree of `EmailMessage` parts costs a hundred times what filling in these few lines does, so the lines are
written here. Bodies go out as base64: Chinese text stays whole through every relay, and no line can begin with a dot.
"""

from __future__ import annotations

import base64
import re
from datetime import datetime
from email.header import Header
from email.utils import format_datetime, formataddr

from .channels import Message

ADDRESS = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*\Z")
HEADER_NAME = re.compile(r"[A-Za-z][A-Za-z0-9-]*\Z")
OWN_HEADERS = frozenset({"from", "to", "cc", "bcc", "subject", "date", "message-id", "mime-version", "sender"})
LINE_LIMIT = 998
LINE_END = re.compile(r"\r\n|\r|\n")


def message_id(message: Message, from_address: str) -> str:
    """Return the Message-ID, a function of the delivery: a mail that was sent twice can be proved to be one."""
    return f"<{message.delivery_id}@{from_address.rpartition('@')[2]}>"


def ascii_address(address: str) -> str:
    """Return the address with its domain in ASCII; raises ValueError for one that SMTP cannot carry."""
    local, at, domain = address.strip().rpartition("@")
    if not domain.isascii():
        domain = domain.encode("idna").decode()
    if not ADDRESS.match(f"{local}{at}{domain}"):
        raise ValueError("not an address that mail can be sent to")
    return f"{local}{at}{domain}"


def build(message: Message, from_name: str, from_address: str, now: datetime) -> bytes:
    """Return the whole mail with CRLF line ends; raises ValueError when a part of it cannot be sent.

    `from_address` and `message.address` must have gone through `ascii_address`.
    """
    head = [
        _line("From", formataddr((_encoded("From", from_name), from_address)) if from_name else from_address),
        _line("To", message.address),
        _line("Subject", _encoded("Subject", message.subject)),
        _line("Date", format_datetime(now)),
        _line("Message-ID", message_id(message, from_address)),
        *(_custom(name, value) for name, value in message.headers.items()),
        "MIME-Version: 1.0",
    ]
    return "\r\n".join([*head, *_body(message)]).encode("ascii") + b"\r\n"


def _body(message: Message) -> list[str]:
    text, html = _part("plain", message.body_text), _part("html", message.body_html)
    if not message.body_html:
        return text
    if not message.body_text:
        return html
    boundary = f"part-{message.delivery_id.hex}"  # base64 lines hold no "-", so it cannot occur in a part
    return [
        f'Content-Type: multipart/alternative; boundary="{boundary}"',
        "",
        f"--{boundary}",
        *text,
        f"--{boundary}",
        *html,
        f"--{boundary}--",
    ]


def _part(subtype: str, text: str) -> list[str]:
    lines = base64.encodebytes(LINE_END.sub("\r\n", text).encode()).decode().split("\n")
    return [f'Content-Type: text/{subtype}; charset="utf-8"', "Content-Transfer-Encoding: base64", "", *lines[:-1]]


def _custom(name: str, value: str) -> str:
    if not HEADER_NAME.match(name) or name.lower() in OWN_HEADERS or name.lower().startswith("content-"):
        raise ValueError(f"header {name!r} is not for a campaign to set")
    return _line(name, _encoded(name, value))


def _encoded(name: str, value: str) -> str:
    """Return the value as RFC 2047 asks when it is not ASCII. A line break in it would start another header."""
    if any(char in value for char in "\r\n\0"):
        raise ValueError(f"{name} holds a line break")
    if value.isascii():
        return value
    return Header(value, "utf-8", header_name=name).encode(linesep="\r\n")


def _line(name: str, value: str) -> str:
    line = f"{name}: {value}"
    if any(len(part) > LINE_LIMIT for part in line.split("\r\n")):
        raise ValueError(f"{name} is too long")
    return line
