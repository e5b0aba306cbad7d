"""Credentials at rest: encrypted, never shown, kept when the form leaves them empty."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.db import connection

from campaigns.accounts import InvalidAccount, save_account, shown_config, stored_secrets, try_account
from campaigns.channels import all_channels, get_channel
from campaigns.local_servers import LocalInbox
from campaigns.models import ChannelAccount
from campaigns.secrets import seal, secret_names, unseal
from workspaces.errors import DomainError
from workspaces.models import AuditEntry, Workspace
from workspaces.scoping import workspace_scope

from .inbox import MAKE

SMS = {"access_key_id": "id", "access_key_secret": "top secret 密", "sign_name": "商城"}


@pytest.mark.parametrize("key", sorted(all_channels()))
def test_what_is_sealed_comes_back_and_cannot_be_read_in_between(key: str) -> None:
    channel = get_channel(key)
    config = {field.name: f"value of {field.name} 密" for field in channel.fields}
    sealed = seal(channel, config)
    assert unseal(channel, sealed) == config
    for name, value in sealed.items():
        assert (value == config[name]) == (name not in secret_names(channel))
    assert seal(channel, config) != sealed, "the same secret twice does not look the same"


def test_the_database_never_sees_a_secret(scope: Workspace) -> None:
    save_account("sms", SMS)
    with connection.cursor() as cursor:
        cursor.execute("select config::text from channel_account")
        (stored,) = cursor.fetchone()
        cursor.execute("select detail::text from audit_entry")
        audits = " ".join(row[0] for row in cursor.fetchall())
    assert "top secret" not in stored and "top secret" not in audits
    assert "access_key_secret" not in shown_config("sms") and stored_secrets("sms") == {"access_key_secret"}


def test_an_empty_secret_keeps_the_stored_one(scope: Workspace) -> None:
    save_account("sms", SMS)
    save_account("sms", SMS | {"access_key_secret": "", "sign_name": "新名"})
    account = ChannelAccount.objects.get(channel="sms")
    assert unseal(get_channel("sms"), account.config)["access_key_secret"] == "top secret 密"
    assert account.config["sign_name"] == "新名"
    save_account("sms", SMS | {"access_key_secret": "new"})
    account.refresh_from_db()
    assert unseal(get_channel("sms"), account.config)["access_key_secret"] == "new"


@pytest.mark.parametrize(
    ("key", "server"), [("email", "host"), ("sms", "base_url"), ("push", "base_url")], ids=["email", "sms", "push"]
)
def test_a_stored_secret_goes_to_no_other_server(scope: Workspace, inbox: LocalInbox, key: str, server: str) -> None:
    config, (secret, *_none) = inbox.configs()[key], secret_names(get_channel(key))
    config |= {"username": "mailer", secret: config.get(secret) or "words"}
    save_account(key, config)
    elsewhere = config | {server: "https://evil.example", secret: ""}
    with pytest.raises(InvalidAccount) as refused:
        save_account(key, elsewhere)
    assert set(refused.value.problems) == {secret}
    assert ChannelAccount.objects.get(channel=key).config[server] == config[server]
    save_account(key, elsewhere | {secret: config[secret]})
    assert ChannelAccount.objects.get(channel=key).config[server] == "https://evil.example"


def test_every_wrong_field_is_named(scope: Workspace) -> None:
    with pytest.raises(InvalidAccount) as refused:
        save_account("sms", {"access_key_id": "id", "base_url": "ftp://x"})
    assert set(refused.value.problems) == {"access_key_secret", "sign_name", "base_url"}
    assert not ChannelAccount.objects.exists()


def test_after_the_key_has_changed_secrets_are_asked_for_again(scope: Workspace, settings: Any) -> None:
    save_account("sms", SMS)
    settings.SECRETS_KEY = "another"
    with pytest.raises(DomainError) as refused:
        save_account("sms", SMS | {"access_key_secret": ""})
    assert refused.value.path == "access_key_secret"
    save_account("sms", SMS)
    assert (
        unseal(get_channel("sms"), ChannelAccount.objects.get(channel="sms").config)["access_key_secret"]
        == "top secret 密"
    )


@pytest.mark.parametrize("key", sorted(all_channels()))
def test_an_account_can_be_tried(acme: Workspace, world: Any, inbox: LocalInbox, key: str) -> None:
    address = MAKE[key]().address
    with pytest.raises(DomainError) as refused:
        try_account(acme, key, address, world.owner)
    assert refused.value.code == "no_account"
    with workspace_scope(acme):
        save_account(key, inbox.configs()[key])
    result = try_account(acme, key, address, world.owner)
    assert (result.outcome, [message["address"] for message in inbox.messages()]) == ("sent", [address])
    with workspace_scope(acme):
        entry = AuditEntry.objects.get(action="channel.test")
        assert json.loads(json.dumps(entry.detail)) == {"address": address}
