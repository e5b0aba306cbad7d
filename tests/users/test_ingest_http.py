"""The HTTP door: keys, compression, sizes, batches, browsers, and what is answered when the database is not there."""

from __future__ import annotations

import base64
import gzip
import json
import resource
from datetime import timedelta
from typing import Any

import psycopg2
import pytest
from django.core.handlers.wsgi import WSGIRequest
from django.db import OperationalError, connection
from django.utils import timezone

from tests.users.conftest import stored, track
from users.ingest import body, door
from users.ingest.body import MAX_BYTES
from users.models import IngestError
from workspaces.models import AccessKey
from workspaces.scoping import workspace_scope
from workspaces.services import create_key, revoke_key


def basic(key: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{key}:".encode()).decode()}


# --- keys ----------------------------------------------------------------------------------------------------------


def test_the_key_may_stand_in_four_places(client, world, acme):
    key = world.acme_write_key
    message = json.dumps(track()).encode()
    ways = [
        {"headers": basic(key)},
        {"headers": {"Authorization": f"Bearer {key}"}},
        {"query_params": {"writeKey": key}},
        {"data": json.dumps(track() | {"writeKey": key}).encode()},
        {
            "data": json.dumps(track() | {"writeKey": key}).encode(),
            "headers": {"Authorization": "Bearer some-oauth-token"},
        },
    ]
    for way in ways:
        answer = client.post("/v1/track", **({"data": message, "content_type": "text/plain"} | way))
        assert answer.status_code == 200, way
    batch = json.dumps({"batch": [track()], "writeKey": key}).encode()
    assert client.post("/v1/batch/", data=batch, content_type="application/x-www-form-urlencoded").status_code == 200
    assert len(stored(acme)) == 1


@pytest.mark.parametrize(
    "headers",
    [{"Authorization": told} for told in ("", "Bearer ", "Basic YWJj", "Bearer ' or 1=1--", "Basic ÿ", "Basic ====")],
)
def test_without_a_live_key_nothing_is_written(client, world, acme, headers):
    answer = client.post("/v1/track", data=track(), content_type="application/json", headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated")
    assert stored(acme) == []


def test_keys_of_another_kind_changed_case_or_past_their_end_open_nothing(send, world, acme):
    assert send("track", track(), key=world.acme_api_key).status_code == 401
    assert send("track", track(), key=world.acme_write_key.upper()).status_code == 401
    with workspace_scope(acme):
        key, secret = create_key("write", "old app")
        revoke_key(key)
    assert send("track", track(), key=secret).status_code == 401
    assert send("track", track()).status_code == 200
    with workspace_scope(acme):
        assert AccessKey.objects.get(name="site").last_used_at is not None


def test_the_key_says_whose_event_it_is_and_nothing_else_does(send, world, acme):
    for key in (world.acme_write_key, world.other_write_key):
        answer = send(
            "track", track() | {"workspace_id": str(acme.pk), "properties": {"workspace_id": str(acme.pk)}}, key=key
        )
        assert answer.json()["accepted"] == 1  # the same message id in two workspaces is two messages
    assert len(stored(acme)) == len(stored(world.other)) == 1
    assert stored(acme)[0].end_user_id != stored(world.other)[0].end_user_id


def test_half_an_emoji_is_no_key(client, world):
    answer = client.post("/v1/track", data=b'{"writeKey":"\\ud800"}', content_type="application/json")
    assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated")


# --- batches -------------------------------------------------------------------------------------------------------


def test_a_batch_takes_the_good_items_and_names_the_bad(send, acme):
    items = [
        track("1"),
        {"type": "track"},
        track("3"),
        track("4", properties={"a": "\0"}),
        {"type": "drop_table", "userId": "u"},
    ]
    items += [{"type": "merge", "userId": "u", "previousId": "v"}, 5, None, "x"]
    answer = send("batch", {"batch": items})
    told = answer.json()
    assert (answer.status_code, told["success"], told["accepted"], told["rejected"]) == (200, True, 2, 7)
    codes = [item["code"] for item in told["items"]]
    assert codes == [
        "",
        "missing_identifier",
        "",
        "invalid_string",
        "unknown_type",
        "unknown_type",
        *["invalid_type"] * 3,
    ]
    assert [item["index"] for item in told["items"]] == list(range(9))
    assert [event.message_id for event in stored(acme)] == ["1", "3"]


def test_half_an_emoji_costs_only_the_item_it_is_in(send, acme):
    good, bad = (
        json.dumps(track("1", properties={"x": 9007199254740993})),
        '{"type":"track","userId":"u","event":"\\ud83d"}',
    )
    answer = send("batch", body=f'{{"batch":[{good},{bad},{json.dumps(track("3"))}]}}'.encode()).json()
    assert [item["status"] for item in answer["items"]] == ["accepted", "rejected", "accepted"]
    assert answer["items"][1]["code"] == "invalid_string"
    assert stored(acme)[0].properties["x"] == 9007199254740993


POISON = {
    "nested past every decoder": ('{"type":"track","userId":"u","event":"e","properties":{"x":%s}}', "too_deep"),
    "not a number": ('{"type":"track","userId":"u","event":"e","properties":{"x":NaN}}', "invalid_json"),
    "cut emoji": ('{"type":"track","userId":"u","event":"\\ud83d"}', "invalid_string"),
    "cut emoji and 5000 digits": (
        '{"type":"track","userId":"\\ud83d"},{"type":"track","userId":"u","event":"e","properties":{"x":%s}}'
        % ("9" * 5000),
        "invalid_string",
    ),
    "the year 9999": (
        '{"type":"track","userId":"u","event":"e","timestamp":"9999-12-31T00:00:00Z"}',
        "invalid_timestamp",
    ),
}
DEEP = '["}\\"]",' * 3000 + "1" + "]" * 3000


@pytest.mark.parametrize("case", POISON, ids=lambda case: case)
def test_one_bad_item_never_costs_its_batch(send, acme, case):
    bad, code = POISON[case]
    bad = bad.replace("%s", DEEP)
    sent_at = (timezone.now() - timedelta(days=9)).isoformat()  # a slow clock, so that times are corrected
    good = [json.dumps(track(name, timestamp=sent_at)) for name in "13"]
    body = f'{{"sentAt":"{sent_at}","batch":[{good[0]},{bad},{good[1]}]}}'
    answer = send("batch", body=body.encode())
    told = answer.json()
    assert (answer.status_code, told["accepted"], told["items"][1]["code"]) == (200, 2, code)
    assert {event.message_id for event in stored(acme)} == {"1", "3"}


def test_half_an_emoji_in_a_batch_leaves_its_context_alone(send, acme):
    batch = {"batch": [track("1"), track("2", event="\ud83d")], "context": {"os": {"name": "iOS"}}}
    assert send("batch", body=json.dumps(batch).encode()).json()["accepted"] == 1
    assert stored(acme)[0].properties["os"] == "iOS"


def test_repeats_within_a_batch_and_after_it_are_duplicates(send, acme):
    told = send(
        "batch", {"batch": [track("1"), track("1"), track("2", timestamp=None), track("2", timestamp=None)]}
    ).json()
    assert [item["status"] for item in told["items"]] == ["accepted", "duplicate"] * 2
    again = send("batch", {"batch": [track("2", timestamp=None), track("1"), track("3")]}).json()
    assert (again["accepted"], again["duplicate"]) == (1, 2)
    assert len(stored(acme)) == 3


@pytest.mark.parametrize("count", [2499, 2500])
def test_a_batch_of_the_largest_size_is_taken(send, count):
    items = [{"type": "nothing"}] * count
    answer = send("batch", {"batch": items})
    assert answer.status_code == 200 and answer.json()["rejected"] == count


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ({"batch": [{}] * 2501}, "too_many_items"),
        ({"batch": []}, "empty_batch"),
        ({}, "empty_batch"),
        ({"batch": {}}, "invalid_type"),
        ({"batch": "x"}, "invalid_type"),
    ],
)
def test_a_batch_that_is_none_is_refused_as_a_whole(send, message, code):
    answer = send("batch", message)
    assert (answer.status_code, answer.json()["code"]) == (400, code)


