"""Consent per channel and topic: what SDKs, programs and operators may say, and whose word counts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from tests import builders
from tests.plans import rows_read
from users.consent import create_topic, set_consent
from users.identity import merge_people
from users.identity_consent import Word, columns_of
from users.models import Consent, EndUser, person_id
from users.tasks import merge_identities
from workspaces.errors import Conflict, DomainError
from workspaces.models import AuditEntry
from workspaces.scoping import workspace_scope
from workspaces.sql import execute, read_sql


def words(workspace: Any, who: str) -> dict[str, bool]:
    with workspace_scope(workspace):
        rows = Consent.objects.filter(end_user=person_id(workspace.pk, who))
        return dict(rows.values_list("channel", "opted_in"))


@pytest.fixture
def sdk(world, client):
    """`sdk("a", email=False, at="2026-01-02")` sends an identify message with the trait `consent`."""
    count = iter(range(1000))

    def send(who: str, at: str = "2026-01-01", **told: Any) -> None:
        item = {
            "type": "identify", "userId": who, "messageId": f"m{next(count)}", "timestamp": f"{at}T00:00:00Z",
            "traits": {"consent": {key.replace("__", "/"): value for key, value in told.items()}},
        }  # fmt: skip
        body = {"writeKey": world.acme_write_key, "batch": [item]}
        assert client.post("/v1/batch", body, content_type="application/json").status_code == 200

    return send


def test_an_sdk_opts_in_and_out_of_channels_and_topics(acme, sdk):
    sdk("a", email=True, push=False, email__promotions=False)
    assert words(acme, "a") == {"email": True, "push": False, "email/promotions": False}
    with workspace_scope(acme):
        word = Consent.objects.get(channel="email/promotions")
        assert (word.source, word.at.isoformat()) == ("sdk", "2026-01-01T00:00:00+00:00")


def test_what_an_sdk_says_loosens_no_opt_out_and_an_older_word_counts_for_nothing(acme, sdk):
    sdk("a", at="2026-01-02", email=False)
    sdk("a", at="2026-01-03", email=True)
    assert words(acme, "a") == {"email": False}
    sdk("b", at="2026-01-02", email=True)
    sdk("b", at="2026-01-01", email=False)
    assert words(acme, "b") == {"email": True}
    sdk("b", at="2026-01-03", email=False)
    assert words(acme, "b") == {"email": False}


def test_what_is_no_consent_stays_an_attribute_and_hurts_nobody(acme, sdk):
    sdk("a", email="yes", pigeon=True, email__BIG=False, sms=None, push=1)
    assert words(acme, "a") == {}
    with workspace_scope(acme):
        assert EndUser.objects.get().attributes["consent"]["email"] == "yes"


def test_the_strictest_word_wins_when_ids_become_one_also_on_topics(acme, sdk):
    sdk("a", email__promotions=False, email=True)
    sdk("b", email__promotions=True, email=True)
    with workspace_scope(acme):
        a, b = (EndUser.objects.get(pk=person_id(acme.pk, who)) for who in "ab")
        merge_people(a, b)
    merge_identities(str(acme.pk))
    with workspace_scope(acme):
        [remains] = EndUser.objects.filter(merged_into=None).values_list("external_id", flat=True)
    assert words(acme, remains) == {"email": True, "email/promotions": False}
    sdk("b", at="2026-02-01", email__promotions=True)
    assert words(acme, remains) == {"email": True, "email/promotions": False}, "an SDK loosens nothing"
    with workspace_scope(acme):
        set_consent([person_id(acme.pk, remains)], "email/promotions", True, "form")
    assert words(acme, remains) == {"email": True, "email/promotions": True}


def merged(workspace: Any, previous: str, person: str) -> str:
    """Makes the two one person; returns the id that remains."""
    with workspace_scope(workspace):
        merge_people(*(EndUser.objects.get(pk=person_id(workspace.pk, who)) for who in (previous, person)))
        pk = EndUser.objects.get(pk=person_id(workspace.pk, previous)).merged_into
        return EndUser.objects.get(pk=pk or person_id(workspace.pk, previous)).external_id


def test_an_sdk_that_repeats_an_opt_in_does_not_undo_what_the_person_chose(acme, sdk):
    """After a merge the person agreed for all ids; the app tells of it again under one of them."""
    sdk("a", email=False)
    sdk("b", email=True)
    remains = merged(acme, "a", "b")
    with workspace_scope(acme):
        set_consent([person_id(acme.pk, remains)], "email", True, "page", datetime(2026, 2, 1, tzinfo=UTC))
    sdk("b", at="2026-03-01", email=True)
    assert words(acme, remains) == {"email": True}
    sdk("b", at="2026-02-15", email=False)
    assert words(acme, remains) == {"email": False}, "what it repeated loosens nothing"


def test_what_a_person_chose_holds_until_an_id_comes_that_said_something_about_the_same(acme, sdk):
    sdk("a", email=False)
    sdk("b", email=True)
    remains = merged(acme, "a", "b")
    with workspace_scope(acme):
        set_consent([person_id(acme.pk, remains)], "email", True, "page", datetime(2026, 2, 1, tzinfo=UTC))
    sdk("c", push=True)
    remains = merged(acme, "c", remains)
    assert words(acme, remains) == {"email": True, "push": True}
    sdk("d", email=True)
    assert words(acme, merged(acme, "d", remains))["email"] is False


def test_a_clock_that_is_ahead_does_not_silence_an_opt_out(acme, world, client, sdk):
    tomorrow = timezone.now() + timedelta(hours=22)
    item = {
        "type": "identify",
        "userId": "a",
        "timestamp": tomorrow.isoformat(),
        "traits": {"consent": {"email": True}},
    }
    body = {"writeKey": world.acme_write_key, "batch": [item]}
    assert client.post("/v1/batch", body, content_type="application/json").json()["accepted"] == 1
    headers = {"authorization": f"Bearer {world.acme_api_key}"}
    told = {"channel": "sms", "opted_in": True, "at": tomorrow.isoformat()}
    client.put("/api/v1/users/a/consents", told, content_type="application/json", headers=headers)
    with workspace_scope(acme):
        for channel in ("email", "sms"):
            assert set_consent([person_id(acme.pk, "a")], channel, False, "unsubscribe_link") == 1
    assert words(acme, "a") == {"email": False, "sms": False}


def test_however_many_words_a_batch_makes_up_they_are_kept_at_once(acme, sdk):
    """Write keys are public: a statement for each would hold the request, and everybody it tells of, for minutes."""
    sdk("a", email=True)
    sdk("b", email=True)
    merged(acme, "a", "b")

    def queries(said: dict[str, bool]) -> int:
        with CaptureQueriesContext(connection) as told:
            sdk("a", at="2026-03-01", **said)
            sdk("c", at="2026-03-01", **said)
        return len(told)

    few, many = ({f"sms__{name}-{n}": n % 2 == 0 for n in range(count)} for name, count in (("x", 2), ("y", 500)))
    assert queries(many) < queries(few) + 10
    assert len(words(acme, "c")) == 502


@pytest.mark.parametrize("count", [1, 20, 500])
def test_who_said_something_is_looked_up_and_nobody_else(acme, count):
    """Also in a workspace that the statistics have not met: one who unsubscribes does not wait for a look at everybody."""
    with workspace_scope(acme):
        names = {person_id(acme.pk, f"p{n}"): f"p{n}" for n in range(2000)}
        EndUser.objects.bulk_create(EndUser(pk=pk, workspace=acme, external_id=name) for pk, name in names.items())
        said = columns_of([Word(pk, "email", False, timezone.now()) for pk in list(names)[:count]])
        told = execute(
            f"explain (analyze, format json) {read_sql('users/set_consent')}",
            {**said, "source": "link", "loosens": True, "workspace": acme.pk},
        )
        assert Consent.objects.count() == count
    assert rows_read(told[0]["QUERY PLAN"][0]["Plan"], "end_user") == count


def test_of_what_one_batch_says_the_opt_out_counts(acme, world, client):
    said = [("2026-01-03", True), ("2026-01-02", False)]
    items = [
        {
            "type": "identify",
            "userId": "a",
            "messageId": at,
            "timestamp": f"{at}T00:00:00Z",
            "traits": {"consent": {"email": told}},
        }
        for at, told in said
    ]
    for batch in (items, items[::-1]):
        body = {"writeKey": world.acme_write_key, "batch": batch}
        assert client.post("/v1/batch", body, content_type="application/json").json()["accepted"] == 2
    assert words(acme, "a") == {"email": False}


def test_programs_say_and_read_consent(acme, world, client):
    builders.person(acme, "a")
    with workspace_scope(acme):
        create_topic("promotions", "优惠活动")

    def put(**body: Any) -> Any:
        headers = {"authorization": f"Bearer {world.acme_api_key}"}
        return client.put("/api/v1/users/a/consents", body, content_type="application/json", headers=headers)

    put(channel="email", topic="promotions", opted_in=False, source="settings page", at="2026-01-01T00:00:00Z")
    answer = put(channel="email", topic="promotions", opted_in=True).json()["results"]
    assert [(row["channel"], row["topic"], row["opted_in"], row["source"]) for row in answer] == [
        ("email", "promotions", True, "api")
    ]
    for body, field in (
        ({"channel": "pigeon", "opted_in": True}, "channel"),
        ({"channel": "email", "topic": "nothing", "opted_in": True}, "topic"),
        ({"channel": "email"}, "opted_in"),
        ({"channel": "email", "opted_in": True, "at": "2999-01-01T00:00:00Z"}, "at"),
    ):
        answer = put(**body)
        assert answer.status_code == 400 and answer.json()["error"]["details"][0]["path"].strip("/") == field, body
    headers = {"authorization": f"Bearer {world.acme_api_key}"}
    assert client.get("/api/v1/users/nobody/consents", headers=headers).status_code == 404
    topic = {"key": "news", "name": "News"}
    assert client.post("/api/v1/topics", topic, content_type="application/json", headers=headers).status_code == 201
    assert client.post("/api/v1/topics", topic, content_type="application/json", headers=headers).status_code == 409
    assert len(client.get("/api/v1/topics", headers=headers).json()["results"]) == 2


def test_an_operator_says_what_a_person_told_them(acme, as_role):
    person = builders.person(acme, "a")
    with workspace_scope(acme):
        create_topic("promotions", "优惠活动")
    client = as_role("operator")
    form = {"person": str(person.pk), "channel": "sms", "topic": "promotions", "verb": "opt_out"}
    client.post("/w/acme/users/change/", form)
    assert words(acme, "a") == {"sms/promotions": False}
    page = client.get(f"/w/acme/users/{person.pk}/").content.decode()
    assert "优惠活动" in page
    client.post("/w/acme/users/change/", form | {"verb": "opt_in", "topic": ""})
    client.post("/w/acme/users/change/", form | {"verb": "opt_in", "channel": "pigeon"})
    assert words(acme, "a") == {"sms/promotions": False, "sms": True}
    with workspace_scope(acme):
        assert AuditEntry.objects.filter(action="people.consent").count() == 2


def test_topics_are_made_and_renamed_and_what_is_wrong_names_its_field(acme, as_role):
    client = as_role("operator")
    assert client.post("/w/acme/topics/add/", {"key": "news", "name": " 新品  通知 "}).status_code == 302
    for form in ({"key": "news", "name": "x"}, {"key": "No spaces", "name": "x"}, {"key": "x", "name": ""}):
        assert client.post("/w/acme/topics/add/", form).status_code in (400, 409)
    with workspace_scope(acme):
        for key, name, path in (("UP", "x", "key"), ("x" * 41, "x", "key"), ("x", " ", "name")):
            with pytest.raises(DomainError) as caught:
                create_topic(key, name)
            assert caught.value.path == path
        with pytest.raises(Conflict):
            create_topic("news", "x")
    page = client.get("/w/acme/topics/")
    [topic] = page.context["topics"]
    refused = client.post(f"/w/acme/topics/{topic.pk}/change/", {"name": "x" * 101})
    told = refused.content.decode()
    assert refused.status_code == 400 and told.count("x" * 101) == 1 and told.count('role="alert"') == 1
    assert told.index('role="alert"') > told.index("<tbody>"), "where it was typed, not at the form that adds one"
    client.post(f"/w/acme/topics/{topic.pk}/change/", {"name": "News"})
    assert client.get("/w/acme/topics/").context["topics"][0].name == "News"
    assert timezone.now() > topic.created_at
