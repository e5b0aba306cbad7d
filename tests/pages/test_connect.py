"""The page 接入: what arrives, what is refused and what to do about it, the test event, and what it costs ingest."""

from __future__ import annotations

import ast
import json
import uuid
from pathlib import Path
from typing import Any

import pytest
from django.db import DatabaseError, connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import translation

import users.ingest
from ops_platform import connect_reads
from tests import builders
from users.ingest import arrivals
from users.ingest.advice import SENTENCES, advice
from users.models import Arrival, ArrivalHour, EndUser, Event, IngestError, person_id
from workspaces.scoping import workspace_scope

PAGE = "/w/acme/connect/"


def send(world: Any, *items: dict[str, Any], library: str = "analytics-node") -> None:
    """What a Segment server SDK sends: the name of the SDK stands in every item."""
    context = {"library": {"name": library}}
    batch = [{"type": "track", "userId": "u1", "messageId": uuid.uuid4().hex, "context": context} | i for i in items]
    told = {"batch": batch, "writeKey": world.acme_write_key}
    answer = Client().post("/v1/batch", data=json.dumps(told), content_type="application/json")
    assert answer.status_code == 200, answer.content


def rows(client: Client, **query: str) -> list[dict[str, Any]]:
    return client.get(PAGE, query).context["rows"]


def test_an_event_appears_with_its_sdk_its_person_and_its_json(world: Any, as_role: Any) -> None:
    send(world, {"event": "Order Completed", "properties": {"order_id": "A-7", "note": "<script>alert(1)</script>"}})
    client = as_role("analyst")
    page = client.get(PAGE)
    [row] = page.context["rows"]
    assert (row["name"], row["library"], row["external_id"]) == ("Order Completed", "analytics-node", "u1")
    assert f"/w/acme/users/{person_id(world.acme.pk, 'u1')}/" in page.content.decode()
    item = client.get(f"{PAGE}event/?{row['key']}").content.decode()
    assert "A-7" in item
    assert "<script>alert" not in item + page.content.decode()
    drawer = client.get(f"{PAGE}event/?{row['key']}", headers={"HX-Request": "true", "HX-Target": "drawer-body"})
    assert "<html" not in drawer.content.decode()


@pytest.mark.parametrize(
    "query", ["", "?person=x&event=y&at=z", f"?person={uuid.UUID(int=1)}&event={uuid.UUID(int=2)}&at=2026-01-01"]
)
def test_an_item_that_is_not_there_is_not_found(query: str, world: Any, as_role: Any) -> None:
    assert as_role("analyst").get(f"{PAGE}event/{query}").status_code == 404


def test_another_projects_events_are_not_found(world: Any, as_role: Any) -> None:
    send(world, {"event": "Order Completed"})
    [row] = rows(as_role("analyst"))
    assert as_role("stranger").get(f"/w/other/connect/event/?{row['key']}").status_code == 404
    assert rows_of_other(as_role("stranger")) == []


def rows_of_other(client: Client) -> list[dict[str, Any]]:
    return client.get("/w/other/connect/").context["rows"]


def test_filters_by_event_person_and_sdk(world: Any, as_role: Any) -> None:
    send(world, {"event": "Page Viewed"}, {"event": "Order Completed", "userId": "u2"})
    send(world, {"event": "Page Viewed", "userId": None, "anonymousId": "v1"}, library="analytics-python")
    client = as_role("analyst")
    assert [row["external_id"] for row in rows(client)] == ["v1", "u2", "u1"]
    assert [row["external_id"] for row in rows(client, event="Page Viewed")] == ["v1", "u1"]
    assert [row["name"] for row in rows(client, user="u2")] == ["Order Completed"]
    assert [row["external_id"] for row in rows(client, user="v1")] == ["v1"]
    assert [row["external_id"] for row in rows(client, library="analytics-python")] == ["v1"]
    for nothing in ({"event": "x"}, {"user": "x"}, {"library": "x"}, {"event": "Page Viewed", "user": "u2"}):
        assert rows(client, **nothing) == []
    page = client.get(PAGE, {"event": "Page Viewed", "library": "analytics-python"}).content.decode()
    assert "event=Page+Viewed&amp;library=analytics-python&amp;paused=1" in page


