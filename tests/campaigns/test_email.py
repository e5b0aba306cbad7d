"""Mail against the local SMTP server: what arrives, and what each failure is called."""

from __future__ import annotations

import dataclasses
import ipaddress
import shutil
import ssl
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from campaigns.channels import ChannelError
from campaigns.local_servers import Fault, LocalInbox

from .inbox import mail, send, send_one


def test_chinese_mail_arrives_whole_with_its_headers(inbox: LocalInbox) -> None:
    long_subject = "【双十一】" + "满三百减四十，" * 20
    unsubscribe = {
        "List-Unsubscribe": "<https://example.com/t/u/" + "x" * 60 + ">",
        "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
    }
    body = "<p>亲爱的小明 🎉：\n.一行以点开头\n" + "很长的一行" * 2000 + "</p>"
    message = mail(subject=long_subject, body_html=body, from_name="示例电商，客服", headers=unsubscribe)
    result = send_one(inbox, "email", message)
    assert result.outcome == "sent"
    assert result.provider_ref == f"<{message.delivery_id}@shop.example>"
    (kept,) = inbox.messages("email")
    assert (kept["subject"], kept["html"].strip(), kept["text"].strip()) == (long_subject, body, "你好")
    assert kept["address"] == "xm@example.com"
    assert kept["delivery_id"] == str(message.delivery_id)
    assert kept["headers"]["Message-ID"] == result.provider_ref
    assert kept["headers"]["From"] == "示例电商，客服 <hello@shop.example>"
    assert kept["headers"].items() >= unsubscribe.items()


def test_without_plain_text_it_is_made_from_the_html(inbox: LocalInbox) -> None:
    send_one(inbox, "email", mail(body_html='<h1>你好</h1><a href="https://x.example/a">看看</a>', body_text=""))
    assert inbox.messages("email")[0]["text"].split() == ["你好", "看看", "(https://x.example/a)"]


@pytest.mark.parametrize(
    "parts",
    [
        {"subject": "hi\r\nBcc: all@example.com"},
        {"subject": "hi\nX: y"},
        {"from_name": "Shop\r\nBcc: all@example.com"},
        {"address": "a@example.com>\r\nRCPT TO:<all@example.com"},
        {"address": "a@example.com\nb@example.com"},
        {"address": "not an address"},
        {"address": ""},
        {"headers": {"List-Unsubscribe": "<https://x>\r\nBcc: all@example.com"}},
        {"headers": {"X-Y: z\r\nBcc": "all@example.com"}},
        {"headers": {"Bcc": "all@example.com"}},
        {"headers": {"List-Unsubscribe": "<" + "x" * 1000 + ">"}},
        {"body_text": "half a character \ud83d"},
    ],
    ids=lambda parts: next(iter(parts)),
)
def test_header_injection_fails_that_person_and_nobody_else(inbox: LocalInbox, parts: dict[str, Any]) -> None:
    results = send(inbox, "email", mail("1@example.com"), mail(**parts), mail("3@example.com"))
    assert [result.outcome for result in results] == ["sent", "failed", "sent"]
    assert results[1].code == "invalid_content"
    assert {kept["address"] for kept in inbox.messages()} == {"1@example.com", "3@example.com"}
    assert not any("Bcc" in kept["headers"] for kept in inbox.messages())


def test_a_sender_address_that_is_none_stops_the_channel(inbox: LocalInbox) -> None:
    with pytest.raises(ChannelError) as caught:
        send(inbox, "email", mail(), from_address="shop")
    assert (caught.value.permanent, caught.value.code) == (True, "from_address")
    assert send_one(inbox, "email", from_address="kf@例子.中国").provider_ref.endswith("@xn--fsqu00a.xn--fiqs8s>")


def test_a_domain_in_chinese_is_sent_in_its_ascii_form(inbox: LocalInbox) -> None:
    assert send_one(inbox, "email", mail("xm@例子.中国")).outcome == "sent"
    assert inbox.messages()[0]["address"] == "xm@xn--fsqu00a.xn--fiqs8s"


