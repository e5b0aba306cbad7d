"""How a workspace sends on a channel: the account's settings, and a test of them."""

from __future__ import annotations

import uuid
from dataclasses import replace
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _

from campaigns.channels import ChannelError, Result, get_channel
from campaigns.models import ChannelAccount
from campaigns.secrets import seal, secret_names, unseal
from workspaces.errors import DomainError
from workspaces.models import Operator, Workspace
from workspaces.scoping import workspace_scope
from workspaces.services import audit


class InvalidAccount(DomainError):
    """Settings that the channel refuses; `problems` has a sentence for every wrong field."""

    def __init__(self, problems: dict[str, str]) -> None:
        path, sentence = next(iter(problems.items()))
        super().__init__("invalid", sentence, path)
        self.problems = problems


def save_account(channel_key: str, values: dict[str, Any], by: Operator | None = None) -> ChannelAccount:
    """Store the settings. An empty secret keeps the stored one, for the server that it was entered for. Raises InvalidAccount
    naming every wrong field."""
    channel = get_channel(channel_key)
    account = ChannelAccount.objects.filter(channel=channel_key).first()
    empty = {name for name in secret_names(channel) if not values.get(name)}
    kept = empty & stored_secrets(channel_key)
    known = unseal(channel, account.config) if account and kept else {}
    config, errors = channel.clean({**values, **{name: known[name] for name in kept}})
    # Whoever may change the settings must not read the secrets by having them sent to a server of their own.
    if any(
        config.get(spec.name, known.get(spec.name)) != known.get(spec.name)
        for spec in channel.fields
        if spec.server and kept
    ):
        errors |= dict.fromkeys(kept, _("The server is another one: enter this again."))
    if errors:
        raise InvalidAccount({name: str(sentence) for name, sentence in errors.items()})
    told = {"config": seal(channel, config), "in_flight": channel.in_flight, "updated_at": timezone.now()}
    account = ChannelAccount.objects.update_or_create(channel=channel_key, defaults=told)[0]
    audit("channel.save", channel_key, by)
    return account


def is_connected(channel_key: str) -> bool:
    return ChannelAccount.objects.filter(channel=channel_key).exists()


def shown_config(channel_key: str) -> dict[str, Any]:
    """The settings without their secrets; {} when the channel is not set up."""
    account = ChannelAccount.objects.filter(channel=channel_key).first()
    secret = secret_names(get_channel(channel_key))
    return {name: value for name, value in account.config.items() if name not in secret} if account else {}


def stored_secrets(channel_key: str) -> set[str]:
    """Names of the secrets that are stored. Their values are never read for a page."""
    account = ChannelAccount.objects.filter(channel=channel_key).first()
    return {name for name in secret_names(get_channel(channel_key)) if account.config.get(name)} if account else set()


def try_account(workspace: Workspace, channel_key: str, address: str, by: Operator) -> Result:
    """Send the channel's own example to an address. Opens its own scopes; raises DomainError when the channel cannot send."""
    channel, address = get_channel(channel_key), address.strip()
    if not address:
        raise DomainError("required", _("This field is required."), "address")
    with workspace_scope(workspace):
        account = ChannelAccount.objects.filter(channel=channel_key).first()
        if account is None:
            raise DomainError("no_account", _("This channel is not set up yet."), "channel")
        config = unseal(channel, account.config)
        audit("channel.test", channel_key, by, address=address)
    message = replace(channel.examples[0], delivery_id=uuid.uuid4(), address=address)
    try:
        return next(iter(channel.send([message], config)))
    except ChannelError as error:
        raise DomainError(error.code, f"{error.code} {error.detail}".strip(), "address") from error