def test_events_of_a_merged_person_are_found_under_every_id(world: Any, as_role: Any) -> None:
    from users.identity import merge_pending

    send(world, {"event": "Page Viewed", "userId": None, "anonymousId": "v1"})
    send(world, {"type": "identify", "anonymousId": "v1", "userId": "u1"})
    merge_pending(world.acme)
    client = as_role("analyst")
    for user in ("u1", "v1"):
        [row] = rows(client, user=user)
        assert row["owner"] == person_id(world.acme.pk, "u1")
        assert client.get(f"{PAGE}event/?{row['key']}").status_code == 200


def test_the_list_renews_itself_only_when_something_arrived(world: Any, as_role: Any) -> None:
    client = as_role("analyst")
    poll = client.get(PAGE).context["poll"]
    assert client.get(f"{PAGE}live/?{poll}").status_code == 204
    send(world, {"event": "Page Viewed"})
    renewed = client.get(f"{PAGE}live/?{poll}")
    assert renewed.status_code == 200 and "Page Viewed" in renewed.content.decode()
    assert 'hx-trigger="every 3s"' in renewed.content.decode()
    assert 'hx-trigger="every 3s"' not in client.get(PAGE, {"paused": "1"}).content.decode()


def test_refused_items_are_told_by_sdk_with_an_example_and_what_to_do(world: Any, as_role: Any) -> None:
    bad = {"event": "", "properties": {"x": "<img src=x onerror=alert(1)>"}}
    send(world, bad, bad)
    client = as_role("analyst")
    body = json.dumps({"event": "x", "properties": {"token": world.acme_write_key}})
    assert Client().post("/capture/", data=body, content_type="application/json").status_code == 200
    client.cookies["django_language"] = "en"
    page = client.get(PAGE)
    found = {(error["library"], error["code"]): error for error in page.context["errors"]}
    assert found["analytics-node", "missing_event"]["count"] == 2
    assert found["analytics-node", "missing_event"]["advice"] == "Give the event a name."
    text = page.content.decode()
    assert ("PostHog", "missing_identifier") in found
    assert "<img src=x" not in text and "&lt;img src=x" in text
    assert world.acme_write_key not in text, "keys inside examples are masked"


