"""F6–F8: what arrives twice, out of order, after a year, or beside something poisonous. The state is what it would be had
everything come once, in order and clean; and each scenario has a sabotage with which it must fail."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from .books import CLEAN, books, state
from .clients import START, Batch, Clients, Journal, make_batches, track
from .cluster import Cluster
from .conftest import FULL, only_in_the_lab
from .web import Web

pytestmark = [pytest.mark.faults, pytest.mark.django_db(transaction=True)]

F6_EVENTS = 30_000 if FULL else 600
F8_EVENTS = 50_000 if FULL else 2_000


def lives(count: int) -> list[dict[str, Any]]:
    """Events that carry news of their people, each at a moment of its own: cities, plans, first sources, logins."""
    chance, people = random.Random(6), max(10, count // 100)
    found = []
    for n in range(count):
        at = START + timedelta(seconds=n * 7 % count, milliseconds=n % 1000)
        traits = {"city": chance.choice("上海 北京 Zürich".split()), "plan": chance.randint(1, 9), f"k{n % 7}": n}
        context = {"traits": traits, "campaign": {"source": f"s{n}"}, "locale": chance.choice(["zh-CN", "en"])}
        person = {"userId": f"u{n % people}"} if n % 3 else {"anonymousId": f"v{n % people}"}
        told = track(f"F6 {n % 5}", "", n, at, context=context) | {"messageId": f"F6-{n}"}
        del told["userId"]
        found.append(told | person)
        if n % 50 == 0:
            names = {"userId": f"u{n % people}", "anonymousId": f"v{n % people}", "traits": {"name": f"N{n}"}}
            found.append({"type": "identify", "messageId": f"F6-i{n}", "timestamp": at.isoformat()} | names)
    return found


def repeat_and_shuffle(messages: list[dict[str, Any]]) -> Iterator[Batch]:
    """Each 1 to 5 times, in any order; of 3 % of the batches the client does not read the answer."""
    chance = random.Random(66)
    copies = [message for message in messages for _ in range(chance.randint(1, 5))]
    chance.shuffle(copies)
    for batch in make_batches(copies):
        batch.cut = chance.random() < 0.03
        yield batch


def send(web: Web, shop: SimpleNamespace, batches: Iterator[Batch], clients: int) -> Journal:
    with Clients(web.port, shop.key, batches, clients) as running:
        return running.finish(420)


def test_f6_repeats_in_any_order_end_in_the_state_of_once_in_order(
    cluster: Cluster, web: Web, shop: SimpleNamespace, other_shop: SimpleNamespace
) -> None:
    """Full: 30,000 distinct events, 90,000 sent by 8 connections; and then all again, with logins among them. Answers
    are cut by the client, which hangs up when the first line of the answer is there: the commit has been."""
    messages = lives(F6_EVENTS)
    tracks = [message for message in messages if message["type"] == "track"]
    for some in (tracks, messages):
        journal = send(web, shop, repeat_and_shuffle(some), 8)
        assert set(journal.statuses()) == {0, 200}
        print(f"F6: {journal.statuses()}, slowest {journal.slowest():.2f} s")
        if some is tracks:
            assert books(cluster, shop, [message["messageId"] for message in tracks]) == CLEAN
    in_order = sorted(messages, key=lambda message: message["timestamp"])
    send(web, other_shop, make_batches(in_order), 1)
    found, expected = state(cluster, shop), state(cluster, other_shop)
    assert {table: len(rows) for table, rows in found.items()} == {table: len(rows) for table, rows in expected.items()}
    assert found == expected


@only_in_the_lab
def test_f6_turns_red_when_effects_do_not_look_at_the_conflict(
    cluster: Cluster, planted: Web, shop: SimpleNamespace
) -> None:
    planted.plant("count_repeats")
    tracks = [message for message in lives(200) if message["type"] == "track"]
    send(planted, shop, repeat_and_shuffle(tracks), 4)
    assert books(cluster, shop, [message["messageId"] for message in tracks])["miscounted"] > 0


F7_EVENTS = 10_000 if FULL else 200
LATER = {"1 h": 1 / 24, "25 h": 25 / 24, "31 d": 31, "399 d": 399}


def resend_later(web: Web, shop: SimpleNamespace) -> set[str]:
    """Send the same at five times, by the clock of the server's own process; the last is now. Half tell no time."""
    began = datetime.now(UTC) - timedelta(days=LATER["399 d"])
    began = began.replace(hour=1)  # an hour later is the same day
    messages = [track("F7", f"u{n % 50}", n, began - timedelta(seconds=n) if n % 2 else None) for n in range(F7_EVENTS)]
    for days in (0, *LATER.values()):
        web.plant(f"clock/{(began + timedelta(days=days)).isoformat()}")
        assert set(send(web, shop, make_batches(messages), 4).statuses()) == {200}
    return {message["messageId"] for message in messages}


