"""Push against the local stand-in for FCM: the access token, what arrives, what each failure is called."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from campaigns.channels import ChannelError
from campaigns.local_servers import Fault, LocalInbox

from .inbox import push, send


def test_a_push_arrives_and_one_access_token_serves_the_batch(inbox: LocalInbox) -> None:
    before = inbox.push.tokens_given
    messages = [push(f"device-{number}", url="https://example.com/cart") for number in range(5)]
    results = send(inbox, "push", *messages)
    assert {result.outcome for result in results} == {"sent"}
    assert results[0].provider_ref.startswith("projects/local-inbox/messages/")
    assert inbox.push.tokens_given - before == 1
    kept = inbox.messages("push")[0]
    assert (kept["title"], kept["text"], kept["url"]) == ("降价了", "去看看", "https://example.com/cart")
    assert kept["delivery_id"] == str(messages[0].delivery_id)


def test_an_access_token_about_to_end_is_replaced(inbox: LocalInbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inbox.push, "token_seconds", 30)
    before = inbox.push.tokens_given
    assert {result.outcome for result in send(inbox, "push", push(), push())} == {"sent"}
    assert inbox.push.tokens_given - before == 2


@pytest.mark.parametrize("change", ["key", "not json", "client_email", "no project", "not a key"])
def test_a_wrong_service_account_stops_the_channel_for_good(inbox: LocalInbox, tmp_path: Path, change: str) -> None:
    account = json.loads(inbox.configs()["push"]["service_account"])
    if change == "key":
        other = LocalInbox(tmp_path / "other")
        with other:
            account["private_key"] = json.loads(other.configs()["push"]["service_account"])["private_key"]
    elif change == "no project":
        del account["project_id"]
    else:
        account["client_email" if change == "client_email" else "private_key"] = "nobody"
    given = "not json" if change == "not json" else json.dumps(account)
    with pytest.raises(ChannelError) as caught:
        send(inbox, "push", push(), service_account=given)
    assert caught.value.permanent
    assert "PRIVATE KEY" not in str(caught.value)
    assert inbox.messages() == []


def fcm(status: int, name: str, code: str = "", sentence: str = "x", headers: Any = ()) -> dict[str, Any]:
    error: dict[str, Any] = {"code": status, "message": sentence, "status": name}
    if code:
        error["details"] = [{"@type": "type.googleapis.com/google.firebase.fcm.v1.FcmError", "errorCode": code}]
    return {"status": status, "body": {"error": error}, "headers": dict(headers)}


BAD_TOKEN = "The registration token is not a valid FCM registration token"


@pytest.mark.parametrize(
    ("answer", "outcome", "code", "wait", "bad"),
    [
        (fcm(404, "NOT_FOUND", "UNREGISTERED"), "failed", "UNREGISTERED", None, True),
        (fcm(400, "INVALID_ARGUMENT", "INVALID_ARGUMENT", BAD_TOKEN), "failed", "INVALID_ARGUMENT", None, True),
        (fcm(400, "INVALID_ARGUMENT", "", "Invalid value at 'message'"), "failed", "INVALID_ARGUMENT", None, False),
        (fcm(403, "PERMISSION_DENIED", "SENDER_ID_MISMATCH"), "failed", "SENDER_ID_MISMATCH", None, False),
        (fcm(429, "RESOURCE_EXHAUSTED", "QUOTA_EXCEEDED"), "deferred", "QUOTA_EXCEEDED", 60, False),
        (fcm(503, "UNAVAILABLE", "UNAVAILABLE", headers={"Retry-After": "120"}), "deferred", "UNAVAILABLE", 120, False),
        (fcm(500, "INTERNAL", "INTERNAL"), "deferred", "INTERNAL", None, False),
        ({"status": 502, "body": "<html>"}, "unknown", "502", None, False),
        ({"cut": True}, "unknown", "no_answer", None, False),
        ({"delay": 2.0}, "unknown", "no_answer", None, False),
    ],
)  # fmt: skip
def test_each_push_failure_has_its_name_and_the_next_one_still_goes(
    inbox: LocalInbox, answer: dict[str, Any], outcome: str, code: str, wait: int | None, bad: bool
) -> None:
    inbox.fault("push", Fault("send", **answer))
    first, second = send(inbox, "push", push("device-1"), push("device-2"), timeout=1)
    assert (first.outcome, first.code, first.retry_after_seconds, first.address_is_bad) == (outcome, code, wait, bad)
    assert second.outcome == "sent"


def test_the_local_server_strikes_off_devices_as_fcm_does(inbox: LocalInbox) -> None:
    results = send(inbox, "push", push("gone-1"), push("no token"), push("device-1"))
    assert [(result.outcome, result.address_is_bad) for result in results] == [
        ("failed", True), ("failed", True), ("sent", False)
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("at", "answer", "permanent"),
    [
        ("token", {"status": 503, "body": "later"}, False),
        ("token", {"cut": True}, False),
        ("send", fcm(401, "UNAUTHENTICATED"), True),
        ("send", fcm(403, "PERMISSION_DENIED"), True),
    ],
)
def test_trouble_with_the_token_stops_the_channel(
    inbox: LocalInbox, at: str, answer: dict[str, Any], permanent: bool
) -> None:
    inbox.fault("push", Fault(at, **answer))
    with pytest.raises(ChannelError) as caught:
        send(inbox, "push", push())
    assert caught.value.permanent == permanent
    assert inbox.messages() == []