def test_what_was_refused_is_kept_for_developers_bounded(send, acme):
    context = {"library": {"name": "our-app"}}
    send("batch", {"batch": [{"type": "track", "userId": "u", "event": "x" * 5000}], "context": context})
    for _ in range(12):
        send("batch", {"batch": [{"type": "nothing", "中": "文"}] * 30})
    with workspace_scope(acme):
        assert IngestError.objects.count() == 200
        assert not IngestError.objects.filter(code="too_long").exists()  # the oldest went first
        latest = IngestError.objects.order_by("-at").first()
    assert latest and latest.code == "unknown_type" and '"nothing"' in latest.example
    with workspace_scope(acme):
        assert all(len(error.example) <= 2000 for error in IngestError.objects.all())


# --- bytes ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("headers", [{"Content-Encoding": "gzip"}, {}, {"Content-Encoding": "x-gzip"}])
def test_gzip_is_known_by_its_header_or_its_first_bytes(send, acme, headers):
    squeezed = gzip.compress(json.dumps({"batch": [track()]}).encode())
    assert (
        send("batch", body=squeezed, headers=headers, content_type="application/x-www-form-urlencoded").status_code
        == 200
    )
    assert len(stored(acme)) == 1


@pytest.mark.parametrize(
    "squeezed",
    [
        gzip.compress(b'{"batch":[]}', mtime=0)[:-6],
        gzip.compress(b'{"batch":[]}', mtime=0) + b"XXXX",
        gzip.compress(b'{"batch":', mtime=0) + gzip.compress(b"[]}", mtime=0),
        b'{"batch":[]}',
        b"\x1f\x8b",
    ],
)
def test_broken_gzip_is_refused_whole(send, squeezed):
    answer = send("batch", body=squeezed, headers={"Content-Encoding": "gzip"})
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_encoding")


