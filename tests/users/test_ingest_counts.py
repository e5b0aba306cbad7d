"""What ingest took is counted with it, once, and in few messages to the database."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest
from django.db import connection
from django.db.models import Sum

from tests.users.conftest import track
from users.erasure_marks import mark_erased
from users.ingest import addresses, door
from users.ingest import write as write_module
from users.ingest.protocol import Incoming
from users.models import ArrivalHour
from workspaces.scoping import workspace_scope


@pytest.mark.django_db(transaction=True)
def test_what_is_taken_is_counted_once_whatever_way_it_is_stored(send, acme, monkeypatch):
    """Alone, events are counted in the message that stores them; beside anything else, behind it."""
    monkeypatch.setattr(write_module, "_wary", 0)
    news = iter(range(1000))

    def fresh(**more: Any) -> dict[str, Any]:
        return track(f"m{next(news)}", **more)

    known, told = fresh(), Counter()
    identify = {"type": "identify", "userId": "u1", "traits": {"plan": "pro"}}
    with workspace_scope(acme):
        mark_erased(["gone"])
    steps = {
        "events": ([known, fresh()], "accepted accepted"),
        "a repeat": ([fresh(), known], "accepted duplicate"),
        "wary": ([fresh()], "accepted"),
        "twice in it": ([one := fresh(), one], "accepted duplicate"),
        "a bad one": ([fresh(), fresh(event="")], "accepted rejected"),
        "news of somebody": ([fresh(), identify], "accepted accepted"),
        "and repeats": ([known, identify], "duplicate accepted"),
        "no events": ([identify], "accepted"),
        "nothing good": ([fresh(event="")], "rejected"),
        "somebody erased": ([fresh(userId="gone"), fresh()], "erased accepted"),
    }
    for step, (items, expected) in steps.items():
        answer = send("batch", {"batch": items}).json()
        assert [item["status"] for item in answer["items"]] == expected.split(), step
        told.update(expected.split())
        with workspace_scope(acme):
            counted = ArrivalHour.objects.aggregate(*map(Sum, ("accepted", "duplicate", "rejected")))
        assert counted == {f"{status}__sum": told[status] for status in ("accepted", "duplicate", "rejected")}, step


@pytest.mark.django_db(transaction=True)
def test_events_of_known_people_are_stored_in_two_messages(world, monkeypatch):
    """One opens the scope, the other is the copy with all that goes along: each turn to the database is paid for."""

    def store(message_id: str) -> str:
        incoming = Incoming("POST", "/v1/track", {}, {}, json.dumps(track(message_id)).encode())
        opened = door.read_all(key, door.open_request(address, incoming))
        return door.store([opened], lambda *told: None)[0][0].status

    monkeypatch.setattr(write_module, "_wary", 0)
    address, key, said = addresses.find("/v1/track"), door.first_key([world.acme_write_key]), []
    assert store("m1") == "accepted"

    def listen(execute: Any, sql: str, *more: Any) -> Any:
        said.append(sql)
        return execute(sql, *more)

    def copy(cursor: Any, sql: str, lines: list[str]) -> None:
        said.append(sql)
        plain(cursor, sql, lines)

    plain = write_module.copy
    monkeypatch.setattr(write_module, "copy", copy)
    with connection.execute_wrapper(listen):
        assert store("m2") == "accepted"
    assert len(said) == 2 and "people_version" in said[0] and "arrival_hour" in said[1]
