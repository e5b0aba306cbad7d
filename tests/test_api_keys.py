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
from workspaces.models import AuditEntry
from workspaces.scoping import workspace_scope


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