@only_in_the_lab
def test_f7_a_repeat_is_known_after_an_hour_and_after_a_year(
    cluster: Cluster, planted: Web, shop: SimpleNamespace
) -> None:
    """Full: 10,000 events, the same again after 1 h, 25 h, 31 d and 399 d. Only the clock of the web process is moved
    (time-machine); PostgreSQL's own is asked for nothing that is stored of an event."""
    ids = resend_later(planted, shop)
    # The counts of the first hour are let go after a month, which the last two repeats are later than; the events are not.
    assert books(cluster, shop, ids) | {"miscounted": 0} == CLEAN
    print(f"F7: {len(ids)} events, sent at five times")


@only_in_the_lab
def test_f7_turns_red_when_ids_are_remembered_for_a_day(cluster: Cluster, planted: Web, shop: SimpleNamespace) -> None:
    planted.plant("remember_a_day")
    ids = resend_later(planted, shop)
    assert books(cluster, shop, ids)["strange"] > len(ids)


POISON: list[Any] = [
    None, 42, "x", [], {"type": "track"}, {"type": "nonsense", "userId": "u1"},
    track("F8", "undefined", 0, START), track("F8", "a\0b", 0, START), track("F8", "u" * 256, 0, START),
    track("", "u1", 0, START), track("F8", "u1", 0, START.replace(year=1999)), track("F8", "u1", 0, START.replace(year=9999)),
    track("F8", "u1", 0, START) | {"properties": [1]}, track("F8", "u1", 0, START) | {"properties": {"k": "a\0b"}},
    track("F8", "u1", 0, START) | {"properties": {"x": 2**70}}, track("F8", "u1", 0, START) | {"properties": {"x": 1e300}},
    track("F8", "u1", 0, START) | {"properties": {"x": float("nan")}},
    track("F8", "u1", 0, START) | {"properties": {"k": "\ud83d"}},
    track("F8", "u1", 0, START) | {"properties": {"k": "x" * 40_000}},
    track("F8", "u1", 0, START) | {"properties": {"total": 5, "currency": "USD"}},
]  # fmt: skip
DEEP = b'{"type":"track","userId":"u1","event":"F8","properties":{"x":' + b"[" * 40_000 + b"]" * 40_000 + b"}}"


def poisoned(count: int) -> Iterator[tuple[Batch, int]]:
    """Batches of 50 good events; into every tenth one bad item is put. The place of the bad one, or -1."""
    chance = random.Random(8)
    poisons = [json.dumps(item).encode() for item in POISON] + [DEEP]
    for n, start in enumerate(range(0, count, 50)):
        ids = list(range(start, start + 50))
        items = [json.dumps(track("F8", f"u{i % 100}", i, START + timedelta(seconds=i))).encode() for i in ids]
        place = chance.randint(0, 50) if n % 10 == 5 or not FULL else -1
        if place >= 0:
            items.insert(place, poisons[n // (10 if FULL else 1) % len(poisons)])
        yield Batch([f"F8-{i}" for i in ids], b'{"batch":[' + b",".join(items) + b"]}"), place


def send_poisoned(web: Web, shop: SimpleNamespace) -> tuple[Journal, int, int, set[str]]:
    """The journal, how many bad items were sent, and how many were refused in their own places; and all good ids."""
    planned = list(poisoned(F8_EVENTS))
    places = {id(batch): place for batch, place in planned}
    journal = send(web, shop, iter([batch for batch, _place in planned]), 4)
    refused = sum(
        [item["index"] for item in json.loads(told.body)["items"] if item["status"] == "rejected"]
        == [places[told.batch]]
        for told in journal.attempts
        if told.status == 200 and places[told.batch] >= 0
    )
    bad = sum(place >= 0 for place in places.values())
    return journal, bad, refused, {one for batch, _place in planned for one in batch.ids}


def test_f8_a_poisonous_item_costs_only_itself(cluster: Cluster, web: Web, shop: SimpleNamespace) -> None:
    """Full: 50,000 events, 1 bad item of 21 kinds in every tenth batch. Smoke: 2,000, one in each batch."""
    journal, bad, refused, good = send_poisoned(web, shop)
    print(f"F8: {len(good)} good, {bad} bad, {refused} refused, {journal.statuses()}")
    assert (refused, set(journal.statuses())) == (bad, {200})
    assert len(journal.attempts) * 50 == len(good), "something was tried twice"
    assert books(cluster, shop, good) == CLEAN
    with cluster.look() as cursor:
        cursor.execute("select sum(rejected) from arrival_hour where workspace_id = %s", [str(shop.id)])
        assert cursor.fetchone()[0] == bad
        cursor.execute("select count(*) from ingest_error where workspace_id = %s", [str(shop.id)])
        assert cursor.fetchone()[0] == min(bad, 200)


@only_in_the_lab
def test_f8_turns_red_when_a_bad_item_refuses_its_batch(cluster: Cluster, planted: Web, shop: SimpleNamespace) -> None:
    planted.plant("all_or_nothing")
    *_, good = send_poisoned(planted, shop)
    assert books(cluster, shop, good)["lost"] > 0
