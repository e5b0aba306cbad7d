"""The commands of whoever runs the product: workspaces, operators, and events on their way out."""

from __future__ import annotations

import csv
import io
import json

import pytest
from django.core.management import CommandError, call_command

from tests.users.conftest import track
from users.mapping import roles_now
from workspaces.models import Operator, Workspace
from workspaces.scoping import workspace_scope


def create_workspace(*arguments: str) -> None:
    call_command("create_workspace", *arguments, stdout=io.StringIO())


def test_a_fresh_workspace_has_the_roles_of_its_industry(db):
    create_workspace("shop")
    create_workspace("game", "--industry", "game")
    create_workspace("demo-shop", "--pay-stage")
    roles = {}
    for slug in ("shop", "game", "demo-shop"):
        workspace = Workspace.objects.get(slug=slug)
        with workspace_scope(workspace):
            roles[slug] = roles_now()
    assert roles["shop"]["core"] == ["Order Completed"] and roles["shop"]["pay"] == []
    assert roles["game"]["core"] == ["Round Played"] and roles["game"]["pay"] == ["Membership Purchased"]
    assert roles["demo-shop"]["pay"] == ["Membership Purchased"] and workspace.rules.pay_stage


@pytest.mark.parametrize(
    "arguments",
    [["Bad Slug"], ["acme"], ["x", "--zone", "Mars/Olympus"], ["x", "--currency", "yuan"]],
)
def test_a_workspace_that_cannot_be_made_leaves_nothing_behind(world, arguments):
    with pytest.raises(CommandError):
        create_workspace(*arguments)
    assert set(Workspace.objects.values_list("slug", flat=True)) == {"acme", "other"}


def test_an_operator_can_be_made_and_given_a_role(world):
    out = io.StringIO()
    call_command(
        "create_operator",
        "New@Acme.test",
        "--password",
        "a long enough one",
        "--workspace",
        "acme",
        "--role",
        "analyst",
        stdout=out,
    )
    assert Operator.objects.get(email="new@acme.test").check_password("a long enough one")


def test_an_operator_who_is_known_keeps_the_password_and_nobody_is_asked_for_one_without_a_terminal(world, monkeypatch):
    said = io.StringIO()
    for password in ("a-long-passphrase", "another-passphrase"):
        arguments = ("create_operator", "new@acme.test", "--password", password)
        call_command(*arguments, stdout=io.StringIO(), stderr=said)
    assert Operator.objects.get(email="new@acme.test").check_password("a-long-passphrase")
    assert "changepassword new@acme.test" in said.getvalue()

    def ask() -> str:
        raise EOFError

    monkeypatch.setattr("getpass.getpass", ask)
    with pytest.raises(CommandError, match="--password"):
        call_command("create_operator", "other@acme.test", stdout=io.StringIO())


def test_exported_events_are_the_stored_ones(acme, send, capsys):
    odd = {"text": 'a,"b"\n', "路径": "c:\\temp", "n": 1.5}
    send("batch", {"batch": [track("1", properties=odd), track("2", userId=None, anonymousId="v")]})
    call_command("export_events", "--workspace", "acme", "--csv")
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out, newline="")))
    assert [(row["external_id"], row["event"], row["message_id"]) for row in rows] == [("u1", "Order Completed", "1")]
    assert json.loads(rows[0]["properties"]) == odd and rows[0]["at"] == "2026-08-01T01:00:00.000000Z"
