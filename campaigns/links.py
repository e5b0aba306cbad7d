"""Signed addresses in messages: open pixel, click, unsubscribe. They live for months, so they have a key of their own.

A token is base64url(workspace 16 bytes, delivery 16, number 2, signature 16); the purpose is part of what is signed,
so an open token never unsubscribes anybody.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import uuid
from dataclasses import dataclass
from typing import Literal

from django.conf import settings

Purpose = Literal["open", "click", "unsubscribe"]
PATHS: dict[str, str] = {"open": "o", "click": "c", "unsubscribe": "u"}


@dataclass(frozen=True)
class Ticket:
    """What a valid token says."""

    workspace_id: uuid.UUID
    delivery_id: uuid.UUID
    number: int


def _signature(purpose: str, payload: bytes) -> bytes:
    return hmac.digest(settings.LINK_KEY.encode(), purpose.encode() + b"\0" + payload, "sha256")[:16]


def make_token(purpose: Purpose, workspace_id: uuid.UUID, delivery_id: uuid.UUID, number: int = 0) -> str:
    payload = workspace_id.bytes + delivery_id.bytes + number.to_bytes(2, "big")
    return base64.urlsafe_b64encode(payload + _signature(purpose, payload)).decode().rstrip("=")


def read_token(purpose: Purpose, token: str) -> Ticket | None:
    """The ticket, or None for anything that we did not sign for this purpose."""
    try:
        raw = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return None
    payload, signature = raw[:34], raw[34:]
    # The last base64 digit has spare bits: only the form that make_token writes is accepted.
    canonical = base64.urlsafe_b64encode(raw).decode().rstrip("=") == token
    if len(raw) != 50 or not canonical or not hmac.compare_digest(signature, _signature(purpose, payload)):
        return None
    return Ticket(uuid.UUID(bytes=payload[:16]), uuid.UUID(bytes=payload[16:32]), int.from_bytes(payload[32:], "big"))


def make_url(purpose: Purpose, workspace_id: uuid.UUID, delivery_id: uuid.UUID, number: int = 0) -> str:
    return f"{settings.BASE_URL}/t/{PATHS[purpose]}/{make_token(purpose, workspace_id, delivery_id, number)}"
