"""Whom a message does not leave for any more, though the audience was frozen with them: one person, one message."""

from __future__ import annotations

import uuid
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg2
import pytest
from django.db import connection
from django.db.models.functions import Now

from campaigns import sending
from campaigns.local_servers import LocalInbox
from campaigns.models import Campaign, Delivery
from campaigns.selectors import report
from campaigns.services import send_unknown_again, sweep
from campaigns.suppressions import suppress
from tests.campaigns.sender import deliveries, make_campaign, make_people, refresh, start, states
from tests.plans import rows_read
from users.identity import merge_people, undo_merge
from users.models import Consent, EndUser
from users.services import exclude
from workspaces.models import Workspace
from workspaces.scoping import workspace_scope
from workspaces.sql import execute, read_sql

LATER = datetime.now(UTC) + timedelta(minutes=5)


def start_and_merge(shop: Workspace, people: list[EndUser]) -> Campaign:
    """A campaign under way, and the first two people of its audience turn out to be one."""
    campaign = make_campaign(shop)
    start(shop, campaign)
    with workspace_scope(shop):
        merge_people(people[1], people[0])
    return campaign


def test_two_ids_that_became_one_person_get_one_message(shop: Workspace, inbox: LocalInbox) -> None:
    campaign = start_and_merge(shop, make_people(shop, 3))
    sending.send_due(shop, "email")
    with workspace_scope(shop):
        Delivery.objects.filter(state="pending").update(next_at=Now())
    sending.send_due(shop, "email")
    assert states(shop, campaign) == {"sent": 2, "suppressed/same_person": 1}
    addresses = {message["address"] for message in inbox.messages()}
    assert len(inbox.messages()) == 2 and "p2@example.com" in addresses
    with workspace_scope(shop):
        assert sweep()["finished"] == 1
        found = report(campaign)
    assert (found.matched, found.treated.people, found.sent, found.skipped) == (3, 3, 2, {"same_person": 1})


@pytest.mark.parametrize(
    ("became", "then"), [("sent", "same_person"), ("unknown", "same_person"), ("failed", ""), ("control", "")]
)
def test_while_one_is_leaving_the_other_waits_for_what_becomes_of_it(
    shop: Workspace, inbox: LocalInbox, became: str, then: str
) -> None:
    people = make_people(shop, 2)
    start_and_merge(shop, people)
    with workspace_scope(shop):  # another sender has it
        first = Delivery.objects.filter(end_user=people[0].pk)
        first.update(state="sending", lease_token=uuid.uuid4(), lease_until=LATER)
    sending.send_due(shop, "email")
    with workspace_scope(shop):
        other = Delivery.objects.get(end_user=people[1].pk)
        assert (other.state, other.reason, other.lease_token, inbox.messages()) == ("pending", "", None, [])
        first.update(state=became, lease_token=None, lease_until=None)
    sending.send_due(shop, "email")
    assert inbox.messages() == [], "not before its time"
    with workspace_scope(shop):
        Delivery.objects.filter(state="pending").update(next_at=Now())
    sending.send_due(shop, "email")
    refresh(shop, other)
    assert (other.state, other.reason) == (("suppressed", then) if then else ("sent", ""))
    assert len(inbox.messages()) == (0 if then else 1)


def test_what_is_sent_again_is_not_sent_to_whoever_had_it_under_another_id(shop: Workspace, inbox: LocalInbox) -> None:
    people = make_people(shop, 2)
    campaign = start_and_merge(shop, people)
    with workspace_scope(shop):
        Delivery.objects.filter(end_user=people[0].pk).update(state="sent")
        Delivery.objects.filter(end_user=people[1].pk).update(state="unknown", reason="no_answer")
        send_unknown_again(campaign)
    sending.send_due(shop, "email")
    assert (states(shop, campaign), inbox.messages()) == ({"sent": 1, "suppressed/same_person": 1}, [])


def test_ids_that_were_parted_again_are_two_people(shop: Workspace, inbox: LocalInbox) -> None:
    people = make_people(shop, 2)
    campaign = start_and_merge(shop, people)
    with workspace_scope(shop):
        undo_merge(EndUser.objects.get(pk=people[1].pk))
    sending.send_due(shop, "email")
    assert states(shop, campaign) == {"sent": 2}


@pytest.mark.parametrize("merged", [False, True])
def test_whoever_is_excluded_after_the_freeze_gets_nothing(shop: Workspace, inbox: LocalInbox, merged: bool) -> None:
    """Also by the id that remains, of which the other was frozen."""
    people = make_people(shop, 3)
    campaign = start_and_merge(shop, people) if merged else make_campaign(shop)
    if not merged:
        start(shop, campaign)
    with workspace_scope(shop):
        exclude([people[0].pk], "test account")
    sending.send_due(shop, "email")
    left_out = {"p0@example.com", "p1@example.com"} if merged else {"p0@example.com"}
    assert {row.address for row in deliveries(shop, campaign) if row.reason == "excluded"} == left_out
    assert {message["address"] for message in inbox.messages()} == {f"p{n}@example.com" for n in range(3)} - left_out


def analyze_deliveries() -> None:
    """As the server's own process would: it does not see what is not committed yet, but counts its pages."""
    wanted = ("dbname", "user", "password", "host", "port")
    found = {key: value for key, value in connection.get_connection_params().items() if key in wanted}
    with closing(psycopg2.connect(**found)) as other:
        other.autocommit = True
        with other.cursor() as cursor:
            cursor.execute("analyze delivery")
            cursor.execute("select reltuples from pg_class where relname = 'delivery'")
            assert cursor.fetchone() == (0,)


@pytest.mark.parametrize("known", ["nothing", "that there are none"])
def test_the_people_of_a_group_are_looked_up_and_nobody_else(
    shop: Workspace, monkeypatch: pytest.MonkeyPatch, known: str
) -> None:
    """Also right after a freeze, of which the statistics know nothing, nor of what everybody agreed to."""
    people = make_people(shop, 5000)
    with workspace_scope(shop):
        Consent.objects.bulk_create(
            Consent(workspace=shop, end_user=one, channel="email", opted_in=True, at=LATER) for one in people
        )
        suppress("email", (f"{n}@gone.example" for n in range(5000)), "bounced")
    start(shop, make_campaign(shop))
    if known == "that there are none":
        analyze_deliveries()
    plain, read = sending.run_sql, []
    # Of a group of 20: the person and whom they were merged into, the message and what else they get of the run, and the row
    # that changes (among those of this sender), two words, an address as it is and hashed.
    most = {"end_user": 40, "delivery": 40 + sending.CHUNK, "consent": 40, "suppression": 40}

    class Enough(Exception):
        """Some groups tell it of all."""

    def explained(path: str, **params: Any) -> Any:
        if path != "campaigns/hold_back":
            return plain(path, **params)
        told = execute(f"explain (analyze, format json) {read_sql(path)}", {**params, "workspace": shop.pk})
        plan = told[0]["QUERY PLAN"][0]["Plan"]
        read.append([rows_read(plan, table) for table in most])
        if len(read) == 3:
            raise Enough
        return []

    monkeypatch.setattr(sending, "run_sql", explained)
    with pytest.raises(Enough):
        sending.send_due(shop, "email")
    found = dict(zip(most, map(max, zip(*read, strict=True)), strict=True))
    assert {table: rows for table, rows in found.items() if rows > most[table]} == {}
