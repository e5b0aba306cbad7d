"""The night against the independent oracle: every column of everybody, several nights in a row, rows arriving late."""

from __future__ import annotations

import random
from datetime import UTC, date, datetime
from io import StringIO

import pytest
from django.core.management import call_command
from django.db.models import Count, Sum

from ops_platform.nightly import run_night
from tests import builders
from tests.night.against_oracle import departures
from tests.night.random_world import make_people, make_rows
from tests.oracle import cdnow
from users.identity import merge_pending, undo_merge
from users.ingest.normal import NormalAlias, NormalEvent, NormalProfile, PersonKey
from users.mapping import apply_preset
from users.models import EndUser, Event, Facts
from users.services import record_events
from workspaces.models import Workspace
from workspaces.scoping import workspace_scope
from workspaces.services import create_workspace

NIGHTS = (date(2026, 5, 1), date(2026, 5, 2), date(2026, 6, 30), date(2026, 9, 15))
WORLDS = {
    "ecommerce": ("Asia/Shanghai", {}),
    "none": ("America/New_York", {"rfm_window": 90}),
    "ugc": ("UTC", {"limit_rule": "fixed", "slipping_percent": 55, "habit_days": 1}),
    "finance": ("Australia/Lord_Howe", {"balance_floor": 1, "rfm_window": None}),
    "game": ("Pacific/Apia", {"limit_rule": "personal", "limit_days": 17, "rfm_window": 30, "recommendation_days": 40}),
}


def agree(workspace: Workspace, day: date) -> None:
    found = departures(workspace, day)
    assert found.empty, f"{workspace.industry} {day}:\n{found.to_string(max_rows=12)}"


@pytest.mark.parametrize("industry", WORLDS)
def test_every_number_of_a_random_world_is_the_oracles_night_after_night(db, industry):
    zone, settings = WORLDS[industry]
    workspace = create_workspace("random", "Random", zone=zone, industry=industry, settings=settings)
    dice = random.Random(industry)
    ids = make_people(workspace, dice, 60)
    rows = make_rows(workspace, dice, ids)
    dice.shuffle(rows)
    share = len(rows) // len(NIGHTS) + 1
    for number, day in enumerate(NIGHTS):
        # Each night sees another quarter of the history, late rows and rows of days to come among them.
        builders.events(workspace, rows[number * share : (number + 1) * share])
        run_night(workspace, day)
        agree(workspace, day)
        assert run_night(workspace, day)["changes"] == 0
        change_something(workspace, dice)
        say_who_is_who(workspace, dice, ids, number)
    run_night(workspace, NIGHTS[-1])
    agree(workspace, NIGHTS[-1])


def change_something(workspace: Workspace, dice: random.Random) -> None:
    """Between nights people are excluded or taken back, events vanish, and event names change their meaning."""
    with workspace_scope(workspace):
        people = list(EndUser.objects.order_by("external_id"))
        for person in dice.sample(people, 3):
            EndUser.objects.filter(pk=person.pk).update(excluded=not person.excluded)
        for event in dice.sample(list(Event.objects.order_by("message_id")), 10):
            builders.remove_event(workspace, event)
    builders.name(workspace, "Chat Started", is_core=dice.random() < 0.5, is_passive=dice.random() < 0.5)


def say_who_is_who(workspace: Workspace, dice: random.Random, ids: list[str], number: int) -> None:
    """Visitors come, log in, share a device; two users turn out to be one; one of the merges is taken back.

    Rows that come later under an id that was merged are written there, as by somebody who did not know yet.
    """
    visitors = [PersonKey(f"v{number}-{n}", False) for n in range(4)]
    moments = [datetime(2026, 3, 1, n, tzinfo=UTC) for n in range(24)]
    record_events(
        workspace,
        [
            *(
                NormalEvent(one, "App Opened", f"{one.external_id}-{n}", at, at)
                for one in visitors
                for n, at in enumerate(moments[::7])
            ),
            *(
                NormalProfile(
                    PersonKey(dice.choice(ids)), dice.choice(moments), visitor=dice.choice(visitors).external_id
                )
                for _ in range(6)
            ),
            *(
                NormalAlias(PersonKey(dice.choice(ids)), PersonKey(dice.choice(ids)), dice.choice(moments))
                for _ in range(2)
            ),
        ],
    )
    merge_pending(workspace)
    with workspace_scope(workspace):
        undo_merge(dice.choice(list(EndUser.objects.filter(merged_into__isnull=False).order_by("external_id"))))


def test_cdnow_is_the_oracles_for_every_customer(db):
    workspace = create_workspace("cdnow", "CDNOW", zone="UTC", currency="USD", industry="ecommerce")
    events, people = cdnow.frames()
    with workspace_scope(workspace):
        EndUser.objects.bulk_create(
            builders.unsaved_people(workspace, zip(people.external_id, people.created_at, strict=True))
        )
    builders.events(workspace, builders.rows_of(events))
    for day in (date(1997, 9, 30), cdnow.LAST_DAY):
        summary = run_night(workspace, day)
        agree(workspace, day)
    assert summary["steps"][1]["counts"]["people"] == 2357
    assert run_night(workspace, cdnow.LAST_DAY)["changes"] == 0


def test_cdnow_master_is_the_oracles_for_every_customer(db):
    """All 23,570 customers, taken in by the import of files."""
    workspace = create_workspace("master", "CDNOW", zone="UTC", currency="USD", industry="ecommerce")
    with workspace_scope(workspace):
        apply_preset(workspace.industry)
    columns = {
        "external_id": "customer_id:int",
        "time": "date:%Y%m%d",
        "cds": "number_of_cds",
        "amount": "dollar_value",
    }
    call_command(
        "import_events",
        str(cdnow.path_of("CDNOW_master.txt")),
        workspace=workspace.slug,
        map=[f"{role}={column}" for role, column in columns.items()],
        event="Order Completed",
        delimiter="whitespace",
        header=True,
        stdout=StringIO(),
    )
    run_night(workspace, cdnow.LAST_DAY)
    agree(workspace, cdnow.LAST_DAY)
    with workspace_scope(workspace):
        whole = Facts.objects.aggregate(Count("pk"), Sum("orders"), Sum("revenue_minor"), Sum("active_days"))
    # As published: customers, orders, dollars, days on which a customer bought.
    assert list(whole.values()) == [23_570, 69_659, 250_031_563, 67_591]
