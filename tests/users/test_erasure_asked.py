"""Erasing and exporting a person by page and API, letting an id in again, and messages that arrive meanwhile."""

from __future__ import annotations

import itertools
import json
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from users.erasure import ask_erasure, run_erasure
from users.ingest.normal import NormalEvent, NormalProfile, PersonKey
from users.models import EndUser, Erasure, Event, person_id
from users.person_tables import registered
from users.services import record_events
from workspaces.models import AuditEntry, Workspace
from workspaces.scoping import workspace_scope

from ..conftest import make_world
from .canary import (
    CANARY,
    LATER,
    USER,
    VISITOR,
    erase,
    plant,
    rows_with,
)
from .conftest import track


@pytest.fixture
def canary(world: Any, send: Any, media: Path) -> Workspace:
    return plant(world, send)


def test_an_id_can_be_let_in_again_as_somebody_new(canary: Workspace, as_role: Any, send: Any, media: Path) -> None:
    erase(canary)
    owner = as_role("owner")
    for _again in range(2):
        owner.post("/w/acme/erasures/readmit/", {"external_id": USER})
    assert send("track", track("m30", userId=USER)).json()["accepted"] == 1
    with workspace_scope(canary):
        person = EndUser.objects.get(external_id=USER)
        assert (person.name, person.attributes, Event.objects.filter(end_user=person.pk).count()) == ("", {}, 1)
        assert AuditEntry.objects.filter(action="people.readmit").count() == 1


def test_the_page_erases_only_whose_id_was_typed(canary: Workspace, as_role: Any, media: Path) -> None:
    pk = person_id(canary.pk, USER)
    admin = as_role("admin")
    assert f"Type {USER}" in admin.get(f"/w/acme/users/{pk}/", headers={"Accept-Language": "en"}).content.decode()
    admin.post(f"/w/acme/users/{pk}/erase/", {"confirm": "another"})
    with workspace_scope(canary):
        assert not Erasure.objects.exists()
    answer = admin.post(f"/w/acme/users/{pk}/erase/", {"confirm": USER})
    assert answer["Location"] == "/w/acme/erasures/"
    with workspace_scope(canary):
        run_erasure(canary, Erasure.objects.get().pk)
    assert admin.get(f"/w/acme/users/{pk}/").status_code == 404
    assert CANARY not in admin.get("/w/acme/erasures/").content.decode()


def test_a_program_erases_and_asks_how_far_it_is(canary: Workspace, world: Any, client: Any, media: Path) -> None:
    headers = {"Authorization": f"Bearer {world.acme_api_key}"}
    assert client.post("/api/v1/users/nobody/erase", headers=headers).status_code == 404
    asked = client.post(f"/api/v1/users/{VISITOR}/erase?visitor=1", headers=headers)
    assert (asked.status_code, asked.json()["state"]) == (202, "due")
    with workspace_scope(canary):
        run_erasure(canary, Erasure.objects.get().pk)
        run_erasure(canary, Erasure.objects.get().pk, timezone.now() + LATER)
    told = client.get(f"/api/v1/erasures/{asked.json()['id']}", headers=headers).json()
    assert told["state"] == "done" and told["rows"] > 20
    assert client.get(f"/api/v1/users/{USER}", headers=headers).status_code == 404
    assert client.post(f"/api/v1/users/{USER}/readmit", headers=headers).json() == {"readmitted": True}
    with workspace_scope(canary):
        told = AuditEntry.objects.filter(action__in=["people.erase", "people.readmit"])
        assert [entry.detail for entry in told] == [{"key": "backend"}] * 2


def test_an_export_of_a_person_has_every_table_about_people(
    canary: Workspace, world: Any, client: Any, media: Path
) -> None:
    headers = {"Authorization": f"Bearer {world.acme_api_key}"}
    answer = client.get(f"/api/v1/users/{USER}/export", headers=headers)
    told = json.loads(b"".join(answer.streaming_content))
    assert set(told["ids"]) == {str(person_id(canary.pk, USER)), str(person_id(canary.pk, VISITOR, "anonymous"))}
    tables = {model._meta.db_table for model in registered()}
    assert set(told["tables"]) == tables - {"touched", "person_news"}, "which name people in lists, for the night"
    assert [name for name, rows in told["tables"].items() if not rows] == []
    assert {row["name"] for row in told["tables"]["event"]} == {"Order Completed"}
    assert told["tables"]["consent"][0]["source"] and told["tables"]["delivery"][0]["campaign"] == "promo"
    with workspace_scope(canary):
        assert AuditEntry.objects.filter(action="people.export").count() == 1


@pytest.mark.django_db(transaction=True)
def test_people_who_are_erased_while_their_messages_arrive_do_not_come_back(media: Path) -> None:
    """Writers tell of twenty people all the time, half of whom are erased meanwhile; nobody gets an error."""
    workspace = make_world().acme
    names = [f"{CANARY}-{n}" for n in range(20)]
    stop, errors = threading.Event(), []
    with workspace_scope(workspace):
        record_events(workspace, [news for name in names for news in told(name, 0)])

    def write(order: int) -> None:
        try:
            for n in itertools.count(order, 2):
                if stop.is_set():
                    return
                record_events(workspace, [news for name in names for news in told(name, n)])
        except Exception as error:
            errors.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=write, args=[order]) for order in (1, 2)]
    for thread in threads:
        thread.start()
    with workspace_scope(workspace):
        erasures = [ask_erasure(person).pk for person in EndUser.objects.filter(external_id__in=names[:10])]
    for pk in erasures:
        run_erasure(workspace, pk)
    stop.set()
    for thread in threads:
        thread.join()
    for pk in erasures:
        run_erasure(workspace, pk, timezone.now() + LATER)
    with workspace_scope(workspace):
        assert errors == [] and len(erasures) == 10
        assert set(EndUser.objects.values_list("external_id", flat=True)) == set(names[10:])
        gone = [str(person_id(workspace.pk, name)) for name in names[:10]]
        assert rows_with(*gone, *(f"{name} " for name in names[:10])) == []
        assert Event.objects.values("end_user").distinct().count() == 10
        assert Erasure.objects.filter(state="done").count() == 10


def told(name: str, n: int) -> list[Any]:
    key, at = PersonKey(name), datetime(2026, 8, 1, tzinfo=UTC) + timedelta(seconds=n)
    traits = {"name": f"{name} said", "n": n}
    return [NormalEvent(key, "App Opened", f"{name}-{n}", at, at), NormalProfile(key, at, traits)]


def test_an_id_that_nobody_erased_costs_one_look(acme: Workspace) -> None:
    """And none at all for people who are there: only those who are new are looked for among the erased."""
    with workspace_scope(acme):
        record_events(acme, told("ann", 0))
        with CaptureQueriesContext(connection) as known:
            record_events(acme, told("ann", 1))
        with CaptureQueriesContext(connection) as new:
            record_events(acme, told("bo", 1))
    assert not [query for query in known if "erased" in query["sql"]]
    assert len([query for query in new if "erased" in query["sql"]]) == 1
