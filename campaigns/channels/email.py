"""Mail over SMTP (RFC 5321), one connection for a batch.

The steps are spelled out instead of calling `sendmail`, because what a lost connection means depends on the step:
until the server has said "go ahead" to DATA nothing was sent, after that nobody knows.
"""

from __future__ import annotations

import re
import smtplib
import socket
import ssl
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import Any
from uuid import UUID

from django.utils.translation import gettext_lazy as _

from .. import mime
from ..markup import html_to_text
from . import LONGEST_WAIT_S, Channel, ChannelError, Field, Message, Outcome, Result, one_line
from ._wire import Deadline, refuse_own_network

ENHANCED = re.compile(r"\s*([245]\.\d{1,3}\.\d{1,3})\b")
# RFC 3463: no such mailbox, no such domain, bad syntax, moved, no mail for the domain (RFC 7505), mailbox disabled.
BAD_ADDRESS = frozenset({"5.1.1", "5.1.2", "5.1.3", "5.1.6", "5.1.10", "5.2.1"})
# Replies that mean "log in (better) first": every message of the batch would meet them.
LOGIN_REPLIES = frozenset({530, 534, 535, 538})


class RefusedError(Exception):
    """The server answered a command with an error."""

    def __init__(self, reply: int, text: bytes) -> None:
        self.reply, self.text = reply, one_line(text.decode("utf-8", "replace"))


class Mailer(smtplib.SMTP):
    """Mail to servers that may be a provider's, or a relay on this machine. Said before TLS begins and a greeting is read."""

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        sock: socket.socket = super()._get_socket(host, port, timeout)  # type: ignore[misc]
        try:
            refuse_own_network(sock, loopback=True)
        except ChannelError:
            sock.close()
            raise
        return sock


class TlsMailer(smtplib.SMTP_SSL, Mailer):
    """The same, its socket wrapped once the address is known."""


class EmailChannel(Channel):
    key = "email"
    label = _("Email")
    description = _("Sends mail through your own or a provider's SMTP server.")
    address_attribute = "email"
    in_flight = 20
    fields = (
        Field("host", _("SMTP server"), required=True, help=_("For example smtpdm.aliyun.com"), server=True),
        Field("port", _("Port"), "number", required=True, default=465),
        Field(
            "security",
            _("Encryption"),
            "choice",
            default="tls",
            choices=(("tls", _("TLS from the start")), ("starttls", "STARTTLS"), ("none", _("None"))),
        ),
        Field("username", _("User name")),
        Field("password", _("Password"), "secret"),
        Field("from_address", _("Sender address"), required=True),
        Field("from_name", _("Sender name")),
        Field("timeout", _("Seconds to wait for the server"), "number", default=20, most=LONGEST_WAIT_S),
    )
    content_fields = (
        Field("subject", _("Subject"), required=True),
        Field("body_html", _("Body"), "html", required=True),
        Field("body_text", _("Plain text"), "longtext", help=_("Left empty, it is made from the body.")),
        Field("from_name", _("Sender name"), help=_("Left empty, the name from the settings is used.")),
    )
    examples = (
        Message(
            UUID("00000000-0000-4000-8000-000000000001"),
            "xiaoming@example.com",
            subject="小明，您的会员日礼物到了",
            body_html="<p>亲爱的小明，<b>满 100 减 20</b> 的券已放进您的账户。</p>",
            body_text="亲爱的小明，满 100 减 20 的券已放进您的账户。",
            headers={
                "List-Unsubscribe": "<https://example.com/u/1>",
                "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
            },
            from_name="示例电商",
        ),
    )

    def send(self, messages: Iterable[Message], config: Mapping[str, Any]) -> Iterator[Result]:
        settings = self.settings(config)
        try:
            settings["from_address"] = mime.ascii_address(settings["from_address"])
        except ValueError as problem:
            raise ChannelError(True, "from_address", str(problem)) from problem
        connection: smtplib.SMTP | None = None
        with Deadline(settings["timeout"]) as deadline:
            try:
                for message in messages:
                    try:
                        prepared = _prepare(message, settings)
                    except ValueError as problem:
                        yield Result(message.delivery_id, "failed", code="invalid_content", detail=one_line(problem))
                        continue
                    if connection is None or connection.sock is None:
                        connection = _connect(settings, deadline)
                    with deadline.step(partial(getattr, connection, "sock")):
                        result = _deliver(connection, message, *prepared)
                    yield result
            finally:
                if connection is not None:
                    _quit(connection)


def _prepare(message: Message, settings: Mapping[str, Any]) -> tuple[str, str, bytes]:
    """Return (sender, recipient, mail); raises ValueError when this one message cannot be sent."""
    sender = mime.ascii_address(message.from_address) if message.from_address else settings["from_address"]
    message = replace(
        message,
        address=mime.ascii_address(message.address),
        body_text=message.body_text or html_to_text(message.body_html),
    )
    mail = mime.build(message, message.from_name or settings["from_name"], sender, datetime.now(UTC))
    return sender, message.address, mail


