"""Runs of a campaign against real local servers: started, stopped, gone on with, and whose message it is just now."""

from __future__ import annotations

import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.db.models.functions import Now

from campaigns import sending
from campaigns.channels import ChannelError
from campaigns.editing import save_campaign
from campaigns.local_servers import Fault, LocalInbox
from campaigns.models import Campaign, Delivery, Run
from campaigns.selectors import due_channels
from campaigns.services import cancel, copy, launch, move, put_back, start_due_runs, start_run, sweep
from campaigns.tasks import send_campaigns
from segmentation.models import Segment
from tests.conftest import make_world
from workspaces.errors import Conflict, DomainError
from workspaces.models import AuditEntry, Workspace
from workspaces.scoping import workspace_scope

from .sender import (
    connect,
    make_campaign,
    make_people,
    make_segment,
    refresh,
    send,
    start,
    states,
)

# --- stopping and starting ------------------------------------------------------------------------------------------


def test_launching_twice_makes_one_run(shop: Workspace, inbox: LocalInbox) -> None:
    make_people(shop, 3)
    campaign = make_campaign(shop)
    with workspace_scope(shop):
        launch(campaign)
        with pytest.raises(Conflict):
            launch(campaign)
        assert Run.objects.filter(campaign=campaign).count() == 1
    sending.send_due(shop, "email")
    assert len(inbox.messages()) == 3


def test_a_scheduled_campaign_starts_when_its_time_has_come(shop: Workspace, inbox: LocalInbox) -> None:
    make_people(shop, 2)
    campaign = make_campaign(shop)
    now = datetime.now(UTC)
    with workspace_scope(shop):
        launch(campaign, at=now + timedelta(hours=5))
        launch(campaign, at=now + timedelta(hours=2))
        assert [run.due_at for run in Run.objects.filter(campaign=campaign)] == [now + timedelta(hours=2)]
        assert start_due_runs(now + timedelta(hours=1)) == 0
    assert states(shop, campaign) == {}
    with workspace_scope(shop):
        assert start_due_runs(now + timedelta(hours=3)) == 1
        assert start_due_runs(now + timedelta(hours=3)) == 0
    sending.send_due(shop, "email")
    assert states(shop, campaign) == {"sent": 2}


def test_what_was_called_off_is_sent_when_launched_again_for_the_same_time(shop: Workspace) -> None:
    make_people(shop, 2)
    campaign = make_campaign(shop)
    at = datetime.now(UTC) + timedelta(hours=1)
    with workspace_scope(shop):
        launch(campaign, at=at)
        cancel(campaign)
        assert start_due_runs(at) == 0
        launch(campaign, at=at)
        run = Run.objects.get(campaign=campaign)
        assert (run.state, run.error, run.finished_at) == ("due", "", None)
        assert start_due_runs(at) == 1
    assert states(shop, campaign) == {"pending": 2}


def test_what_was_frozen_once_is_never_launched_again(shop: Workspace) -> None:
    """Whatever the campaign says of itself: its people have their messages."""
    make_people(shop, 2)
    campaign = make_campaign(shop)
    run = start(shop, campaign)
    with workspace_scope(shop):
        Campaign.objects.filter(pk=campaign.pk).update(state="draft")
        with pytest.raises(Conflict):
            launch(campaign, at=run.due_at + timedelta(hours=1))


def test_saving_what_was_read_before_a_launch_leaves_it_scheduled(shop: Workspace) -> None:
    make_people(shop, 2)
    read_before = make_campaign(shop)
    at = datetime.now(UTC) + timedelta(hours=1)
    with workspace_scope(shop):
        launch(Campaign.objects.get(pk=read_before.pk), at=at)
        save_campaign(read_before, {"name": "双十一"})
        kept = Campaign.objects.get(pk=read_before.pk)
        assert (kept.name, kept.state, kept.scheduled_at) == ("双十一", "scheduled", at)


