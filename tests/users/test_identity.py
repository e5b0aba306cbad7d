"""Merging and parting, case by case: what moves, what stays with an id, and what comes back."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from tests.conftest import make_world
from users.identity import ids_of, merge_pending, merge_people, undo_merge
from users.ingest import write as write_module
from users.ingest.normal import NormalAlias, NormalEvent, NormalProfile, PersonKey
from users.ingest.people import People
from users.models import Consent, ConsentWord, EndUser, Event, IdentityLink, IdentityMerge, person_id
from users.services import add_tag, exclude, record_events, set_consent
from workspaces.errors import Conflict, DomainError
from workspaces.models import Workspace
from workspaces.scoping import workspace_scope

DAY = datetime(2026, 8, 1, tzinfo=UTC)


def key(name: str) -> PersonKey:
    """v… is a visitor, everything else a user."""
    return PersonKey(name, not name.startswith("v"))


def track(name: str, message: str, hours: int = 0, **more: object) -> NormalEvent:
    at = DAY + timedelta(hours=hours)
    return NormalEvent(key(name), "App Opened", message, at, at, **more)


def identify(
    user: str, visitor: str = "", hours: int = 0, firsts: dict | None = None, **traits: object
) -> NormalProfile:
    return NormalProfile(key(user), DAY + timedelta(hours=hours), traits, firsts or {}, visitor)


def alias(previous: str, person: str, hours: int = 0) -> NormalAlias:
    return NormalAlias(key(person), key(previous), DAY + timedelta(hours=hours))


def find(workspace: Workspace, name: str) -> EndUser:
    with workspace_scope(workspace):
        return EndUser.objects.get(pk=person_id(workspace.pk, name, key(name).kind))


def owner(workspace: Workspace, name: str) -> str:
    found = find(workspace, name)
    with workspace_scope(workspace):
        return EndUser.objects.get(pk=found.merged_into or found.pk).external_id


def events(workspace: Workspace, name: str) -> set[str]:
    with workspace_scope(workspace):
        return set(Event.objects.filter(end_user=find(workspace, name).pk).values_list("message_id", flat=True))


def tell(workspace: Workspace, *items: object) -> dict[str, int]:
    record_events(workspace, items)  # type: ignore[arg-type]
    return merge_pending(workspace)


def undo(workspace: Workspace, name: str, by: object = None) -> None:
    with workspace_scope(workspace):
        undo_merge(find(workspace, name), by)  # type: ignore[arg-type]


def test_what_a_visitor_did_is_the_users_and_so_is_what_they_do_later(acme):
    assert tell(acme, track("v1", "a"), identify("u1", "v1", 1, city="上海"))["merged"] == 1
    assert events(acme, "u1") == {"a"} and events(acme, "v1") == set()
    assert [r.status for r in record_events(acme, [track("v1", "a"), track("v1", "b", 2)])] == ["duplicate", "accepted"]
    assert events(acme, "u1") == {"a", "b"} and find(acme, "u1").created_at == DAY
    assert merge_pending(acme) == {"merged": 0, "parted": 0, "changes": 0}


def test_events_find_their_person_without_another_query(acme):
    tell(acme, track("v1", "a"), track("u1", "b"), identify("u1", "v1", 1))
    queries: dict[str, list[str]] = {"u1": [], "v1": []}
    for name, seen in queries.items():

        def count(run: Any, sql: Any, *rest: Any, seen: list[str] = seen) -> Any:
            seen.append(str(sql))
            return run(sql, *rest)

        with connection.execute_wrapper(count):
            record_events(acme, [track(name, f"{name} again", 3)])
    assert len(queries["u1"]) == len(queries["v1"]) > 3
    assert events(acme, "u1") == {"a", "b", "u1 again", "v1 again"}


def test_a_shared_device_never_merges_two_people_whoever_is_told_of_first(acme):
    tell(acme, track("v1", "a"), identify("u2", "v1", 5), track("u2", "x"))
    assert events(acme, "u2") == {"a", "x"}
    tell(acme, identify("u1", "v1", 2))  # told later, logged in earlier
    assert events(acme, "u1") == {"a"} and events(acme, "u2") == {"x"}
    tell(acme, identify("u3", "v1", 9), track("v1", "late", 10))
    assert events(acme, "u1") == {"a", "late"} and events(acme, "u3") == set()
    assert [find(acme, name).merged_into for name in ("u1", "u2", "u3")] == [None] * 3


def test_several_devices_and_several_known_ids_of_one_person(acme):
    tell(acme, identify("u1", "v1"), identify("u1", "v2"), identify("u2", "v3"))
    tell(acme, *(track(name, name) for name in ("v1", "v2", "v3", "u1", "u2")), alias("u1", "u2", 3))
    assert events(acme, "u2") == {"v1", "v2", "v3", "u1", "u2"}
    with workspace_scope(acme):
        assert [person.external_id for person in ids_of(find(acme, "u2"))] == ["u2", "u1", "v1", "v2", "v3"]
        assert EndUser.objects.counted().count() == 1
    tell(acme, alias("u2", "u3", 4))
    assert {owner(acme, name) for name in ("v1", "v2", "v3", "u1", "u2")} == {"u3"} and len(events(acme, "u3")) == 5


def test_an_alias_of_an_id_with_itself_is_taken_and_does_nothing(acme):
    [result] = record_events(acme, [alias("u1", "u1")])
    assert result.status == "accepted"
    with workspace_scope(acme):
        assert not IdentityLink.objects.exists()


def test_a_circle_of_aliases_ends_in_one_person(acme):
    tell(acme, alias("u1", "u2", 1), alias("u2", "u3", 2), alias("u3", "u1", 3))
    assert {owner(acme, name) for name in ("u1", "u2", "u3")} == {"u2"}


def test_profiles_come_together_and_apart_with_what_was_told_since(acme):
    tell(
        acme,
        identify("v1", "", 1, {"source": "baidu"}, city="上海", vip=1),
        identify("u1", "", 2, {"source": "weibo"}, city="北京"),
    )
    tell(acme, identify("u1", "v1", 3))
    told = find(acme, "u1")
    assert (told.city, told.source, told.attributes["vip"]) == ("北京", "baidu", 1)
    record_events(acme, [identify("v1", "", 4, city="广州"), identify("u1", "", 5, name="王")])
    assert (find(acme, "u1").city, find(acme, "u1").name) == ("广州", "王")
    undo(acme, "v1")
    told, visitor = find(acme, "u1"), find(acme, "v1")
    assert told.attributes == {"city": "北京", "source": "weibo", "name": "王"} and told.own is None
    assert visitor.attributes == {"city": "广州", "vip": 1, "source": "baidu"} and visitor.city == "广州"
    assert (told.created_at, visitor.created_at) == (DAY + timedelta(hours=2), DAY + timedelta(hours=1))


def test_the_strictest_consent_wins_and_an_undo_gives_each_its_own(acme):
    tell(acme, track("u1", "a"), track("u2", "b"))
    one, two = find(acme, "u1").pk, find(acme, "u2").pk

    def agreed() -> dict[str, dict[str, bool]]:
        with workspace_scope(acme):
            return {
                name: dict(Consent.objects.filter(end_user=find(acme, name).pk).values_list("channel", "opted_in"))
                for name in ("u1", "u2")
            }

    with workspace_scope(acme):
        set_consent([one], "email", False, "link", DAY)
        set_consent([two], "email", True, "form", DAY + timedelta(days=2))
        set_consent([one], "sms", True, "form", DAY)
    before = agreed()
    tell(acme, alias("u1", "u2", 1))
    assert agreed()["u2"] == {"email": False, "sms": True}
    with workspace_scope(acme):  # whoever is known to be one person may agree again, for all ids
        assert set_consent([two], "email", True, "form", DAY + timedelta(days=3)) == 1
        assert set_consent([one], "push", False, "link", DAY + timedelta(days=3)) == 1
    assert agreed()["u2"] == {"email": True, "sms": True, "push": False}
    undo(acme, "u1")
    assert agreed() == {"u1": before["u1"] | {"push": False}, "u2": before["u2"]}
    with workspace_scope(acme):
        assert not ConsentWord.objects.exists()


def test_tags_and_exclusion_set_by_hand_come_along_and_go_back(acme):
    tell(acme, track("u1", "a"), track("u2", "b"))
    with workspace_scope(acme):
        add_tag([find(acme, "u1").pk], "VIP")
        add_tag([find(acme, "u2").pk], "old")
        exclude([find(acme, "u1").pk], "staff")
    tell(acme, alias("u1", "u2", 1))
    assert (find(acme, "u2").tags, find(acme, "u2").excluded) == (["old", "VIP"], True)
    with workspace_scope(acme):
        add_tag([find(acme, "u2").pk], "later")
    undo(acme, "u1")
    assert (find(acme, "u2").tags, find(acme, "u2").excluded) == (["old", "later"], False)
    assert (find(acme, "u1").tags, find(acme, "u1").excluded) == (["VIP"], True)


def test_an_undo_gives_back_and_the_same_messages_do_not_merge_again(acme, world):
    messages = [track("v1", "a"), track("u1", "b"), identify("u1", "v1", 1)]
    tell(acme, *messages)
    record_events(acme, [track("v1", "since", 4)])
    undo(acme, "v1", world.owner)
    assert (events(acme, "v1"), events(acme, "u1")) == ({"a", "since"}, {"b"})
    assert tell(acme, *messages, identify("u1", "v1", -5), alias("v1", "u1"))["merged"] == 0
    assert (events(acme, "v1"), events(acme, "u1")) == ({"a", "since"}, {"b"})
    with workspace_scope(acme):
        [log] = IdentityMerge.objects.all()
        assert log.undone_by == world.owner.pk and log.ended_at
        with pytest.raises(DomainError):
            undo_merge(find(acme, "v1"))


def test_an_alias_taken_back_does_not_come_again_the_other_way_round(acme):
    tell(acme, alias("u1", "u2", 1))
    undo(acme, "u1")
    tell(acme, alias("u2", "u1", 2), alias("u1", "u2", 0))
    assert (owner(acme, "u1"), owner(acme, "u2")) == ("u1", "u2")


def test_after_thirty_days_it_stays_as_it_is(acme):
    tell(acme, identify("u1", "v1"))
    with workspace_scope(acme):
        IdentityMerge.objects.update(at=timezone.now() - timedelta(days=31))
        with pytest.raises(DomainError):
            undo_merge(find(acme, "v1"))


def test_the_log_tells_who_into_whom_and_why(acme):
    tell(acme, identify("u2", "v1", 5))
    tell(acme, identify("u1", "v1", 2))
    with workspace_scope(acme):
        ended, stands = IdentityMerge.objects.order_by("at")
    assert ended.ended_at and ended.undone_by is None and stands.ended_at is None
    assert stands.into_id == find(acme, "u1").pk
    assert stands.why == [{"previous": "v1", "person": "u1", "at": "2026-08-01T02:00:00+00:00", "kind": "login"}]


def test_operators_merge_by_hand_and_are_told_what_cannot_be(acme, world):
    tell(acme, track("u1", "a"), track("u2", "b"), track("v1", "c"), identify("u2", "v1"))
    with workspace_scope(acme):
        merge_people(find(acme, "u1"), find(acme, "u2"), world.owner)
        assert IdentityMerge.objects.get(end_user=find(acme, "u1").pk).merged_by == world.owner.pk
    assert events(acme, "u2") == {"a", "b", "c"}
    tell(acme, track("u9", "z"))
    with workspace_scope(acme):
        with pytest.raises(Conflict):
            merge_people(find(acme, "v1"), find(acme, "u9"))
        with pytest.raises(DomainError):
            merge_people(find(acme, "u9"), find(acme, "u9"))
    undo(acme, "u1")
    with workspace_scope(acme):
        merge_people(find(acme, "u1"), find(acme, "u2"))
    assert owner(acme, "u1") == "u2"


def test_a_merge_that_cannot_be_leaves_nothing_behind(acme, as_role, world, client):
    """The page and the API answer why not, and commit: what was taken back before stays taken back."""
    tell(acme, track("u1", "a"), track("u2", "b"), identify("u1", "v1", hours=1))
    undo(acme, "v1")
    tell(acme, identify("u2", "v1", hours=2), identify("u1", "v1", hours=3), identify("u3", "v1", hours=-5))
    assert owner(acme, "v1") == "u3"

    def links() -> list[tuple]:
        with workspace_scope(acme):
            return sorted(IdentityLink.objects.values_list("end_user", "known_id", "at", "refused_at", "pending"))

    before = links()
    page = f"/w/acme/users/{find(acme, 'u1').pk}/merge/"
    assert as_role("operator").post(page, {"previous": "v1"}).status_code == 302
    headers = {"authorization": f"Bearer {world.acme_api_key}"}
    body = {"previous": "v1", "visitor": True}
    answer = client.post("/api/v1/users/u1/merge", body, content_type="application/json", headers=headers)
    assert answer.status_code == 409, answer.content
    assert links() == before and owner(acme, "v1") == "u3"


def test_thousands_at_once_in_a_few_queries(acme, django_assert_max_num_queries):
    record_events(acme, [track(f"v{n}", f"m{n}") for n in range(1500)])
    record_events(acme, [identify(f"u{n}", f"v{n}", 1) for n in range(1500)])
    with django_assert_max_num_queries(60):
        assert merge_pending(acme)["merged"] == 1500
    assert events(acme, "u77") == {"m77"}


def test_one_tenant_merges_nothing_of_another(acme, world):
    for workspace in (acme, world.other):
        record_events(workspace, [track("v1", "a"), identify("u1", "v1", 1)])
    merge_pending(acme)
    assert find(world.other, "v1").merged_into is None and events(world.other, "v1") == {"a"}
    with workspace_scope(world.other):
        assert not IdentityMerge.objects.exists() and IdentityLink.objects.get().pending


@pytest.mark.django_db(transaction=True)
def test_merging_while_messages_arrive_loses_and_doubles_nothing():
    """Writers send visitors' events and logins, mergers merge, and somebody undoes, all at once."""
    workspace = make_world().acme
    batches = [
        [track(f"v{n % 6}", f"m{n}", n % 40, properties='{"n":1}') for n in range(start, start + 15)]
        for start in range(0, 300, 15)
    ]
    logins = [identify(f"u{n % 6 % 4}", f"v{n}", 1, **{f"k{n}": n}) for n in range(6)] + [alias("u0", "u1", 2)]
    errors: list[Exception] = []

    def run(work: object) -> None:
        try:
            work()  # type: ignore[operator]
        except Exception as error:
            errors.append(error)
        finally:
            connection.close()

    def send(order: int) -> None:
        for batch in batches[order::2] + batches[order::4]:
            record_events(workspace, batch)

    def login() -> None:
        for item in logins:
            record_events(workspace, [item])

    def keep_merging() -> None:
        for _ in range(12):
            merge_pending(workspace)

    works = [lambda: send(0), lambda: send(1), login, keep_merging, keep_merging]
    threads = [threading.Thread(target=run, args=[work]) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    merge_pending(workspace)
    owners = {f"v{n}": {0: "u1", 1: "u1", 2: "u2", 3: "u3"}[n % 4] for n in range(6)}
    assert {name: owner(workspace, name) for name in owners} == owners
    with workspace_scope(workspace):
        assert Event.objects.count() == 300
    told = find(workspace, "u1").attributes
    assert told == {"k0": 0, "k1": 1, "k4": 4, "k5": 5}
    for n in range(6):
        assert {f"m{m}" for m in range(n, 300, 6)} <= events(workspace, owners[f"v{n}"])


@pytest.mark.parametrize("believed", ["", "u1"])
def test_whoever_wrote_while_ids_were_merged_or_moved_on_is_found(acme, monkeypatch, believed):
    """A writer that still believes the visitor to be nobody's, or somebody else's; the message is sent again later."""
    tell(acme, track("v1", "a"), identify("u1", "v1", 5))
    tell(acme, identify("u2", "v1", 1))
    visitor, wrong = (person_id(acme.pk, *named).hex for named in (("v1", "anonymous"), ("u1",)))
    with monkeypatch.context() as patch:
        stale = People({key("v1"): visitor}, {visitor: wrong} if believed else {})
        patch.setattr(write_module, "add_people", lambda *_rest: stale)
        record_events(acme, [track("v1", "b", 3)])
    assert events(acme, believed or "v1") == {"b"}
    record_events(acme, [track("v1", "b", 3)])
    merge_pending(acme)
    assert events(acme, "u2") == {"a", "b"} and events(acme, "v1") == events(acme, "u1") == set()
