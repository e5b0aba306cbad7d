"""Sending against real local servers: who gets a message, who does not, and what every failure leaves behind."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import OperationalError, connection
from django.utils.translation import override

from campaigns import sending
from campaigns.channels import get_channel
from campaigns.links import make_url
from campaigns.local_servers import Fault, LocalInbox
from campaigns.models import ChannelAccount, Run, Suppression
from campaigns.outcomes import storable
from campaigns.selectors import due_channels, report
from campaigns.services import move, send_unknown_again, settle_night, sweep
from campaigns.suppressions import suppress
from users.erasure import ask_erasure, run_erasure
from users.models import EndUser
from users.services import set_consent
from workspaces.models import AuditEntry, Workspace
from workspaces.scoping import workspace_scope

from .sender import (
    CONTENT,
    deliveries,
    make_campaign,
    make_due,
    make_people,
    refresh,
    send,
    start,
    states,
)

# --- who gets it ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("channel", ["email", "sms", "push"])
def test_what_the_server_got_is_what_the_table_says(shop: Workspace, inbox: LocalInbox, channel: str) -> None:
    make_people(shop, 45)
    campaign = make_campaign(shop, channel, control_percent=30)
    run = send(shop, campaign)
    rows = deliveries(shop, campaign)
    sent = [row for row in rows if row.state == "sent"]
    control = {row.address for row in rows if row.state == "control"}
    arrived = inbox.messages(channel)
    assert sent and control and len(sent) + len(control) == 45
    assert sorted(message["delivery_id"] for message in arrived) == sorted(str(row.delivery_id) for row in sent)
    assert control.isdisjoint(message["address"] for message in arrived)
    assert all(row.sent_at and row.provider_ref and row.attempts == 1 and row.lease_token is None for row in sent)
    assert (run.state, campaign.state) == ("finished", "finished")


def test_a_mail_says_what_it_was_told_and_how_to_stop(shop: Workspace, inbox: LocalInbox) -> None:
    make_people(shop, 1, name="王<b>小明</b>")
    campaign = make_campaign(shop)
    send(shop, campaign)
    (mail,), (row,) = inbox.messages("email"), deliveries(shop, campaign)
    way_out = make_url("unsubscribe", shop.pk, row.delivery_id)
    assert mail["subject"] == "王<b>小明</b>，会员日"
    assert "王&lt;b&gt;小明" in mail["html"] and "<b>小明" not in mail["html"]
    assert mail["headers"]["List-Unsubscribe"] == f"<{way_out}>"
    assert mail["headers"]["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert way_out in mail["html"]
    assert make_url("click", shop.pk, row.delivery_id, 0) in mail["html"] and "shop.example" not in mail["html"]
    assert make_url("open", shop.pk, row.delivery_id) + ".gif" in mail["html"]


def test_whoever_opted_out_of_the_first_campaign_gets_no_second(shop: Workspace, inbox: LocalInbox) -> None:
    people = make_people(shop, 6)
    send(shop, make_campaign(shop))
    with workspace_scope(shop):
        set_consent([people[2].pk, people[4].pk], "email", False, "unsubscribe_link")
    inbox.clear()
    second = make_campaign(shop)
    send(shop, second)
    assert {message["address"] for message in inbox.messages()} == {f"p{n}@example.com" for n in (0, 1, 3, 5)}
    assert states(shop, second) == {"sent": 4, "suppressed/opted_out": 2}


def test_opting_out_after_the_freeze_is_honoured(shop: Workspace, inbox: LocalInbox) -> None:
    people = make_people(shop, 4)
    campaign = make_campaign(shop)
    start(shop, campaign)
    with workspace_scope(shop):
        set_consent([people[0].pk], "email", False, "form")
        suppress("email", [people[1].email.upper()], "complained")
    sending.send_due(shop, "email")
    assert states(shop, campaign) == {"sent": 2, "suppressed/opted_out": 1, "suppressed/suppressed": 1}
    assert {message["address"] for message in inbox.messages()} == {"p2@example.com", "p3@example.com"}
    assert [row.arm for row in deliveries(shop, campaign)] == ["treated"] * 4, "the arms stay as they were drawn"


def test_opting_out_while_the_message_is_about_to_leave_is_honoured(
    shop: Workspace, inbox: LocalInbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The opt-out is acknowledged between the claim and the commit that says "sending"."""
    people = make_people(shop, 3)
    campaign = make_campaign(shop)
    start(shop, campaign)
    plain = sending.run_sql

    def opt_out_in_between(path: str, **params: Any) -> Any:
        found = plain(path, **params)
        if path == "campaigns/start_attempts":
            set_consent([people[1].pk], "email", False, "form")
        return found

    monkeypatch.setattr(sending, "run_sql", opt_out_in_between)
    sending.send_due(shop, "email")
    assert states(shop, campaign) == {"sent": 2, "suppressed/opted_out": 1}
    assert len(inbox.messages()) == 2


