"""What browsers and odd SDKs send, request by request: addresses, disguises of the body, and the answer each needs."""

from __future__ import annotations

import base64
import gzip
import json
from datetime import timedelta
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from django.utils import timezone

from tests.users.conftest import AT, moment, stored, track
from users.ingest.normal import NormalAlias, NormalProfile, PersonKey, Refused, Told
from users.ingest.posthog import PosthogRequest
from users.ingest.protocol import GIF, Incoming
from users.ingest.sensors import SensorsRequest
from users.models import EndUser, IngestError, person_id
from workspaces.scoping import workspace_scope

NOW = moment("2026-08-02T00:00:00Z")
MS = int(moment(AT).timestamp() * 1000)


def form(**fields: Any) -> dict[str, Any]:
    return {"data": urlencode(fields), "content_type": "application/x-www-form-urlencoded"}


def b64(document: Any, squeeze: bool = False) -> str:
    text = json.dumps(document).encode()
    return base64.b64encode(gzip.compress(text) if squeeze else text).decode()


# --- Segment and Rudder ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/v1/t", "/v1/t/", "/v1/track"])
def test_browsers_abbreviate_and_send_text(client, world, acme, path):
    body = json.dumps(track() | {"writeKey": world.acme_write_key})
    assert client.post(path, data=body, content_type="text/plain").status_code == 200
    assert len(stored(acme)) == 1


def test_a_beacon_and_an_old_import_are_batches(client, world, acme):
    for n, path in enumerate((f"/beacon/v1/batch?writeKey={world.acme_write_key}", "/v1/import", "/v1/b")):
        body = json.dumps({"batch": [track(f"m{n}")], "writeKey": world.acme_write_key})
        assert client.post(path, data=body, content_type="text/plain").json()["accepted"] == 1
    assert len(stored(acme)) == 3


def test_the_browser_sdk_gets_its_settings_for_any_key(client):
    told = client.get("/v1/projects/wk_x/settings", headers={"host": "testserver"}).json()
    assert told["integrations"]["Segment.io"]["apiHost"] == "testserver/v1"
    assert told["integrations"]["Segment.io"]["apiKey"] == "wk_x"
    assert told["metrics"] == {"sampleRate": 0}  # or every page would report to Segment


@pytest.mark.parametrize("wrapped", [False, True])
def test_a_picture_takes_an_event_and_is_a_picture_in_any_case(client, world, acme, wrapped):
    told = {"writeKey": world.acme_write_key, "event": "Mail Opened", "anonymousId": "v1", "messageId": "p1"}
    query = {"data": b64(told)} if wrapped else told | {"properties.mail": "八月"}
    answer = client.get("/pixel/v1/track", query_params=query)
    assert (answer.status_code, answer.content, answer["Content-Type"]) == (200, GIF, "image/gif")
    [event] = stored(acme)
    assert (event.name.name, event.end_user_id) == ("Mail Opened", person_id(acme.pk, "v1", "anonymous"))
    assert client.get("/pixel/v1/track", query_params=query | {"event": ""}).content == GIF


def test_an_alias_names_two_people_and_not_one_twice(send, acme):
    assert send("alias", {"userId": "u1", "previousId": "v1"}).json()["accepted"] == 1
    for bad in ({"userId": "u1", "previousId": "u1"}, {"userId": "u1"}):
        assert send("alias", bad).json()["code"] == "invalid_identifier"


# --- 神策 --------------------------------------------------------------------------------------------------------------


def record(**changes: Any) -> dict[str, Any]:
    told = {"type": "track", "event": "OrderCompleted", "distinct_id": "v1", "time": MS, "_track_id": 7}
    return told | {"properties": {"total": 12.5, "$os": "iOS"}} | changes


@pytest.mark.parametrize("squeeze", [False, True])
@pytest.mark.parametrize("way", ["form", "list", "picture", "body"])
def test_a_record_comes_in_many_disguises(client, world, acme, way, squeeze):
    told, address = record(), f"/sa?project=default&token={world.acme_write_key}"
    for _twice in range(2):
        if way == "picture":
            answer = client.get(f"/sa.gif?token={world.acme_write_key}&data={quote(b64(told, squeeze))}&ext=crc%3D-1")
            assert answer.content == GIF
        elif way == "body":
            answer = client.post(address, data=json.dumps([told]).encode(), content_type="text/plain")
        else:
            key, document = ("data", told) if way == "form" else ("data_list", [told])
            answer = client.post(address, **form(**{key: b64(document, squeeze), "gzip": int(squeeze)}))
        assert answer.status_code == 200
    [event] = stored(acme)
    assert (event.at, event.amount_minor, event.properties["os"]) == (moment(AT), 1250, "iOS")
    assert event.end_user_id == person_id(acme.pk, "v1", "anonymous")