@pytest.mark.parametrize("encoding", ["br", "gzip, gzip", "deflate", "gzip," * 100])
def test_other_encodings_are_named_as_such(send, encoding):
    answer = send("batch", body=b"x", headers={"Content-Encoding": encoding})
    assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_encoding")


def test_a_gzip_bomb_costs_little(send):
    bomb = gzip.compress(b"0" * (64 * 1024 * 1024))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    answer = send("batch", body=bomb, headers={"Content-Encoding": "gzip"})
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 16 * 1024  # KiB


@pytest.mark.parametrize(("size", "status"), [(MAX_BYTES - 1, 200), (MAX_BYTES, 200), (MAX_BYTES + 1, 413)])
@pytest.mark.parametrize("squeeze", [False, True])
def test_the_size_is_bounded_before_and_after_inflating(send, size, status, squeeze):
    items = json.dumps({"batch": [{"type": "nothing"}]}).encode()
    text = items + b" " * (size - len(items))
    headers = {"Content-Encoding": "gzip"} if squeeze else {}
    assert send("batch", body=gzip.compress(text) if squeeze else text, headers=headers).status_code == status


class Wire:
    """A client's connection that has so many bytes to give."""

    def __init__(self, size: int) -> None:
        self.left = size

    def readline(self, size: int = -1) -> bytes:
        return self.read(size)

    def read(self, size: int) -> bytes:
        taken = min(size, self.left)
        self.left -= taken
        return b" " * taken


def request_over(wire: Wire, **environ: str) -> WSGIRequest:
    return WSGIRequest({"REQUEST_METHOD": "POST", "PATH_INFO": "/v1/batch", "wsgi.input": wire, **environ})


def test_a_body_that_ends_too_early_is_refused():
    with pytest.raises(body.BadRequest) as caught:
        body.read_bounded(request_over(Wire(10), CONTENT_LENGTH="100"))
    assert caught.value.code == "incomplete"


