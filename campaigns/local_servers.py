"""A local inbox: servers on 127.0.0.1 that take mail, SMS and push as the real providers do and show what arrived.

For development, demos and tests. Nothing leaves the machine. Each message becomes one JSON file in
`folder/<channel>/`, with the keys channel, address, subject, text, html, headers, received_at and delivery_id.

    python -m campaigns.local_servers --folder .data/inbox --smtp-port 0

runs it until SIGTERM, after printing one line of JSON with the ports and the file of ready channel settings.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import email
import json
import os
import secrets
import signal
import socket
import ssl
import threading
import time
import warnings
from datetime import UTC, datetime
from email.header import decode_header, make_header
from email.message import Message
from itertools import count
from pathlib import Path
from typing import Any

from .local_providers import Fault, Faults, PushProvider, SmsProvider

DEMO_DOMAIN = "shop.example"
DEMO_SIGN = "示例电商"
DEMO_TEMPLATES = {
    "SMS_200000001": "亲爱的${name}，您有一张 ${amount} 元的优惠券将在 3 天后到期，打开 App 即可使用。拒收请回复R",
    "SMS_200000002": "${name}，好久不见，为您准备了回归礼，点开 App 领取。拒收请回复R",
}


class LocalInbox:
    """The servers and their folder. Use as a context manager; ports of 0 are chosen by the system.

    smtp_login: (user name, password) that mail must log in with; None takes mail from anybody.
    smtp_tls: a server context, which makes STARTTLS available and required.
    """

    def __init__(
        self,
        folder: str | Path,
        *,
        smtp_port: int = 0,
        sms_port: int = 0,
        push_port: int = 0,
        smtp_login: tuple[str, str] | None = None,
        smtp_tls: ssl.SSLContext | None = None,
    ) -> None:
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self._faults = Faults()
        self._numbers = count()
        self._login = smtp_login
        self._secrets = _kept_secrets(self.folder / "secrets.json")
        self.smtp = _SmtpServer(smtp_port, self._store, self._faults, smtp_login, smtp_tls)
        self.sms = SmsProvider(
            sms_port, self._store, self._faults, self._secrets["key_id"], self._secrets["key_secret"], DEMO_TEMPLATES
        )
        account = f"push@{self._secrets['project_id']}.iam.gserviceaccount.com"
        self.push = PushProvider(
            push_port, self._store, self._faults, self._secrets["public_key"], account, self._secrets["project_id"]
        )

    def __enter__(self) -> LocalInbox:
        for server in (self.smtp, self.sms, self.push):
            server.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        for server in (self.smtp, self.sms, self.push):
            server.stop()

    def configs(self) -> dict[str, dict[str, Any]]:
        """Return the settings of each channel that lead here, by channel key."""
        user, password = self._login or ("", "")
        account = {
            "type": "service_account",
            "project_id": self._secrets["project_id"],
            "private_key_id": "local",
            "private_key": self._secrets["private_key"],
            "client_email": f"push@{self._secrets['project_id']}.iam.gserviceaccount.com",
            "token_uri": f"{self.push.base_url}/token",
        }
        return {
            "email": {
                "host": "127.0.0.1",
                "port": self.smtp.port,
                "security": "none",
                "username": user,
                "password": password,
                "from_address": f"hello@{DEMO_DOMAIN}",
                "from_name": DEMO_SIGN,
            },
            "sms": {
                "access_key_id": self._secrets["key_id"],
                "access_key_secret": self._secrets["key_secret"],
                "sign_name": DEMO_SIGN,
                "base_url": self.sms.base_url,
            },
            "push": {"service_account": json.dumps(account), "base_url": self.push.base_url},
        }

    def fault(self, channel: str, fault: Fault) -> None:
        """Let a server misbehave, once or `fault.times` times."""
        self._faults.add(channel, fault)

    def messages(self, channel: str | None = None) -> list[dict[str, Any]]:
        """Return what arrived, oldest first."""
        return read_messages(self.folder, channel)

    def clear(self) -> None:
        """Empty the inbox and forget faults that did not happen."""
        self._faults.clear()
        for path in self.folder.glob("*/[0-9]*.json"):
            path.unlink()

    def _store(self, channel: str, message: dict[str, Any]) -> None:
        folder = self.folder / channel
        folder.mkdir(exist_ok=True)
        blank = {"channel": channel, "address": "", "subject": "", "text": "", "html": "", "headers": {}}
        full = blank | {"received_at": datetime.now(UTC).isoformat(), "delivery_id": ""} | message
        name = f"{time.time_ns():020d}-{next(self._numbers):07d}"
        part = folder / f"{name}.part"
        part.write_text(json.dumps(full, ensure_ascii=False, indent=1), encoding="utf-8")
        part.rename(folder / f"{name}.json")  # readers never see half a message


def read_messages(folder: str | Path, channel: str | None = None) -> list[dict[str, Any]]:
    """Return the messages in an inbox folder, oldest first. Needs no server."""
    files = sorted(Path(folder).glob(f"{channel or '*'}/[0-9]*.json"), key=lambda path: path.name)
    return [json.loads(path.read_text(encoding="utf-8")) for path in files]


class _SmtpServer:
    """aiosmtpd on an event loop in a thread of its own."""

    def __init__(
        self, port: int, store: Any, faults: Faults, login: tuple[str, str] | None, tls: ssl.SSLContext | None
    ) -> None:
        self._handler, self._login, self._tls = _MailHandler(store, faults), login, tls
        self._socket = socket.create_server(("127.0.0.1", port))
        self.port = self._socket.getsockname()[1]
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._ready = threading.Event()

    def start(self) -> None:
        self._thread.start()
        self._ready.wait()

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(self._loop.create_server(self._protocol, sock=self._socket))
        self._ready.set()
        self._loop.run_forever()
        server.close()
        for task in asyncio.all_tasks(self._loop):
            task.cancel()
        self._loop.run_until_complete(asyncio.sleep(0))
        self._loop.close()

    def _protocol(self) -> Any:
        from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword  # a development dependency

        def check(server: Any, session: Any, envelope: Any, mechanism: str, given: Any) -> AuthResult:
            expected = self._login and LoginPassword(*(part.encode() for part in self._login))
            return AuthResult(success=given == expected, handled=False)

        # It warns, rightly, that a login without TLS can be overheard. Here nobody listens.
        warnings.filterwarnings("ignore", message="Requiring AUTH while not requiring TLS")
        return SMTP(
            self._handler,
            hostname="localhost",
            loop=self._loop,
            tls_context=self._tls,
            require_starttls=self._tls is not None,
            authenticator=check,
            auth_required=self._login is not None,
            auth_require_tls=False,
        )


class _MailHandler:
    """Takes the steps of an SMTP conversation. Method names are aiosmtpd's."""

    def __init__(self, store: Any, faults: Faults) -> None:
        self._store, self._faults = store, faults

    async def handle_EHLO(self, server: Any, session: Any, envelope: Any, hostname: str, replies: list[str]) -> Any:  # noqa: N802
        session.host_name = hostname
        answer = await self._misbehave(server, "connect", "")
        return [answer] if answer else replies

    async def handle_MAIL(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:  # noqa: N802
        answer = await self._misbehave(server, "mail", address)
        envelope.mail_from = address
        return answer or "250 2.1.0 OK"

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:  # noqa: N802
        answer = await self._misbehave(server, "rcpt", address)
        if not answer:
            envelope.rcpt_tos.append(address)
        return answer or "250 2.1.5 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        answer = await self._misbehave(server, "data", envelope.rcpt_tos[0])
        if answer:
            return answer
        for address in envelope.rcpt_tos:
            self._store("email", _read_mail(envelope.content) | {"address": address})
        return await self._misbehave(server, "after_data", envelope.rcpt_tos[0]) or "250 2.0.0 OK: kept"

    async def _misbehave(self, server: Any, at: str, address: str) -> str:
        fault = self._faults.take("email", at, address)
        if fault is None:
            return ""
        await asyncio.sleep(fault.delay)
        if fault.cut:
            server.transport.abort()
        return fault.reply


def _read_mail(content: bytes) -> dict[str, Any]:
    """Return the parts of a mail as people see them. The older parser: the newer one takes 6 ms for this."""
    mail = email.message_from_bytes(content)
    bodies = {part.get_content_type(): part for part in mail.walk() if not part.is_multipart()}
    headers = {name: _words(value) for name, value in mail.items()}
    return {
        "subject": headers.get("Subject", ""),
        "from": headers.get("From", ""),
        "html": _body(bodies.get("text/html")),
        "text": _body(bodies.get("text/plain")),
        "headers": headers,
        "delivery_id": headers.get("Message-ID", "").strip("<>").partition("@")[0],
    }


def _words(value: Any) -> str:
    unfolded = " ".join(str(value).split())
    return str(make_header(decode_header(unfolded))) if "=?" in unfolded else unfolded


def _body(part: Message | None) -> str:
    if part is None:
        return ""
    raw = bytes(part.get_payload(decode=True) or b"")
    return raw.decode(part.get_content_charset() or "utf-8", "replace").replace("\r\n", "\n")


def _kept_secrets(path: Path) -> dict[str, str]:
    """Return keys made once per folder, so that settings saved by a demo still fit after a restart."""
    with contextlib.suppress(FileNotFoundError):
        return dict(json.loads(path.read_text(encoding="utf-8")))
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    kept = {
        "key_id": f"LTAI{secrets.token_hex(8)}",
        "key_secret": secrets.token_urlsafe(24),
        "project_id": "local-inbox",
        "private_key": private.decode(),
        "public_key": public.decode(),
    }
    _write_private(path, kept)
    return kept


def _write_private(path: Path, content: Any) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with open(descriptor, "w", encoding="utf-8") as file:
        json.dump(content, file)


def main(arguments: list[str] | None = None) -> None:
    """Run the inbox until SIGTERM or SIGINT."""
    parser = argparse.ArgumentParser(description="Local servers for mail, SMS and push; keeps every message.")
    parser.add_argument("--folder", type=Path, required=True)
    for name in ("smtp", "sms", "push"):
        parser.add_argument(f"--{name}-port", type=int, default=0)
    given = parser.parse_args(arguments)
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})  # threads inherit it; we wait below
    with LocalInbox(
        given.folder, smtp_port=given.smtp_port, sms_port=given.sms_port, push_port=given.push_port
    ) as inbox:
        configs = inbox.folder / "configs.json"
        _write_private(configs, inbox.configs())
        ports = {"smtp_port": inbox.smtp.port, "sms_port": inbox.sms.port, "push_port": inbox.push.port}
        print(json.dumps(ports | {"configs": str(configs)}), flush=True)
        signal.sigwait({signal.SIGTERM, signal.SIGINT})


if __name__ == "__main__":
    main()
