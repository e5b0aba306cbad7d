"""The pages of the daily update: asking for one, watching it, and what happens without a worker."""

from __future__ import annotations

import re
import time
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
import time_machine

from ops_platform import nights
from ops_platform.models import Alert, Night, NightStep
from ops_platform.nightly import run_night
from tests import builders
from tests.pages.conftest import LAST
from workspaces.leases import lease
from workspaces.models import AuditEntry, Lease, Workspace
from workspaces.scoping import workspace_scope
from workspaces.sql import database_now

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


def test_one_step_can_be_asked_for(told: Any, as_role: Any, rung: list[tuple[str, ...]]) -> None:
    as_role("admin").post(RUN, {"day": "2026-08-31", "step": "rfm"})
    assert rung[0][2:4] == ("button", "rfm")


def test_the_page_watches_a_step_until_it_is_done(told: Any, as_role: Any, rung: list[tuple[str, ...]]) -> None:
    client = as_role("admin")
    page = client.post(RUN, {"day": f"{LAST}", "step": "rfm"}).url  # type: ignore[attr-defined]
    assert 'hx-trigger="every 2s"' in client.get(page).content.decode()
    run_night(told.acme, LAST, "button", "rfm")
    assert 'hx-trigger="every 2s"' not in client.get(page).content.decode(), "it would close every dialog opened since"


def test_nonsense_and_other_roles_ask_for_nothing(world: Any, as_role: Any, rung: list[tuple[str, ...]]) -> None:
    client = as_role("admin")
    for typed in ({"day": "soon"}, {"day": "2099-01-01"}, {"day": "2026-08-31", "step": "everything"}, {}):
        assert client.post(RUN, typed).status_code == 404
    assert as_role("operator").post(RUN, {"day": "2026-08-31"}).status_code == 403
    assert client.get("/w/acme/nights/2026-02-31/").status_code == 404
    assert rung == []


@pytest.mark.parametrize(("day", "status"), [("0001-01-01", 409), ("1990-01-01", 409), ("9999-12-31", 400)])
def test_no_night_is_for_a_day_of_which_nothing_is_known(
    world: Any, as_role: Any, client: Any, rung: list[tuple[str, ...]], day: str, status: int
) -> None:
    builders.person(world.acme, "u1", "2026-06-01")
    headers = {"Authorization": f"Bearer {world.acme_api_key}"}
    for asked, told in ((day, status), ("2026-05-31", 409), ("2026-06-01", 202)):
        answer = client.post(f"/api/v1/nights/{asked}/run", {}, content_type="application/json", headers=headers)
        assert answer.status_code == told, (asked, answer.content)
    page = as_role("admin").post(RUN, {"day": day}, follow=True)
    assert page.status_code == (200 if status == 409 else 404)
    assert rung == []
    world.acme.refresh_from_db()
    assert world.acme.current_day is None


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
    urls = {step["key"]: step["url"] for step in steps}
    assert urls["stages"].endswith("/tiers/lifecycle/?since=2026-08-30&until=2026-08-31")
    assert urls["rfm"].endswith("/tiers/rfm/?on=2026-08-31") and urls["segments"].endswith("/segments/")
    assert "failed" not in next(step["counts"] for step in steps if step["key"] == "segments"), "nothing did"
    part = client.get("/w/acme/nights/2026-08-31/", headers={"HX-Request": "true"}).content.decode()
    assert part.lstrip().startswith("<div")


def begin(world: Any, *, alive: bool) -> None:
    """A night that is in its fourth step, half of its rows worked off."""
    with workspace_scope(world.acme):
        now = database_now()
        Night.objects.filter(day="2026-08-31").update(state="running", started_at=now - timedelta(seconds=20))
        steps = NightStep.objects.filter(day="2026-08-31")
        steps.exclude(step__in=["identities", "facts"]).update(state="waiting")
        steps.filter(step="activity").update(
            state="running", started_at=now - timedelta(seconds=10), done=500, total=1000
        )
        if alive:
            Lease.objects.create(name="night", token=uuid4(), until=now + timedelta(minutes=1))


def test_a_running_night_tells_step_rate_and_time_left(told: Any, as_role: Any) -> None:
    began = time.monotonic()
    begin(told, alive=True)
    client = as_role("analyst")
    page = client.get("/w/acme/nights/2026-08-31/")
    longest = 10 + time.monotonic() - began
    progress = page.context["progress"]
    assert (progress.number, progress.done, progress.total, progress.alive) == (3, 500, 1000, True)
    assert 500 / longest <= progress.rate <= 50 and 0 < progress.share < 1 and progress.left > 0
    assert "500 / 1,000" in page.content.decode() and 'hx-trigger="every 2s"' in page.content.decode()
    part = client.get("/w/acme/nights/2026-08-31/", headers={"HX-Request": "true"}).content.decode()
    assert re.search(r"<title>\d+\.\d% · ", part), "the tab of the browser says it too"
    assert "again-" not in page.content.decode(), "nothing to press while it runs"


