"""Night by night the same as everything made anew: every column of every row, whatever happened in between.

`NIGHTS=9 SEEDS=20 make test PYTEST_ARGS=tests/night/test_incremental.py` tries many more of them.
"""

from __future__ import annotations

import itertools
import os
import random
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta

import pytest
from django.db import connection, transaction

from ops_platform.nightly import run_night
from tests import builders
from tests.night.random_world import make_people, make_rows, one_row
from users.erasure import ask_erasure, run_erasure
from users.identity import merge_pending, undo_merge
from users.ingest import people
from users.ingest.normal import NormalAlias, NormalProfile, PersonKey
from users.models import (
    AttributeTally,
    EndUser,
    Event,
    Facts,
    FactsDue,
    FactsState,
    PersonDay,
    ProfileTally,
    Purchase,
    SpellCount,
)
from users.night import days_between
from users.services import record_events
from workspaces.models import Workspace
from workspaces.scoping import workspace_scope
from workspaces.services import create_workspace

# Everything a night writes, and what it goes on from.
TABLES = (
    "person_day purchase facts facts_state standing rfm_score rfm_cuts return_rate day_count stage_change activity_change"
    " rfm_change spell_count attribute"
).split()
WORLDS = {"ecommerce": "Asia/Shanghai", "finance": "Australia/Lord_Howe", "tool": "America/New_York"}
STEPS = (1, 1, 1, 1, 2, 3, 8, 45)
NIGHTS = int(os.environ.get("NIGHTS", 4))
SEEDS = int(os.environ.get("SEEDS", 1))


@pytest.mark.parametrize("seed", range(SEEDS))
@pytest.mark.parametrize("industry", WORLDS)
def test_a_night_comes_to_what_everything_made_anew_comes_to(db, industry, seed):
    assert live(industry, seed) == NIGHTS


def test_the_comparison_notices_days_that_never_leave_their_windows(db, monkeypatch):
    monkeypatch.setattr("users.night.leaving", lambda published, day, windows: days_between(published, day))
    with pytest.raises(AssertionError, match="visits_7"):
        live("tool", 1, 9)


def live(industry: str, seed: int, nights: int = NIGHTS) -> int:
    """Some nights of a random world, each compared with everything made anew; how many were the same. Raises
    AssertionError at the first that differs."""
    workspace = create_workspace("random", "Random", zone=WORLDS[industry], industry=industry)
    dice = random.Random(f"{industry}-{seed}")
    ids = make_people(workspace, dice, 40)
    rows = make_rows(workspace, dice, ids)
    # Most come in the order of time, some late, some before their day, some never.
    rows.sort(key=lambda row: row[2] + timedelta(days=dice.choice((0, 0, 0, 0, 1, 40, -30))))
    day, same = date(2026, 3, 1), 0
    for _ in range(nights):
        told = [row for row in rows if row[2].date() <= day + timedelta(days=1)]
        builders.events(workspace, told)
        rows = [row for row in rows if row[2].date() > day + timedelta(days=1)]
        run_night(workspace, day)
        differing = compare(workspace, day)
        assert not differing, f"{industry} {seed} {day}: {differing}"
        assert run_night(workspace, day)["changes"] == 0
        same += 1
        for happens in dice.sample(HAPPENINGS, 3):
            happens(workspace, dice, ids)
        day += timedelta(days=dice.choice(STEPS))
    return same


@pytest.mark.parametrize("seed", range(4))
def test_facts_that_were_made_alone_are_gone_on_from_on_the_same_day(db, seed):
    workspace, dice = create_workspace("random", "Random", industry="ecommerce"), random.Random(f"alone-{seed}")
    ids = make_people(workspace, dice, 40)
    day = date(2026, 5, 1)
    builders.events(workspace, [row for row in make_rows(workspace, dice, ids) if row[2].date() <= day])
    run_night(workspace, day)
    for _again in range(3):
        # The first night of a day tells of many, who are looked at again; the second of a few.
        day += timedelta(days=1)
        run_night(workspace, day)
        come_late(workspace, dice, ids)
        run_night(workspace, day, only="facts")
        run_night(workspace, day)
        assert not compare(workspace, day)


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch):  # type: ignore[no-untyped-def]
    monkeypatch.setattr("users.fold.FOLD_CHUNK", 9)
    monkeypatch.setattr("users.night.FACTS_CHUNK", 7)
    monkeypatch.setattr("users.attributes.CHUNK", 11)


class Killed(Exception):
    """What a killed worker leaves: a transaction that never ended."""


def test_a_night_that_is_killed_in_any_chunk_is_gone_on_with(db, monkeypatch):
    """One chunk after the other is cut off, each in a night of its own, just before it would have ended."""
    workspace = create_workspace("random", "Random", zone="Asia/Shanghai", industry="tool")
    dice = random.Random("killed")
    ids = make_people(workspace, dice, 30)
    rows = make_rows(workspace, dice, ids, 60)
    day, at, killed = date(2026, 1, 20), 0, True
    while killed:
        builders.events(workspace, [row for row in rows if row[2].date() == day])
        come_late(workspace, dice, ids)
        killed = False
        with monkeypatch.context() as patch:
            patch.setattr("users.chunks.in_scope", cut_off(at))
            try:
                run_night(workspace, day)
            except Killed:
                killed = True
        run_night(workspace, day)
        assert not compare(workspace, day), f"killed in chunk {at}"
        at, day = at + 1, day + timedelta(days=1)
    assert at > 8