def test_a_draft_is_not_sent_though_a_run_of_it_is_due(shop: Workspace) -> None:
    make_people(shop, 2)
    campaign = make_campaign(shop)
    with workspace_scope(shop):
        run = Run.objects.create(campaign=campaign, due_at=datetime.now(UTC))
        assert start_due_runs() == 0
        run.refresh_from_db()
        assert run.state == "cancelled", "nobody looks at it again every minute"
    assert states(shop, campaign) == {}


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("work", ["start", "sweep", "pause", "stop"])
def test_cancelling_and_what_works_by_itself_wait_in_one_order(inbox: LocalInbox, work: str) -> None:
    """Both lock the campaign and its run. Whoever comes second waits; neither is thrown out as one half of a deadlock."""
    shop = make_world().acme
    connect(shop, inbox)
    make_people(shop, 1)
    campaign = make_campaign(shop)
    if work == "start":
        at = datetime.now(UTC) + timedelta(minutes=1)
        with workspace_scope(shop):
            launch(campaign, at=at)
    else:
        job = sending.claim(shop, start(shop, campaign)) if work == "stop" else start(shop, campaign)

    def works() -> Any:
        try:
            if work == "pause":
                return sending.pause_runs(shop, "email", "no account")
            if work == "stop":
                return sending.stop(job, ChannelError(False, "connection", "away"))
            with workspace_scope(shop):
                return start_due_runs(at) if work == "start" else sweep()["finished"]
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        with workspace_scope(shop):
            Campaign.objects.select_for_update().get(pk=campaign.pk)
            if work == "stop":  # which needs no campaign: cancelling has come as far as the run
                list(Run.objects.select_for_update().filter(campaign=campaign))
            other = pool.submit(works)
            wait_for_a_lock()
            cancel(campaign)
        assert not other.result(30)
    with workspace_scope(shop):
        assert Run.objects.get(campaign=campaign).state == "cancelled"


def wait_for_a_lock(seconds: float = 20) -> None:
    """Until somebody in this database waits for a lock that another transaction holds."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        with connection.cursor() as cursor:
            cursor.execute("select pg_stat_clear_snapshot()")
            cursor.execute(
                "select exists (select from pg_stat_activity where datname = current_database()"
                " and pid <> pg_backend_pid() and cardinality(pg_blocking_pids(pid)) > 0)"
            )
            if cursor.fetchone()[0]:
                return
        time.sleep(0.05)
    raise AssertionError("nobody waits")


def test_a_time_that_has_passed_is_refused(shop: Workspace) -> None:
    campaign = make_campaign(shop)
    with workspace_scope(shop), pytest.raises(DomainError) as refused:
        launch(campaign, at=datetime.now(UTC) - timedelta(hours=1))
    assert refused.value.path == "scheduled_at"


def test_a_scheduled_campaign_that_cannot_start_goes_back_and_says_why(shop: Workspace) -> None:
    make_people(shop, 2)
    campaign = make_campaign(shop)
    at = datetime.now(UTC) + timedelta(hours=1)
    with workspace_scope(shop):
        launch(campaign, at=at)
        Campaign.objects.filter(pk=campaign.pk).update(content={})
        assert start_due_runs(at) == 0
        campaign.refresh_from_db()
        assert campaign.state == "draft"
        assert Run.objects.get(campaign=campaign).error
        assert Delivery.objects.count() == 0


@pytest.mark.parametrize("meanwhile", ["nothing", "another time", "the same time", "called off", "started"])
def test_what_an_operator_did_meanwhile_is_not_put_back(shop: Workspace, meanwhile: str) -> None:
    """What went wrong at the start is told after its transaction: by then the run may be another."""
    campaign = make_campaign(shop)
    at = datetime.now(UTC) + timedelta(hours=1)
    with workspace_scope(shop):
        run = launch(campaign, at=at)
        if meanwhile == "another time":
            launch(campaign, at=at + timedelta(hours=1))
        elif meanwhile == "the same time":
            assert launch(campaign, at=at) == run
        elif meanwhile == "called off":
            cancel(campaign)
        elif meanwhile == "started":
            start_run(run)
        put_back(run, "The segment is gone.")
        campaign.refresh_from_db()
        told = AuditEntry.objects.filter(action="campaign.not_started").count()
        runs = list(Run.objects.values_list("state", "error"))
    assert (campaign.state, runs, told) == {
        "nothing": ("draft", [("cancelled", "The segment is gone.")], 1),
        "another time": ("scheduled", [("due", "")], 0),
        "the same time": ("draft", [("cancelled", "The segment is gone.")], 1),
        "called off": ("draft", [("cancelled", "")], 0),
        "started": ("running", [("running", "")], 0),
    }[meanwhile]


def test_cancelling_stops_who_was_not_written_to(shop: Workspace, inbox: LocalInbox) -> None:
    make_people(shop, 10)
    campaign = make_campaign(shop)
    run = start(shop, campaign)
    inbox.fault("email", Fault("rcpt", reply="450 later", address="p0@example.com"))
    sending.send_due(shop, "email", seconds=0.0)
    with workspace_scope(shop):
        assert cancel(campaign) == 10
        sweep()
        with pytest.raises(Conflict):
            cancel(campaign)
    refresh(shop, run, campaign)
    assert (run.state, campaign.state) == ("cancelled", "cancelled")
    assert sending.send_due(shop, "email") == 0 and inbox.messages() == []
    assert states(shop, campaign) == {"suppressed/cancelled": 10}


def test_cancelling_while_a_group_is_on_its_way(
    shop: Workspace, inbox: LocalInbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is in flight still leaves and is recorded; one deferred by then is stopped by the sweeper."""
    make_people(shop, 45)
    campaign = make_campaign(shop)
    start(shop, campaign)
    inbox.fault("email", Fault("rcpt", reply="450 later"))
    plain, groups = sending.start_group, []

    def cancel_after_the_first_group(job: Any, ids: list[uuid.UUID]) -> Any:
        if groups:
            with workspace_scope(shop):
                cancel(campaign)
        groups.append(ids)
        return plain(job, ids) if len(groups) < 3 else []

    monkeypatch.setattr(sending, "start_group", cancel_after_the_first_group)
    with pytest.raises(Conflict):  # the third group cancels again
        sending.send_due(shop, "email")
    with workspace_scope(shop):
        sweep()
    assert len(inbox.messages()) == 19
    assert states(shop, campaign) == {"sent": 19, "suppressed/cancelled": 26}