@pytest.mark.parametrize(
    ("fault", "outcome", "code", "bad"),
    [
        (Fault("rcpt", "550 5.1.1 no such user"), "failed", "5.1.1", True),
        (Fault("rcpt", "550 5.2.1 mailbox disabled"), "failed", "5.2.1", True),
        (Fault("rcpt", "550 5.7.1 blocked by policy"), "failed", "5.7.1", False),
        (Fault("rcpt", "550 relay not permitted"), "failed", "550", False),
        (Fault("rcpt", "451 4.7.1 greylisted, come back"), "deferred", "4.7.1", False),
        (Fault("mail", "452 4.3.1 out of storage"), "deferred", "4.3.1", False),
        (Fault("data", "554 5.6.0 content refused"), "failed", "5.6.0", False),
        (Fault("data", "550 5.1.1 no such user"), "failed", "5.1.1", True),
        (Fault("data", "421 4.7.0 too many, closing"), "deferred", "4.7.0", False),
        (Fault("mail", cut=True), "deferred", "connection_lost", False),
        (Fault("rcpt", cut=True), "deferred", "connection_lost", False),
        (Fault("data", cut=True, reply="250"), "unknown", "connection_lost", False),
        (Fault("after_data", cut=True), "unknown", "connection_lost", False),
        (Fault("after_data", "Queued. Thank you."), "unknown", "-1", False),
        (Fault("after_data", "350 and then?"), "unknown", "350", False),
        (Fault("rcpt", delay=3), "deferred", "connection_lost", False),
        (Fault("after_data", delay=3), "unknown", "connection_lost", False),
    ],
    ids=lambda value: (
        f"{value.at} {value.reply or ('cut' if value.cut else 'late')}" if isinstance(value, Fault) else ""
    ),
)
def test_each_smtp_failure_has_its_name_and_the_next_mail_still_goes(
    inbox: LocalInbox, fault: Fault, outcome: str, code: str, bad: bool
) -> None:
    inbox.fault("email", dataclasses.replace(fault))
    first, second = send(inbox, "email", mail("1@example.com"), mail("2@example.com"), timeout=1)
    assert (first.outcome, first.code, first.address_is_bad) == (outcome, code, bad)
    assert second.outcome == "sent"
    kept = [one["address"] for one in inbox.messages()]
    assert kept == (["1@example.com"] if fault.at == "after_data" else []) + ["2@example.com"]


@pytest.mark.parametrize("reply", ["553 5.1.8 sender not allowed", "550 5.1.2 no such domain", "501 bad sender"])
def test_a_sender_that_is_refused_stops_the_channel_and_strikes_nobody_off(inbox: LocalInbox, reply: str) -> None:
    """It is the same sender for everybody: one by one the whole audience would be refused."""
    inbox.fault("email", Fault("mail", reply, times=2))
    with pytest.raises(ChannelError) as caught:
        send(inbox, "email", mail("1@example.com"), mail("2@example.com"))
    assert (caught.value.permanent, caught.value.code) == (True, reply[:3])
    assert caught.value.detail == reply[4:]


@pytest.mark.parametrize("at", ["mail", "after_data"])
def test_of_a_reply_the_first_digit_counts(inbox: LocalInbox, at: str) -> None:
    """Or a mail that was taken in other words would be sent again."""
    inbox.fault("email", Fault(at, "252 taken in other words"))
    [result] = send(inbox, "email", mail("1@example.com"))
    assert result.outcome == "sent"


def test_a_wrong_password_stops_the_channel_for_good(tmp_path: Path, made_secrets: Path) -> None:
    shutil.copy(made_secrets, tmp_path / "secrets.json")
    with LocalInbox(tmp_path, smtp_login=("shop", "right")) as inbox:
        with pytest.raises(ChannelError) as caught:
            send(inbox, "email", mail(), password="wrong")
        assert (caught.value.permanent, caught.value.code) == (True, "login")
        assert "wrong" not in str(caught.value)
        with pytest.raises(ChannelError) as caught:
            send(inbox, "email", mail(), username="")
        assert (caught.value.permanent, caught.value.code) == (True, "530")
        assert send_one(inbox, "email").outcome == "sent"


def test_starttls_is_used_and_a_certificate_that_cannot_be_checked_is_refused(
    tmp_path: Path, made_secrets: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copy(made_secrets, tmp_path / "secrets.json")
    certificate = make_certificate(tmp_path)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(certificate)
    with LocalInbox(tmp_path, smtp_tls=server) as inbox:
        with pytest.raises(ChannelError) as caught:
            send(inbox, "email", mail(), security="starttls")
        assert (caught.value.permanent, caught.value.code) == (True, "encryption")
        with pytest.raises(ChannelError) as caught:
            send(inbox, "email", mail())
        assert (caught.value.permanent, caught.value.code) == (True, "530")
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        assert send_one(inbox, "email", security="starttls").outcome == "sent"
    with LocalInbox(tmp_path) as plain, pytest.raises(ChannelError) as caught:
        send(plain, "email", mail(), security="starttls")
    assert (caught.value.permanent, caught.value.code) == (True, "not_supported")


def make_certificate(folder: Path) -> Path:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "local inbox")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False)
        .sign(key, hashes.SHA256())
    )
    path = folder / "certificate.pem"
    path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    return path


def test_a_thousand_mails_over_one_connection(inbox: LocalInbox, record_property: Any) -> None:
    messages = [mail(f"{number}@example.com") for number in range(1000)]
    started = time.monotonic()
    results = send(inbox, "email", *messages)
    seconds = time.monotonic() - started
    record_property("seconds", round(seconds, 2))
    print(f"\n1,000 mails in {seconds:.2f} s")
    assert {result.outcome for result in results} == {"sent"}
    assert [kept["delivery_id"] for kept in inbox.messages()] == [str(message.delivery_id) for message in messages]
