"""Devices that take pushes: whose they are, which one is written to, and what becomes of them."""

from __future__ import annotations

import base64
import itertools
import json
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import pytest

from tests.users.conftest import track
from users.devices import bury
from users.erasure import ask_erasure, run_erasure
from users.identity import merge_pending, undo_merge
from users.ingest.normal import Device, NormalProfile, PersonKey
from users.models import EndUser, PushDevice, person_id
from users.person_export import json_pieces
from users.services import upsert_people
from workspaces.models import Workspace
from workspaces.scoping import workspace_scope

DAY = datetime(2026, 8, 1, tzinfo=UTC)
SHOP, NEWS = "com.example.shop", "com.example.news"


def told(who: str, token: str, day: float, app: str = SHOP) -> NormalProfile:
    at = DAY + timedelta(days=day)
    return NormalProfile(PersonKey(who, not who.startswith("v")), at, passing=True, device=Device(app, token, "ios"))


def token_of(workspace: Workspace, who: str) -> str:
    with workspace_scope(workspace):
        return find(workspace, who).push_token


def find(workspace: Workspace, who: str) -> EndUser:
    return EndUser.objects.get(pk=person_id(workspace.pk, who, "anonymous" if who.startswith("v") else "user"))


def table(workspace: Workspace) -> list[tuple[Any, ...]]:
    with workspace_scope(workspace):
        rows = PushDevice.objects.order_by("token", "app")
        return list(rows.values_list("app", "token", "end_user", "platform", "seen_at", "dead_at"))


def context(token: str, app: str = SHOP) -> dict[str, Any]:
    return {"device": {"token": token, "type": "android"}, "app": {"namespace": app, "name": "Shop"}, "locale": "zh-CN"}


def test_two_apps_are_two_devices_and_the_newest_is_written_to(send, acme):
    send("track", track("1", context=context("shop-1")))
    send("track", track("2", timestamp="2026-08-03T00:00:00Z", context=context("news-1", NEWS)))
    assert [row[:2] for row in table(acme)] == [(NEWS, "news-1"), (SHOP, "shop-1")]
    assert table(acme)[0][3] == "android" and token_of(acme, "u1") == "news-1"
    send("identify", {"type": "identify", "userId": "u1", "messageId": "i", "traits": {"city": "上海"}})
    assert token_of(acme, "u1") == "news-1"


def test_what_an_hour_repeats_writes_nothing(acme):
    upsert_people(acme, [told("u1", "t1", 0)])
    upsert_people(acme, [told("u1", "t1", 0.5)])
    assert table(acme)[0][4] == DAY
    upsert_people(acme, [told("u1", "t1", 1.5)])
    assert table(acme)[0][4] == DAY + timedelta(days=1.5)


def test_of_two_people_on_one_phone_the_last_one_is_written_to(acme):
    upsert_people(acme, [told("u1", "phone", 0), told("u1", "tablet", -5)])
    upsert_people(acme, [told("u2", "phone", 0.1)])
    assert (token_of(acme, "u1"), token_of(acme, "u2")) == ("tablet", "phone")
    upsert_people(acme, [told("u1", "phone", 0.2)])
    assert (token_of(acme, "u1"), token_of(acme, "u2")) == ("phone", "")


def test_any_order_and_repeats_give_the_same_devices(world):
    news = [told("u1", "phone", 0), told("u2", "phone", 2), told("u1", "phone", 4, NEWS)]
    seen = set()
    for order in itertools.permutations(range(len(news))):
        for n in (*order, order[0]):
            upsert_people(world.acme, [news[n]])
        seen.add((tuple(table(world.acme)), token_of(world.acme, "u1"), token_of(world.acme, "u2")))
        with workspace_scope(world.acme):
            PushDevice.objects.all()._raw_delete("default")
            EndUser.objects.update(push_token="")
    [(_rows, first, second)] = seen
    assert (first, second) == ("phone", "")


def test_a_merge_brings_the_devices_along_and_an_undo_gives_them_back(acme):
    upsert_people(acme, [told("v1", "phone", 2), told("u1", "tablet", 0)])
    before = table(acme)
    link = NormalProfile(PersonKey("u1"), DAY, {"name": "李"}, visitor="v1")
    upsert_people(acme, [link])
    merge_pending(acme)
    assert token_of(acme, "u1") == "phone"
    upsert_people(acme, [told("v1", "newer", 3)])
    assert token_of(acme, "u1") == "newer"
    with workspace_scope(acme):
        undo_merge(find(acme, "v1"))
    assert (token_of(acme, "u1"), token_of(acme, "v1")) == ("tablet", "newer")
    assert [row for row in table(acme) if row[1] != "newer"] == before


