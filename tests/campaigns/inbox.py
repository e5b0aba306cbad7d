"""Messages, and a short way to send them to a local inbox."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from campaigns.channels import Message, Result, get_channel
from campaigns.local_servers import LocalInbox


def mail(address: str = "xm@example.com", **parts: Any) -> Message:
    given: dict[str, Any] = {"subject": "周末会员日", "body_html": "<p>你好</p>", "body_text": "你好"} | parts
    return Message(uuid4(), address, **given)


def text(phone: str = "13800138000", **parts: Any) -> Message:
    return Message(uuid4(), phone, **({"template_code": "SMS_1", "params": {"name": "小明"}} | parts))


def push(token: str = "device-1", **parts: Any) -> Message:
    return Message(uuid4(), token, **({"title": "降价了", "body_text": "去看看"} | parts))


MAKE = {"email": mail, "sms": text, "push": push}


def send(inbox: LocalInbox, key: str, *messages: Message, **config: Any) -> list[Result]:
    settings = inbox.configs()[key] | {"timeout": 2} | config
    return list(get_channel(key).send(messages, settings))


def send_one(inbox: LocalInbox, key: str, message: Message | None = None, **config: Any) -> Result:
    (result,) = send(inbox, key, message or MAKE[key](), **config)
    return result
