"""Erasing a person: nothing of them is left anywhere, nothing brings them back, and the numbers stay as they were told."""

from __future__ import annotations

import uuid
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import transaction
from django.utils import timezone

from campaigns.audience import measure_reach
from campaigns.models import Campaign, Delivery, Suppression
from campaigns.selectors import report
from campaigns.suppressions import release
from lifecycle.models import StageChange, Standing
from ops_platform.nightly import run_night
from segmentation.models import Segment
from tests import builders
from users.erasure import ask_erasure, do_step, due_erasures, run_erasure
from users.identity import merge_pending
from users.import_run import run_import
from users.imports import mapping_of, receive_file, start_import
from users.models import EndUser, ErasedId, Erasure, Event, EventName, Import, person_id
from users.night import NIGHT_LEASE
from users.person_tables import registered
from workspaces.leases import lease
from workspaces.models import AuditEntry, Workspace
from workspaces.scoping import workspace_scope

from .canary import (
    CANARY,
    EMAIL,
    LATER,
    USER,
    VISITOR,
    erase,
    identify,
    kept_elsewhere,
    plant,
    rows_with,
    words_of,
)
from .conftest import track


@pytest.fixture
def canary(world: Any, send: Any, media: Path) -> Workspace:
    return plant(world, send)


def test_nothing_of_an_erased_person_is_left_anywhere(canary: Workspace, media: Path) -> None:
    words = words_of(canary)
    with workspace_scope(canary):
        tables = {row.partition(":")[0] for row in rows_with(*words)}
        assert {model._meta.db_table for model in registered() if model is not Event} - {
            "touched",
            "person_news",
        } <= tables
        assert {
            "audit_entry",
            "import_batch",
            "import_error",
            "ingest_error",
            "suppression",
            "arrival",
            "run",
        } <= tables
    assert any(CANARY.encode() in part for part in kept_elsewhere(media))

    erasure = erase(canary)
    with workspace_scope(canary):
        assert (erasure.state, erasure.person_id, erasure.about) == ("done", None, None) and erasure.rows > 20
        assert rows_with(*words) == [], "\n".join(rows_with(*words))
        assert not due_erasures(timezone.now() + LATER)
        entry = AuditEntry.objects.get(action="people.erase")
        assert entry.target == str(erasure.pk)
    assert not [part for part in kept_elsewhere(media) for word in words if word.encode() in part]


def test_what_is_sent_late_does_not_bring_them_back(canary: Workspace, send: Any, media: Path) -> None:
    erase(canary)
    late = [
        send("track", track("m9", userId=USER, properties={"note": CANARY})),
        send("identify", identify(messageId="i9")),
        send("identify", identify(messageId="i10", userId="somebody", anonymousId=VISITOR)),
        send("identify", identify(messageId="i11", anonymousId=f"{CANARY}-tablet")),
        send("alias", {"type": "alias", "userId": "somebody", "previousId": USER, "messageId": "a9"}),
    ]
    assert {answer.status_code for answer in late} == {200}
    batch = {"batch": [track("m20", userId=USER), track("m21", userId="neighbour")]}
    assert [item["status"] for item in send("batch", batch).json()["items"]] == ["erased", "accepted"]
    upload_late(canary)
    merge_pending(canary)
    with workspace_scope(canary):
        assert rows_with(*words_of(canary)[:4]) == []
        assert set(EndUser.objects.values_list("external_id", flat=True)) == {"friend", "neighbour"}
        assert sum(ErasedId.objects.values_list("dropped", flat=True)) >= 6, "messages; some say two things"


def upload_late(acme: Workspace) -> None:
    """The same rows again, in a file that is taken in after the erasure, and deleted."""
    rows = f"user_id,event,timestamp\n{USER},Order Completed,2026-07-30 10:00:00\nfriend,Order Completed,2026-07-30 10:00:00\n"
    with workspace_scope(acme):
        file = receive_file(SimpleUploadedFile("late.csv", rows.encode()), "late.csv")
        start_import(file, mapping_of(file), dry_run=False)
    done = run_import(acme, file.pk)
    assert done and (done.accepted, done.duplicates, done.rejected) == (1, 0, 1)
    with workspace_scope(acme):
        Import.objects.filter(pk=file.pk).delete()