def test_a_chunked_body_without_a_length_is_read_and_bounded():
    assert len(body.read_bounded(request_over(Wire(1000), HTTP_TRANSFER_ENCODING="chunked"))) == 1000
    wire = Wire(100 * 1024 * 1024)
    with pytest.raises(body.BadRequest) as caught:
        body.read_bounded(request_over(wire, HTTP_TRANSFER_ENCODING="chunked"))
    assert caught.value.status == 413 and wire.left > 95 * 1024 * 1024


# --- browsers and errors -------------------------------------------------------------------------------------------


def test_browsers_of_any_origin_may_ask_and_read(client, send):
    asked = {
        "Origin": "https://shop.example",
        "Access-Control-Request-Headers": "authorization,content-type,x-retry-count",
    }
    answer = client.options("/v1/batch", headers=asked)
    assert answer.status_code == 204 and answer["Access-Control-Allow-Origin"] == "*"
    assert answer["Access-Control-Allow-Headers"] == "authorization,content-type,x-retry-count"
    assert "POST" in answer["Access-Control-Allow-Methods"]
    assert send("track", track())["Access-Control-Allow-Origin"] == "*"
    assert send("track", track(), key="wk_wrong")["Access-Control-Allow-Origin"] == "*"
    odd = client.options("/v1/batch", headers={"Access-Control-Request-Headers": "a\x00b;"})
    assert "Authorization" in odd["Access-Control-Allow-Headers"]


@pytest.mark.parametrize("method", ["get", "put", "delete", "patch", "trace", "head"])
def test_other_methods_are_told_in_json(client, method):
    answer = getattr(client, method)("/v1/track")
    assert answer.status_code == 405 and answer["Allow"] == "POST, OPTIONS"
    assert method == "head" or answer.json()["code"] == "method_not_allowed"


@pytest.mark.parametrize("path", ["nowhere", "%2574rack", "track/x", "merge"])
def test_unknown_addresses_answer_in_json(client, world, path):
    answer = client.post(f"/v1/{path}", data=b"{}", content_type="application/json")
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


@pytest.mark.parametrize(
    ("sqlstate", "code"), [("53100", "storage_full"), ("57P01", "unavailable"), ("40P01", "unavailable")]
)
def test_when_the_database_cannot_the_client_is_asked_to_come_back(send, monkeypatch, sqlstate, code):
    def fail(*_args: Any) -> None:
        class Cause(psycopg2.OperationalError):
            pgcode = sqlstate

        raise OperationalError("the table is made of cheese") from Cause()

    monkeypatch.setattr(door, "write", fail)
    answer = send("track", track())
    assert (answer.status_code, answer.json()["code"], answer["Retry-After"]) == (503, code, "5")
    assert b"cheese" not in answer.content


def test_a_session_that_ends_in_the_middle_of_a_statement_is_the_databases_affair(send, monkeypatch):
    """The driver tells it as an error of no kind, without a state, as at an immediate restart of PostgreSQL."""

    def fail(*_args: Any) -> None:
        with connection.wrap_database_errors:
            raise psycopg2.DatabaseError("server closed the connection unexpectedly")

    monkeypatch.setattr(door, "write", fail)
    answer = send("track", track())
    assert (answer.status_code, answer.json()["code"], answer["Retry-After"]) == (503, "unavailable", "5")


def test_a_bug_of_ours_is_json_too_and_names_nothing(send, monkeypatch, caplog):
    def fail(*_args: Any) -> None:
        raise RuntimeError("/secret/path")

    monkeypatch.setattr(door, "write", fail)
    answer = send("track", track())
    assert (answer.status_code, answer.json()["code"]) == (500, "internal_error")
    assert b"secret" not in answer.content and "/secret/path" in caplog.text


def test_ingest_asks_the_database_a_fixed_number_of_times(send, django_assert_max_num_queries):
    send("batch", {"batch": [track("0")]})
    with django_assert_max_num_queries(30):
        send("batch", {"batch": [track(str(n), userId=f"u{n}") for n in range(100)]})
