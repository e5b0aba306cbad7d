"""The pages of the daily update: asking for one, watching it, and what happens without a worker."""

from __future__ import annotations

from typing import Any

import pytest
import time_machine

from ops_platform import nights
from workspaces.models import AuditEntry
from workspaces.scoping import workspace_scope

RUN = "/w/acme/nights/run/"


@pytest.fixture
def rung(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, ...]]:
    """What was asked of the workers."""
    calls: list[tuple[str, ...]] = []
    monkeypatch.setattr(nights, "ring", lambda task, *arguments, queue: calls.append(arguments) or True)
    return calls


def test_the_button_asks_a_worker_and_the_page_watches(world: Any, as_role: Any, rung: list[tuple[str, ...]]) -> None:
    client = as_role("admin")
    response = client.post(RUN, {"day": "2026-08-31"})
    assert [arguments[:4] for arguments in rung] == [(str(world.acme.pk), "2026-08-31", "button", "")]
    with workspace_scope(world.acme):
        entry = AuditEntry.objects.get(action="night.run")
    assert (entry.operator, entry.target) == (world.admin, "2026-08-31")
    page = client.get(response.url)
    assert page.status_code == 200
    assert 'hx-trigger="every 2s"' in page.content.decode()
    with time_machine.travel("2099-01-01"):
        client.force_login(world.admin)
        assert 'hx-trigger="every 2s"' not in client.get(response.url).content.decode()


def test_one_step_can_be_asked_for(world: Any, as_role: Any, rung: list[tuple[str, ...]]) -> None:
    as_role("admin").post(RUN, {"day": "2026-08-31", "step": "rfm"})
    assert rung[0][2:4] == ("button", "rfm")


def test_nonsense_and_other_roles_ask_for_nothing(world: Any, as_role: Any, rung: list[tuple[str, ...]]) -> None:
    client = as_role("admin")
    for typed in ({"day": "soon"}, {"day": "2099-01-01"}, {"day": "2026-08-31", "step": "everything"}, {}):
        assert client.post(RUN, typed).status_code == 404
    assert as_role("operator").post(RUN, {"day": "2026-08-31"}).status_code == 403
    assert client.get("/w/acme/nights/2026-02-31/").status_code == 404
    assert rung == []


def test_without_a_broker_the_page_says_so(world: Any, as_role: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nights, "ring", lambda *arguments, queue: False)
    response = as_role("admin").post(RUN, {"day": "2026-08-31"}, follow=True)
    assert response.redirect_chain[-1][0] == "/w/acme/nights/"
    assert [message.level_tag for message in response.context["messages"]] == ["error"]


def test_a_night_shows_its_steps_with_counts(told: Any, as_role: Any) -> None:
    client = as_role("analyst")
    steps = client.get("/w/acme/nights/2026-08-31/").context["steps"]
    assert {step["state"] for step in steps} == {"done"}
    assert all(step["seconds"] is not None for step in steps)
    part = client.get("/w/acme/nights/2026-08-31/", headers={"HX-Request": "true"}).content.decode()
    assert part.lstrip().startswith("<div")
