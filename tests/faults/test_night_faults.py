"""F11, F13–F16: workers of the night that are killed, doubled, late and wrong about the time. Each scenario has a
sabotage with which it must fail."""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.db import connection, transaction

from ops_platform import nightly, schedule
from ops_platform.celery import SWEEP_SECONDS
from ops_platform.models import Night, NightStep, Slot
from tests import builders
from tests.night.reading import LOOK
from workspaces.leases import lease, list_expired
from workspaces.models import Workspace
from workspaces.scoping import workspace_scope
from workspaces.sql import database_now

from .conftest import FULL, only_in_the_lab
from .histories import make_history, miscounted, noon, results
from .lab import NightWorkers, wait_until

pytestmark = [pytest.mark.faults, pytest.mark.django_db(transaction=True)]

FEW = 40
TENANTS, PEOPLE, RANDOM_KILLS = (20, 10_000, 50) if FULL else (1, 40, 3)
READ_PEOPLE, PUBLISHES = (200_000, 50) if FULL else (200, 3)
PREPARING = [step.key for step in nightly.STEPS if step.prepares]
DECIDING = [step.key for step in nightly.STEPS if not step.prepares]
FAILPOINTS = [f"{step}:working" for step in PREPARING + DECIDING]
FAILPOINTS += [f"{step}:committed" for step in [*PREPARING, DECIDING[0]]]
FAILPOINTS += ["publish:before", "publish:after"]
SMOKE = ["facts:working", "activity:committed", "stages:working", "publish:before"]


@pytest.fixture(scope="module")
def workers(django_db_setup: None) -> Iterator[NightWorkers]:
    with NightWorkers() as running:
        yield running


def due_day(workspace: Workspace) -> date:
    """The day whose night the schedule would run now."""
    day = schedule.outstanding(Workspace(zone=workspace.zone), datetime.now(UTC), None)
    assert day
    return day


@pytest.fixture
def shop(db: None) -> Workspace:
    return make_history("shop", FEW, noon(1))


@pytest.fixture
def crowd(db: None) -> Workspace:
    return make_history("crowd", PEOPLE, noon(1))


@pytest.fixture
def twin(db: None) -> dict[str, Any]:
    """What a night makes of the same history when nobody kills it."""
    workspace = make_history("twin", PEOPLE, noon(1))
    nightly.run_night(workspace, due_day(workspace))
    return results(workspace)


def told(workspace: Workspace, day: date) -> tuple[str, int]:
    with workspace_scope(workspace):
        night = Night.objects.get(day=day)
    return night.state, night.runs


def forget_nights(workspace: Workspace) -> None:
    """As if no night had been: the next has to do everything again."""
    with workspace_scope(workspace):
        Night.objects.all().delete()
        NightStep.objects.all().delete()
        Slot.objects.all().delete()
    Workspace.objects.filter(pk=workspace.pk).update(current_day=None)
    builders.touch_all(workspace)


# F11


@pytest.mark.parametrize("failpoint", FAILPOINTS if FULL else SMOKE)
def test_f11_a_night_killed_at_a_named_place_comes_out_as_if_it_had_not_been(
    crowd: Workspace, twin: dict[str, Any], workers: NightWorkers, failpoint: str
) -> None:
    day = due_day(crowd)
    for _round in range(3 if FULL else 1):
        forget_nights(crowd)
        assert workers.wait(workers.start(crowd, failpoint, day=day.isoformat())) == -signal.SIGKILL
        assert workers.wait(workers.start(crowd, day=day.isoformat())) == 0
        assert results(crowd) == twin and told(crowd, day) == ("done", 1)
        with workspace_scope(crowd):
            attempts = dict(NightStep.objects.values_list("step", "attempts"))
        # What one transaction decides is begun, and begun again, together.
        under_way = failpoint.split(":")[0]
        again = {step for step, number in attempts.items() if number > 1}
        assert again <= ({under_way} if under_way in PREPARING else set(DECIDING))


