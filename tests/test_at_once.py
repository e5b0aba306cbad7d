"""Two requests at once: the second begins while what the first did is not committed yet."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from types import SimpleNamespace
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from campaigns.accounts import save_account
from campaigns.editing import save_campaign
from campaigns.models import Campaign
from lifecycle.sources import save_costs
from segmentation.models import Segment
from segmentation.services import archive_segment, create_segment, delete_segment, update_segment
from segmentation.tagging import bind_tag
from tests.conftest import make_world
from users.erasure import ask_erasure, begin
from users.identity import merge_people
from users.mapping import roles_now, set_roles
from users.models import EndUser, person_id
from workspaces import services
from workspaces.errors import Conflict, DomainError
from workspaces.models import AccessKey, AuditEntry, Membership, Operator, Workspace
from workspaces.scoping import workspace_scope

pytestmark = pytest.mark.django_db(transaction=True)
VIP = {"kind": "tag", "match": "any", "tags": ["vip"]}


@pytest.fixture
def world() -> SimpleNamespace:
    return make_world()


def beside(workspace: Workspace, first: Callable[[], Any], second: Callable[[], Any]) -> Any:
    """Do the first in a scope of its own, which ends when the second waits for it, or is over; what the second answered."""
    done, over = threading.Event(), threading.Event()

    def hold() -> None:
        try:
            with workspace_scope(workspace):
                first()
                done.set()
                over.wait(20)
        finally:
            done.set()
            connection.close()

    def ask() -> Any:
        try:
            return second()
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as pool:
        held = pool.submit(hold)
        assert done.wait(20)
        asked = pool.submit(ask)
        while not (asked.done() or is_anybody_waiting()):
            time.sleep(0.02)
        over.set()
        held.result(20)
        return asked.result(20)


def is_anybody_waiting() -> bool:
    with connection.cursor() as cursor:
        cursor.execute(
            "select exists (select from pg_locks join pg_stat_activity using (pid)"
            " where not granted and datname = current_database())"
        )
        return bool(cursor.fetchone()[0])


def ask(world: SimpleNamespace, method: str, path: str, **body: Any) -> int:
    headers = {"Authorization": f"Bearer {world.acme_api_key}"}
    call = getattr(Client(raise_request_exception=False), method)
    return call(f"/api/v1/{path}", body, content_type="application/json", headers=headers).status_code


def as_owner(world: SimpleNamespace, path: str, **typed: str) -> int:
    client = Client(raise_request_exception=False)
    client.force_login(world.owner)
    return client.post(path, typed).status_code


def member(world: SimpleNamespace, who: str) -> Membership:
    with workspace_scope(world.acme):
        return Membership.objects.select_related("operator").get(operator=getattr(world, who))


def actions(world: SimpleNamespace, action: str) -> int:
    with workspace_scope(world.acme):
        return AuditEntry.objects.filter(action=action).count()


def test_a_second_click_on_joining_joins_and_logs_in(world: SimpleNamespace) -> None:
    with workspace_scope(world.acme):
        token = services.invitation_token("new@acme.test", "operator", world.owner)
    words, client = "a long enough passphrase", Client(raise_request_exception=False)
    before = actions(world, "member.add")

    def first() -> None:
        services.accept_invitation(token, words, "新人")

    def second() -> int:
        return client.post(f"/invitation/{token}/", {"name": "新人", "password": words}).status_code

    assert beside(world.acme, first, second) == 302
    assert client.get("/w/acme/").status_code == 200
    assert actions(world, "member.add") == before + 1


def test_whoever_made_the_account_first_is_not_logged_in_with_another_password(world: SimpleNamespace) -> None:
    with workspace_scope(world.acme):
        token = services.invitation_token("new@acme.test", "operator", world.owner)
    client = Client(raise_request_exception=False)

    def first() -> None:
        services.accept_invitation(token, "a long enough passphrase", "新人")

    def second() -> int:
        return client.post(f"/invitation/{token}/", {"name": "谁", "password": "quite another passphrase"}).status_code

    assert beside(world.acme, first, second) == 302
    assert client.get("/w/acme/").status_code == 302
    assert Operator.objects.get(email="new@acme.test").check_password("a long enough passphrase")


def test_two_owners_who_demote_each_other_leave_one(world: SimpleNamespace) -> None:
    owner, admin = member(world, "owner"), member(world, "admin")
    with workspace_scope(world.acme):
        services.change_role(admin, "owner")
    read_before = member(world, "owner")

    def second() -> str:
        with workspace_scope(world.acme):
            try:
                services.remove_member(read_before)
            except Conflict as refusal:
                return refusal.code
        return ""

    assert beside(world.acme, lambda: services.change_role(member(world, "admin"), "analyst"), second) == "last_owner"
    with workspace_scope(world.acme):
        assert [one.pk for one in Membership.objects.filter(role="owner")] == [owner.pk]


@pytest.mark.parametrize(("role", "line"), [("", "member.remove"), ("operator", "member.role")])
def test_whoever_is_being_removed_is_no_member_afterwards(world: SimpleNamespace, role: str, line: str) -> None:
    analyst = member(world, "analyst")
    path = f"/w/acme/settings/members/{analyst.pk}/"
    lines = actions(world, "member.remove"), actions(world, "member.role")
    assert beside(world.acme, lambda: services.remove_member(analyst), lambda: as_owner(world, path, role=role)) == 302
    with workspace_scope(world.acme):
        assert not Membership.objects.filter(operator=world.analyst).exists()
    assert (actions(world, "member.remove"), actions(world, "member.role")) == (lines[0] + 1, lines[1])


def test_a_key_made_while_its_maker_is_removed_opens_nothing(world: SimpleNamespace) -> None:
    admin = member(world, "admin")

    def make() -> None:
        services.create_key("api", "仓库", "admin", world.admin)

    def remove() -> list[str]:
        with workspace_scope(world.acme):
            return services.remove_member(admin)

    assert beside(world.acme, make, remove) == ["仓库"]
    with workspace_scope(world.acme):
        assert AccessKey.objects.get(name="仓库").revoked_at is not None


def test_a_campaign_made_while_its_segment_is_deleted_stays_or_is_refused(world: SimpleNamespace) -> None:
    with workspace_scope(world.acme):
        segments = [create_segment(name, VIP) for name in ("one", "two")]
    gone, used = (str(segment.pk) for segment in segments)

    def delete() -> None:
        delete_segment(Segment.objects.get(pk=gone))

    def make() -> None:
        save_campaign(None, {"name": "七夕", "segment": used})

    new = {"name": "双十一", "segment": gone}
    assert beside(world.acme, delete, lambda: ask(world, "post", "campaigns", **new)) == 400
    assert beside(world.acme, make, lambda: ask(world, "delete", f"segments/{used}")) == 409
    with workspace_scope(world.acme):
        assert [campaign.name for campaign in Campaign.objects.all()] == ["七夕"]
        assert [segment.name for segment in Segment.objects.all()] == ["two"]


def test_a_channel_set_up_twice_at_once_is_set_up_once(world: SimpleNamespace) -> None:
    typed = {"access_key_id": "id", "access_key_secret": "words", "sign_name": "商城"}
    path = "/w/acme/channels/sms/"
    assert beside(world.acme, lambda: save_account("sms", typed), lambda: as_owner(world, path, **typed)) == 303


def test_a_segment_deleted_twice_at_once_is_gone_once(world: SimpleNamespace) -> None:
    with workspace_scope(world.acme):
        segment = create_segment("one", VIP)
    pk = str(segment.pk)
    assert beside(world.acme, lambda: delete_segment(segment), lambda: ask(world, "delete", f"segments/{pk}")) == 404
    assert actions(world, "segment.delete") == 1


def in_segment(segment: Segment) -> dict[str, str]:
    return {"kind": "segment", "segment": str(segment.pk)}


def test_two_segments_changed_at_once_do_not_refer_to_each_other(world: SimpleNamespace) -> None:
    with workspace_scope(world.acme):
        one, two = (create_segment(name, VIP) for name in ("one", "two"))

    def first() -> None:
        update_segment(one, definition=in_segment(two))

    def second() -> int:
        return ask(world, "patch", f"segments/{two.pk}", definition=in_segment(one))

    assert beside(world.acme, first, second) == 400


def test_a_tag_given_by_rule_while_a_rule_asks_for_it_does_not_go_in_a_circle(world: SimpleNamespace) -> None:
    with workspace_scope(world.acme):
        one = create_segment("one", VIP)
        two = create_segment("two", in_segment(one))

    def second() -> str:
        with workspace_scope(world.acme):
            try:
                bind_tag("gold", two)
            except DomainError as refusal:
                return refusal.code
        return ""

    asking = {"kind": "tag", "match": "any", "tags": ["gold"]}
    assert beside(world.acme, lambda: update_segment(one, definition=asking), second) == "cyclic_segment"


@pytest.mark.parametrize("take_away", [delete_segment, archive_segment])
def test_no_rule_refers_to_a_segment_that_was_being_taken_away(world: SimpleNamespace, take_away: Any) -> None:
    with workspace_scope(world.acme):
        gone, used = (create_segment(name, VIP) for name in ("one", "two"))

    def refer(segment: Segment) -> int:
        return ask(world, "post", "segments", name=f"in {segment}", definition=in_segment(segment))

    def second() -> str:
        with workspace_scope(world.acme):
            try:
                take_away(used)
            except Conflict as refusal:
                return refusal.code
        return ""

    assert beside(world.acme, lambda: take_away(gone), lambda: refer(gone)) == 400
    assert beside(world.acme, lambda: create_segment("in two", in_segment(used)), second) == "in_use"


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("post", "users/u1/merge", {"previous": "u2"}),
        ("post", "users/u2/merge", {"previous": "u1"}),
        ("post", "users/u1/unmerge", {}),
        ("post", "users/u1/tags", {"add": ["vip"]}),
        ("put", "users/u1/consents", {"channel": "email", "opted_in": False}),
    ],
)
def test_whoever_was_erased_meanwhile_is_not_found(
    world: SimpleNamespace, method: str, path: str, body: dict[str, Any]
) -> None:
    with workspace_scope(world.acme):
        for who in ("u1", "u2", "u0"):
            EndUser.objects.create(pk=person_id(world.acme.pk, who), external_id=who, identified=True)
        one = EndUser.objects.get(external_id="u1")
        merge_people(one, EndUser.objects.get(external_id="u0"))

    def erase() -> None:
        assert begin(world.acme, ask_erasure(EndUser.objects.get(pk=one.pk)))

    before = actions(world, "people.merge"), actions(world, "people.unmerge")
    assert beside(world.acme, erase, lambda: ask(world, method, path, **body)) == 404
    assert (actions(world, "people.merge"), actions(world, "people.unmerge")) == before


def test_costs_are_stored_in_one_order(world: SimpleNamespace) -> None:
    """Whoever stores the same the other way round would wait for the first, and the first for them."""
    rows = [{"source": name, "month": date(2026, 8, 1), "spend_minor": 1, "rewards_minor": 0} for name in ("b", "a")]
    with workspace_scope(world.acme), CaptureQueriesContext(connection) as said:
        save_costs(rows)
    stored = next(line["sql"] for line in said if 'INTO "source_cost"' in line["sql"])
    assert stored.index("'a'") < stored.index("'b'")


def test_settings_changed_at_once_are_kept_all(world: SimpleNamespace) -> None:
    def choose() -> int:
        return ask(world, "post", "settings/changes", industry="ugc")

    assert beside(world.acme, lambda: services.change_settings({"keep_exports_days": 3}), choose) == 200
    assert Workspace.objects.get(pk=world.acme.pk).settings == {"keep_exports_days": 3}


def test_roles_given_to_names_at_once_are_kept_all(world: SimpleNamespace) -> None:
    def give(name: str) -> int:
        return ask(world, "put", "event-names", event_names=[{"name": name, "roles": ["core"]}])

    with workspace_scope(world.acme):
        set_roles({"habit": ["watch", "listen"]})

    def first() -> None:
        set_roles({"core": ["watch"]}, of=["watch"])

    assert beside(world.acme, first, lambda: give("listen")) == 200
    with workspace_scope(world.acme):
        assert sorted(roles_now()["core"]) == ["listen", "watch"]
