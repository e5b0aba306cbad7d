"""What every channel keeps to, and the local inbox itself, over real sockets. Needs no database and no settings."""

from __future__ import annotations

import dataclasses
import json
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import nullcontext
from ipaddress import ip_address
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest

from campaigns import channels
from campaigns.channels import Channel, ChannelError, Message, _wire, all_channels, get_channel
from campaigns.channels._wire import refuse_own_network
from campaigns.local_servers import LocalInbox, read_messages

from .inbox import MAKE, mail, send


@pytest.mark.parametrize("key", sorted(all_channels()))
def test_every_channel_declares_itself_and_delivers_its_examples(key: str, inbox: LocalInbox) -> None:
    channel = get_channel(key)
    assert channel.key == key
    assert channel.address_attribute in ("email", "phone", "push_token")
    assert channel.in_flight >= 1
    assert {spec.name for spec in channel.content_fields} <= {part.name for part in dataclasses.fields(Message)}
    assert any(spec.kind == "secret" for spec in channel.fields)
    results = send(inbox, key, *channel.examples)
    assert [result.outcome for result in results] == ["sent"] * len(channel.examples) != []
    assert [kept["delivery_id"] for kept in inbox.messages(key)] == [str(one.delivery_id) for one in channel.examples]


@pytest.mark.parametrize("key", sorted(all_channels()))
def test_a_channel_takes_the_next_message_only_after_it_gave_the_result_before(key: str, inbox: LocalInbox) -> None:
    events: list[str] = []

    def taken() -> Iterator[Message]:
        for number in range(3):
            events.append(f"taken {number}")
            yield MAKE[key]()

    for number, _result in enumerate(get_channel(key).send(taken(), inbox.configs()[key])):
        events.append(f"result {number}")
    assert events == ["taken 0", "result 0", "taken 1", "result 1", "taken 2", "result 2"]


def test_a_file_in_the_folder_is_a_channel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "pigeon.py").write_text(
        "from campaigns.channels import Channel\nclass Pigeon(Channel):\n    key = 'pigeon'\n", encoding="utf-8"
    )
    monkeypatch.setattr(channels, "__path__", [*channels.__path__, str(tmp_path)])
    all_channels.cache_clear()
    try:
        assert set(all_channels()) == {"email", "sms", "push", "pigeon"}
    finally:
        monkeypatch.undo()
        all_channels.cache_clear()
        sys.modules.pop("campaigns.channels.pigeon")
    with pytest.raises(LookupError):
        get_channel("_wire")


def test_settings_are_cleaned_and_wrong_ones_are_named() -> None:
    given = {"host": " mx.example.com ", "from_address": "a@example.com", "port": "25", "security": "none"}
    cleaned, errors = get_channel("email").clean(given)
    assert not errors
    assert (cleaned["host"], cleaned["port"], cleaned["timeout"]) == ("mx.example.com", 25, 20)
    _cleaned, errors = get_channel("email").clean({"port": "x", "security": "magic"})
    assert set(errors) == {"host", "from_address", "port", "security"}
    _cleaned, errors = get_channel("sms").clean({"base_url": "file:///etc/passwd"})
    assert set(errors) == {"access_key_id", "access_key_secret", "sign_name", "base_url"}
    for wrong in (
        {"port": "-1"}, {"port": "65536"}, {"timeout": "0"}, {"timeout": "121"}, {"timeout": "9" * 30}, {"host": "a\r\nb"},
    ):  # fmt: skip
        _cleaned, errors = get_channel("email").clean(given | wrong)
        assert set(errors) == set(wrong)
    for url in ("http://a:99999999", "http://[::1", "http://a b/", "http://a\r\nb/", "http:///x"):
        assert "base_url" in get_channel("sms").clean({"base_url": url})[1], url
    with pytest.raises(ChannelError, match="host") as caught:
        list(get_channel("email").send([mail()], {}))
    assert caught.value.permanent


@pytest.mark.parametrize("key", sorted(all_channels()))
def test_with_no_server_the_channel_stops_and_may_be_tried_again(key: str, inbox: LocalInbox) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    config = inbox.configs()[key] | {"port": port, "base_url": f"http://127.0.0.1:{port}"}
    with pytest.raises(ChannelError) as caught:
        list(get_channel(key).send([MAKE[key]()], config))
    assert (caught.value.permanent, caught.value.code) == (False, "connect")