def test_an_erasure_that_is_killed_at_any_step_goes_on(canary: Workspace, send: Any, media: Path) -> None:
    with workspace_scope(canary):
        erasure = ask_erasure(EndUser.objects.get(external_id=USER))
        assert ask_erasure(EndUser.objects.get(external_id=USER)).pk == erasure.pk, "asked twice, it is one"
    now = timezone.now()
    more, steps = True, 0
    while more or now < timezone.now() + LATER:
        if not more:
            now += 2 * LATER
        with workspace_scope(canary):
            do_step(canary, erasure.pk, now)
            transaction.set_rollback(True)  # killed before the commit
        if steps in (3, 9):
            send("track", track(f"late-{steps}", userId=USER, properties={"note": CANARY}))
        with workspace_scope(canary):
            more = do_step(canary, erasure.pk, now)
        steps += 1
    with workspace_scope(canary):
        assert rows_with(*words_of(canary)) == [] and steps > 30


def test_what_was_written_while_they_were_erased_is_found_by_the_second_pass(canary: Workspace, media: Path) -> None:
    with workspace_scope(canary):
        erasure = ask_erasure(EndUser.objects.get(external_id=USER))
        run_erasure(canary, erasure.pk)
        name = EventName.objects.get(name="Order Completed")
        Event.objects.create(
            workspace=canary, end_user_id=person_id(canary.pk, USER), client_at=datetime(2026, 8, 1, tzinfo=UTC),
            event_id=uuid.uuid4(), at=timezone.now(), received_at=timezone.now(), name=name, message_id=CANARY,
        )  # fmt: skip
        assert due_erasures(timezone.now()) == [], "it waits for whoever had begun to write"
        assert due_erasures(timezone.now() + LATER) == [erasure.pk]
        run_erasure(canary, erasure.pk, timezone.now() + LATER)
        assert rows_with(*words_of(canary)) == []


def test_the_second_pass_waits_for_a_night_that_began_before(canary: Workspace, media: Path) -> None:
    with workspace_scope(canary):
        erasure = ask_erasure(EndUser.objects.get(external_id=USER))
    run_erasure(canary, erasure.pk)
    with lease(canary, NIGHT_LEASE):
        run_erasure(canary, erasure.pk, timezone.now() + LATER)
    with workspace_scope(canary):
        assert Erasure.objects.get().state == "settling"
    run_erasure(canary, erasure.pk, timezone.now() + LATER)
    with workspace_scope(canary):
        assert Erasure.objects.get().state == "done"


def test_numbers_that_were_told_stay_and_the_next_night_tells_that_somebody_left(
    canary: Workspace, media: Path
) -> None:
    day = date(2026, 8, 2)
    with workspace_scope(canary):
        campaign = Campaign.objects.get()
        Delivery.objects.update(arm="treated", state="sent", converted_at=timezone.now(), revenue_minor=500)
        told = report(campaign)
        standings = Standing.objects.count()
        joined = StageChange.objects.filter(from_stage="", day=day).count()
    erase(canary)
    run_night(canary, day + timedelta(days=1), "command")
    with workspace_scope(canary):
        assert report(campaign) == told
        assert StageChange.objects.filter(from_stage="", day=day).count() == joined
        left = StageChange.objects.get(to_stage="")
        assert left.day == day + timedelta(days=1) and not EndUser.objects.filter(pk=left.end_user_id).exists()
        assert Standing.objects.count() == standings - 1


def test_an_address_of_theirs_is_not_written_to_whoever_brings_it(canary: Workspace, media: Path) -> None:
    erase(canary)
    builders.person(canary, "partner", email=EMAIL.upper(), attributes={"note": "x"})
    with workspace_scope(canary):
        segment = Segment.objects.get()
        reach = measure_reach(segment).reach["email"]
        assert (reach.reachable, reach.reasons.get("suppressed")) == (0, 1)
        assert not Suppression.objects.filter(address__contains="mail.example").exists()
        assert release("email", EMAIL)
        assert measure_reach(segment).reach["email"].reachable == 1
