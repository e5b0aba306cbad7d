"""Attributes that are counted up, appended to and forgotten: exactly once, whatever the order, and across merges."""

from __future__ import annotations

import base64
import itertools
import json
import random
import threading
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import pytest
from django.db import connection, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.conftest import make_world
from tests.users import changes_oracle, identity_oracle
from tests.users.changes_oracle import Said
from users.changes import add, append, changes_of
from users.identity import merge_pending, undo_merge
from users.ingest.normal import MAX_LIST, Change, NormalAlias, NormalEvent, NormalProfile, PersonKey
from users.models import EndUser, IngestError, ProfileChange, person_id
from users.services import record_events
from workspaces.models import Workspace
from workspaces.scoping import workspace_scope
from workspaces.services import create_workspace

DAY = datetime(2026, 8, 1, tzinfo=UTC)
KEYS = [PersonKey("v0", False), PersonKey("u0"), PersonKey("u1")]
_slugs = itertools.count()


def record(verb: str, properties: Any = None, hour: int = 0, **changes: Any) -> dict[str, Any]:
    at = DAY + timedelta(hours=hour)
    told = {"type": f"profile_{verb}", "distinct_id": "u1", "login_id": "u1", "time": int(at.timestamp() * 1000)}
    return told | ({} if properties is None else {"properties": properties}) | changes


@pytest.fixture
def tell(client, world):
    """Send 神策 records; returns why each that was refused was."""

    def post(*records: dict[str, Any]) -> list[str]:
        data = base64.b64encode(json.dumps(records).encode()).decode()
        form = {"data": urlencode({"data_list": data}), "content_type": "application/x-www-form-urlencoded"}
        answer = client.post(f"/debug?token={world.acme_write_key}", **form)
        assert answer.status_code == 200
        return [item["code"] for item in answer.json()["items"] if item["status"] == "rejected"]

    return post


def told_of(workspace: Workspace, external_id: str = "u1") -> EndUser:
    with workspace_scope(workspace):
        return EndUser.objects.get(pk=person_id(workspace.pk, external_id))


def test_a_number_is_counted_up_once_per_record(tell, acme):
    earned = [record("increment", {"points": n}, hour=n, _track_id=n) for n in (1, 2, 3)]
    assert tell(*earned, earned[0]) == [] and tell(*reversed(earned)) == []
    assert told_of(acme).attributes == {"points": 6}


def test_texts_are_appended_once_each_in_the_order_they_were_told(tell, acme):
    tell(record("append", {"books": ["论语", "红楼梦"]}, hour=2), record("append", {"books": ["西游记"]}, hour=1))
    tell(record("append", {"books": ["论语", "水浒传"]}, hour=3), record("append", {"films": "活着"}, hour=3))
    assert told_of(acme).attributes == {"books": ["西游记", "论语", "红楼梦", "水浒传"], "films": ["活着"]}


def test_a_new_value_starts_the_count_again_also_when_it_comes_late(tell, acme):
    tell(record("increment", {"points": 5}, hour=1), record("increment", {"points": 7}, hour=3))
    tell(record("set", {"points": 100}, hour=2))
    assert told_of(acme).attributes == {"points": 107}
    tell(record("unset", {"points": True}, hour=4))
    assert told_of(acme).attributes == {}
    tell(record("increment", {"points": 1}, hour=5), record("increment", {"points": 50}, hour=1, _track_id=9))
    assert told_of(acme).attributes == {"points": 1}


def test_what_is_set_and_counted_at_one_moment_is_set_first(tell, acme):
    for order in itertools.permutations([record("set", {"n": 10}), record("increment", {"n": 1})]):
        tell(*order)
        assert told_of(acme).attributes == {"n": 11}


def test_a_first_value_fills_no_attribute_that_is_counted_already(tell, acme):
    tell(record("set_once", {"early": 10, "late": 10}, hour=2))
    tell(record("increment", {"early": 1}, hour=3), record("increment", {"late": 1}, hour=1))
    assert told_of(acme).attributes == {"early": 11, "late": 1}


def test_an_attribute_that_cannot_be_is_not_taken_away_either(client, world, acme):
    told = {"event": "$set", "distinct_id": "u1", "properties": {"$unset": ["a\0"]}, "api_key": world.acme_write_key}
    answer = client.post("/e/", data=json.dumps(told), content_type="text/plain")
    assert answer.status_code == 200
    with workspace_scope(acme):
        assert IngestError.objects.get().code == "invalid_string"


