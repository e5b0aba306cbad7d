"""What waits to be stored: nobody waits for ever, whoever gave up stops nobody, and a monster is not even read."""

from __future__ import annotations

import asyncio
import json
import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

import pytest
from django.db import InterfaceError, connection
from django.utils import timezone

from users.ingest import addresses, arrivals, door, group
from users.ingest.normal import Result
from users.ingest.patience import Patience
from users.ingest.protocol import Incoming
from users.models import Event, EventName
from workspaces.scoping import workspace_scope


def request() -> Any:
    return SimpleNamespace(items=[None], answer=lambda results: results)


def test_a_request_that_is_called_off_is_left_out_and_the_writer_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    entered, go_on, stored = threading.Event(), threading.Event(), []

    def store(batch: list[Any], note: Any) -> list[list[Result]]:
        entered.set()
        assert go_on.wait(10)
        stored.extend(batch)
        return [[Result("accepted")] for _opened in batch]

    async def send_three() -> list[Any]:
        being_stored = writer.submit(key, first)
        assert await asyncio.to_thread(entered.wait, 10)
        assert writer.submit(key, second).cancel()
        go_on.set()
        return [await being_stored, await writer.submit(key, third)]

    monkeypatch.setattr(group, "store", store)
    monkeypatch.setattr(group.Writer, "meet", lambda self: None)  # there is no database here
    monkeypatch.setattr(group, "read_all", lambda _key, request, _at: request)
    key: Any = SimpleNamespace(workspace_id=uuid.uuid4())
    writer, (first, second, third) = group.Writer(), [request() for _ in range(3)]
    assert asyncio.run(send_three()) == [[Result("accepted")], [Result("accepted")]]
    assert stored == [first, third]


def test_whatever_takes_too_long_is_let_go_of_and_nothing_else() -> None:
    lost: list[tuple[str, int]] = []
    patience: Patience[str] = Patience(0.2, lambda name: lost.append((name, round(10 * (clock() - began)))))

    async def wait() -> None:
        nonlocal clock, began
        clock = asyncio.get_running_loop().time
        began = clock()
        for name in ("quick", "slow", "slower"):
            patience.begin(name)
        patience.end("quick")
        await asyncio.sleep(0.1)
        patience.begin("slow")  # waited for already
        patience.end("slower")
        patience.begin("slower")  # anew
        patience.end("never begun")
        await asyncio.sleep(0.5)

    clock, began = float, 0.0
    for _loop in range(2):  # a loop that ended leaves nothing behind
        asyncio.run(wait())
        patience.waiting["of the loop before"] = 0.0
    assert lost == [("slow", 2), ("slower", 3)] * 2


def test_a_database_that_does_not_answer_in_time_is_a_503() -> None:
    answer = door.explain(TimeoutError())
    assert (answer.status, answer.headers["Retry-After"]) == (503, "5")


@pytest.mark.parametrize("first", [b"NaN", b"{}"])
def test_a_body_of_far_too_many_items_is_refused_unread(send: Any, first: bytes) -> None:
    answer = send("batch", body=b'{"batch":[' + first + b",{}" * 60_000 + b"]}")
    assert (answer.status_code, answer.json()["code"]) == (400, "too_many_items")


def test_commas_within_items_are_no_items(send: Any) -> None:
    """A thousand items of a hundred numbers each have far more commas than items."""
    item = b'{"type":"track","userId":"u","event":"e","messageId":"m%d","properties":{"x":[' + b"1," * 99 + b"1]}}"
    answer = send("batch", body=b'{"batch":[' + b",".join(item % n for n in range(1000)) + b"]}")
    assert (answer.status_code, answer.json()["accepted"]) == (200, 1000)


@pytest.mark.django_db(transaction=True)
def test_a_session_that_is_cut_while_arrivals_are_noted_is_no_200(send: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Noting never costs an event, so it catches every error; but one that takes the transaction with it is a 503."""

    def cut(path: str, **params: Any) -> Any:
        if path != "users/note_arrivals":
            return plain(path, **params)
        connection.connection.close()  # under Django's hands, as when the server ends it
        return plain(path, **params)

    plain = arrivals.run_sql
    monkeypatch.setattr(arrivals, "run_sql", cut)
    message = {"type": "track", "userId": "u", "event": "e", "messageId": "m"}
    assert send("batch", {"batch": [message]}).status_code == 503
    monkeypatch.undo()
    connection.close()
    assert send("batch", {"batch": [message]}).json()["accepted"] == 1


@pytest.mark.django_db(transaction=True)
def test_a_database_that_comes_back_without_its_last_commits_is_learnt_anew(
    world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A failover loses what was committed last: here the name of an event, and the writer's session with it."""

    async def send(message_id: str) -> int:
        incoming = Incoming("POST", "/v1/track", {}, {}, json.dumps(message | {"messageId": message_id}).encode())
        address = addresses.find("/v1/track")
        assert address
        return (await writer.submit(key, door.open_request(address, incoming))).status

    def tell(message_id: str) -> int:
        with ThreadPoolExecutor(1) as pool:  # a test of the browser leaves a loop behind in this thread
            return pool.submit(asyncio.run, send(message_id)).result()

    message = {"event": "Lost", "userId": "u", "timestamp": timezone.now().isoformat()}
    writer, key = group.Writer(), door.first_key([world.acme_write_key])
    monkeypatch.setattr(writer.held, "note", arrivals.note_arrivals)  # nothing is left to be written after the test
    assert key and tell("1") == 200
    with workspace_scope(world.acme):
        Event.objects.filter(name__name="Lost")._raw_delete("default")
        EventName.objects.filter(name="Lost").delete()
    session: Any = writer.session
    session.close()
    with pytest.raises(InterfaceError):
        tell("2")
    assert tell("2") == 200
    with workspace_scope(world.acme):
        assert [event.name.name for event in Event.objects.select_related("name")] == ["Lost"]
    session = writer.session
    session.close()
