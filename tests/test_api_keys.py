"""Requests of one API key beside one another."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from rest_framework.response import Response

from segmentation.api import ListSegments
from tests.conftest import make_world
from workspaces import services
from workspaces.errors import DomainError
from workspaces.models import AccessKey, AuditEntry, Membership
from workspaces.scoping import workspace_scope
from workspaces.services import create_key


@pytest.mark.django_db(transaction=True)
def test_a_long_request_holds_up_no_other_of_its_key(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also in the hour's first, which remembers that the key was used."""
    world, entered, answer = make_world(), threading.Event(), threading.Event()

    def get(view: Any, request: Any) -> Response:
        entered.set()
        answer.wait(30)
        return Response({})

    def ask(path: str) -> int:
        try:
            headers = {"Authorization": f"Bearer {world.acme_api_key}"}
            return Client().get(f"/api/v1/{path}", headers=headers).status_code
        finally:
            connection.close()

    monkeypatch.setattr(ListSegments, "get", get)
    with ThreadPoolExecutor(2) as pool:
        try:
            long = pool.submit(ask, "segments")
            assert entered.wait(20)
            assert pool.submit(ask, "campaigns").result(10) == 200
        finally:
            answer.set()
        assert long.result(20) == 200


def test_what_a_program_changes_is_told_with_the_name_of_its_key(world: Any, as_role: Any) -> None:
    def ask(method: str, path: str, **body: Any) -> int:
        headers = {"Authorization": f"Bearer {world.acme_api_key}"}
        call = getattr(Client(), method)
        return call(f"/api/v1/{path}", body, content_type="application/json", headers=headers).status_code

    vip = {"all": [{"kind": "tag", "match": "any", "tags": ["vip"]}]}
    assert ask("post", "segments", name="VIP", definition=vip) == 201
    assert ask("post", "campaigns", name="七夕") == 201
    assert ask("post", "topics", key="news", name="新闻") == 201
    assert ask("put", "event-names", event_names=[{"name": "watch", "roles": ["core"]}]) == 200
    as_role("owner").post("/w/acme/topics/add/", {"key": "sale", "name": "促销"})
    with workspace_scope(world.acme):
        told = AuditEntry.objects.exclude(action__startswith="member.").exclude(action="key.create").order_by("at")
        lines = [(entry.action, entry.detail.get("key", ""), str(entry.operator or "")) for entry in told]
    assert lines == [
        ("segment.create", "backend", ""),
        ("campaign.save", "backend", ""),
        ("topic.create", "backend", ""),
        ("mapping.change", "backend", ""),
        ("topic.create", "", "Owner"),
    ]


def made_by(world: Any, who: Any, role: str, name: str = "仓库", kind: str = "api") -> str:
    with workspace_scope(world.acme):
        return create_key(kind, name, role, who)[1]


def answer(secret: str) -> int:
    return Client().get("/api/v1/segments", headers={"Authorization": f"Bearer {secret}"}).status_code


def test_a_key_may_do_no_more_than_whoever_makes_it(world: Any, as_role: Any) -> None:
    admin, path = as_role("admin"), "/w/acme/settings/keys/create/"
    assert '<option value="owner"' not in admin.get("/w/acme/settings/keys/").content.decode()
    refused = admin.post(path, {"name": "仓库", "kind": "api", "role": "owner"})
    assert (refused.status_code, refused.context["secret"]) == (422, "")
    assert admin.post(path, {"name": "仓库", "kind": "api", "role": "admin"}).context["secret"]
    assert as_role("owner").post(path, {"name": "仓库", "kind": "api", "role": "owner"}).context["secret"]
    with pytest.raises(DomainError):
        made_by(world, world.admin, "owner")
    with pytest.raises(DomainError):
        made_by(world, world.stranger, "analyst")
    made_by(world, None, "owner")  # on the command line


def test_with_a_member_go_the_api_keys_they_made(world: Any, as_role: Any) -> None:
    theirs, public = made_by(world, world.admin, "admin"), made_by(world, world.admin, "analyst", "网站", "write")
    other, nobodys = made_by(world, world.owner, "owner", "报表"), made_by(world, None, "owner", "命令行")
    with workspace_scope(world.acme):
        member = Membership.objects.get(operator=world.admin)
    page = as_role("owner").post(f"/w/acme/settings/members/{member.pk}/", {"role": ""}, follow=True).content.decode()
    assert "仓库" in page and "报表" not in page
    assert [answer(secret) for secret in (theirs, other, nobodys)] == [401, 200, 200]
    with workspace_scope(world.acme):
        assert AccessKey.objects.get(key_hash=AccessKey.hash_of(public)).revoked_at is None
        told = AuditEntry.objects.get(action="key.revoke")
    assert (told.detail["name"], told.operator_id) == ("仓库", world.owner.pk)


def test_with_a_role_go_the_keys_that_it_was_needed_for(world: Any, as_role: Any) -> None:
    high, low = made_by(world, world.admin, "admin"), made_by(world, world.admin, "analyst", "报表")
    with workspace_scope(world.acme):
        member = Membership.objects.get(operator=world.admin)
        assert services.change_role(member, "owner", world.owner) == []
        assert services.change_role(member, "operator", world.owner) == ["仓库"]
    assert [answer(high), answer(low)] == [401, 200]