def test_f11_turns_red_when_the_ledger_is_ahead_of_the_work(
    crowd: Workspace, twin: dict[str, Any], workers: NightWorkers
) -> None:
    day = due_day(crowd).isoformat()
    workers.wait(workers.start(crowd, "stages:working", "checkpoint_first", day=day))
    assert workers.wait(workers.start(crowd, sabotage="checkpoint_first", day=day)) == 0
    assert results(crowd) != twin


def test_f11_random_kills_change_nothing(workers: NightWorkers, db: None) -> None:
    shops = [make_history(f"shop-{number}", PEOPLE, noon(1), seed=number) for number in range(TENANTS)]
    chance, day, killed = random.Random(11), due_day(shops[0]), 0
    expected, alone = {}, 0.0
    for number in range(TENANTS):
        twin = make_history(f"twin-{number}", PEOPLE, noon(1), seed=number)
        alone += nightly.run_night(twin, day)["seconds"]
        expected[number] = results(twin)
        Workspace.objects.filter(pk=twin.pk).update(frozen_on=day)
    began = time.monotonic()
    for shop in shops:
        for _kill in range(max(1, RANDOM_KILLS // TENANTS)):
            pid = workers.start(shop, day=day.isoformat())
            time.sleep(chance.uniform(0, alone / TENANTS))
            with suppress(ProcessLookupError):  # done before that
                os.kill(pid, signal.SIGKILL)
            killed += workers.wait(pid) == -signal.SIGKILL
        assert workers.wait(workers.start(shop, day=day.isoformat())) == 0
    took = time.monotonic() - began
    assert killed
    print(f"F11: {TENANTS} x {PEOPLE} people, {killed} kills, {alone:.1f} s unkilled, {took:.1f} s with kills")
    assert [results(shop) == expected[number] for number, shop in enumerate(shops)] == [True] * TENANTS
    assert {told(shop, day) for shop in shops} == {("done", 1)}


def read_all_the_while(shop: Workspace, stop: threading.Event) -> dict[date, set[str]]:
    """What a reader sees every 50 ms, each time in one snapshot: {published day: hashes of all results}."""
    seen: dict[date, set[str]] = {}
    while not stop.wait(0.05):
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("set transaction isolation level repeatable read")
            day = Workspace.objects.get(pk=shop.pk).current_day
            seen.setdefault(day, set()).add(repr(results(shop)))
    connection.close()
    return seen


def test_f11_a_reader_sees_one_night_or_the_other(shop: Workspace, workers: NightWorkers) -> None:
    day = due_day(shop)
    nightly.run_night(shop, day - timedelta(days=1))
    stop = threading.Event()
    with ThreadPoolExecutor(1) as pool:
        reader = pool.submit(read_all_the_while, shop, stop)
        assert workers.wait(workers.start(shop, "rfm:waiting", day=day.isoformat())) == 0
        stop.set()
        seen = reader.result()
    assert {when: len(states) for when, states in seen.items()}.get(day - timedelta(days=1)) == 1


def look_all_the_while(shop: Workspace, stop: threading.Event) -> set[tuple[Any, ...]]:
    """Of which nights the parts of the pages are, every 50 ms and once more at the end, each time in one snapshot."""
    seen, ended = set(), False
    with connection.cursor() as cursor:
        while not ended:
            ended = stop.wait(0.05)
            with transaction.atomic():
                cursor.execute("set transaction isolation level repeatable read read only")
                cursor.execute("select set_config('app.workspace_id', %s, true)", [str(shop.pk)])
                cursor.execute(LOOK, [shop.pk])
                seen.add(cursor.fetchone())
    connection.close()
    return seen


def test_f11_a_reader_never_sees_a_mix_of_two_nights(workers: NightWorkers, db: None) -> None:
    shop = make_history("crowded", READ_PEOPLE, noon(1))
    days = [due_day(shop) - timedelta(days=n) for n in reversed(range(PUBLISHES + 1))]
    for day in days:
        builders.event(shop, "daily", "Order Completed", day, total=20)
        builders.event(shop, f"new on {day}", "App Opened", day)
    nightly.run_night(shop, days[0])
    stop = threading.Event()
    with ThreadPoolExecutor(1) as pool:
        reader = pool.submit(look_all_the_while, shop, stop)
        try:
            for day in days[1:]:
                order = {"day": day.isoformat(), "trigger": "schedule", "at": 0}
                assert workers.wait(workers.start(shop, job="answer_again", **order)) == 0
        finally:
            stop.set()
    assert reader.result() == {(day,) * 11 for day in days}


# F13


def trigger_all(shop: Workspace, workers: NightWorkers, sabotage: str = "") -> tuple[str, int]:
    """Two beats, a button, and a bell delivered twice, all in the same moment."""
    day = due_day(shop)
    order = {"at": time.time() + 1.0, "day": day.isoformat()}
    pids = [workers.start(shop, sabotage=sabotage, job="tick_once", **order) for _beat in range(2)]
    for trigger in ("button", "schedule", "schedule"):
        pids.append(workers.start(shop, sabotage=sabotage, job="answer_again", trigger=trigger, **order))
    statuses = [workers.wait(pid) for pid in pids]
    assert sabotage or statuses == [0] * 5
    return told(shop, day)


def test_f13_two_beats_a_button_and_a_bell_rung_twice_make_one_run(shop: Workspace, workers: NightWorkers) -> None:
    for _round in range(20 if FULL else 1):
        forget_nights(shop)
        assert trigger_all(shop, workers) == ("done", 1)
        with workspace_scope(shop):
            assert set(NightStep.objects.values_list("attempts", flat=True)) == {1}


def test_f13_turns_red_without_a_lock(shop: Workspace, workers: NightWorkers) -> None:
    assert trigger_all(shop, workers, "no_lock")[1] > 1


# F14


def come_back(shop: Workspace, workers: NightWorkers, sabotage: str = "") -> dict[str, int]:
    """Beat has been dead for three slots; {day: runs} after its return."""
    day = due_day(shop)
    forget_nights(shop)
    Workspace.objects.filter(pk=shop.pk).update(current_day=day - timedelta(days=3))
    assert workers.wait(workers.start(shop, sabotage=sabotage, day=day.isoformat())) == 0
    with workspace_scope(shop):
        return {str(row.day): row.runs for row in Night.objects.filter(state="done")}


def test_f14_slots_that_beat_missed_are_caught_up_once(shop: Workspace, workers: NightWorkers) -> None:
    day = due_day(shop)
    for _round in range(5 if FULL else 1):
        assert come_back(shop, workers) == {str(day - timedelta(days=back)): 1 for back in range(3)}


def test_f14_turns_red_when_beat_knows_only_what_comes_next(shop: Workspace, workers: NightWorkers) -> None:
    assert len(come_back(shop, workers, "only_the_last")) < 3


# F15


def cut_while_events_commit_late(shop: Workspace, workers: NightWorkers, sabotage: str = "") -> int:
    """Nights of one day while writers hold their transactions open; person-days that are wrong in the end."""
    day, chance = due_day(shop), random.Random(15)
    writers, batches, each, held = (8, 5, 5_000, 30.0) if FULL else (3, 3, 5, 0.5)
    cuts, pause = (5, 15.0) if FULL else (5, 0.2)
    at = datetime.combine(day, datetime.min.time(), UTC) + timedelta(hours=12)

    def write(writer: int) -> None:
        for batch in range(batches):
            with workspace_scope(shop):
                builders.events(
                    shop,
                    [
                        (
                            f"u{chance.randrange(PEOPLE)}",
                            "Order Completed",
                            at,
                            f"late-{writer}-{batch}-{n}",
                            {"total": 1},
                        )
                        for n in range(each)
                    ],
                )
                time.sleep(chance.uniform(0, held))
        connection.close()

    threads = [threading.Thread(target=write, args=(number,)) for number in range(writers)]
    for thread in threads:
        thread.start()
    order = {"job": "again_and_again", "cuts": cuts, "pause": pause, "day": day.isoformat()}
    pid = workers.start(shop, sabotage=sabotage, **order)
    for thread in threads:
        thread.join()
    assert workers.wait(pid) == 0
    # The cut after the last commit. Under the sabotage it is the same worker that must not have seen it yet.
    if not sabotage:
        assert workers.wait(workers.start(shop, **{**order, "cuts": 1})) == 0
    return miscounted(shop)


def test_f15_events_that_commit_late_are_counted_once(crowd: Workspace, workers: NightWorkers) -> None:
    assert cut_while_events_commit_late(crowd, workers) == 0


def test_f15_turns_red_with_a_watermark(shop: Workspace, workers: NightWorkers) -> None:
    """One transaction that began before a cut and commits after it: only a night by the watermark never sees it."""
    assert late_by_hand(shop, workers, "") == 0
    assert late_by_hand(shop, workers, "by_the_watermark") > 0


def late_by_hand(shop: Workspace, workers: NightWorkers, sabotage: str) -> int:
    day = due_day(shop)
    order = {"job": "again_and_again", "cuts": 3, "pause": 1.0, "day": day.isoformat()}
    at, before = database_now(), count_runs(shop, day)
    with workspace_scope(shop):
        pid = workers.start(shop, sabotage=sabotage, **order)
        noon_of_day = datetime.combine(day, datetime.min.time(), UTC) + timedelta(hours=12)
        builders.events(shop, [("u1", "Order Completed", noon_of_day, f"late-{sabotage}", {"total": 1})])
        with connection.cursor() as cursor:
            cursor.execute("update event set received_at = %s where message_id like 'late-%%'", [at])
        wait_until(lambda: count_runs(shop, day) > before, "no night was run")
    assert workers.wait(pid) == 0
    return miscounted(shop)


def count_runs(shop: Workspace, day: date) -> int:
    with workspace_scope(shop):
        return sum(Night.objects.filter(day=day, state="done").values_list("runs", flat=True))


# F16


@pytest.mark.parametrize("ahead", [timedelta(days=40), timedelta(hours=-2)], ids=["+40 d", "-2 h"])
def test_f16_a_worker_that_is_wrong_about_the_time_runs_the_night_that_is_due(
    shop: Workspace, workers: NightWorkers, ahead: timedelta
) -> None:
    day = due_day(shop)
    seconds = ahead.total_seconds()
    assert workers.wait(workers.start(shop, clock=seconds, day=day.isoformat())) == 0
    assert workers.wait(workers.start(shop, clock=seconds, job="tick_once", at=0, day="")) == 0
    with workspace_scope(shop):
        assert [(row.day, row.runs) for row in Night.objects.all()] == [(day, 1)]


def steal(shop: Workspace, workers: NightWorkers, sabotage: str = "") -> bool:
    """Whether somebody whose clock is forty days ahead takes a lease that is held."""
    day = due_day(shop)
    with lease(shop, "night"):
        order = {"job": "answer_again", "trigger": "schedule", "at": 0, "day": day.isoformat()}
        assert workers.wait(workers.start(shop, sabotage=sabotage, clock=40 * 86400.0, **order)) == 0
        with workspace_scope(shop):
            return Night.objects.exists()


def test_f16_no_lease_is_stolen_early(shop: Workspace, workers: NightWorkers) -> None:
    assert not steal(shop, workers)


def test_f16_turns_red_with_leases_by_the_clock_of_the_worker(shop: Workspace, workers: NightWorkers) -> None:
    assert steal(shop, workers, "clock_of_the_worker")


@only_in_the_lab
def test_a_killed_night_is_taken_over_within_35_seconds(shop: Workspace, workers: NightWorkers) -> None:
    """With the lease and the sweeps of production."""
    day = due_day(shop).isoformat()
    pid = workers.start(shop, "stages:working", day=day, long_lease=True)
    assert workers.wait(pid) == -signal.SIGKILL
    began = time.monotonic()
    while shop.pk not in list_expired("night"):
        time.sleep(SWEEP_SECONDS)
    took = time.monotonic() - began
    assert schedule.take_due(shop, database_now(), [schedule.NIGHT])
    print(f"taken over {took:.0f} s after the kill")
    assert took <= 35