def test_hours_in_which_nobody_worked_on_a_night_are_no_part_of_its_pace(told: Any, as_role: Any) -> None:
    begin(told, alive=True)
    with workspace_scope(told.acme):
        NightStep.objects.exclude(step="facts").update(seconds=1.0)
        NightStep.objects.filter(step="facts").update(seconds=50.0)
        Night.objects.filter(day="2026-08-31").update(started_at=database_now() - timedelta(hours=5))
    assert as_role("analyst").get("/w/acme/nights/2026-08-31/").context["progress"].left < 60


def test_a_night_whose_worker_was_killed_says_that_it_goes_on(told: Any, as_role: Any) -> None:
    begin(told, alive=False)
    page = as_role("admin").get("/w/acme/nights/")
    assert page.context["progress"].alive is False and "一分钟之内" in page.content.decode()


def test_the_history_is_drawn_step_by_step_and_opens_its_nights(told: Any, as_role: Any) -> None:
    drawn = as_role("analyst").get("/w/acme/nights/").context["durations"]
    assert [row[0] for row in drawn["rows"]] == ["2026-08-30", "2026-08-31"]
    assert all(len(row) == len(drawn["columns"]) == 8 for row in drawn["rows"])
    assert drawn["urls"][0] == "/w/acme/nights/2026-08-30/"


def test_alerts_stand_on_the_page_of_today_with_a_link(told: Any, as_role: Any) -> None:
    with workspace_scope(told.acme):
        Alert.objects.create(day="2026-08-31", kind="jump", key="stage:habit", before=100, now=200)
    body = as_role("analyst").get("/w/acme/").content.decode()
    assert "比前一晚（100）多 100%" in body and '"/w/acme/users/?stage=habit"' in body


def test_an_alert_of_a_past_night_opens_who_was_there_that_day(told: Any, as_role: Any) -> None:
    with workspace_scope(told.acme):
        Alert.objects.create(day="2026-08-30", kind="jump", key="stage:habit", before=100, now=200)
    body = as_role("analyst").get("/w/acme/nights/2026-08-30/").content.decode()
    assert "/w/acme/users/?stage=habit&amp;as_of=2026-08-30" in body


def test_a_step_asks_before_it_is_run_again_and_only_admins_may(told: Any, as_role: Any) -> None:
    assert 'id="again-rfm"' in as_role("admin").get("/w/acme/nights/2026-08-31/").content.decode()
    assert "again-rfm" not in as_role("operator").get("/w/acme/nights/2026-08-31/").content.decode()


def test_a_step_that_decides_is_not_offered_for_a_day_ahead_of_the_numbers(
    told: Any, as_role: Any, rung: list[tuple[str, ...]]
) -> None:
    Workspace.objects.filter(pk=told.acme.pk).update(current_day="2026-08-30")
    client = as_role("admin")
    page = client.get("/w/acme/nights/2026-08-31/").content.decode()
    assert 'id="again-facts"' in page and "again-rfm" not in page
    refused = client.post(RUN, {"day": "2026-08-31", "step": "rfm"}, follow=True)
    assert "而它还没有" in refused.content.decode() and not rung


@pytest.fixture
def call(told: Any, client: Any) -> Any:
    headers = {"Authorization": f"Bearer {told.acme_api_key}"}

    def post(address: str, **body: Any) -> Any:
        return client.post(f"/api/v1/nights/{address}", body, content_type="application/json", headers=headers)

    return post


def test_the_api_asks_for_a_night_and_says_why_not(
    told: Any, call: Any, rung: list[tuple[str, ...]], django_capture_on_commit_callbacks: Any
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        answer = call("2026-08-31/run", step="rfm")
    assert answer.status_code == 202 and rung[0][:4] == (str(told.acme.pk), "2026-08-31", "button", "rfm")
    with workspace_scope(told.acme):
        assert AuditEntry.objects.get(action="night.run").detail == {"step": "rfm", "key": "backend"}
    assert call("2026-08-30/run").status_code == 409
    assert call("2026-09-01/run").status_code == 400
    assert call("2026-08-31/run", step="everything").status_code == 400
    with lease(told.acme, "night"):
        assert call("2026-08-31/run", step="rfm").status_code == 409
    assert len(rung) == 1


def test_a_step_is_not_asked_for_beside_a_running_night(told: Any, as_role: Any, rung: list[tuple[str, ...]]) -> None:
    client = as_role("admin")
    with lease(told.acme, "night"):
        response = client.post(RUN, {"day": "2026-08-31", "step": "rfm"}, follow=True)
    assert [message.level_tag for message in response.context["messages"]] == ["error"] and rung == []


def test_the_api_tells_steps_and_alerts_of_a_night(told: Any, client: Any) -> None:
    with workspace_scope(told.acme):
        Alert.objects.create(day="2026-08-31", kind="jump", key="people", before=1, now=2)
    headers = {"Authorization": f"Bearer {told.acme_api_key}"}
    night = client.get("/api/v1/nights/2026-08-31", headers=headers).json()
    assert night["alerts"] == [{"kind": "jump", "key": "people", "before": 1, "now": 2}] and night["runs"] == 1
    assert {step["attempts"] for step in night["steps"]} == {1}
