"""The benchmark's people and events: what bulk loading leaves is what the write path would have."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from functools import partial
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from ops_platform.bench_data import texts
from ops_platform.bench_data.crowd import LAST_DAY
from ops_platform.bench_data.load import Size, add_day, leave_out, load, make_workspace
from ops_platform.nightly import run_night
from tests.night.against_oracle import departures
from users.models import EndUser, Event, EventName, IdentityLink, Touched
from users.services import record_events
from workspaces.models import Workspace
from workspaces.scoping import workspace_scope

SMALL = Size(users=900, events=6_000, days=60)


def made(slug: str, size: Size = SMALL) -> Workspace:
    workspace = make_workspace(slug, size)
    load(workspace, size, 1, lambda line: None)
    return workspace


def stored(workspace: Workspace) -> dict[str, Any]:
    """Every row that the write path leaves, under ids that do not depend on the workspace."""
    with workspace_scope(workspace):
        who = dict(EndUser.objects.values_list("pk", "external_id"))
        names = dict(EventName.objects.values_list("pk", "name"))
        skipped = {"workspace_id", "id", "pk"}
        people = [{k: v for k, v in row.items() if k not in skipped} for row in EndUser.objects.values()]
        events = [
            (
                who[e.end_user_id],
                names[e.name_id],
                *(e.client_at, e.at, e.received_at, e.message_id),
                *(str(sorted(e.properties.items())), e.amount_minor, e.order_id, e.origin_id),
            )
            for e in Event.objects.all()
        ]
        links = [(who[x.end_user_id], who[x.known_id], x.at, x.kind, x.pending) for x in IdentityLink.objects.all()]
        roles = list(
            EventName.objects.order_by("name").values("name", "is_core", "is_order", "is_refund", "is_passive")
        )
        return {
            "people": sorted(people, key=lambda row: row["external_id"]),
            "events": sorted(events, key=lambda row: row[5]),
            "links": sorted(links),
            "touched": {who[pk] for row in Touched.objects.all() for pk in row.people},
            "names": roles,
        }


def test_the_bulk_load_leaves_the_rows_of_the_write_path(db):
    bulk = stored(made("bulk"))
    sent = make_workspace("sent", SMALL)
    crowd = SMALL.crowd(sent)
    first = SMALL.first_ago
    record_events(sent, crowd.profiles(0, crowd.known(first + 1)), crowd.start(first))
    for ago in range(first, -1, -1):
        day = crowd.day(ago)
        record_events(sent, [*day.people, *day.events], crowd.start(ago - 1))
    with workspace_scope(sent):
        leave_out(sent, crowd.staff(0))
    whole = stored(sent)
    for table, rows in whole.items():
        assert bulk[table] == rows, table
    assert len(whole["events"]) == SMALL.events and len(whole["names"]) >= 25
    assert {row["external_id"] for row in whole["people"]} >= {f"user-{n}" for n in range(SMALL.users)}
    assert whole["links"] and any(row["excluded"] for row in whole["people"])


def test_a_longer_history_has_the_same_people_and_the_same_last_days(db):
    short = make_workspace("short", SMALL)
    crowd = SMALL.crowd(short)
    for n in (0, 7):
        assert crowd.day(n) == replace(SMALL, history=3).crowd(short).day(n)
    assert [crowd.events_on(ago) for ago in (-2, -1, 0, 19)] == [100] * 4


def test_a_day_more_brings_late_events_repeats_and_merges_and_every_number_is_the_oracles(db):
    workspace = made("bench")
    run_night(workspace, LAST_DAY)
    more = partial(add_day, workspace, SMALL)
    told = [more() for _ in range(3)]
    assert workspace.today() == LAST_DAY + timedelta(days=3)
    assert all(day["accepted"] > 100 and day["duplicate"] >= 2 for day in told)
    with workspace_scope(workspace):
        fresh = Event.objects.filter(received_at__gt=SMALL.crowd(workspace).start(-1))
        assert min(fresh.values_list("at", flat=True)) < SMALL.crowd(workspace).start(1)
    run_night(workspace, workspace.today())
    assert departures(workspace, workspace.today()).empty


def test_properties_have_the_size_of_real_ones():
    made_texts = [text for pool in texts.make(7) for text in pool[:50]]
    sizes = [len(text.encode()) for text in made_texts]
    assert len(texts.ALL_NAMES) == 25 and min(sizes) >= 60 and max(sizes) <= 120


def test_the_command_makes_and_adds(db):
    out = StringIO()
    size = {"users": 200, "events": 3_000, "days": 10, "processes": 1, "stdout": out}
    call_command("make_bench_data", workspace="shop", **size)
    call_command("make_bench_data", workspace="shop", add_day=True, **size)
    assert "3,000 events" in out.getvalue() and "2026-07-01" in out.getvalue()
    with pytest.raises(CommandError, match="nowhere"):
        call_command("make_bench_data", workspace="nowhere", add_day=True, **size)
    with pytest.raises(CommandError, match="at least"):
        call_command("make_bench_data", workspace="few", **size | {"events": 5})