def cut_off(at: int) -> Callable[[Workspace, Callable[[], object]], object]:
    """As in_scope, but one call of it never ends."""
    calls = itertools.count()

    def run(workspace: Workspace, work: Callable[[], object]) -> object:
        with workspace_scope(workspace):
            answer = work()
            if next(calls) == at:
                raise Killed
        return answer

    return run


class Undo(Exception):
    """Ends a transaction of which nothing is to stay."""


def compare(workspace: Workspace, day: date) -> dict[str, list[str]]:
    """Rows of each table that differ from those of a night that finds nothing but events; some of them."""
    stored = snapshot(workspace)
    anew: dict[str, set[str]] = {}
    with suppress(Undo), transaction.atomic():
        with workspace_scope(workspace):
            for model in (Facts, FactsState, FactsDue, SpellCount, PersonDay, Purchase, AttributeTally, ProfileTally):
                model.objects.all()._raw_delete("default")
            Workspace.objects.filter(pk=workspace.pk).update(computed_by={})
            people.touch(set(Event.objects.values_list("end_user_id", flat=True)))
        run_night(workspace, day)
        anew = snapshot(workspace)
        raise Undo
    workspace.refresh_from_db()
    return {
        table: [
            f"{found}: {row}"
            for rows, found in ((stored[table] - anew[table], "stored"), (anew[table] - stored[table], "anew"))
            for row in sorted(rows)
        ][:4]
        for table in TABLES
        if stored[table] != anew[table]
    }


def snapshot(workspace: Workspace) -> dict[str, set[str]]:
    with workspace_scope(workspace), connection.cursor() as cursor:
        found = {}
        for table in TABLES:
            where = "people <> 0" if table == "spell_count" else "true"
            cursor.execute(
                f"select (to_jsonb(t) - 'spells_counted' - 'other_value' - 'digest')::text from {table} t where {where}"
            )
            found[table] = {row[0] for row in cursor.fetchall()}
        return found


def come_late(workspace: Workspace, dice: random.Random, ids: list[str]) -> None:
    with workspace_scope(workspace):
        known = list(EndUser.objects.filter(external_id__in=ids).values_list("external_id", flat=True))
    rows = [
        one_row(workspace, dice, dice.choice(known), ids, dice.randrange(150), 900_000 + dice.randrange(99_999))
        for _ in range(6)
    ]
    builders.events(workspace, rows)


def vanish(workspace: Workspace, dice: random.Random, ids: list[str]) -> None:
    with workspace_scope(workspace):
        for event in dice.sample(list(Event.objects.order_by("message_id")), 5):
            builders.remove_event(workspace, event)


def touch_without_reason(workspace: Workspace, dice: random.Random, ids: list[str]) -> None:
    builders.touch(workspace, dice.sample(ids, 5))


def exclude_or_not(workspace: Workspace, dice: random.Random, ids: list[str]) -> None:
    with workspace_scope(workspace):
        for person in dice.sample(list(EndUser.objects.order_by("external_id")), 3):
            EndUser.objects.filter(pk=person.pk).update(excluded=not person.excluded)


def mean_something_else(workspace: Workspace, dice: random.Random, ids: list[str]) -> None:
    name = dice.choice(("Chat Started", "Tool Run", "Order Completed", "App Opened"))
    builders.name(workspace, name, is_core=dice.random() < 0.5, is_passive=dice.random() < 0.2)


def merge(workspace: Workspace, dice: random.Random, ids: list[str]) -> None:
    at = datetime(2026, 3, 1, dice.randrange(24), tzinfo=UTC)
    record_events(
        workspace, [NormalAlias(PersonKey(dice.choice(ids)), PersonKey(dice.choice(ids)), at) for _ in range(3)]
    )
    merge_pending(workspace)


def part(workspace: Workspace, dice: random.Random, ids: list[str]) -> None:
    with workspace_scope(workspace):
        merged = list(EndUser.objects.filter(merged_into__isnull=False).order_by("external_id"))
        if merged:
            undo_merge(dice.choice(merged))


def tell_profiles(workspace: Workspace, dice: random.Random, ids: list[str]) -> None:
    at = datetime(2026, 4, 1, dice.randrange(24), tzinfo=UTC)
    traits = [
        {"balance": dice.randrange(3)},
        {"registered_at": "2026-03-05"},
        {"referred_by": "u1"},
        {"created": "2026-04-20"},
        {"city": "x"},
    ]
    record_events(
        workspace, [NormalProfile(PersonKey(dice.choice([*ids, "new"])), at, dice.choice(traits)) for _ in range(5)]
    )


def change_a_rule(workspace: Workspace, dice: random.Random, ids: list[str]) -> None:
    rules = {
        "rfm_window": 60,
        "habit_days": 2,
        "limit_days": 20,
        "slipping_percent": 40,
        "recommendation_days": 30,
        "pay_stage": True,
    }
    name = dice.choice(sorted(rules))
    workspace.settings = workspace.settings | {name: rules[name]}
    workspace.save(update_fields=["settings"])


def erase(workspace: Workspace, dice: random.Random, ids: list[str]) -> None:
    with workspace_scope(workspace):
        person = dice.choice(list(EndUser.objects.order_by("external_id")))
        erasure = ask_erasure(person)
    run_erasure(workspace, erasure.pk)


HAPPENINGS: tuple[Callable[[Workspace, random.Random, list[str]], None], ...] = (
    come_late, come_late, vanish, touch_without_reason, exclude_or_not, mean_something_else, merge, merge, part, tell_profiles,
    tell_profiles, change_a_rule, erase,
)  # fmt: skip
