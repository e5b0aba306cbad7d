"""The one write path with real transactions: repeats, crossing writers, new names and months, and what is rolled back."""

from __future__ import annotations

import contextlib
import json
import threading
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pandas as pd
import pytest
from django.db import OperationalError, connection, transaction
from msgspec import structs

from tests.conftest import make_world
from tests.users.conftest import stored
from users.identity import merge_pending, undo_merge
from users.ingest import people as people_module
from users.ingest import write as write_module
from users.ingest.normal import NormalAlias, NormalEvent, PersonKey, Refused
from users.ingest.write import write
from users.models import EndUser, Event, EventName, Touched
from users.services import bulk_load, in_scope, record_events
from workspaces.scoping import workspace_scope
from workspaces.sql import bound_sql, execute, read_sql, run_sql

DAY = datetime(2026, 8, 1, tzinfo=UTC)


def event(
    message_id: str, who: str = "u1", at: datetime = DAY, name: str = "Order Completed", **more: Any
) -> NormalEvent:
    return NormalEvent(PersonKey(who), name, message_id, at, at, **more)


def statuses(results: list[Any]) -> list[str]:
    return [result.status for result in results]


def test_the_same_batch_again_changes_nothing(acme):
    batch = [event(str(n), f"u{n % 7}", DAY + timedelta(hours=n)) for n in range(50)]
    assert set(statuses(record_events(acme, batch))) == {"accepted"}
    with workspace_scope(acme):
        Touched.objects.all().delete()
    assert set(statuses(record_events(acme, batch))) == {"duplicate"}
    with workspace_scope(acme):
        assert Event.objects.count() == 50 and EndUser.objects.count() == 7
        assert not Touched.objects.exists()  # nothing for the night to do


def test_whoever_has_a_new_event_is_touched_once_a_batch(acme):
    record_events(acme, [event(str(n), f"u{n % 3}") for n in range(9)])
    record_events(acme, [event("9", "u1"), event("1", "u1")])
    with workspace_scope(acme):
        touched = [row.people for row in Touched.objects.all()]
    assert sorted(map(len, touched)) == [1, 3] and len(set().union(*touched)) == 3


@pytest.mark.parametrize(("back", "told"), [([1, 2, 15, 35], 4), ([1, 20, 40, 60, 80, 100, 120], 2)])
def test_the_night_reads_as_far_back_as_somebody_was_late_and_all_of_a_history_at_once(acme, back, told):
    """One and two days before DAY are of one part. Nobody is left out, and all times lie between the ends."""
    late = [event(f"late {days}", f"late {days}", DAY - timedelta(days=days)) for days in back]
    record_events(acme, [*(event(str(n), f"u{n}") for n in range(9)), *late])
    with workspace_scope(acme):
        rows = list(Touched.objects.all())
        assert len(rows) == told and len({pk for row in rows for pk in row.people}) == 9 + len(back)
        for stored in Event.objects.all():
            [row] = [row for row in rows if stored.end_user_id in row.people]
            assert row.first_key <= stored.client_at <= row.last_key


def test_months_are_made_as_they_are_needed(acme):
    times = [datetime(1970, 1, 1, tzinfo=UTC), datetime(2099, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)]
    record_events(acme, [event(str(n), at=at) for n, at in enumerate(times)])
    assert [row.client_at for row in stored(acme)] == times


def test_a_repeat_in_one_month_undoes_the_copy_of_the_others_and_what_followed(acme, monkeypatch):
    """Copied month by month: the first one is in when the second turns out to hold a repeat."""
    monkeypatch.setattr(write_module, "_wary", 0)
    months = [event("a", at=DAY - timedelta(days=1)), event("b", "u2"), event("c", "u3", DAY + timedelta(days=40))]
    record_events(acme, [months[1]])
    with workspace_scope(acme):
        Touched.objects.all().delete()
        role = current_user()
        assert statuses(write(months, DAY)) == ["accepted", "duplicate", "accepted"]
        assert current_user() == role
        assert Event.objects.count() == 3
        assert {str(pk) for row in Touched.objects.all() for pk in row.people} == {
            str(EndUser.objects.get(external_id=who).pk) for who in ("u1", "u3")
        }