def _connect(settings: Mapping[str, Any], deadline: Deadline) -> smtplib.SMTP:
    """Return a connection that is greeted, encrypted and logged in as the settings say; raises ChannelError."""
    # A name for EHLO of our own: smtplib would otherwise ask the DNS for it.
    options = {"timeout": settings["timeout"], "local_hostname": settings["from_address"].rpartition("@")[2]}
    if settings["security"] == "tls":
        connection: smtplib.SMTP = TlsMailer(context=ssl.create_default_context(), **options)
    else:
        connection = Mailer(**options)
    try:
        with deadline.step(partial(getattr, connection, "sock")):
            # The name the certificate must bear. Only the constructor sets it, and that connects without our deadline.
            connection._host = settings["host"]  # type: ignore[attr-defined]
            _expect(connection.connect(settings["host"], settings["port"]), 2)
            connection.ehlo_or_helo_if_needed()
            if settings["security"] == "starttls":
                connection.starttls(context=ssl.create_default_context())
                connection.ehlo_or_helo_if_needed()
            if settings["username"]:
                connection.login(settings["username"], settings["password"])
    except Exception as problem:
        connection.close()
        raise _connect_error(problem) from problem
    return connection


def _connect_error(problem: Exception) -> Exception:
    """Return the ChannelError for what went wrong before the first message, or the problem itself if it is a bug."""
    if isinstance(problem, smtplib.SMTPAuthenticationError):
        text = problem.smtp_error.decode("utf-8", "replace") if isinstance(problem.smtp_error, bytes) else ""
        return ChannelError(problem.smtp_code >= 500, "login", text)
    if isinstance(problem, smtplib.SMTPNotSupportedError):
        return ChannelError(True, "not_supported", str(problem))
    if isinstance(problem, ssl.SSLError):
        return ChannelError(True, "encryption", str(problem))
    if isinstance(problem, RefusedError):
        return ChannelError(problem.reply >= 500, str(problem.reply), problem.text)
    if isinstance(problem, (smtplib.SMTPException, OSError)):
        return ChannelError(False, "connect", str(problem))
    return problem


def _deliver(connection: smtplib.SMTP, message: Message, sender: str, recipient: str, mail: bytes) -> Result:
    """Return the result of one transaction; leaves the connection ready for the next or closed."""
    step = "sender"
    try:
        _expect(connection.mail(sender), 2)
        step = "recipient"
        _expect(connection.rcpt(recipient), 2)
        _expect(connection.docmd("DATA"), 3)
        step = "mail"
        connection.send(mail + b".\r\n")
        accepted = _expect(connection.getreply(), 2)
    except RefusedError as refusal:
        result = _refusal(message, refusal, step)
        _reset(connection, refusal)
        return result
    except (smtplib.SMTPException, OSError) as problem:
        connection.close()
        lost: Outcome = "unknown" if step == "mail" else "deferred"
        return Result(message.delivery_id, lost, code="connection_lost", detail=one_line(problem))
    return Result(message.delivery_id, "sent", mime.message_id(message, sender), "250", accepted)


def _refusal(message: Message, refusal: RefusedError, step: str) -> Result:
    if refusal.reply in LOGIN_REPLIES or (step == "sender" and refusal.reply >= 500):
        # The sender is the same in every message: going on would spend the audience on it.
        raise ChannelError(True, str(refusal.reply), refusal.text)
    match = ENHANCED.match(refusal.text)
    status = match.group(1) if match else ""
    outcome: Outcome = "failed" if refusal.reply >= 500 else "deferred"
    if step == "mail" and refusal.reply // 100 not in (4, 5):
        outcome = "unknown"  # the server has the mail, and what it said is neither yes nor no
    return Result(
        message.delivery_id,
        outcome,
        code=status or str(refusal.reply),
        detail=f"{refusal.reply} {refusal.text}",
        # Without an enhanced status a 550 may as well be a policy: no address is struck off for that.
        address_is_bad=status in BAD_ADDRESS,
    )


def _expect(answer: tuple[int, bytes], good: int) -> str:
    """The server's words. Raises RefusedError unless its reply begins with the digit, which is all of it that counts."""
    reply, text = answer
    if reply // 100 != good:
        raise RefusedError(reply, text)
    return one_line(text.decode("utf-8", "replace"))


def _reset(connection: smtplib.SMTP, refusal: RefusedError) -> None:
    """Clear the half-made transaction. 421 means the server is about to hang up: then so do we."""
    try:
        if refusal.reply == 421 or connection.rset()[0] != 250:
            connection.close()
    except (smtplib.SMTPException, OSError):
        connection.close()


def _quit(connection: smtplib.SMTP) -> None:
    try:
        if connection.sock is not None:
            connection.sock.settimeout(1)
            connection.quit()
    except (smtplib.SMTPException, OSError):
        connection.close()
