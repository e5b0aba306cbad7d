"""SMS against the local stand-in for 阿里云短信服务: the signature, what arrives, what each failure is called."""

from __future__ import annotations

from typing import Any

import pytest

from campaigns.channels import ChannelError
from campaigns.channels.sms import authorization, canonical_query
from campaigns.local_servers import Fault, LocalInbox

from .inbox import send, send_one, text


def test_the_signature_is_that_of_the_worked_example_in_the_provider_documents() -> None:
    headers = {
        "host": "ecs.cn-shanghai.aliyuncs.com",
        "x-acs-action": "RunInstances",
        "x-acs-content-sha256": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "x-acs-date": "2023-10-26T10:22:32Z",
        "x-acs-signature-nonce": "3156853299f313e23d1673dc12e1703d",
        "x-acs-version": "2014-05-26",
    }
    query = canonical_query(
        {"RegionId": "cn-shanghai", "ImageId": "win2019_1809_x64_dtc_zh-cn_40G_alibase_20230811.vhd"}
    )
    assert authorization(query, headers, "YourAccessKeyId", "YourAccessKeySecret") == (
        "ACS3-HMAC-SHA256 Credential=YourAccessKeyId,SignedHeaders=host;x-acs-action;x-acs-content-sha256;x-acs-date;"
        "x-acs-signature-nonce;x-acs-version,Signature=06563a9e1b43f5dfe96b81484da74bceab24a1d853912eee15083a6f0f3283c0"
    )


def test_an_sms_arrives_with_its_signature_name_and_filled_template(inbox: LocalInbox) -> None:
    message = text("+8613800138000", template_code="SMS_200000001", params={"name": "小明 & ~*+/=", "amount": 20})
    result = send_one(inbox, "sms", message)
    assert (result.outcome, result.code) == ("sent", "OK")
    assert result.provider_ref.endswith("^0")
    (kept,) = inbox.messages("sms")
    assert kept["text"].startswith("【示例电商】亲爱的小明 & ~*+/=，您有一张 20 元的优惠券")
    assert (kept["address"], kept["delivery_id"]) == ("+8613800138000", str(message.delivery_id))


@pytest.mark.parametrize(
    ("config", "code"),
    [
        ({"access_key_secret": "wrong"}, "SignatureDoesNotMatch"),
        ({"access_key_id": "nobody"}, "InvalidAccessKeyId.NotFound"),
    ],
)
def test_a_wrong_key_stops_the_channel_for_good(inbox: LocalInbox, config: dict[str, str], code: str) -> None:
    with pytest.raises(ChannelError) as caught:
        send(inbox, "sms", text(), **config)
    assert (caught.value.permanent, caught.value.code) == (True, code)
    assert inbox.messages() == []


FLOW = "isv.BUSINESS_LIMIT_CONTROL"


def aliyun(code: str, sentence: str = "x", status: int = 200) -> dict[str, Any]:
    return {"status": status, "body": {"Code": code, "Message": sentence, "RequestId": "1"}}


@pytest.mark.parametrize(
    ("answer", "outcome", "code", "wait", "bad"),
    [
        (aliyun("isv.MOBILE_NUMBER_ILLEGAL"), "failed", "isv.MOBILE_NUMBER_ILLEGAL", None, True),
        (aliyun("isv.PARAM_LENGTH_LIMIT"), "failed", "isv.PARAM_LENGTH_LIMIT", None, False),
        (aliyun(FLOW, "触发小时级流控Permits:5"), "deferred", FLOW, 3600, False),
        (aliyun(FLOW, "触发天级流控Permits:40"), "deferred", FLOW, 86400, False),
        (aliyun("Throttling.User", status=400), "deferred", "Throttling.User", None, False),
        (aliyun("ServiceUnavailable", status=503), "deferred", "ServiceUnavailable", None, False),
        (aliyun("InternalError", status=500), "deferred", "InternalError", None, False),
        ({"status": 429, "headers": {"Retry-After": "7"}}, "deferred", "429", 7, False),
        ({"status": 502, "body": "<html>bad gateway</html>"}, "unknown", "502", None, False),
        ({"status": 504, "body": "<html>timeout</html>"}, "unknown", "504", None, False),
        ({"status": 200, "body": "not json"}, "unknown", "200", None, False),
        ({"status": 400, "body": "no"}, "failed", "400", None, False),
        ({"cut": True}, "unknown", "no_answer", None, False),
        ({"delay": 2.0}, "unknown", "no_answer", None, False),
    ],
)  # fmt: skip
def test_each_sms_failure_has_its_name_and_the_next_one_still_goes(
    inbox: LocalInbox, answer: dict[str, Any], outcome: str, code: str, wait: int | None, bad: bool
) -> None:
    inbox.fault("sms", Fault("send", **answer))
    first, second = send(inbox, "sms", text("13800138001"), text("13800138002"), timeout=1)
    assert (first.outcome, first.code, first.retry_after_seconds, first.address_is_bad) == (outcome, code, wait, bad)
    assert second.outcome == "sent"


@pytest.mark.parametrize(
    "answer",
    [aliyun("isv.AMOUNT_NOT_ENOUGH"), aliyun("isv.SMS_TEMPLATE_ILLEGAL"), aliyun("isp.RAM_PERMISSION_DENY", status=403),
     {"status": 302, "headers": {"Location": "http://127.0.0.1:9/"}}, {"status": 404, "body": "<html>"}],
)  # fmt: skip
def test_what_no_message_can_pass_stops_the_channel(inbox: LocalInbox, answer: dict[str, Any]) -> None:
    inbox.fault("sms", Fault("send", **answer))
    with pytest.raises(ChannelError) as caught:
        send(inbox, "sms", text())
    assert caught.value.permanent


def test_a_number_that_is_none_is_a_bad_address(inbox: LocalInbox) -> None:
    results = send(inbox, "sms", text("12"), text("half \ud83d"), text())
    assert [(result.outcome, result.address_is_bad) for result in results] == [
        ("failed", True), ("failed", False), ("sent", False)
    ]  # fmt: skip


def test_proxies_of_the_environment_are_not_asked(inbox: LocalInbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    assert send_one(inbox, "sms").outcome == "sent"


def test_no_telephone_number_gets_into_the_log(inbox: LocalInbox, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    send_one(inbox, "sms")
    assert "13800138000" not in caplog.text