def test_a_channel_reaches_no_address_where_no_provider_is(inbox: LocalInbox, settings: Any) -> None:
    settings.LOCAL_INBOX = False
    with pytest.raises(ChannelError) as caught:
        list(get_channel("sms").send([MAKE["sms"]()], inbox.configs()["sms"]))
    assert (caught.value.permanent, caught.value.code) == (True, "forbidden_address")
    assert inbox.messages("sms") == []
    for address, code in (
        ("169.254.169.254", True),
        ("::ffff:169.254.169.254", True),
        ("fe80::1%eth0", True),
        ("100.100.100.200", True),
        ("fd00:ec2::254", True),
        ("100.64.0.1", False),
        ("10.0.0.1", False),
    ):
        peer = SimpleNamespace(getpeername=lambda address=address: (address, 80))
        with pytest.raises(ChannelError) if code else nullcontext():
            refuse_own_network(peer)  # type: ignore[arg-type]


@pytest.mark.parametrize("security", ["none", "starttls", "tls"])
def test_mail_goes_through_a_relay_of_this_machine_and_to_nothing_that_knows_its_secrets(
    security: str, inbox: LocalInbox, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.LOCAL_INBOX = False
    [sent] = get_channel("email").send([MAKE["email"]()], inbox.configs()["email"])
    assert sent.outcome == "sent"
    monkeypatch.setattr(_wire, "METADATA", frozenset({ip_address("127.0.0.1")}))
    with pytest.raises(ChannelError) as caught:
        list(get_channel("email").send([MAKE["email"]()], inbox.configs()["email"] | {"security": security}))
    assert (caught.value.permanent, caught.value.code) == (True, "forbidden_address")


@pytest.mark.parametrize("key", ["email", "sms"])
def test_a_server_that_drips_bytes_is_cut_off_at_the_deadline(key: str, inbox: LocalInbox) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=drip, args=(listener, key), daemon=True).start()
        port = listener.getsockname()[1]
        config = inbox.configs()[key] | {"port": port, "base_url": f"http://127.0.0.1:{port}", "timeout": 1}
        started = time.monotonic()
        try:
            ends = [result.outcome for result in get_channel(key).send([MAKE[key]()], config)]
        except ChannelError as problem:
            ends = [problem.permanent]
        assert time.monotonic() - started < 20, "without a deadline the dripping would go on for ever"
        # A greeting comes before anything was sent, the headers of an answer come after.
        assert ends == {"email": [False], "sms": ["unknown"]}[key]


def drip(listener: socket.socket, key: str) -> None:
    connection, _peer = listener.accept()
    with connection:
        try:
            connection.sendall(b"220-" if key == "email" else b"HTTP/1.1 200 OK\r\nX: ")
            for _ in range(100):
                connection.sendall(b"x")
                time.sleep(0.1)
        except OSError:
            return


def test_the_inbox_runs_alone_until_it_is_told_to_stop(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "campaigns.local_servers", "--folder", str(tmp_path / "inbox")],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    )
    try:
        assert process.stdout is not None
        said = json.loads(process.stdout.readline())
        configs = json.loads(Path(said["configs"]).read_text(encoding="utf-8"))
        assert Path(said["configs"]).stat().st_mode & 0o077 == 0
        for key, channel in all_channels().items():
            assert [result.outcome for result in channel.send(channel.examples, configs[key])] == ["sent"]
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
        process.stdout.close()
    kept = read_messages(tmp_path / "inbox")
    assert {one["channel"] for one in kept} == {"email", "sms", "push"}
    assert all(
        {"address", "subject", "text", "html", "headers", "received_at", "delivery_id"} <= set(one) for one in kept
    )
    assert [UUID(one["delivery_id"]) for one in kept] == [
        all_channels()[one["channel"]].examples[0].delivery_id for one in kept
    ]


def test_the_base_class_sends_nothing() -> None:
    with pytest.raises(TypeError):
        Channel().send([], {})