def test_nothing_fills_no_gap(tell, acme):
    tell(record("set_once", {"city": None}), record("set", {"vip": True}, hour=1))
    assert told_of(acme).attributes == {"vip": True}
    tell(record("set_once", {"city": "上海"}, hour=2))
    assert told_of(acme).attributes == {"vip": True, "city": "上海"}


def test_changes_that_do_not_fit_the_type_count_for_nothing(tell, acme):
    tell(record("set", {"city": "上海", "vip": True, "tags": ["a"]}))
    tell(record("increment", {"city": 1, "vip": 1, "tags": 1}, hour=1), record("append", {"city": ["b"]}, hour=2))
    assert told_of(acme).attributes == {"city": "上海", "vip": True, "tags": ["a"]}


def test_a_deleted_profile_forgets_what_was_told_before_and_keeps_the_events(tell, acme):
    tell(record("track", hour=1, event="App Opened") | {"type": "track"})
    tell(record("set", {"name": "王", "email": "w@example.com"}, hour=1), record("increment", {"points": 5}, hour=1))
    tell(record("set_once", {"first": "a"}, hour=1), record("set_once", {"first": "b"}, hour=5))
    assert told_of(acme).attributes["first"] == "a" and told_of(acme).email == "w@example.com"
    tell(record("increment", {"points": 2}, hour=5), record("delete", hour=4), record("set", {"name": "旧"}, hour=3))
    told = told_of(acme)
    assert told.attributes == {"points": 2, "first": "b"} and (told.name, told.email) == ("", "")
    with workspace_scope(acme):
        assert told.forgotten_at == DAY + timedelta(hours=4) and ProfileChange.objects.count() == 4


@pytest.mark.parametrize(
    ("verb", "properties", "code"),
    [
        ("increment", {"n": "1"}, "invalid_type"),
        ("increment", {"n": True}, "invalid_type"),
        ("increment", {"n": None}, "invalid_type"),
        ("increment", {"n": 2**63}, "number_out_of_range"),
        ("increment", {"k" * 256: 1}, "too_long"),
        ("append", {"l": 5}, "invalid_type"),
        ("append", {"l": ["a", 1]}, "invalid_type"),
        ("append", {"l": ["a" * 256]}, "too_long"),
        ("append", {"l": [str(n) for n in range(MAX_LIST + 1)]}, "too_many_values"),
    ],
)
def test_what_cannot_be_added_is_refused_and_nothing_else(tell, acme, verb, properties, code):
    assert tell(record(verb, properties), record("increment", {"points": 1})) == [code]
    assert told_of(acme).attributes == {"points": 1}


