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