def test_whoever_is_erased_while_a_campaign_runs_gets_nothing_and_the_counts_stay(
    shop: Workspace, inbox: LocalInbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One before the sender comes, one whom it holds already, one whose message is leaving; the last is unknown for good."""
    people = make_people(shop, 5)
    campaign = make_campaign(shop)
    start(shop, campaign)
    erase(shop, people[0])
    plain = sending.run_sql

    def erase_in_between(path: str, **params: Any) -> Any:
        found = plain(path, **params)
        if path == "campaigns/claim" and found:
            erase(shop, people[1])
        if path == "campaigns/start_attempts":
            erase(shop, people[2])
        return found

    monkeypatch.setattr(sending, "run_sql", erase_in_between)
    sending.send_due(shop, "email")
    assert states(shop, campaign) == {"sent": 2, "suppressed/erased": 2, "unknown/erased": 1}
    written = {message["address"] for message in inbox.messages()}
    assert written <= {f"p{n}@example.com" for n in (2, 3, 4)} and len(written) >= 2
    rows = deliveries(shop, campaign)
    assert [row.arm for row in rows] == ["treated"] * 5 and sum(bool(row.address) for row in rows) == 2
    with workspace_scope(shop):
        sweep()
        campaign.refresh_from_db()
        assert campaign.state == "finished" and send_unknown_again(campaign) == 0
        assert report(campaign).matched == 5 and Suppression.objects.filter(address__contains="@").count() == 0
        settle_night(shop, shop.today())
        assert report(campaign).treated.people == 5


def erase(shop: Workspace, person: EndUser) -> None:
    with workspace_scope(shop):
        erasure = ask_erasure(person).pk
    run_erasure(shop, erasure)


# --- what can go wrong with one message -----------------------------------------------------------------------------


def test_a_template_that_cannot_be_filled_in_fails_that_person_only(shop: Workspace, inbox: LocalInbox) -> None:
    people = make_people(shop, 3)
    with workspace_scope(shop):
        EndUser.objects.filter(pk=people[1].pk).update(attributes={"visits": 0})
        EndUser.objects.exclude(pk=people[1].pk).update(attributes={"visits": 4})
    content = CONTENT["email"] | {"subject": "每次 {{ 100 | divided_by: user.visits }}"}
    campaign = make_campaign(shop, content=content)
    with override("zh-hans"):
        run = send(shop, campaign)
    assert states(shop, campaign) == {"sent": 2, "failed/template_error": 1}
    assert run.state == "finished" and len(inbox.messages()) == 2
    assert deliveries(shop, campaign)[1].detail.startswith("第 1 行：无法为这位用户填充模板。")


def test_a_deferred_message_waits_longer_each_time_and_then_leaves(shop: Workspace, inbox: LocalInbox) -> None:
    make_people(shop, 2)
    campaign = make_campaign(shop)
    inbox.fault("email", Fault("rcpt", reply="450 4.2.1 try later", address="p0@example.com", times=2))
    waits = []
    start(shop, campaign)
    for _round in range(2):
        sending.send_due(shop, "email")
        row = deliveries(shop, campaign)[0]
        assert (row.state, row.reason) == ("deferred", "deferred")
        waits.append((row.next_at - datetime.now(UTC)).total_seconds())
        with workspace_scope(shop):
            assert due_channels() == [], "it waits for its time"
        assert sending.send_due(shop, "email") == 0
        make_due(shop)
    assert waits == [pytest.approx(30, abs=3), pytest.approx(60, abs=3)]
    sending.send_due(shop, "email")
    assert states(shop, campaign) == {"sent": 2}
    assert deliveries(shop, campaign)[0].attempts == 3
    assert len(inbox.messages()) == 2


@pytest.mark.parametrize(
    ("wish", "seconds"), [("600", 600), ("99999999", 86400), ("Fri, 31 Dec 9999 23:59:59 GMT", 86400)]
)
def test_a_providers_wish_to_wait_is_kept_up_to_a_day(
    shop: Workspace, inbox: LocalInbox, wish: str, seconds: int
) -> None:
    make_people(shop, 1)
    campaign = make_campaign(shop, "push")
    inbox.fault(
        "push", Fault("send", status=503, headers={"Retry-After": wish}, body={"error": {"status": "UNAVAILABLE"}})
    )
    send(shop, campaign)
    (row,) = deliveries(shop, campaign)
    assert row.state == "deferred"
    assert (row.next_at - datetime.now(UTC)).total_seconds() == pytest.approx(seconds, abs=5)


def test_after_eight_tries_it_is_given_up(shop: Workspace, inbox: LocalInbox) -> None:
    make_people(shop, 1)
    campaign = make_campaign(shop)
    inbox.fault("email", Fault("rcpt", reply="450 4.2.1 try later", times=100))
    start(shop, campaign)
    for _round in range(10):
        sending.send_due(shop, "email")
        make_due(shop)
    (row,) = deliveries(shop, campaign)
    assert (row.state, row.reason, row.attempts) == ("failed", "gave_up", 8)


def test_an_address_that_does_not_exist_is_not_written_to_again(shop: Workspace, inbox: LocalInbox) -> None:
    make_people(shop, 2)
    campaign = make_campaign(shop)
    inbox.fault("email", Fault("rcpt", reply="550 5.1.1 no such user", address="p0@example.com"))
    send(shop, campaign)
    assert states(shop, campaign) == {"sent": 1, "failed/refused": 1}
    assert "5.1.1" in deliveries(shop, campaign)[0].detail
    with workspace_scope(shop):
        assert list(Suppression.objects.values_list("address", "reason")) == [("p0@example.com", "bounced")]
    second = make_campaign(shop)
    send(shop, second)
    assert states(shop, second) == {"sent": 1, "suppressed/suppressed": 1}


def test_a_lost_answer_is_unknown_and_never_sent_again_by_itself(shop: Workspace, inbox: LocalInbox) -> None:
    make_people(shop, 3)
    campaign = make_campaign(shop)
    inbox.fault("email", Fault("after_data", cut=True, address="p1@example.com"))
    run = send(shop, campaign)
    assert states(shop, campaign) == {"sent": 2, "unknown/no_answer": 1}
    assert run.state == "finished" and len(inbox.messages()) == 3
    assert sending.send_due(shop, "email") == 0
    with workspace_scope(shop):
        assert send_unknown_again(campaign) == 1, "an operator may choose to"
    sending.send_due(shop, "email")
    twice = [m["headers"]["Message-ID"] for m in inbox.messages() if m["address"] == "p1@example.com"]
    assert len(twice) == 2 and len(set(twice)) == 1, "the double can be proved to be one"
    assert states(shop, campaign) == {"sent": 3}


def test_a_providers_strange_words_are_kept(shop: Workspace, inbox: LocalInbox) -> None:
    assert storable("a\0b\ud800c" + "x" * 500, 6) == "ab?cxx"


# --- what can go wrong with the channel -----------------------------------------------------------------------------


def test_a_channel_that_is_down_lets_go_and_costs_no_try(shop: Workspace, inbox: LocalInbox) -> None:
    make_people(shop, 5)
    campaign = make_campaign(shop)
    with workspace_scope(shop):
        account = ChannelAccount.objects.get(channel="email")
        port, account.config["port"] = account.config["port"], 9
        account.save()
    run = start(shop, campaign)
    assert sending.send_due(shop, "email") == 0
    assert states(shop, campaign) == {"deferred/channel_down": 5}
    assert {row.attempts for row in deliveries(shop, campaign)} == {0}
    refresh(shop, run, campaign)
    assert run.state == "running" and run.error.startswith("connect")
    with workspace_scope(shop):
        account.config["port"] = port
        account.save()
    make_due(shop)
    sending.send_due(shop, "email")
    refresh(shop, run)
    assert states(shop, campaign) == {"sent": 5} and run.error == ""


def test_a_channel_that_goes_down_midway_keeps_what_was_done(shop: Workspace, inbox: LocalInbox) -> None:
    make_people(shop, 30)
    campaign = make_campaign(shop, "sms")
    start(shop, campaign)
    empty = {"Code": "isv.AMOUNT_NOT_ENOUGH", "Message": "余额不足"}
    inbox.fault("sms", Fault("send", body=empty, status=200, after=12))
    sending.send_due(shop, "sms")
    assert states(shop, campaign) == {"sent": 12, "deferred/channel_down": 18}
    assert len(inbox.messages()) == 12
    refresh(shop, campaign)
    with workspace_scope(shop):
        run = Run.objects.get(campaign=campaign)
        assert (campaign.state, run.state) == ("paused", "paused")
        assert "AMOUNT_NOT_ENOUGH" in run.error
        assert AuditEntry.objects.filter(action="campaign.pause", target=str(campaign.pk)).exists()
        move(campaign, "resume")
    make_due(shop)
    sending.send_due(shop, "sms")
    assert states(shop, campaign) == {"sent": 30} and len(inbox.messages()) == 30


def test_without_an_account_or_with_another_key_the_campaign_pauses_and_says_why(
    shop: Workspace, settings: Any
) -> None:
    make_people(shop, 2)
    campaign = make_campaign(shop, "sms")
    start(shop, campaign)
    settings.SECRETS_KEY = "another"
    assert sending.send_due(shop, "sms") == 0
    refresh(shop, campaign)
    with workspace_scope(shop):
        assert campaign.state == "paused" and "SECRETS_KEY" in Run.objects.get(campaign=campaign).error
        ChannelAccount.objects.filter(channel="sms").delete()
        move(campaign, "resume")
    with override("zh-hans"):
        assert sending.send_due(shop, "sms") == 0
    with workspace_scope(shop):
        assert Run.objects.get(campaign=campaign).error == "该渠道还没接通。"
    assert states(shop, campaign) == {"pending": 2}, "nothing stays claimed"


def test_a_defect_pauses_instead_of_spending_the_audience(
    shop: Workspace, inbox: LocalInbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_people(shop, 50)
    campaign = make_campaign(shop)
    start(shop, campaign)

    def broken(messages: Any, config: Any) -> Any:
        for n, message in enumerate(messages):
            if n == 25:
                raise ZeroDivisionError
            yield sending.Result(message.delivery_id, "sent", "ref")

    monkeypatch.setattr(get_channel("email"), "send", broken)
    with pytest.raises(ZeroDivisionError):
        sending.send_due(shop, "email")
    assert states(shop, campaign) == {"sent": 25, "sending": 15, "pending": 10}
    refresh(shop, campaign)
    assert campaign.state == "paused"


@pytest.mark.parametrize("statement", ["campaigns/start_attempts", "campaigns/hold_back"])
def test_two_writers_who_crossed_pause_nothing_and_the_rest_is_sent_later(
    shop: Workspace, inbox: LocalInbox, monkeypatch: pytest.MonkeyPatch, statement: str
) -> None:
    make_people(shop, 50)
    campaign = make_campaign(shop)
    start(shop, campaign)
    plain, started = sending.run_sql, []

    def crossed(path: str, **params: Any) -> Any:
        if path == statement:
            started.append(path)
            if len(started) == 2:
                with connection.cursor() as cursor:
                    cursor.execute("do $$ begin raise exception 'deadlock' using errcode = '40P01'; end $$")
        return plain(path, **params)

    monkeypatch.setattr(sending, "run_sql", crossed)
    with pytest.raises(OperationalError):
        sending.send_due(shop, "email")
    refresh(shop, campaign)
    assert (campaign.state, states(shop, campaign)) == ("running", {"sent": 20, "pending": 30})
    sending.send_due(shop, "email")
    assert states(shop, campaign) == {"sent": 50} and len(inbox.messages()) == 50
