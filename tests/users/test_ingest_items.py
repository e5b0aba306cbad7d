"""What one item may be: every limit just below, at, and just above it, and what hostile senders try."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.users.conftest import AT, moment, stored, track
from users.ingest.normal import AHEAD, FIRST_AT, MAX_SKEW, TRAVEL, Refused, correct_time
from users.models import EndUser, EventName, IngestError, event_id, person_id
from workspaces.scoping import workspace_scope


def nested(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = {"a": value}
    return value


def sized(size: int) -> bytes:
    """A track message of exactly `size` bytes."""
    empty = json.dumps(track(properties={"k": ""})).encode()
    return json.dumps(track(properties={"k": "v" * (size - len(empty))})).encode()


def now(**ago: float) -> str:
    return (datetime.now(UTC) + timedelta(**ago)).isoformat()


TAKEN = {
    "depth 20": track(properties=nested(19)),
    "255 properties": track(properties={f"k{n}": n for n in range(255)}),
    "name of 199": track(event="e" * 199),
    "name of 200": track(event="e" * 200),
    "user id of 255": track(userId="u" * 255),
    "message id of 255": track("m" * 255),
    "largest int64": track(properties={"x": 2**63 - 1, "y": -(2**63)}),
    "float below 1e15": track(properties={"x": 999999999999999.0, "y": -0.0, "z": 5e-324}),
    "above 2 to the 53": track(properties={"x": 9007199254740993}),
    "first moment": track(timestamp="2000-01-01T00:00:00Z"),
    "22 hours ahead": track(timestamp=now(hours=22)),
    "nanoseconds": track(timestamp="2026-01-01T00:00:00.123456789Z"),
    "unix seconds": track(timestamp=1700000000),
    "unix milliseconds": track(timestamp=1700000000000),
    "number as id": track(userId=42),
    "visitor": track(userId=None, anonymousId="v1"),
    "bad visitor beside a user": track(anonymousId="null"),
    "null visitor": track() | {"anonymousId": None},
    "dunder": track(
        event="__proto__", properties={"__proto__": {"admin": True}, "constructor": {"prototype": {"x": 1}}}
    ),
    "sql": track(event="'); drop table event;--", properties={"a'); drop table users;--": 1, "$where": "sleep(5000)"}),
    "no properties": track() | {"properties": None},
}
REFUSED = {
    "depth 21": (track(properties=nested(20)), "too_deep"),
    "depth 33": (track(properties=nested(33)), "too_deep"),
    "256 properties": (track(properties={f"k{n}": n for n in range(256)}), "too_many_properties"),
    "name of 201": (track(event="e" * 201), "too_long"),
    "user id of 256": (track(userId="u" * 256), "too_long"),
    "message id of 256": (track("m" * 256), "too_long"),
    "int above int64": (track(properties={"x": 2**63}), "number_out_of_range"),
    "int below int64": (track(properties={"x": -(2**63) - 1}), "number_out_of_range"),
    "float of 1e15": (track(properties={"x": 1e15}), "number_out_of_range"),
    "before 2000": (track(timestamp="1999-12-31T23:59:59.999Z"), "invalid_timestamp"),
    "24 hours ahead": (track(timestamp=now(hours=24)), "invalid_timestamp"),
    "year 10000": (track(timestamp="10000-01-01T00:00:00Z"), "invalid_timestamp"),
    "infinity": (track(timestamp="infinity"), "invalid_timestamp"),
    "now": (track(timestamp="now"), "invalid_timestamp"),
    "no zone": (track(timestamp="2026-03-29T02:30:00"), "invalid_timestamp"),
    "empty time": (track(timestamp=""), "invalid_timestamp"),
    "microseconds": (track(timestamp=1700000000000000), "invalid_timestamp"),
    "negative time": (track(timestamp=-1), "invalid_timestamp"),
    "bool as time": (track(timestamp=True), "invalid_timestamp"),
    "nobody: undefined": (track(userId="undefined"), "invalid_identifier"),
    "nobody: NaN": (track(userId="NaN"), "invalid_identifier"),
    "nobody: object": (track(userId="[object Object]"), "invalid_identifier"),
    "nobody: 0": (track(userId=0), "invalid_identifier"),
    "nobody: invisible": (track(userId="\u200b"), "invalid_identifier"),
    "no id": (track(userId=None), "missing_identifier"),
    "empty id": (track(userId="  "), "missing_identifier"),
    "bool as id": (track(userId=True), "invalid_type"),
    "list as id": (track(userId=["a"]), "invalid_type"),
    "object as id": (track(userId={"$gt": ""}), "invalid_type"),
    "float as id": (track(userId=1.5), "invalid_type"),
    "NUL in id": (track(userId="a\0b"), "invalid_string"),
    "newline in id": (track(userId="a\nb"), "invalid_string"),
    "NUL in a value": (track(properties={"k": "a\0b"}), "invalid_string"),
    "NUL in a key": (track(properties={"a\0b": 1}), "invalid_string"),
    "NUL deep down": (track(properties={"k": [{"l": ["\0"]}]}), "invalid_string"),
    "no event": (track(event=None), "missing_event"),
    "empty event": (track(event=" "), "missing_event"),
    "number as event": (track(event=5), "invalid_type"),
    "list as properties": (track(properties=[1]), "invalid_type"),
    "foreign money": (track(properties={"total": 5, "currency": "USD"}), "other_currency"),
    "money too large": (track(properties={"total": "1e300"}), "number_out_of_range"),
    "order id of 256": (track(properties={"order_id": "o" * 256}), "too_long"),
}
RAW = {
    "lone surrogate": (b'{"userId":"u","event":"e","messageId":"m","properties":{"\\udc00":1}}', "invalid_string"),
    "cut emoji": (b'{"userId":"u","event":"e","messageId":"m","properties":{"k":"\\ud83d"}}', "invalid_string"),
    "1e400": (b'{"userId":"u","event":"e","messageId":"m","properties":{"x":1e400}}', "number_out_of_range"),
    "1e100000": (b'{"userId":"u","event":"e","messageId":"m","properties":{"x":1e100000}}', "number_out_of_range"),
    "900 digits": (b'{"userId":"u","event":"e","properties":{"x":' + b"9" * 900 + b"}}", "number_out_of_range"),
    "5000 digits": (b'{"userId":"u","event":"e","properties":{"x":' + b"9" * 5000 + b"}}", "number_out_of_range"),
    "NaN": (b'{"userId":"u","event":"e","properties":{"x":NaN}}', "invalid_json"),
    "Infinity": (b'{"userId":"u","event":"e","properties":{"x":Infinity}}', "invalid_json"),
    "hex": (b'{"userId":"u","event":"e","properties":{"x":0x10}}', "invalid_json"),
    "deep array": (b'{"userId":"u","event":"e","properties":{"x":' + b"[" * 9000 + b"]" * 9000 + b"}}", "too_deep"),
    "deep object": (b'{"userId":"u","event":"e","properties":' + b'{"a":' * 900 + b"1" + b"}" * 900 + b"}", "too_deep"),
    "invalid UTF-8": (b'{"userId":"u\xff1"}', "invalid_json"),
    "UTF-16": ('{"userId":"u1"}'.encode("utf-16"), "invalid_json"),
    "null": (b"null", "invalid_type"),
    "text": (b'"x"', "invalid_type"),
    "number": (b"42", "invalid_type"),
    "array": (b"[]", "invalid_type"),
    "nothing": (b"", "invalid_json"),
    "trailing": (b'{"userId":"u1","event":"e"}{"a":1}', "invalid_json"),
    "trailing comma": (b'{"userId":"u1","event":"e",}', "invalid_json"),
    "comment": (b'{"userId":"u1","event":"e"/*x*/}', "invalid_json"),
    "unterminated": (b'{"userId":"u1', "invalid_json"),
    "html": (b"<html></html>", "invalid_json"),
    "40 KB": (sized(40_000), "event_too_large"),
    "32 KiB and one": (sized(32 * 1024 + 1), "event_too_large"),
}


@pytest.mark.parametrize("case", TAKEN, ids=lambda case: case)
def test_an_item_at_the_limit_is_stored(send, acme, case):
    answer = send("track", TAKEN[case])
    assert (answer.status_code, answer.json()["accepted"]) == (200, 1), answer.json()
    assert len(stored(acme)) == 1


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: case)
def test_an_item_past_the_limit_is_refused_and_nothing_written(send, acme, case):
    message, code = REFUSED[case]
    answer = send("track", message)
    assert (answer.status_code, answer.json()["code"]) == (400, code)
    assert stored(acme) == []
    with workspace_scope(acme):
        assert not EndUser.objects.exists() and not EventName.objects.exists()
        assert IngestError.objects.get().code == code


@pytest.mark.parametrize("case", RAW, ids=lambda case: case)
def test_bytes_that_are_no_message_are_refused(send, acme, case):
    body, code = RAW[case]
    answer = send("track", body=body)
    assert (answer.status_code, answer.json()["code"]) == (400, code)
    assert stored(acme) == []


# Numbers that are read as nothing, and that PostgreSQL refuses as they are written.
TINY = ("1e-20000", "0e-20000", "-1E-99999999999", "0e99999999999", "0E+99999999999", "0." + "0" * 17_000 + "1")


@pytest.mark.parametrize("written", TINY, ids=[text[:20] for text in TINY])
@pytest.mark.parametrize("place", ['"x":%s', '"n":{"x":%s}', '"n":"\\u00e9","x":%s'], ids=["flat", "nested", "escaped"])
def test_a_number_next_to_nothing_is_nothing_and_costs_no_neighbour(send, acme, place, written):
    item = '{"type":"track","userId":"u","event":"e","messageId":"%s","properties":{%s}}'
    told = item % ("tiny", place % written), item % ("next", '"x":1')
    answer = send("batch", body=f'{{"batch":[{",".join(told)}]}}'.encode())
    assert (answer.status_code, answer.json()["accepted"]) == (200, 2), answer.json()
    tiny = next(event.properties for event in stored(acme) if event.message_id == "tiny")
    assert (tiny["x"] if "x" in tiny else tiny["n"]["x"]) == 0


def test_sizes_are_counted_in_bytes(send, acme):
    assert send("track", body=sized(32 * 1024)).status_code == 200
    assert send("track", body=sized(32 * 1024 - 1)).status_code == 200  # the same message: a duplicate
    assert len(stored(acme)) == 1


def test_the_path_of_a_refusal_names_the_field(send):
    assert send("track", track(properties={"a": {"b": ["\0"]}})).json()["items"][0]["path"] == "properties.a.b.0"
    assert send("track", track(userId=True)).json()["items"][0]["path"] == "userId"


def test_backslashes_control_characters_and_chinese_survive_as_they_are(send, acme):
    told = {
        "path": "c:\\temp\\new",
        "lines": "a\nb\r\tc\x01\x7f",
        "中文": "手机\u3000壳",
        "quote": '"\\"',
        "copy": "\\N",
        "e": "\\.",
    }
    send("track", track("m\\1", event="点击\\按钮", properties=told))
    event = stored(acme)[0]
    assert event.properties == told and event.message_id == "m\\1" and event.name.name == "点击\\按钮"


def test_two_spellings_of_one_text_are_one_person_one_name_and_one_message(send, acme):
    send("track", track("cafe\u0301", userId="cafe\u0301", event="cafe\u0301", properties={"cafe\u0301": "cafe\u0301"}))
    assert send("track", track("caf\u00e9", userId="caf\u00e9", event="caf\u00e9")).json()["duplicate"] == 1
    event = stored(acme)[0]
    assert (
        event.properties == {"caf\u00e9": "caf\u00e9"} and event.end_user.external_id == event.name.name == "caf\u00e9"
    )


def test_upper_and_lower_case_are_two_people(send, acme):
    send("batch", {"batch": [track("1", userId="Bob"), track("2", userId="bob")]})
    assert len({event.end_user_id for event in stored(acme)}) == 2


def test_ids_are_the_ones_the_rest_of_the_product_computes(send, acme):
    send("batch", {"batch": [track("消息", userId="用户"), track("v", userId=None, anonymousId="v1")]})
    by_message = {event.message_id: event for event in stored(acme)}
    assert by_message["消息"].event_id == event_id(acme.pk, "消息")
    assert by_message["消息"].end_user_id == person_id(acme.pk, "用户")
    visitor = by_message["v"].end_user
    assert visitor.pk == person_id(acme.pk, "v1", "anonymous") and not visitor.identified


@pytest.mark.parametrize(
    ("properties", "minor"),
    [
        ({"total": 86.5}, 8650),
        ({"total": 0.285}, 29),
        ({"total": -0.285}, -29),
        ({"total": 1.005}, 101),
        ({"total": "12.30"}, 1230),
        ({"total": None, "revenue": 3}, 300),
        ({"total": "¥86", "value": 2}, 200),
        ({"total": True, "revenue": False, "value": ""}, None),
        ({"value": 0}, 0),
        ({"total": 5, "currency": "cny"}, 500),
        ({"total": 5, "currency": None}, 500),
        ({"currency": "USD"}, None),
        ({}, None),
    ],
)
def test_amounts_are_read_exactly_and_a_half_is_rounded_away_from_zero(send, acme, properties, minor):
    assert send("track", track(properties=properties)).status_code == 200
    assert stored(acme)[0].amount_minor == minor


@pytest.mark.parametrize(
    ("told", "kept"), [("A-1", "A-1"), (17, "17"), ("", None), (None, None), (True, None), ([1], None)]
)
def test_order_ids_are_text(send, acme, told, kept):
    send("track", track(properties={"order_id": told}))
    assert stored(acme)[0].order_id == kept


def test_pages_and_screens_are_events_and_the_app_tells_its_version(send, acme):
    context = {"app": {"version": "5.3.0"}, "os": {"name": "iOS"}}
    page = {
        "type": "page",
        "userId": "u1",
        "name": "首页",
        "category": "导航",
        "messageId": "1",
        "timestamp": AT,
        "context": context,
    }
    send("batch", {"batch": [page, page | {"type": "screen", "messageId": "2", "properties": {"app_version": "6"}}]})
    first, second = stored(acme)
    assert first.name.name == "Page Viewed" and second.name.name == "Screen Viewed"
    assert first.properties == {"name": "首页", "page_category": "导航", "app_version": "5.3.0", "os": "iOS"}
    assert second.properties["app_version"] == "6"


# --- time ----------------------------------------------------------------------------------------------------------


def sent(offset: timedelta, event_ago: timedelta) -> dict[str, Any]:
    """A message of a client whose clock is off by `offset`, about something `event_ago` before it was sent."""
    clock = datetime.now(UTC) + offset
    return track(timestamp=(clock - event_ago).isoformat(), sentAt=clock.isoformat())


def test_times_end_exactly_where_they_are_said_to():
    tick, received = timedelta(microseconds=1), datetime(2026, 8, 1, tzinfo=UTC)
    for at in (FIRST_AT, FIRST_AT + tick, received + AHEAD - tick, received + AHEAD):
        assert correct_time(at, None, received) == at
    for at in (FIRST_AT - tick, received + AHEAD + tick):
        with pytest.raises(Refused):
            correct_time(at, None, received)
    for skew, corrected in ((TRAVEL, False), (TRAVEL + tick, True), (MAX_SKEW, True), (MAX_SKEW + tick, False)):
        when = received - timedelta(days=700)
        assert correct_time(when, received - skew, received) == (when + skew if corrected else when)


@pytest.mark.parametrize("offset", [timedelta(hours=3), timedelta(days=-3), timedelta(days=40), timedelta(minutes=-10)])
def test_a_wrong_clock_is_corrected_by_what_it_said_when_sending(send, acme, offset):
    assert send("track", sent(offset, timedelta(minutes=5))).status_code == 200
    event = stored(acme)[0]
    assert abs(event.received_at - event.at - timedelta(minutes=5)) < timedelta(seconds=10)
    assert abs(event.client_at - event.at - offset) < timedelta(seconds=10)  # the key keeps what the client said


def test_history_keeps_its_times_and_so_do_messages_that_only_travelled(send, acme):
    when = "2019-05-01T08:00:00.123+00:00"
    send(
        "batch",
        {"batch": [track("1", timestamp=when), track("2", originalTimestamp=when, timestamp=None)], "sentAt": now()},
    )
    assert {event.at for event in stored(acme)} == {moment(when)}


@pytest.mark.parametrize("sent_at", ["soon", 5, None, "2001-01-01T00:00:00Z"])
def test_a_senseless_sent_at_corrects_nothing(send, acme, sent_at):
    send("batch", {"batch": [track()], "sentAt": sent_at})
    assert stored(acme)[0].at == moment(AT)


def test_a_message_without_a_time_happened_when_it_arrived_and_is_stored_once(send, acme):
    for _ in range(3):
        send("track", track(timestamp=None))
    event = stored(acme)[0]
    assert len(stored(acme)) == 1 and event.at == event.client_at == event.received_at


def test_a_message_without_an_id_is_taken_and_told_so(send, acme):
    answer = send("track", track("", messageId=None)).json()["items"][0]
    assert (answer["status"], answer["code"]) == ("accepted", "no_message_id")
    assert len(stored(acme)[0].message_id) == 36
