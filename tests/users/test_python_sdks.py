"""The real Python SDKs of four vendors against a real server: what they send is stored once, what they are told they
understand. Only the address and the key are changed."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from posthog import Posthog
from rudderstack.analytics.client import Client as RudderClient
from segment.analytics.client import Client as SegmentClient
from sensorsanalytics.sdk import BatchConsumer, DebugConsumer, DefaultConsumer, SensorsAnalytics

from tests.conftest import make_world
from tests.users.conftest import stored
from users.models import EndUser, IdentityLink, person_id
from workspaces.scoping import workspace_scope

WHEN = datetime(2026, 8, 1, 1, 2, 3, 456000, tzinfo=UTC)
EVENTS = 200

pytestmark = pytest.mark.django_db(transaction=True)


def check_orders(world: Any, name: str = "Order Completed", events: int = EVENTS) -> None:
    """So many orders of five people came in, each once, with their Chinese property, at the time the client said."""
    orders = [event for event in stored(world.acme) if event.name.name == name]
    assert len(orders) == events
    assert sum(order.amount_minor or 0 for order in orders) == sum(range(events)) * 100
    assert {order.properties["product"] for order in orders} == {"手机壳"}
    assert {order.at for order in orders} == {WHEN}
    people = {order.end_user_id for order in orders}
    assert people == {person_id(world.acme.pk, f"用户{n}") for n in range(5)}


def person(world: Any, external_id: str) -> EndUser:
    with workspace_scope(world.acme):
        return EndUser.objects.get(pk=person_id(world.acme.pk, external_id))


def links(world: Any) -> set[tuple[Any, Any]]:
    with workspace_scope(world.acme):
        return set(IdentityLink.objects.values_list("end_user_id", "known_id"))


def link(world: Any, visitor: str, known: str, kind: str = "anonymous") -> tuple[Any, Any]:
    return person_id(world.acme.pk, visitor, kind), person_id(world.acme.pk, known)


@pytest.mark.parametrize("squeeze", [False, True])
@pytest.mark.parametrize("client_class", [SegmentClient, RudderClient])
def test_segment_and_rudder(live_server: Any, client_class: Callable[..., Any], squeeze: bool) -> None:
    world, problems = make_world(), []
    client = client_class(
        world.acme_write_key,
        host=live_server.url,
        gzip=squeeze,
        upload_size=20,
        on_error=lambda error, _items: problems.append(error),
    )
    for n in range(EVENTS):
        told = {"total": n, "product": "手机壳"}
        client.track(f"用户{n % 5}", "Order Completed", told, timestamp=WHEN, message_id=f"m{n}")
    client.track("用户1", "Order Completed", {"total": 1}, timestamp=WHEN, message_id="m1")  # a repeat
    client.identify("用户1", {"name": "张伟", "email": "zhang@example.com"}, timestamp=WHEN, anonymous_id="v-1")
    client.page("用户2", "导航", "首页", timestamp=WHEN)
    client.alias("v-2", "用户2", timestamp=WHEN)
    client.group("用户3", "g-1", {"name": "三班"}, timestamp=WHEN)
    client.shutdown()
    assert problems == []
    check_orders(world)
    told_of = person(world, "用户1")
    assert (told_of.name, told_of.email) == ("张伟", "zhang@example.com")
    assert person(world, "用户3").attributes["group_id"] == "g-1"
    names = [event.name.name for event in stored(world.acme)]
    assert names.count("Page Viewed") == names.count("Group Identified") == 1
    assert {link(world, "v-1", "用户1"), link(world, "v-2", "用户2")} <= links(world)


@pytest.mark.parametrize("client_class", [SegmentClient, RudderClient])
def test_a_refusal_reaches_the_clients_error_callback(live_server: Any, client_class: Callable[..., Any]) -> None:
    make_world()
    problems: list[Any] = []
    client = client_class(
        "wk_wrong", host=live_server.url, max_retries=1, on_error=lambda error, _items: problems.append(error)
    )
    client.track("u1", "Order Completed")
    client.shutdown()
    assert [(problem.status, problem.code) for problem in problems] == [(401, "unauthenticated")]


@pytest.mark.parametrize("squeeze", [False, True])
def test_posthog(live_server: Any, squeeze: bool) -> None:
    world, problems = make_world(), []
    client = Posthog(
        world.acme_write_key,
        host=live_server.url,
        gzip=squeeze,
        flush_at=20,
        on_error=lambda error, _items: problems.append(error),
    )
    for n in range(EVENTS):
        told = {"total": n, "product": "手机壳"}
        client.capture("Order Completed", distinct_id=f"用户{n % 5}", properties=told, timestamp=WHEN)
    client.set(distinct_id="用户1", properties={"name": "张伟", "email": "zhang@example.com"}, timestamp=WHEN)
    client.alias("v-2", "用户2", timestamp=WHEN)
    client.capture(
        "$identify",
        distinct_id="用户1",
        properties={"$anon_distinct_id": "v-1", "$set": {"city": "上海"}},
        timestamp=WHEN,
    )
    client.group_identify("company", "g-1", {"name": "三班"})
    client.shutdown()
    assert problems == []
    check_orders(world)
    told_of = person(world, "用户1")
    assert (told_of.name, told_of.email, told_of.city) == ("张伟", "zhang@example.com", "上海")
    assert {link(world, "v-1", "用户1"), link(world, "v-2", "用户2")} <= links(world)
    assert len(stored(world.acme)) == EVENTS


# The one sends every event by itself.
@pytest.mark.parametrize(("consumer_class", "events"), [(DefaultConsumer, 40), (BatchConsumer, EVENTS)])
def test_sensors(live_server: Any, consumer_class: Callable[..., Any], events: int) -> None:
    world = make_world()
    consumer = consumer_class(f"{live_server.url}/sa?project=default&token={world.acme_write_key}")
    client = SensorsAnalytics(consumer)
    moment = int(WHEN.timestamp() * 1000)
    for n in range(events):
        told = {"total": n, "product": "手机壳", "$time": moment}
        client.track(f"用户{n % 5}", "OrderCompleted", told, is_login_id=True)
    client.track_signup("用户1", "v-1")
    client.profile_set("用户1", {"name": "张伟", "vip": True}, is_login_id=True)
    client.profile_set_once("用户1", {"source": "小红书"}, is_login_id=True)
    client.close()
    check_orders(world, "OrderCompleted", events)
    told_of = person(world, "用户1")
    assert (told_of.name, told_of.source, told_of.attributes["vip"]) == ("张伟", "小红书", True)
    assert link(world, "v-1", "用户1") in links(world)


def test_sensors_debug_mode_checks_and_may_leave_no_trace(live_server: Any) -> None:
    world = make_world()
    for write, kept in ((False, 0), (True, 1)):
        consumer = DebugConsumer(f"{live_server.url}/sa?project=default&token={world.acme_write_key}", write)
        SensorsAnalytics(consumer).track("u1", "OrderCompleted", {"total": 1}, is_login_id=True)
        assert len(stored(world.acme)) == kept
