"""One person's page: what they did is told by the clock of the project, and words on being written to by name."""

from __future__ import annotations

from typing import Any

import pytest

from tests import builders
from users.consent import set_consent
from workspaces.models import Workspace
from workspaces.scoping import workspace_scope


@pytest.fixture
def person(acme: Workspace) -> Any:
    return builders.person(acme, "u1", name="王芳")


def test_the_hour_of_an_event_is_the_one_in_the_zone_of_its_project(acme: Workspace, person: Any, as_role: Any) -> None:
    assert str(acme.tzinfo) == "Asia/Shanghai"
    builders.event(acme, "u1", "App Opened", "2026-08-01 00:30")
    page = as_role("analyst").get(f"/w/acme/users/{person.pk}/").content.decode()
    assert "8月1日" in page and '+08:00">00:30</time>' in page


@pytest.mark.parametrize(
    ("source", "words"), [("unsubscribe_link", "退订链接"), ("operator", "成员修改"), ("form", "form")]
)
def test_where_a_word_on_being_written_to_came_from_is_told_by_name(
    acme: Workspace, person: Any, as_role: Any, source: str, words: str
) -> None:
    with workspace_scope(acme):
        set_consent([person.pk], "email", False, source)
    assert f">{words} 20" in as_role("analyst").get(f"/w/acme/users/{person.pk}/").content.decode()