def current_user() -> str:
    return execute("select current_user as it", {})[0]["it"]


def test_what_was_rolled_back_is_not_remembered(acme):
    first = [event("1", name="Never Heard Of", at=datetime(2031, 1, 1, tzinfo=UTC))]
    with workspace_scope(acme):
        write(first, DAY)
        transaction.set_rollback(True)
    assert "Never Heard Of" not in write_module._names.get(acme.pk, {})
    assert statuses(record_events(acme, first)) == ["accepted"]


def test_names_past_the_limit_are_refused_and_known_ones_still_taken(acme, monkeypatch):
    monkeypatch.setattr(write_module, "MAX_NAMES", 2)
    results = record_events(
        acme, [event("1", name="a"), event("2", name="b"), event("3", name="c"), event("4", name="a")]
    )
    assert statuses(results) == ["accepted", "accepted", "rejected", "accepted"]
    assert results[2].code == "too_many_names"


def test_one_tenant_sees_nothing_of_another(acme, world):
    for workspace in (acme, world.other):
        record_events(workspace, [event("1")])
    with workspace_scope(world.other):
        assert Event.objects.count() == 1
        with connection.cursor() as cursor:
            cursor.execute("select count(*) from event")
            assert cursor.fetchone() == (1,)
    with pytest.raises(Exception, match="row-level security"), workspace_scope(acme), connection.cursor() as cursor:
        cursor.execute(
            "insert into event (workspace_id, end_user_id, client_at, event_id, at, received_at, name_id, message_id)"
            " values (%s, %s, %s, %s, %s, %s, 1, 'x')",
            [world.other.pk, uuid.uuid4(), DAY, uuid.uuid4(), DAY, DAY],
        )


def test_a_frame_is_loaded_in_chunks_and_may_be_loaded_again(acme):
    frame = pd.DataFrame(
        {
            "message_id": [f"m{n}" for n in range(250)],
            "external_id": ["" if n % 10 == 0 else f"用户{n % 20}" for n in range(250)],
            "anonymous_id": ["v1" if n % 10 == 0 else "" for n in range(250)],
            "event": "Order Completed",
            "at": pd.to_datetime([DAY + timedelta(minutes=n) for n in range(250)], utc=True).astype(
                "datetime64[ns, UTC]"
            ),
            "properties": [f'{{"total":{n}.5,"order_id":"o{n}","路径":"c:\\\\temp"}}' for n in range(250)],
        }
    )
    assert bulk_load(acme, frame, chunk=100) == {"accepted": 250, "duplicate": 0, "rejected": 0}
    assert bulk_load(acme, frame.to_dict("records"), chunk=99)["duplicate"] == 250
    rows = stored(acme)
    assert rows[3].amount_minor == 350 and rows[3].order_id == "o3" and rows[3].properties["路径"] == "c:\\temp"
    assert rows[3].at == DAY + timedelta(minutes=3) and not rows[0].end_user.identified
    with pytest.raises(Refused):
        bulk_load(acme, [frame.iloc[0].to_dict() | {"properties": '{"total":1,"currency":"USD"}'}])


@pytest.mark.django_db(transaction=True)
def test_a_transaction_that_lost_a_deadlock_is_tried_again():
    calls = []

    def work() -> str:
        calls.append(EndUser.objects.count())
        if len(calls) == 1:
            raise OperationalError("deadlock detected") from type("Cause", (Exception,), {"pgcode": "40P01"})()
        return "done"

    assert in_scope(make_world().acme, work) == "done" and calls == [0, 0]