def test_pausing_keeps_everything_and_resuming_goes_on(shop: Workspace, inbox: LocalInbox) -> None:
    make_people(shop, 4)
    campaign = make_campaign(shop)
    start(shop, campaign)
    with workspace_scope(shop):
        move(campaign, "pause")
        with pytest.raises(Conflict):
            move(campaign, "pause")
        assert due_channels() == []
    assert sending.send_due(shop, "email") == 0
    assert states(shop, campaign) == {"pending": 4}
    with workspace_scope(shop):
        move(campaign, "resume")
    assert sending.send_due(shop, "email") == 4


def test_a_time_slice_ends_between_groups_and_gives_the_rest_back(shop: Workspace, inbox: LocalInbox) -> None:
    make_people(shop, 60)
    campaign = make_campaign(shop)
    start(shop, campaign)
    inbox.fault("email", Fault("rcpt", delay=0.3))
    done = sending.send_due(shop, "email", seconds=0.2)
    assert done == 20
    assert states(shop, campaign) == {"sent": 20, "pending": 40}, "nothing waits for a lease to run out"
    assert sending.send_due(shop, "email") == 40


# --- leases ---------------------------------------------------------------------------------------------------------


def test_a_zombie_writes_nothing(shop: Workspace, inbox: LocalInbox) -> None:
    """F19: a sender sleeps past its lease; the sweeper makes its messages unknown; its late results are refused."""
    make_people(shop, 3)
    campaign = make_campaign(shop)
    run = start(shop, campaign)
    job = sending.claim(shop, run)
    assert job is not None
    for message in sending.messages(job):
        job.waiting.append(sending.Result(message.delivery_id, "sent", "late"))
    with workspace_scope(shop):
        Delivery.objects.filter(state="sending").update(lease_until=Now() - timedelta(seconds=1))
        assert sweep()["unknown"] == 3
        sending.record(job)
    assert job.done == 0 and states(shop, campaign) == {"unknown/sender_died": 3}


