"""Logs name no end user."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction

from workspaces.logs import WithoutPeople

CANARY = "canary-Zq7"


def line_of(name: str, *args: Any, **extra: Any) -> str:
    record = logging.getLogger(name).makeRecord(name, logging.WARNING, "", 0, *args, **extra)
    assert WithoutPeople().filter(record)
    return logging.Formatter("%(message)s").format(record)


def test_the_address_of_a_user_and_what_was_searched_stay_out_of_the_log(client: Any, world: Any, capsys: Any) -> None:
    handler = logging.StreamHandler()
    handler.addFilter(WithoutPeople())
    logger = logging.getLogger("django.request")
    logger.addHandler(handler)
    try:
        headers = {"Authorization": f"Bearer {world.acme_api_key}"}
        client.get(f"/api/v1/users/{CANARY}/x?q={CANARY}", headers=headers)
    finally:
        logger.removeHandler(handler)
    told = handler.stream.getvalue() if hasattr(handler.stream, "getvalue") else capsys.readouterr().err
    assert "Not Found: /api/v1/users/…" in told
    assert line_of("x", "Not Found: %s", ("/w/acme/users/?q=canary",), None) == "Not Found: /w/acme/users/?…"


@pytest.mark.parametrize("path", ["/invitation/", "/accounts/password/reset/key/", "/t/u/", "/t/o/"])
def test_what_lets_its_reader_in_stays_out_of_the_log(path: str) -> None:
    told = line_of("django.request", "Internal Server Error: %s", (f"{path}WyJh:1xV-{CANARY}/",), None)
    assert told == f"Internal Server Error: {path}…"


def test_a_row_that_the_database_refused_stays_out_of_the_log(db: None) -> None:
    with connection.cursor() as cursor:
        cursor.execute("create temporary table names (name text unique) on commit drop")
    with pytest.raises(IntegrityError) as caught, transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("insert into names values (%s), (%s)", [CANARY, CANARY])
    told = line_of("users", "it failed", (), (caught.type, caught.value, caught.tb))
    assert "duplicate key" in told and CANARY not in told
