"""What a write key may send in a while: counted in Valkey, the same in both doors, and never in anybody's way."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.users.conftest import stored, track
from users.ingest import door, limits, taking
from users.ingest.addresses import find
from users.ingest.protocol import Incoming
from workspaces.models import AccessKey, AuditEntry, Workspace
from workspaces.scoping import workspace_scope
from workspaces.services import limit_key

PAGE = "/w/acme/settings/keys/"


def limited(workspace: Workspace) -> AccessKey:
    """The workspace's write key, which may send ten events at once and one more per second, and sent none so far."""
    with workspace_scope(workspace):
        key = AccessKey.objects.get(kind="write")
        limit_key(key, 1, 10)
        key.refresh_from_db()
    limits.take_script().registered_client.delete(limits.name_of(key))
    key.workspace = workspace
    return key


@pytest.fixture
def write_key(world, valkey_answers):
    return limited(world.acme)


@pytest.fixture(autouse=True)
def valkey_answers(monkeypatch):
    monkeypatch.setattr(limits, "_silent_until", 0.0)
    monkeypatch.setattr(limits, "PATIENCE_S", 2.0)  # a busy machine is no reason to let more through
    limits.take_script.cache_clear()
    yield
    limits.take_script.cache_clear()


def batch(start: int, size: int) -> dict[str, Any]:
    return {"batch": [track(f"m{start + n}") for n in range(size)]}


def test_whom_a_request_says_it_was_forwarded_for_buys_nothing(send, acme, write_key):
    told = [send("track", track(f"m{n}"), headers={"X-Forwarded-For": f"10.{n}.1.1"}).status_code for n in range(20)]
    assert told[:10] == [200] * 10 and told.count(429) >= 8


def test_what_is_more_waits_and_then_comes_through(send, acme, write_key):
    assert send("batch", batch(0, 9)).status_code == 200
    refused = send("batch", batch(9, 4))
    told = refused.json()
    assert (refused.status_code, told["code"], told["success"]) == (429, "rate_limited", False)
    assert refused["Retry-After"] == "3" and refused["Access-Control-Expose-Headers"] == "Retry-After"
    assert len(stored(acme)) == 9 and send("batch", batch(9, 1)).status_code == 200
    time.sleep(1.1)
    assert send("batch", batch(10, 1)).status_code == 200 and len(stored(acme)) == 11


def test_a_batch_larger_than_the_limit_passes_when_nothing_came_before_and_is_worked_off(send, acme, write_key):
    assert send("batch", batch(0, 15)).status_code == 200
    assert send("batch", batch(15, 1))["Retry-After"] == "6"
    assert len(stored(acme)) == 15


def test_parallel_requests_never_pass_more_than_the_limit(write_key):
    begun = time.monotonic()
    with ThreadPoolExecutor(20) as pool:
        waits = list(pool.map(lambda _n: limits.take(write_key, 1), range(200)))
    assert 10 <= waits.count(0) <= 10 + (time.monotonic() - begun) + 1
    assert all(0 < wait <= 2 for wait in waits if wait)


def test_keys_do_not_count_each_other_and_a_key_without_a_limit_never_asks(world, write_key, monkeypatch):
    other = limited(world.other)
    assert [limits.take(key, 10) for key in (write_key, other, write_key)] == [0, 0, 10]
    with monkeypatch.context() as patched:
        patched.setattr(limits, "take_script", lambda: pytest.fail("nobody asked"))
        assert limits.take(AccessKey(kind="write"), 5_000) == 0


def test_with_valkey_away_everything_passes_at_once_and_the_log_says_so_once(
    send, acme, write_key, settings, monkeypatch, caplog
):
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    limits.take_script.cache_clear()
    monkeypatch.setattr(limits, "_told_of_silence", False)
    with caplog.at_level(logging.WARNING, "users.ingest.limits"):
        for n in range(3):
            monkeypatch.setattr(limits, "_silent_until", 0.0)
            assert send("batch", batch(20 * n, 20)).status_code == 200
    assert len(caplog.records) == 1 and len(stored(acme)) == 60
    begun = time.monotonic()
    limits.take(write_key, 1)  # left alone for a while
    assert time.monotonic() - begun < 0.01


def test_the_wire_answers_the_same(write_key, monkeypatch):
    class Nobody:
        def submit(self, *_request: Any) -> Any:
            pytest.fail("nothing may be stored")

    async def taken() -> Any:
        return await taking.take(Incoming("POST", "/v1/batch", {}, {}, json.dumps(batch(0, 2)).encode()))  # type: ignore[misc]

    async def known(_secrets: list[str]) -> AccessKey:
        return write_key

    monkeypatch.setattr(taking, "remembered", lambda _secrets: write_key)
    monkeypatch.setattr(taking, "find_key", known)
    monkeypatch.setattr(taking, "WRITER", Nobody())
    assert limits.take(write_key, 10) == 0
    with ThreadPoolExecutor(1) as pool:  # a test of the browser leaves a loop behind in this thread
        answer = pool.submit(asyncio.run, taken()).result()
    assert (answer.status, answer.headers["Retry-After"]) == (429, "2")
    assert json.loads(answer.body)["code"] == "rate_limited"


def test_a_check_uses_nothing_up(write_key, world):
    address = find("/debug")
    assert address is not None
    incoming = Incoming("POST", "/debug", {}, {"dry-run": "true"}, json.dumps([{"type": "track"}]).encode())
    request = door.open_request(address, incoming)
    assert [door.over_limit(write_key, request) for _n in range(20)] == [None] * 20


def test_an_admin_sets_the_limit_on_the_page_of_keys(world, as_role):
    client = as_role("admin")
    with workspace_scope(world.acme):
        key = AccessKey.objects.get(kind="write")
        api_key = AccessKey.objects.exclude(kind="write").first()
    assert client.post(f"{PAGE}{key.pk}/limit/", {"events_per_second": "100", "burst": ""}).status_code == 302
    page = client.get(PAGE).content.decode()
    assert f"limit-{key.pk}" in page and "100" in page
    for _twice in range(2):
        client.post(f"{PAGE}{key.pk}/limit/", {"events_per_second": "", "burst": "5"})
    with workspace_scope(world.acme):
        key.refresh_from_db()
        log = list(AuditEntry.objects.filter(action="key.limit").order_by("at").values_list("detail", flat=True))
    assert (key.events_per_second, key.burst) == (None, None)
    assert [(told["events_per_second"], told["burst"]) for told in log] == [(100, 2_500), (None, None)]
    wrong = client.post(f"{PAGE}{key.pk}/limit/", {"events_per_second": "0"})
    assert wrong.status_code == 422 and "data-open-now" in wrong.content.decode()
    if api_key:
        assert client.post(f"{PAGE}{api_key.pk}/limit/", {"events_per_second": "5"}).status_code == 422
    assert as_role("operator").post(f"{PAGE}{key.pk}/limit/", {"events_per_second": "5"}).status_code == 403
