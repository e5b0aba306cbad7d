"""Unmodified SDKs of four vendors in three languages: what they send is stored once and belongs to one person, also over a
restart; and those that retry lose nothing when the server is killed."""

from __future__ import annotations

import time
from typing import Any

import pytest

from users.identity import merge_pending
from users.models import EndUser, person_id
from workspaces.scoping import workspace_scope

from .conftest import FULL, Open
from .lab import Program, Server, Tab, counts, orders, wait_until

pytestmark = pytest.mark.django_db(transaction=True)
full_size = pytest.mark.skipif(not FULL, reason="all SDKs at full size run under `make sdks`")

RETRYING = ("segment-python", "rudder-python", "posthog-python", "segment-node", "rudder-node", "posthog-node")
PROGRAMS = (*RETRYING, "sensors-python", "sensors-node")
TABS = ("segment-browser", "sensors-browser", "sensors-batch-browser")
EVENTS, IN_BROWSERS = 1_000, 50
# A restart takes some seconds; everybody sends before, during and after it.
SENDING_MS = 50_000
# A killed server is back in two seconds, in which not everybody had something to send.
DOWN_S = 4


def check(world: Any, sent: dict[str, int], clients: list[Program | Tab]) -> dict[str, Any]:
    """Every order of every SDK came in once with its text; all of an SDK's are one known person's after the merge.

    Returns what each SDK told at its end.
    """
    told = {one.sdk: one.finish() for one in clients}
    print("\n", told)
    deadline = time.monotonic() + 30
    while counts(world.acme) != sent and time.monotonic() < deadline:
        time.sleep(0.5)
    merge_pending(world.acme)
    # Who they are comes in a request of its own, which may be tried again after the last order is in.
    while any(len(owners(world, sdk)) > 1 for sdk in sent) and time.monotonic() < deadline:
        time.sleep(0.5)
        merge_pending(world.acme)
    for sdk, events in sent.items():
        found = orders(world.acme, sdk)
        assert sorted(order.properties["n"] for order in found) == list(range(events)), (sdk, told[sdk])
        assert {order.properties["product"] for order in found} == {"手机壳"}
        known = person_id(world.acme.pk, f"用户-{sdk}")
        assert owners(world, sdk) == {known}, sdk
        assert told[sdk]["errors"] == [], (sdk, told[sdk])
        with workspace_scope(world.acme):
            person = EndUser.objects.get(pk=known)
        assert (person.name, person.city) == ("张伟", "上海"), sdk
    return told


def owners(world: Any, sdk: str) -> set[Any]:
    return {order.end_user_id for order in orders(world.acme, sdk)}


@pytest.mark.parametrize(("sdk", "events"), [("segment-node", 60), ("segment-browser", 12)])
def test_smoke(world: Any, server: Server, opened: Open, sdk: str, events: int) -> None:
    check(world, {sdk: events}, [opened(sdk, events, 5)])


@full_size
def test_all_over_a_rolling_restart(world: Any, server: Server, opened: Open) -> None:
    sent = dict.fromkeys(PROGRAMS, EVENTS) | dict.fromkeys(TABS, IN_BROWSERS)
    clients = []
    for some in (PROGRAMS, TABS):  # programs are slower to begin
        clients += [opened(sdk, sent[sdk], SENDING_MS // sent[sdk]) for sdk in some]
        wait_until(lambda some=some: all(counts(world.acme)[sdk] for sdk in some), "not everybody sends")
    restarted = server.begin_restart()
    wait_until(restarted, "the workers were not replaced")
    halfway = counts(world.acme)
    print("\nwhen restarted:", halfway)
    assert all(halfway[sdk] < events for sdk, events in sent.items()), "some had finished before the restart"
    check(world, sent, clients)


@full_size
def test_those_that_retry_survive_a_kill(world: Any, server: Server, opened: Open) -> None:
    sent = dict.fromkeys(RETRYING, EVENTS) | {"segment-browser": IN_BROWSERS}
    clients = [opened(sdk, events, SENDING_MS // 2 // events) for sdk, events in sent.items()]
    wait_until(lambda: all(counts(world.acme)[sdk] > sent[sdk] / 4 for sdk in sent), "not everybody sends")
    server.kill()
    at_the_kill = counts(world.acme)
    print("\nwhen killed:", at_the_kill)
    assert all(at_the_kill[sdk] < events for sdk, events in sent.items()), "some had finished before the kill"
    time.sleep(DOWN_S)
    server.start()
    told = check(world, sent, clients)
    assert all(one["failed"] for one in told.values()), "some did not notice"