def codes() -> set[str]:
    """Every code that an item can be refused with, out of the source."""
    found: set[str] = set()
    for path in Path(users.ingest.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                first = node.args[0] if node.args else None
                if node.func.id == "Refused":
                    found |= constants(first)
                elif node.func.id == "Result" and constants(first) == {"rejected"}:
                    found |= constants(node.args[1])
            elif isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "code":
                found |= constants(node.value)
    return found


def constants(node: ast.AST | None) -> set[str]:
    if isinstance(node, ast.IfExp):
        return constants(node.body) | constants(node.orelse)
    return {node.value} if isinstance(node, ast.Constant) and isinstance(node.value, str) else set()


def test_every_code_has_a_sentence_in_both_languages() -> None:
    assert len(codes()) > 12 and codes() == set(SENTENCES)
    for code in codes():
        with translation.override("en"):
            english = advice(code)
        with translation.override("zh-hans"):
            assert english.isascii() and advice(code) != english


def test_the_test_event_comes_through_the_door_and_is_in_no_number(world: Any, as_role: Any) -> None:
    client = as_role("admin")
    for _twice in range(2):
        page = client.post(f"{PAGE}test/", follow=True)
        assert page.status_code == 200
    assert [(row["name"], row["external_id"], row["library"]) for row in page.context["rows"]] == [
        ("Test Event", "test-user", "test")
    ] * 2
    with workspace_scope(world.acme):
        assert EndUser.objects.get(external_id="test-user").excluded
        assert Event.objects.count() == 2
    for role in ("analyst", "operator"):
        assert as_role(role).post(f"{PAGE}test/").status_code == 403
        assert "connect/test/" not in as_role(role).get(PAGE).content.decode()


def test_keys_are_shown_masked_and_only_to_those_who_manage_them(world: Any, as_role: Any) -> None:
    for role, shown in (("admin", True), ("analyst", False)):
        page = as_role(role).get(PAGE).content.decode()
        assert world.acme_write_key not in page
        assert (world.acme_write_key[:8] in page) is shown
        assert page.count('class="snippet"') == 8 and "http://testserver" in page
        assert "{address}" not in page and "{key}" not in page


def test_ingest_pays_per_request_and_not_per_event(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arrivals.random, "randrange", lambda _n: 1)
    send(world, {"event": "Page Viewed"})

    def cost(events: int) -> int:
        with CaptureQueriesContext(
            connection,
        ) as queries:
            send(world, *({"event": "Page Viewed"} for _n in range(events)))
        return len(queries)

    assert cost(1) == cost(200)
    with workspace_scope(world.acme):
        assert [len(arrival.events) for arrival in Arrival.objects.order_by("at")] == [1, 1, arrivals.KEPT_EVENTS]
        assert sum(hour.accepted for hour in ArrivalHour.objects.all()) == 202


def test_ingest_goes_on_when_what_arrived_cannot_be_noted(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(path: str, **params: Any) -> Any:
        if path != "users/note_arrivals":
            return plain(path, **params)
        with connection.cursor() as cursor:
            cursor.execute("select * from no_such_table")

    plain = arrivals.run_sql
    monkeypatch.setattr(arrivals, "run_sql", fail)
    with pytest.raises(DatabaseError), workspace_scope(world.acme):
        fail("users/note_arrivals")
    send(world, {"event": "Page Viewed"})
    with workspace_scope(world.acme):
        assert Event.objects.count() == 1 and not Arrival.objects.exists()


def test_the_ring_stays_short(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arrivals, "KEPT", 3)
    monkeypatch.setattr(arrivals, "FORGET_EVERY", 1)
    for n in range(5):
        send(world, {"event": f"Event {n}"})
    with workspace_scope(world.acme):
        assert Arrival.objects.count() <= 4


def test_what_arrived_is_counted_by_hour_and_local_day(world: Any) -> None:
    send(world, {"event": "Page Viewed", "messageId": "m1", "timestamp": "2026-08-01T00:00:00Z"}, {"event": ""})
    send(world, {"event": "Page Viewed", "messageId": "m1", "timestamp": "2026-08-01T00:00:00Z"})
    with workspace_scope(world.acme):
        counts = connect_reads.volume(world.acme)
    assert (len(counts["hours"]), len(counts["days"])) == (48, 30)
    for slots in counts.values():
        assert {key: slots[-1][key] for key in ("accepted", "duplicate", "rejected")} == {
            "accepted": 1,
            "duplicate": 1,
            "rejected": 1,
        }


def test_the_catalogue_counts_and_marks_properties_of_several_types(world: Any, as_role: Any) -> None:
    world.acme.frozen_on = builders.moment(world.acme, "2026-08-31").date()
    world.acme.save()
    builders.event(world.acme, "u1", "Order Completed", "2026-08-30", total=20, coupon="A")
    builders.event(world.acme, "u1", "Order Completed", "2026-08-29", total="20", coupon=None)
    builders.event(world.acme, "u1", "Old One", "2026-05-01")
    client = as_role("analyst")
    names = {row["name"]: row for row in client.get(f"{PAGE}catalogue/").context["names"]}
    assert (names["Order Completed"]["events"], names["Old One"]["events"]) == (2, 0)
    assert "<html" in client.get(f"{PAGE}catalogue/").content.decode()  # whoever has no script follows a link there
    assert "<html" not in client.get(f"{PAGE}catalogue/", headers={"HX-Request": "true"}).content.decode()
    page = client.get(f"{PAGE}catalogue/{names['Order Completed']['pk']}/")
    assert {row["name"]: row["mixed"] for row in page.context["rows"]} == {"total": True, "coupon": False}
    assert client.get(f"{PAGE}catalogue/{2**40}/").status_code == 404


def test_an_empty_project_is_told_what_to_do(world: Any, as_role: Any) -> None:
    client = as_role("owner")
    client.cookies["django_language"] = "zh-hans"
    page = client.get(PAGE).content.decode()
    assert "还没有 SDK 发来数据" in page and "发送测试事件" in page
    assert "事件一到" in client.get(f"{PAGE}catalogue/").content.decode()
    with workspace_scope(world.acme):
        assert not IngestError.objects.exists()
