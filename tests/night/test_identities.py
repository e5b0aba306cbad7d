"""Merging beside everything else: while a night runs, and what was sent to whom."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection

from campaigns.models import Campaign, Delivery, Feedback, Run
from campaigns.selectors import deliveries_to
from ops_platform.nightly import run_night
from segmentation.models import Segment, SegmentMember
from tests import builders
from tests.conftest import make_world
from tests.night.reading import days, facts, night
from users.identity import merge_pending, undo_merge
from users.ingest.normal import NormalAlias, NormalEvent, NormalProfile, PersonKey
from users.models import EndUser, Event, PersonDay, Purchase, person_id
from users.services import record_events
from workspaces.models import Workspace
from workspaces.scoping import workspace_scope

DAY = datetime(2026, 8, 1, 4, tzinfo=UTC)


@pytest.fixture(autouse=True)
def roles(request):  # type: ignore[no-untyped-def]
    """The order's event is an order in the tests that use the workspace of the world."""
    if "acme" in request.fixturenames:
        builders.name(request.getfixturevalue("acme"), "Order Completed")


def bought(name: str, message: str, days_later: int = 0, *, visitor: bool = False) -> NormalEvent:
    at = DAY + timedelta(days=days_later)
    return NormalEvent(
        PersonKey(name, not visitor), "Order Completed", message, at, at, '{"total": 10}', 1000, f"o-{message}"
    )


def sent(workspace: Workspace, run: Run, name: str, state: str = "sent") -> Delivery:
    delivery = Delivery(
        workspace=workspace, end_user_id=person_id(workspace.pk, name), run=run, channel="email", state=state
    )
    Delivery.objects.bulk_create([delivery])
    return delivery


def holders(workspace: Workspace, run: Run) -> dict[str, str]:
    """Who has which delivery of a run, by state."""
    names = dict(EndUser.objects.values_list("pk", "external_id"))
    return {
        f"{names[row.end_user_id]} {row.state}": names.get(row.origin_id, "")
        for row in Delivery.objects.filter(run=run)
    }


def test_days_purchases_and_facts_follow_both_ways(acme):
    record_events(acme, [bought("v1", "a", visitor=True), bought("u1", "b", 1), bought("u2", "c", 2)])
    night(acme, "2026-08-10")
    record_events(
        acme,
        [NormalProfile(PersonKey("u1"), DAY, visitor="v1"), NormalAlias(PersonKey("u2"), PersonKey("u1"), DAY)],
    )
    night(acme, "2026-08-11")
    assert (facts(acme, "u2").orders, facts(acme, "u2").revenue_minor, facts(acme, "u1")) == (3, 3000, None)
    assert sorted(days(acme, "u2")) == ["2026-08-01", "2026-08-02", "2026-08-03"] and days(acme, "u1") == {}
    with workspace_scope(acme):
        assert {row.end_user_id for row in Purchase.objects.all()} == {person_id(acme.pk, "u2")}
        undo_merge(EndUser.objects.get(external_id="u1"))
    night(acme, "2026-08-12")
    # The visitor logged in as u1, so it goes with them.
    assert (facts(acme, "u2").orders, facts(acme, "u1").orders) == (1, 2)
    assert sorted(days(acme, "u1")) == ["2026-08-01", "2026-08-02"]


def test_an_inviter_who_was_merged_is_the_person_who_remains(acme):
    record_events(acme, [bought("u1", "a"), bought("friend", "b", 1), bought("friend", "c", 2)])
    record_events(acme, [NormalProfile(PersonKey("friend"), DAY, {"referred_by": "u1"})])
    night(acme, "2026-08-10")
    assert facts(acme, "u1").recommendations == 1
    record_events(acme, [NormalAlias(PersonKey("u2"), PersonKey("u1"), DAY)])
    night(acme, "2026-08-11")
    assert facts(acme, "u2").recommendations == 1