def test_bad_records_are_kept_for_the_developer_and_answered_with_200(client, world, acme):
    told = [record(distinct_id=None), record(type="item_set"), record(time="tomorrow"), record(_track_id=8)]
    answer = client.post(f"/sa?token={world.acme_write_key}", **form(data_list=b64(told)))
    assert (answer.status_code, len(stored(acme))) == (200, 1)
    with workspace_scope(acme):
        codes = set(IngestError.objects.values_list("code", flat=True))
    assert codes == {"missing_identifier", "unknown_type", "invalid_timestamp"}
    assert client.post("/sa?token=nobody", **form(data=b64(record()))).status_code == 401
    assert client.post(f"/sa?token={world.acme_write_key}", **form(data="%%%")).status_code == 400


UNCLEAN = {
    "a track id": ({"_track_id": "a\0b"}, "invalid_string"),
    "the event of a record whose name is given": ({"type": "track_signup", "event": "a\0"}, "invalid_string"),
    "a version of the SDK's host": ({"lib": {"$app_version": "1\0"}}, "invalid_string"),
    "what an id is called": ({"identities": {"a\0b": "x"}}, "invalid_string"),
    "what an id is called that names nobody": ({"identities": {"a\0b": "null"}}, "invalid_string"),
    "an id with what it is called": ({"identities": {"k" * 200: "x" * 200}}, "too_long"),
}


@pytest.mark.parametrize("case", UNCLEAN)
def test_what_postgresql_cannot_hold_refuses_its_record_and_no_other(client, world, acme, case):
    changes, code = UNCLEAN[case]
    told = [record(), record(**{"_track_id": 8} | changes), record(_track_id=9)]
    answer = client.post(f"/sa?token={world.acme_write_key}", **form(data_list=b64(told)))
    assert (answer.status_code, len(stored(acme))) == (200, 2)
    with workspace_scope(acme):
        assert IngestError.objects.get().code == code


def read_sensors(**changes: Any) -> list[Told]:
    request = SensorsRequest(Incoming("POST", "/", {}, {}, json.dumps(record(**changes)).encode()))
    [item] = request.items
    return request.read(item, NOW, "CNY").items


def people_of(told: list[Told]) -> tuple[PersonKey, set[PersonKey]]:
    return told[0].person, {item.previous for item in told if isinstance(item, NormalAlias)}


def test_who_a_record_is_about():
    u1, v1 = PersonKey("u1"), PersonKey("v1", False)
    assert people_of(read_sensors()) == (v1, set())
    assert people_of(read_sensors(login_id="u1", anonymous_id="v1", distinct_id="u1")) == (u1, {v1})
    assert people_of(read_sensors(distinct_id="u1", properties={"$is_login_id": True})) == (u1, set())
    assert people_of(read_sensors(type="track_signup", distinct_id="u1", original_id="v1")) == (u1, {v1})
    told = {"$identity_login_id": "u1", "$identity_mobile": "138", "$identity_cookie_id": "v1"}
    mobile = PersonKey("$identity_mobile+138")
    assert people_of(read_sensors(type="track_id_bind", identities=told)) == (u1, {mobile, v1})
    told = {"$identity_cookie_id": "v1", "$identity_mobile": "138"}
    assert people_of(read_sensors(identities=told, distinct_id="$identity_mobile+138")) == (mobile, {v1})
    assert people_of(read_sensors(identities={"$identity_cookie_id": "v1"})) == (v1, set())


def test_profile_records():
    def profile(verb: str, **properties: Any) -> NormalProfile:
        [told] = read_sensors(type=f"profile_{verb}", properties=properties)
        assert isinstance(told, NormalProfile)
        return told

    assert profile("set", 城市="上海").traits == {"城市": "上海"}
    assert profile("set_once", a=1, b=None).firsts == {"a": 1}
    assert profile("unset", a=True).traits == {"a": None}
    for verb, kind, told in (("increment", "add", 1), ("append", "append", ["x"]), ("delete", "forget", None)):
        change = profile(verb, **({"a": told} if told else {})).change
        assert change is not None and (change.kind, change.values) == (kind, {"a": told} if told else {})
    with pytest.raises(Refused) as caught:
        profile("raise", a=1)
    assert caught.value.code == "unknown_type"


# --- PostHog ---------------------------------------------------------------------------------------------------------


def captured(**changes: Any) -> dict[str, Any]:
    told = {"event": "Order Completed", "distinct_id": "u1", "timestamp": AT, "uuid": "e1"}
    return told | {"properties": {"total": 3, "$os": "Mac OS X"}} | changes


