"""A ground: its rows are there for every test that begins with it, what a test does to them is not, and others see none."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from tests import builders
from tests.conftest import Ground, ground
from users.models import EndUser
from workspaces.models import Workspace
from workspaces.scoping import workspace_scope


@ground
def one_person(world: SimpleNamespace) -> Workspace:
    builders.person(world.acme, "ann")
    return world.acme


def people(workspace: Workspace) -> list[str]:
    with workspace_scope(workspace):
        return list(EndUser.objects.order_by("external_id").values_list("external_id", flat=True))


@pytest.mark.parametrize("time", range(2))
def test_each_begins_with_the_rows_and_undoes_its_own(one_person: Workspace, world: Any, time: int) -> None:
    assert one_person is world.acme and people(one_person) == ["ann"] and one_person.name == "Acme 商城"
    builders.person(one_person, "bob")
    one_person.name = "changed"
    one_person.save()


def test_who_begins_with_the_world_finds_it_empty(acme: Workspace) -> None:
    assert people(acme) == [] and Ground.name == ""


@pytest.mark.django_db(transaction=True)
def test_nobody_who_commits_stands_on_one(acme: Workspace) -> None:
    assert people(acme) == [] and Ground.name == ""


@pytest.mark.parametrize("one_person", [()])
def test_a_parameter_of_that_name_is_none(acme: Workspace, one_person: Any) -> None:
    assert people(acme) == [] and Ground.name == ""
