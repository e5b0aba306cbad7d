"""Channel credentials at rest: encrypted with a key from the environment that the database never sees."""

from __future__ import annotations

import base64
import json
from hashlib import sha256
from typing import Any

from cryptography.fernet import Fernet, InvalidToken
from django.conf import settings
from django.utils.translation import gettext as _

from campaigns.channels import Channel
from workspaces.errors import DomainError

MARK = "fernet:"


def _box() -> Fernet:
    return Fernet(base64.urlsafe_b64encode(sha256(settings.SECRETS_KEY.encode()).digest()))


def secret_names(channel: Channel) -> set[str]:
    """The fields of the channel's settings that are never shown again."""
    return {field.name for field in channel.fields if field.kind == "secret"}


def seal(channel: Channel, config: dict[str, Any]) -> dict[str, Any]:
    """The config as stored: secret fields encrypted, the rest readable."""
    sealed = {name: MARK + _box().encrypt(json.dumps(config[name]).encode()).decode()
              for name in secret_names(channel) if config.get(name)}  # fmt: skip
    return config | sealed


def unseal(channel: Channel, stored: dict[str, Any]) -> dict[str, Any]:
    """The config as the channel needs it. Raises DomainError when the key has changed since it was stored."""
    opened = {}
    for name in secret_names(channel):
        if not stored.get(name):
            continue
        try:
            opened[name] = json.loads(_box().decrypt(stored[name].removeprefix(MARK).encode()))
        except InvalidToken as error:
            sentence = _("The stored credentials cannot be read: SECRETS_KEY has changed. Enter them again.")
            raise DomainError("secrets_key", sentence, name) from error
    return stored | opened