def test_deliveries_and_feedback_follow_once_they_are_final(acme):
    record_events(acme, [bought("u1", "a"), bought("u2", "b"), bought("u3", "c")])
    with workspace_scope(acme):
        campaign = Campaign.objects.create(workspace=acme, name="c")
        one, two = (
            Run.objects.create(workspace=acme, campaign=campaign, due_at=DAY + timedelta(days=n)) for n in (0, 1)
        )
        mine = sent(acme, one, "u1")
        Feedback.objects.bulk_create(
            [Feedback(workspace=acme, end_user_id=mine.end_user_id, delivery_id=mine.delivery_id, run=one, kind="open")]
        )
        sent(acme, two, "u1", "sending")
        sent(acme, two, "u3")
    record_events(acme, [NormalAlias(PersonKey("u2"), PersonKey("u1"), DAY)])
    merge_pending(acme)
    with workspace_scope(acme):
        assert holders(acme, one) == {"u2 sent": "u1"} and holders(acme, two) == {"u1 sending": "", "u3 sent": ""}
        assert Feedback.objects.get().end_user_id == person_id(acme.pk, "u2")
        Delivery.objects.filter(state="sending").update(state="sent")
    night(acme, "2026-08-10")
    with workspace_scope(acme):
        assert holders(acme, two) == {"u2 sent": "u1", "u3 sent": ""}
    # A run has one delivery per person: the second stays with its id, and the page still shows it.
    record_events(acme, [NormalAlias(PersonKey("u3"), PersonKey("u2"), DAY + timedelta(hours=1))])
    night(acme, "2026-08-11")
    with workspace_scope(acme):
        assert holders(acme, one) == {"u3 sent": "u1"} and len(holders(acme, two)) == 2
        ids = [person_id(acme.pk, name) for name in ("u1", "u2", "u3")]
        assert len(deliveries_to(*ids)) == 3
        undo_merge(EndUser.objects.get(external_id="u1"))
        assert holders(acme, one) == {"u1 sent": ""} and Feedback.objects.get().end_user_id == ids[0]


def test_a_segment_counts_the_person_and_not_the_merged_id(acme):
    record_events(acme, [bought("u1", "a"), bought("u2", "b")])
    rule = {"kind": "event_count", "event": "Order Completed", "times": "at_least", "count": 2}
    with workspace_scope(acme):
        segment = Segment.objects.create(workspace=acme, name="buyers", definition={"all": [rule]})
    night(acme, "2026-08-10")
    record_events(acme, [NormalAlias(PersonKey("u2"), PersonKey("u1"), DAY)])
    night(acme, "2026-08-11")
    with workspace_scope(acme):
        members = {row.end_user_id for row in SegmentMember.objects.filter(segment=segment)}
    assert members == {person_id(acme.pk, "u2")}


@pytest.mark.django_db(transaction=True)
def test_merging_during_a_night_ends_as_merging_before_it():
    workspace = make_world().acme
    builders.name(workspace, "Order Completed")
    record_events(workspace, [bought(f"v{n}", f"v{n}-{m}", m, visitor=True) for n in range(40) for m in range(3)])
    record_events(workspace, [bought(f"u{n}", f"u{n}-{m}", m + 5) for n in range(40) for m in range(3)])
    errors: list[Exception] = []

    def merge() -> None:
        try:
            for n in range(40):
                record_events(workspace, [NormalProfile(PersonKey(f"u{n}"), DAY, visitor=f"v{n}")])
                merge_pending(workspace, strays=False)
        except Exception as error:
            errors.append(error)
        finally:
            connection.close()

    thread = threading.Thread(target=merge)
    thread.start()
    for day in range(10, 14):
        run_night(Workspace.objects.get(pk=workspace.pk), datetime(2026, 8, day, tzinfo=UTC).date())
    thread.join()
    assert errors == []
    run_night(Workspace.objects.get(pk=workspace.pk), datetime(2026, 8, 14, tzinfo=UTC).date())
    with workspace_scope(workspace):
        owners = {person_id(workspace.pk, f"u{n}") for n in range(40)}
        assert Event.objects.count() == 240
        assert {row.end_user_id for row in PersonDay.objects.all()} == owners and PersonDay.objects.count() == 240
        assert Purchase.objects.count() == 240
    assert facts(workspace, "u7").orders == 6