@pytest.mark.django_db(transaction=True)
def test_writers_that_cross_lose_nothing_and_store_nothing_twice():
    """Four writers send the same messages in different orders and cuts, with and without times."""
    workspace = make_world().acme
    batch = [event(str(n), f"u{n % 11}", DAY + timedelta(hours=n), name=f"Event {n % 13}") for n in range(300)]
    batch += [NormalEvent(PersonKey(f"u{n % 11}"), "Timeless", f"t{n}", DAY, None) for n in range(60)]
    accepted, errors = [], []

    def send(order: int) -> None:
        try:
            mine = batch[order * 90 :] + batch[: order * 90]
            mine = mine if order % 2 else mine[::-1]
            for start in range(0, len(mine), 60 + order):
                results = record_events(workspace, mine[start : start + 60 + order])
                accepted.extend(result.status for result in results)
        except Exception as error:
            errors.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=send, args=[order]) for order in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert accepted.count("accepted") == len(batch) and accepted.count("duplicate") == 3 * len(batch)
    with workspace_scope(workspace):
        assert Event.objects.count() == len(batch)
        assert EventName.objects.count() == 14 and EndUser.objects.count() == 11


@pytest.mark.django_db(transaction=True)
def test_what_this_process_remembers_is_what_was_committed():
    workspace = make_world().acme
    record_events(workspace, [event("1", name="Remembered")])
    with workspace_scope(workspace):
        assert write_module._names[workspace.pk] == {"Remembered": EventName.objects.get().pk}
    assert "2026-08" in write_module._months


@pytest.fixture
def asked(monkeypatch):
    """The statements about people that ingest runs, or puts into a message, from here on."""
    found: list[str] = []

    def noted(ask: Any) -> Any:
        def run(path: str, **params: Any) -> Any:
            found.append(path.removeprefix("users/"))
            return ask(path, **params)

        return run

    monkeypatch.setattr(write_module, "_wary", 0)
    for ask in (run_sql, bound_sql):
        monkeypatch.setattr(people_module, ask.__name__, noted(ask))

    def since_last() -> list[str]:
        told = [path for path in found if path != "people_version"]
        found.clear()
        return told

    return since_last


@pytest.mark.django_db(transaction=True)
def test_people_met_before_are_not_looked_up_again(asked):
    workspace = make_world().acme
    record_events(workspace, [event("1"), event("2", "u2")])
    assert asked() == ["people_to_write", "add_people", "touch"]
    record_events(workspace, [event("3"), event("4", "u2")])
    assert asked() == ["touch"]
    record_events(workspace, [event("5"), event("6", "u2", DAY - timedelta(days=1))])
    # Whoever's event came late is told of apart, so that nobody else's days of then are read.
    assert asked() == ["people_to_write", "earlier_people", "touch", "touch"]
    record_events(workspace, [event("7", "u2", DAY - timedelta(days=1))])
    assert asked() == ["touch"]
    with workspace_scope(workspace):
        assert [p.created_at for p in EndUser.objects.order_by("external_id")] == [DAY, DAY - timedelta(days=1)]


@pytest.mark.django_db(transaction=True)
def test_what_is_known_of_people_ends_with_a_merge_a_parting_and_a_deletion(asked):
    workspace = make_world().acme
    visitor = NormalEvent(PersonKey("v1", False), "App Opened", "1", DAY, DAY)
    record_events(workspace, [visitor, event("2")])
    record_events(workspace, [NormalAlias(PersonKey("u1"), PersonKey("v1", False), DAY)])
    merge_pending(workspace)
    asked()
    record_events(workspace, [structs.replace(visitor, message_id="3")])
    assert asked() == ["people_to_write", "touch"]
    record_events(workspace, [visitor, structs.replace(visitor, message_id="4")])
    # The visitor is known to be the user. One message was stored before: the copy is undone, with the first of these.
    assert asked() == ["touch", "touch"]
    with workspace_scope(workspace):
        assert {row.end_user.external_id for row in Event.objects.select_related("end_user")} == {"u1"}
        assert Event.objects.count() == 4
        undo_merge(EndUser.objects.get(external_id="v1"))
    asked()
    record_events(workspace, [structs.replace(visitor, message_id="5")])
    assert asked() == ["people_to_write", "touch"]
    with workspace_scope(workspace):
        EndUser.objects.filter(external_id="v1").delete()
    record_events(workspace, [structs.replace(visitor, message_id="6")])
    assert asked()[:2] == ["people_to_write", "add_people"]