def test_a_list_holds_what_came_first(tell, acme):
    for start in (400, 0):
        tell(record("append", {"l": [str(n) for n in range(start, start + 400)]}, hour=start // 400))
    assert told_of(acme).attributes["l"] == [str(n) for n in range(MAX_LIST)]
    assert append(["x"] * 600, [["y"]]) == ["x"] * 600


def test_sums_are_exact_and_stay_within_what_numbers_can_hold():
    for order in itertools.permutations([0.1, 0.2, 1e14, -1e14]):
        assert add(order) == 0.3
    assert add([2**62, 2**62]) == 2**63 - 1 and add([-1e15, -1e15, 0.5]) == -1e15 and add([1, 2]) == 3


def test_a_repeat_with_another_clock_counts_at_the_earliest_moment_told(acme):
    for hours in (3, 1, 2):
        change = Change("add", "m1", {"n": 1})
        record_events(acme, [NormalProfile(PersonKey("u1"), DAY + timedelta(hours=hours), change=change)])
    with workspace_scope(acme):
        assert [row.at for row in ProfileChange.objects.all()] == [DAY + timedelta(hours=1)]
    assert told_of(acme).attributes == {"n": 1}


def test_an_undone_merge_gives_everybody_their_own_count_back(acme):
    def count(key: PersonKey, n: int, message_id: str) -> None:
        record_events(acme, [NormalProfile(key, DAY, change=Change("add", message_id, {"n": n}))])

    count(KEYS[1], 1, "a")
    count(KEYS[2], 10, "b")
    record_events(acme, [NormalAlias(KEYS[2], KEYS[1], DAY)])
    merge_pending(acme)
    assert told_of(acme, "u1").attributes == {"n": 11} and told_of(acme, "u0").attributes == {"n": 1}
    count(KEYS[1], 100, "c")
    count(KEYS[2], 1000, "d")
    assert told_of(acme, "u1").attributes == {"n": 1111} and told_of(acme, "u0").attributes == {"n": 101}
    with workspace_scope(acme):
        undo_merge(EndUser.objects.get(external_id="u0"))
    assert told_of(acme, "u1").attributes == {"n": 1010} and told_of(acme, "u0").attributes == {"n": 101}


numbers, lists = st.integers(-3, 9), st.lists(st.sampled_from("abc"), max_size=2).map(tuple)
kinds = {"set": st.one_of(numbers), "first": numbers, "add": numbers, "append": lists, "forget": st.none()}
messages = st.tuples(
    st.sampled_from(KEYS),
    st.integers(0, 5),
    st.sampled_from([*kinds, "add", "append"]).flatmap(
        lambda kind: st.tuples(st.just(kind), st.sampled_from("xy"), kinds[kind])
    ),
    st.integers(0, 2),
)
links = st.builds(NormalAlias, st.sampled_from(KEYS), st.sampled_from(KEYS), st.just(DAY))


def as_news(told: tuple) -> NormalProfile:
    key, hours, (kind, attribute, value), n = told
    at = DAY + timedelta(hours=hours)
    if kind in ("set", "first"):
        return NormalProfile(key, at, **{"traits" if kind == "set" else "firsts": {attribute: value}})
    if kind == "forget":
        return NormalProfile(key, at, change=Change("forget"))
    # One message id says one thing: what differs is another message.
    change = Change(kind, f"{kind}-{hours}-{value}-{n}", {attribute: list(value) if kind == "append" else value})
    return NormalProfile(key, at, change=change)


def as_said(workspace: Workspace, told: tuple) -> Said:
    _key, _hours, (kind, attribute, value), _n = told
    news = as_news(told)
    [order] = [row[2] for row in changes_of(workspace, news)] if kind in ("add", "append") else [None]
    if kind == "forget":
        return Said(kind, news.at)
    return Said(kind, news.at, attribute, value, order)


def expected(workspace: Workspace, told: list[tuple], same: list[NormalAlias]) -> dict[str, dict[str, Any]]:
    ids = {key: person_id(workspace.pk, key.external_id, key.kind) for key in KEYS}
    owner = identity_oracle.owners(ids, {identity_oracle.Same(one.previous, one.person, one.at) for one in same})
    # Under two ids of one person the same message is two: its id is one within an id only.
    said = {owner[key]: set() for key in KEYS}
    for n, one in enumerate({(one[0], as_said(workspace, one)) for one in told}):
        said[owner[one[0]]].add((n, one[1]))
    return {key.external_id: oracle_of([one for _n, one in found]) for key, found in said.items()}


def oracle_of(told: list[Said]) -> dict[str, Any]:
    found = changes_oracle.attributes(told)
    return {key: list(value) if isinstance(value, tuple) else value for key, value in found.items()}


def play(told: list[tuple], same: list[NormalAlias], dice: random.Random) -> tuple[Workspace, dict]:
    workspace = create_workspace(f"counts-{next(_slugs)}", "Counts", zone="UTC", currency="USD", industry="ecommerce")
    record_events(workspace, [NormalEvent(key, "App Opened", "first", DAY, DAY) for key in KEYS])
    acts: list[Any] = [*map(as_news, told), *same]
    acts += dice.sample(acts, len(acts) // 2)
    dice.shuffle(acts)
    while acts:
        size = dice.randint(1, 3)
        record_events(workspace, acts[:size])
        acts = acts[size:]
        if dice.random() < 0.3:
            merge_pending(workspace)
    merge_pending(workspace)
    with workspace_scope(workspace):
        people = EndUser.objects.filter(merged_into=None)
        return workspace, {person.external_id: person.attributes for person in people}


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(st.lists(messages, max_size=12), st.lists(links, max_size=2), st.randoms(use_true_random=False))
def test_a_profile_is_a_function_of_the_set_of_messages(db, told, same, dice):
    with transaction.atomic():
        workspace, found = play(told, same, dice)
        assert found == expected(workspace, told, same)
        transaction.set_rollback(True)


@pytest.mark.django_db(transaction=True)
def test_writers_that_cross_count_everything_once():
    workspace = make_world().acme
    news = [
        NormalProfile(PersonKey(f"u{n % 3}"), DAY + timedelta(minutes=n), change=Change("add", f"m{n}", {"n": 1}))
        for n in range(90)
    ]
    errors = []

    def send(order: int) -> None:
        try:
            mine = news[order * 20 :] + news[: order * 20]
            for start in range(0, len(mine), 7 + order):
                record_events(workspace, mine[start : start + 7 + order])
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
    with workspace_scope(workspace):
        assert [person.attributes for person in EndUser.objects.all()] == [{"n": 30}] * 3