def test_a_dead_device_gives_way_to_the_next_one_and_stays_dead(acme):
    upsert_people(acme, [told("u1", "t1", 0), told("u1", "t2", 2), told("u2", "t3", 0)])
    for token, left in (("t2", "t1"), ("t1", "")):
        with workspace_scope(acme):
            bury({(person_id(acme.pk, "u1"), token)})
        assert token_of(acme, "u1") == left
    upsert_people(acme, [told("u1", "t2", 9, NEWS)])
    assert (token_of(acme, "u1"), token_of(acme, "u2")) == ("", "t3")


def trait(who: str, token: str | None, day: float, name: str = "push_token") -> NormalProfile:
    return NormalProfile(PersonKey(who), DAY + timedelta(days=day), {name: token})


def test_a_token_told_as_a_trait_is_a_device(acme):
    upsert_people(acme, [trait("u1", "word", 0)])
    assert token_of(acme, "u1") == "word" and table(acme)[0][:2] == ("push_token", "word")
    with workspace_scope(acme):
        bury({(person_id(acme.pk, "u1"), "word")})
    assert token_of(acme, "u1") == ""
    upsert_people(acme, [trait("u1", "other", 1)])
    upsert_people(acme, [told("u1", "older", 0)])
    assert token_of(acme, "u1") == "other"
    upsert_people(acme, [told("u1", "newer", 2)])
    assert token_of(acme, "u1") == "newer"


@pytest.mark.parametrize("around", [" ", "\n", "\r\n", "\t", "\u3000", "\u00a0"])
def test_a_token_is_one_whatever_blanks_are_around_it(acme, around):
    """An app that reads it out of a file sends the end of the line as well."""
    upsert_people(acme, [trait("u1", f"{around}phone{around}", 0)])
    assert token_of(acme, "u1") == "phone"


def test_of_two_people_whose_traits_name_one_phone_the_last_one_is_written_to(acme):
    upsert_people(acme, [trait("u1", "phone", 0, "jgId"), trait("u2", "phone", 1, "jgId")])
    assert (token_of(acme, "u1"), token_of(acme, "u2")) == ("", "phone")


def test_a_token_taken_away_at_logout_gets_no_push_whatever_the_order(world):
    news = [trait("u1", "phone", 0, "jgId"), trait("u1", None, 1, "jgId"), told("u1", "tablet", -1)]
    for order in itertools.permutations(news):
        for one in order:
            upsert_people(world.acme, [one])
        assert token_of(world.acme, "u1") == "tablet"
        with workspace_scope(world.acme):
            PushDevice.objects.all()._raw_delete("default")
            EndUser.objects.all()._raw_delete("default")


def test_every_protocol_may_tell_a_token_as_a_trait(client, world, acme, send):
    send("identify", {"type": "identify", "userId": "u1", "messageId": "i", "traits": {"pushToken": "one"}})
    record = {"type": "profile_set", "distinct_id": "u2", "time": 1785542400000, "properties": {"jgId": "two"}}
    record["properties"] |= {"$is_login_id": True}
    data = base64.b64encode(json.dumps(record).encode()).decode()
    form = "application/x-www-form-urlencoded"
    client.post(f"/sa?token={world.acme_write_key}", data=urlencode({"data": data}), content_type=form)
    event = {"event": "$set", "distinct_id": "u3", "properties": {"$set": {"push_token": "three"}}}
    event |= {"timestamp": "2026-08-01T00:00:00Z", "uuid": "0190f0a0-0000-7000-8000-000000000001"}
    event["properties"] |= {"$is_identified": True}
    body = json.dumps({"api_key": world.acme_write_key, "batch": [event]})
    client.post("/batch/", data=body, content_type="application/json")
    with workspace_scope(acme):
        told = dict(EndUser.objects.values_list("external_id", "push_token"))
    assert [told[who] for who in ("u1", "u2", "u3")] == ["one", "two", "three"]


def test_page_api_and_export_show_devices(world, as_role, client):
    acme, token = world.acme, "tokentoken-of-a-phone-9876"
    upsert_people(acme, [told("u1", token, 0)])
    with workspace_scope(acme):
        person = find(acme, "u1")
    page = as_role("owner").get(f"/w/acme/users/{person.pk}/").content.decode()
    assert SHOP in page and "tokent…9876" in page and token not in page
    headers = {"authorization": f"Bearer {world.acme_api_key}"}
    [device] = client.get("/api/v1/users/u1", headers=headers).json()["devices"]
    assert (device["app"], device["token"], device["dead_at"]) == (SHOP, "tokent…9876", None)
    assert token in "".join(json_pieces(acme, [person.pk]))


def test_nothing_of_a_device_is_left_of_somebody_erased(acme):
    upsert_people(acme, [told("u1", "t1", 0), told("u2", "t2", 0)])
    with workspace_scope(acme):
        erasure = ask_erasure(find(acme, "u1"))
    run_erasure(acme, erasure.pk)
    assert [row[1] for row in table(acme)] == ["t2"]