@pytest.mark.django_db(transaction=True)
def test_nobody_is_known_from_a_transaction_that_was_rolled_back(asked):
    workspace = make_world().acme
    with contextlib.suppress(ZeroDivisionError), workspace_scope(workspace):
        write([event("1")], DAY)
        raise ZeroDivisionError
    asked()
    record_events(workspace, [event("1")])
    assert asked() == ["people_to_write", "add_people", "touch"]


def test_a_process_remembers_a_bounded_number_of_people_whatever_the_number_of_workspaces(monkeypatch):
    monkeypatch.setattr(people_module, "MAX_REMEMBERED", 10)
    memories = {uuid.uuid4(): people_module.Memory(1) for _ in range(3)}
    monkeypatch.setattr(people_module, "_memories", memories)
    for memory in list(memories.values()):
        for n in range(4):
            people_module.remember(memory, {PersonKey(f"u{n}"): people_module.Known("", None, DAY)})
    assert [len(memory.people) for memory in memories.values()] == [4]
    (last,) = memories.values()
    people_module.remember(last, {PersonKey(f"u{n}"): people_module.Known("", None, DAY) for n in range(12)})
    assert [key.external_id for key in last.people] == [f"u{n}" for n in range(5, 12)]


@pytest.mark.django_db(transaction=True)
def test_who_is_made_at_the_same_moment_was_created_at_the_earlier_time():
    workspace = make_world().acme
    begun, go_on = threading.Event(), threading.Event()

    def first() -> None:
        with workspace_scope(workspace):
            write([event("1", at=DAY)], DAY)
            begun.set()
            go_on.wait(10)
        connection.close()

    thread = threading.Thread(target=first)
    thread.start()
    begun.wait(10)
    threading.Timer(0.3, go_on.set).start()
    record_events(workspace, [event("2", at=DAY - timedelta(days=1))])  # waits for the other to end
    thread.join()
    with workspace_scope(workspace):
        assert EndUser.objects.get().created_at == DAY - timedelta(days=1)


@pytest.mark.parametrize(
    ("statement", "asked_for"),
    [
        ("people_to_write", 4_000),
        ("import_people", 4_000),
        ("earlier_people", 100),
        ("write_profiles", 100),
        ("settle_people", 100),
    ],
)
def test_finding_people_in_a_young_table_reads_little_of_it(acme, statement, asked_for):
    """Nothing is known of how full the table is: a plan that went through the workspace for each took seconds."""
    array = people_module.array
    with workspace_scope(acme), connection.cursor() as cursor:
        ids = sorted(uuid.uuid4().hex for _ in range(4_000))
        times = array([DAY.isoformat()] * len(ids))
        run_sql("users/add_people", ids=array(ids), external_ids=ids, identified=[True] * len(ids), times=times)
        ids = ids[:asked_for]
        times = array([(DAY - timedelta(days=1)).isoformat()] * len(ids))
        rows = [msgspec.to_builtins(row) for row in EndUser.objects.filter(pk__in=ids).values()]
        told = {"ids": array(ids), "times": times, "own_times": times, "people": json.dumps(rows), "workspace": acme.pk}
        cursor.execute(f"explain (analyze, buffers, format json) {read_sql(f'users/{statement}')}", told)
        plan = cursor.fetchone()[0][0]["Plan"]
    assert plan["Shared Hit Blocks"] + plan["Shared Read Blocks"] < 40 * len(ids)
