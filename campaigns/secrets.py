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


def seal(channel: Channel, config: dict[str, Any]) -> dict[str, Any]:
    """The config as stored: secret fields encrypted, the rest readable."""
    secret = {field.name for field in channel.fields if field.kind == "secret"}
    return {
        name: MARK + _box().encrypt(json.dumps(value).encode()).decode() if name in secret and value else value
        for name, value in config.items()
    }


def unseal(stored: dict[str, Any]) -> dict[str, Any]:
    """The config as channels need it. Raises DomainError when the key has changed since it was stored."""
    try:
        return {
            name: json.loads(_box().decrypt(value.removeprefix(MARK).encode()))
            if isinstance(value, str) and value.startswith(MARK)
            else value
            for name, value in stored.items()
        }
    except InvalidToken as error:
        raise DomainError("secrets_key", _("The stored credentials cannot be read: SECRETS_KEY has changed. Enter them again.")) from error