@pytest.mark.parametrize("path", ["/e/", "/capture/", "/i/v0/e/", "/batch/", "/track/"])
@pytest.mark.parametrize("way", ["plain", "gzip", "form", "array"])
def test_an_event_comes_in_many_disguises(client, world, acme, path, way):
    key = {"api_key": world.acme_write_key}
    told: Any = captured() | key
    if way == "array":
        told = [captured(properties={"token": world.acme_write_key, "total": 3, "$os": "x"})]
    elif path == "/batch/":
        told = {"batch": [captured()], **key}
    body: Any = json.dumps(told).encode()
    extra = {"content_type": "text/plain"}
    if way == "gzip":
        path, body = f"{path}?compression=gzip-js&ver=1.449.0", gzip.compress(body)
    elif way == "form":
        path, body = f"{path}?compression=base64", f"data={quote(base64.b64encode(body))}"
    for _twice in range(2):
        answer = client.post(path, data=body, **extra)
        assert (answer.status_code, answer.json()["status"]) == (200, 1)
    [event] = stored(acme)
    assert (event.at, event.amount_minor, "token" in event.properties) == (moment(AT), 300, False)


def test_an_offset_and_a_wrong_clock_are_corrected(client, world, acme):
    now = timezone.now()
    off = {"timestamp": (now - timedelta(hours=3)).isoformat(), "uuid": "slow"}
    body = {"batch": [captured(**off)], "sent_at": (now - timedelta(hours=2)).isoformat()}
    client.post("/batch/", data=json.dumps(body | {"api_key": world.acme_write_key}), content_type="text/plain")
    ago = captured(timestamp=None, offset=60_000, uuid="ago") | {"api_key": world.acme_write_key}
    client.post("/e/", data=json.dumps(ago), content_type="text/plain")
    slow, past = stored(acme)
    assert abs(slow.at - (now - timedelta(hours=1))) < timedelta(minutes=1)
    assert abs(past.at - (now - timedelta(minutes=1))) < timedelta(seconds=30)


def test_keys_that_are_no_write_key_are_refused(client, world, acme):
    for body in (
        captured(api_key="phx_personal"),
        {"batch": [captured()], "api_key": world.acme_write_key, "token": world.other_write_key},
        captured(api_key="nobody"),
        captured(),
    ):
        answer = client.post("/batch/", data=json.dumps(body), content_type="application/json")
        assert answer.status_code in (400, 401) and answer.json()["detail"]
    assert stored(acme) == []


def test_the_browser_sdk_is_kept_quiet(client):
    for address in ("/flags/?v=2", "/decide/?v=3"):
        assert client.post(address, data=b"\x1f", content_type="text/plain").json()["featureFlags"] == {}
    assert client.get("/array/phc_x/config").status_code == client.get("/array/phc_x/config.js").status_code == 200


def test_a_time_of_sending_that_only_looks_like_a_number_corrects_nothing(client, world, acme):
    told = json.dumps(captured() | {"api_key": world.acme_write_key})
    assert client.post("/e/?_=²", data=told, content_type="text/plain").status_code == 200


def read_posthog(**changes: Any) -> list[Told]:
    request = PosthogRequest(Incoming("POST", "/", {}, {}, json.dumps(captured(**changes)).encode()))
    [item] = request.items
    return request.read(item, NOW, "CNY").items


def test_who_an_event_is_about_and_what_it_tells_of_them():
    assert read_posthog(properties={"$device_id": "u1"})[0].person == PersonKey("u1", False)
    assert read_posthog(properties={"$is_identified": False})[0].person == PersonKey("u1", False)
    assert read_posthog()[0].person == PersonKey("u1")
    told = {"$anon_distinct_id": "v1", "$set": {"name": "张伟"}, "$set_once": {"$initial_utm_source": "小红书"}}
    told["$set_once"]["$initial_referrer"] = None  # as its SDK of browsers sends it
    [profile] = read_posthog(event="$identify", properties=told)
    assert isinstance(profile, NormalProfile)
    assert (profile.visitor, profile.traits, profile.firsts) == ("v1", {"name": "张伟"}, {"source": "小红书"})
    aliases = read_posthog(event="$create_alias", distinct_id="v1", properties={"alias": "u1"})
    assert {item.previous for item in aliases if isinstance(item, NormalAlias)} == {
        PersonKey("v1", False),
        PersonKey("v1"),
    }


def test_a_name_told_beside_an_event_reaches_the_profile(client, world, acme):
    told = captured(**{"$set": {"name": "李娜"}}) | {"api_key": world.acme_write_key}
    assert client.post("/e/", data=json.dumps(told), content_type="text/plain").status_code == 200
    with workspace_scope(acme):
        assert EndUser.objects.get(external_id="u1").name == "李娜"