@pytest.mark.parametrize("joins", ["hash", "nested"])
def test_a_claim_takes_no_more_than_a_chunk_however_it_is_planned(
    shop: Workspace, monkeypatch: pytest.MonkeyPatch, joins: str
) -> None:
    make_people(shop, 60)
    run = start(shop, make_campaign(shop))
    monkeypatch.setattr(sending, "CHUNK", 7)
    if joins == "nested":
        with connection.cursor() as cursor:
            for plan in ("hashjoin", "mergejoin", "material", "indexscan", "bitmapscan"):
                cursor.execute("select set_config(%s, 'off', true)", [f"enable_{plan}"])
    jobs = [sending.claim(shop, run) for _chunk in range(3)]
    assert [len(job.rows) for job in jobs if job] == [7, 7, 7]


def test_a_claim_that_ran_out_goes_back_and_is_sent_once(shop: Workspace, inbox: LocalInbox) -> None:
    make_people(shop, 3)
    campaign = make_campaign(shop)
    run = start(shop, campaign)
    dead = sending.claim(shop, run)
    assert dead is not None and sending.claim(shop, run) is None, "two senders never hold the same row"
    with workspace_scope(shop):
        Delivery.objects.filter(state="claimed").update(lease_until=Now() - timedelta(seconds=1))
        assert sweep() == {"swept": 3, "unknown": 0, "finished": 0}
        assert sweep()["swept"] == 0
    assert sending.send_due(shop, "email") == 3
    assert sending.start_group(dead, list(dead.rows)) == [], "the dead sender may not start them any more"
    assert len(inbox.messages()) == 3


def test_a_slow_sender_keeps_its_lease(shop: Workspace, inbox: LocalInbox, monkeypatch: pytest.MonkeyPatch) -> None:
    make_people(shop, 4)
    campaign = make_campaign(shop)
    run = start(shop, campaign)
    job = sending.claim(shop, run)
    assert job is not None
    with workspace_scope(shop):
        Delivery.objects.filter(run=run).update(lease_until=Now() + timedelta(seconds=1))
    job.renew_at = 0.0
    assert sending.work(job)
    assert states(shop, campaign) == {"sent": 4}
    assert job.renew_at > 0


# --- the task -------------------------------------------------------------------------------------------------------


def test_the_task_starts_sends_and_closes(shop: Workspace, inbox: LocalInbox) -> None:
    make_people(shop, 3)
    campaign = make_campaign(shop)
    with workspace_scope(shop):
        run = Run.objects.create(campaign=campaign, due_at=datetime.now(UTC))
        Campaign.objects.filter(pk=campaign.pk).update(state="scheduled")
    assert send_campaigns(str(shop.pk)) == {"started": 1, "results": 3, "finished": 1}
    assert send_campaigns(str(shop.pk)) == {"started": 0, "results": 0, "finished": 0}
    refresh(shop, run, campaign)
    assert (run.state, campaign.state) == ("finished", "finished")


def test_an_audience_of_nobody_finishes_at_once(shop: Workspace) -> None:
    make_segment(shop)
    campaign = make_campaign(shop)
    run = send(shop, campaign)
    assert (run.state, run.matched) == ("finished", 0)


def test_a_copy_is_a_draft_with_a_salt_of_its_own(shop: Workspace) -> None:
    campaign = make_campaign(shop)
    with workspace_scope(shop):
        other = copy(campaign)
    assert other.state == "draft" and other.salt != campaign.salt and other.content == campaign.content


def test_a_segment_in_the_archive_cannot_be_sent_to(shop: Workspace) -> None:
    campaign = make_campaign(shop)
    with workspace_scope(shop):
        Segment.objects.filter(pk=campaign.segment_id).update(archived_at=datetime.now(UTC))
        with pytest.raises(DomainError) as refused:
            launch(campaign)
    assert refused.value.path == "segment"
