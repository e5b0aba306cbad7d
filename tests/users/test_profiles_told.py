"""What identify messages and events in passing tell about people, in any order and any number of times."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.users.conftest import AT, moment, stored, track
from users.ingest.normal import NormalProfile, PersonKey, clean_email
from users.models import Consent, EndUser, IdentityLink, person_id
from users.services import set_consent, upsert_people
from users.traits import clean_phone
from users.words import merge
from workspaces.scoping import workspace_scope

DAY = datetime(2026, 8, 1, tzinfo=UTC)


def identify(traits: dict[str, Any] | None = None, at: str = AT, **changes: Any) -> dict[str, Any]:
    message = {"type": "identify", "userId": "u1", "messageId": "i1", "timestamp": at, "traits": traits or {}} | changes
    return {key: value for key, value in message.items() if value is not None}


def person(workspace: Any, external_id: str = "u1", kind: str = "user") -> EndUser:
    with workspace_scope(workspace):
        return EndUser.objects.get(pk=person_id(workspace.pk, external_id, kind))


def test_traits_fill_the_profile_and_stay_whole_among_the_attributes(send, acme):
    traits = {
        "name": "张伟",
        "email": "Zhang.Wei@Example.COM",
        "phone": "138 0013 8000",
        "city": "上海",
        "source": "信息流B",
    }
    traits |= {
        "referred_by": "u0",
        "locale": "zh-CN",
        "timezone": "Asia/Shanghai",
        "push_token": "t" * 64,
        "vip": True,
        "balance": 12.5,
    }
    assert send("identify", identify(traits)).status_code == 200
    told = person(acme)
    assert (told.name, told.email, told.phone, told.city) == ("张伟", "Zhang.Wei@example.com", "+8613800138000", "上海")
    assert (told.source, told.referred_by, told.locale, told.zone) == ("信息流B", "u0", "zh-CN", "Asia/Shanghai")
    assert told.push_token == "t" * 64 and told.attributes == traits
    assert told.identified and told.created_at == told.attributes_at == moment(AT)
    assert stored(acme) == []  # news about a profile is nothing the person did


def test_rudder_puts_traits_into_the_context_and_devices_tell_their_token(send, acme):
    context = {"traits": {"name": "李"}, "device": {"token": "tok"}, "locale": "en-US", "timezone": "Europe/Berlin"}
    send(
        "batch", {"batch": [identify(context=context) | {"traits": None}], "context": {"campaign": {"source": "baidu"}}}
    )
    told = person(acme)
    assert (told.name, told.push_token, told.locale, told.zone, told.source) == (
        "李",
        "tok",
        "en-US",
        "Europe/Berlin",
        "baidu",
    )


def test_the_first_source_stays_unless_a_trait_says_otherwise(send, acme):
    for source in ("baidu", "weibo"):
        send("track", track(source, context={"campaign": {"source": source}}))
    assert person(acme).source == "baidu"
    send("identify", identify({"source": "friend"}))
    assert person(acme).source == "friend"


def test_only_an_anonymous_id_makes_a_visitor_and_both_together_leave_a_link(send, acme):
    send("track", track("v", userId=None, anonymousId="v1"))
    send("identify", identify({"name": "访客"}, userId=None, anonymousId="v1"))
    assert not person(acme, "v1", "anonymous").identified
    for _ in range(2):
        send("identify", identify({"name": "王"}, anonymousId="v1"))
    with workspace_scope(acme):
        link = IdentityLink.objects.get()
    assert (link.end_user_id, link.known_id) == (person_id(acme.pk, "v1", "anonymous"), person_id(acme.pk, "u1"))
    assert stored(acme)[0].end_user_id == link.end_user_id  # the visitor's events stay the visitor's for now


@pytest.mark.parametrize(
    "email",
    [
        *("a@b.com\r\nBcc: x@y.z", "a" * 300 + "@x.com", "a@b@c.com", '"a b"@x.com', "a@[127.0.0.1]", "a@127.0.0.1"),
        *("a@b.com.", "<>", "a@b", "A <a@b.com>", "a@b.com,c@d.com", "a..b@c.com", ".a@b.com", "a@-b.com", "无"),
        *(5, ["a@b.com"]),
    ],
)
def test_what_is_no_address_refuses_the_identify_and_never_costs_an_event(send, acme, email):
    answer = send("identify", identify({"email": email}))
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_email")
    answer = send("track", track(context={"traits": {"email": email}})).json()
    assert (answer["accepted"], answer["items"][0]["code"]) == (1, "invalid_email")
    assert person(acme).email == "" and len(stored(acme)) == 1


@pytest.mark.parametrize(
    "email", ["a@b.com", "a.b+tag@sub.example.co", "a@xn--pple-43d.com", "x" * 64 + "@b.com", "a@例子.公司"]
)
def test_addresses_that_mail_can_reach_are_taken(email):
    assert clean_email(f" {email} ") == email


@pytest.mark.parametrize("phone", ["123", "1" * 40, "\u0661\u0663\u0668", "8.61381E+12", "", True, ["1"]])
def test_a_malformed_phone_stays_an_attribute_and_is_no_number_to_call(send, acme, phone):
    answer = send("identify", identify({"phone": phone})).json()["items"][0]
    assert (answer["status"], answer["code"]) == ("accepted", "invalid_phone" if phone else "")
    assert person(acme).phone == "" and person(acme).attributes["phone"] == phone
    answer = send("track", track(context={"traits": {"phone": phone}})).json()["items"][0]
    assert (answer["status"], answer["path"]) == ("accepted", "context.traits.phone" if phone else "")


def test_a_phone_without_a_country_code_is_of_the_workspaces_country():
    assert clean_phone("13800138000", "CN") == clean_phone("+86 138-0013-8000", "US") == "+8613800138000"
    assert clean_phone(13800138000, "CN") == "+8613800138000"
    assert clean_phone("202-555-0123", "US") == "+12025550123"
    assert clean_phone("030 123456", "EU") == ""  # no country of that name: a code is needed


def test_traits_set_no_columns_they_are_not_meant_to(send, acme, world):
    odd = {
        "workspace_id": str(world.other.pk),
        "id": 1,
        "excluded": True,
        "identified": False,
        "is_subscribed": True,
        "tags": ["x"],
    }
    send("identify", identify(odd))
    told = person(acme)
    assert (told.excluded, told.identified, told.tags, told.workspace_id) == (False, True, [], acme.pk)
    with workspace_scope(acme):
        assert not Consent.objects.exists()


def test_a_trait_of_null_takes_the_attribute_away(send, acme):
    send("identify", identify({"name": "张", "city": "上海"}))
    send("identify", identify({"name": None}, at="2026-08-02T00:00:00Z"))
    send("identify", identify({"name": "旧"}, at="2026-08-01T12:00:00Z"))
    assert person(acme).attributes == {"city": "上海"} and person(acme).name == ""


def test_news_in_any_order_ends_in_the_same_profile(send, world):
    news = [
        identify({"city": "甲", "vip": 1}, at="2026-08-01T00:00:00Z"),
        identify({"city": "乙"}, at="2026-08-03T00:00:00Z"),
        identify({"city": "丙", "vip": None, "name": "李"}, at="2026-08-02T00:00:00Z"),
    ]
    ends = []
    for n, order in enumerate(itertools.permutations(news)):
        for message in (*order, *order):
            send("identify", message | {"userId": f"p{n}"})
        told = person(world.acme, f"p{n}")
        ends.append((told.attributes, told.attribute_times, told.attributes_at, told.city, told.name, told.created_at))
    assert all(end == ends[0] for end in ends)
    assert ends[0][0] == {"city": "乙", "name": "李"} and ends[0][5] == moment("2026-08-01T00:00:00Z")


values = st.one_of(
    st.none(), st.booleans(), st.integers(-5, 5), st.text("ab", max_size=2), st.lists(st.integers(0, 2), max_size=2)
)
told = st.builds(
    lambda seconds, traits: NormalProfile(PersonKey("p"), DAY + timedelta(seconds=seconds), traits),
    st.integers(0, 3),
    st.dictionaries(st.sampled_from("xyz"), values, max_size=3),
)


@settings(max_examples=100, deadline=None)
@given(st.lists(told, max_size=5), st.randoms())
def test_merging_is_the_same_in_any_order_and_any_number_of_times(news, random):
    def fold(profiles: list[NormalProfile]) -> tuple:
        someone = EndUser(attributes={}, attribute_times={})
        for profile in profiles:
            merge(someone, profile)
        return someone.attributes, someone.attribute_times, someone.attributes_at

    shuffled = news + random.sample(news, len(news) // 2)
    random.shuffle(shuffled)
    assert fold(news) == fold(shuffled)


def test_what_every_event_repeats_is_written_once(send, acme, django_assert_num_queries):
    context = {"traits": {"city": "上海"}, "locale": "zh-CN", "device": {"token": "t1"}}
    send("track", track("1", context=context))
    before = person(acme)
    send("track", track("2", timestamp="2026-08-09T00:00:00Z", context=context))
    assert person(acme).attribute_times == before.attribute_times
    send("track", track("3", timestamp="2026-08-10T00:00:00Z", context=context | {"device": {"token": "t2"}}))
    assert person(acme).push_token == "t2"


def test_somebody_was_created_when_the_first_thing_known_of_them_happened(send, acme):
    send("track", track("2", timestamp="2026-08-02T00:00:00Z"))
    send("track", track("1", timestamp="2026-07-02T00:00:00Z"))
    send("track", track("3", timestamp="2026-08-05T00:00:00Z"))
    assert person(acme).created_at == moment("2026-07-02T00:00:00Z")


def test_people_by_the_thousand(acme, django_assert_max_num_queries):
    rows = [
        NormalProfile(PersonKey(f"u{n}"), DAY + timedelta(hours=n), {"name": f"用户{n}", "city": "上海"})
        for n in range(3000)
    ]
    with django_assert_max_num_queries(60):
        assert upsert_people(acme, rows) == 3000
    with workspace_scope(acme):
        assert EndUser.objects.filter(city="上海").count() == 3000
    assert person(acme, "u7").created_at == DAY + timedelta(hours=7)


def test_the_latest_word_on_consent_counts(acme, world):
    upsert_people(acme, [NormalProfile(PersonKey("u1"), DAY)])
    someone = person_id(acme.pk, "u1")
    stranger = person_id(world.other.pk, "u1")
    with workspace_scope(acme):
        assert set_consent([someone, stranger], "email", True, "form", DAY) == 1
        assert set_consent([someone], "email", False, "link", DAY + timedelta(days=2), by=world.owner) == 1
        assert set_consent([someone], "email", True, "late form", DAY + timedelta(days=1)) == 0
        word = Consent.objects.get()
    assert (word.opted_in, word.source, word.at) == (False, "link", DAY + timedelta(days=2))
