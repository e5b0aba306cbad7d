"""The real Python client of Segment against a real server: what it sends is stored, what it is told it understands."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from tests.conftest import make_world
from tests.users.conftest import stored
from users.models import EndUser, person_id
from workspaces.scoping import workspace_scope

analytics = pytest.importorskip("segment.analytics.client")
WHEN = datetime(2026, 8, 1, 1, 2, 3, 456000, tzinfo=UTC)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("squeeze", [False, True])
def test_segments_own_client_is_understood(live_server: Any, squeeze: bool) -> None:
    world = make_world()
    problems: list[Any] = []
    client = analytics.Client(
        world.acme_write_key,
        host=live_server.url,
        gzip=squeeze,
        upload_size=20,
        on_error=lambda error, _items: problems.append(error),
    )
    for n in range(50):
        client.track(f"u{n % 5}", "Order Completed", {"total": n, "名": "手机壳"}, timestamp=WHEN, message_id=f"m{n}")
    client.track("u1", "Order Completed", {"total": 1}, timestamp=WHEN, message_id="m1")  # a repeat
    client.identify("u1", {"name": "张伟", "email": "zhang@example.com"}, timestamp=WHEN)
    client.page("u2", "导航", "首页", timestamp=WHEN)
    client.shutdown()
    assert problems == []
    events = stored(world.acme)
    assert len(events) == 51 and {event.at for event in events} == {WHEN}
    assert sum(event.amount_minor or 0 for event in events) == sum(range(50)) * 100
    with workspace_scope(world.acme):
        told = EndUser.objects.get(pk=person_id(world.acme.pk, "u1"))
    assert (told.name, told.email) == ("张伟", "zhang@example.com")


@pytest.mark.django_db(transaction=True)
def test_a_refusal_reaches_the_clients_error_callback(live_server: Any) -> None:
    make_world()
    problems: list[Any] = []
    client = analytics.Client(
        "wk_wrong", host=live_server.url, max_retries=1, on_error=lambda error, _items: problems.append(error)
    )
    client.track("u1", "Order Completed")
    client.shutdown()
    assert [(problem.status, problem.code) for problem in problems] == [(401, "unauthenticated")]
