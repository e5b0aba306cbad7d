"""The pages of a change of settings: previewed, opened to its people, applied; presets, names, and who may do what."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.test import Client

from ops_platform import nightly, tasks
from tests.pages.test_settings import as_typed
from workspaces.errors import Conflict
from workspaces.models import AuditEntry, Workspace
from workspaces.scoping import workspace_scope

CHANGE = "/w/acme/settings/change/"


def worked(client: Client, bought: Workspace, url: str, **posted: str) -> Any:
    """Post, have a worker do what was too long for the browser, and open the page of the change."""
    answer = client.post(url, posted)
    assert answer.status_code == 302
    tasks.run_rules_changes(str(bought.pk))
    return client.get(answer["Location"])


def rules() -> Any:
    return Workspace.objects.get(slug="acme").rules


def test_a_change_is_previewed_opened_and_applied(bought: Workspace, as_role: Any) -> None:
    client = as_role("admin")
    response = worked(client, bought, CHANGE, **as_typed(client, habit_days="2"))
    page = response.content.decode()
    change = response.context["change"]
    assert change.state == "ready" and rules().habit_days == 3
    [board] = response.context["boards"]
    part = client.get(f"/w/acme/settings/changes/{change.pk}/", headers={"HX-Request": "true"})
    assert part["HX-Refresh"] == "true", "what the top of the page says is renewed too"
    assert (board["board"], board["people"]) == ("stage", 1)
    [row] = board["rows"]
    assert (row["key"], [cell["people"] for cell in row["cells"]]) == ("use", [1])
    opened = client.get(row["cells"][0]["url"])
    assert [one["external_id"] for one in opened.context["page"].rows] == ["bob"]
    assert {size["key"]: (size["before"], size["after"]) for size in board["sizes"]} == {"use": (1, 0), "habit": (1, 2)}
    assert "Habit: days" in page or "习惯" in page
    response = worked(client, bought, f"/w/acme/settings/changes/{change.pk}/apply/")
    assert response.context["change"].state == "applied" and rules().habit_days == 2
    assert client.get("/w/acme/users/?stage=habit").context["page"].rows[1]["external_id"] in ("ann", "bob")
    with workspace_scope(bought):
        entry = AuditEntry.objects.get(action="settings.change")
        assert entry.detail["after"] == {"habit_days": 2} and entry.operator is not None
    again = worked(client, bought, f"/w/acme/settings/changes/{change.pk}/apply/")
    assert again.context["change"].state == "applied"


def test_a_preset_is_previewed_with_its_events(bought: Workspace, as_role: Any) -> None:
    client = as_role("owner")
    response = worked(client, bought, "/w/acme/settings/preset/", industry="tool")
    assert response.context["change"].state == "ready" and Workspace.objects.get(slug="acme").industry == "ecommerce"
    settings = {row["label"] for row in response.context["settings"]}
    assert len(settings) >= 6
    worked(client, bought, f"/w/acme/settings/changes/{response.context['change'].pk}/apply/")
    workspace = Workspace.objects.get(slug="acme")
    assert (workspace.industry, workspace.rules.habit_window, workspace.rules.pay_stage) == ("tool", 28, True)
    assert client.get("/w/acme/tiers/rfm/").status_code == 200
    nonsense = client.post("/w/acme/settings/preset/", {"industry": "farming"}, follow=True)
    assert nonsense.status_code == 200 and Workspace.objects.get(slug="acme").industry == "tool"


def test_while_a_night_runs_a_change_waits(bought: Workspace, as_role: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def taken(workspace: Workspace) -> Any:
        raise Conflict("night_running", "A daily update of this project is running already.")

    client = as_role("admin")
    with monkeypatch.context() as patch:
        patch.setattr(nightly, "alone", taken)
        response = client.post(CHANGE, as_typed(client, habit_days="2"), follow=True)
        assert response.context["busy"] and 'hx-trigger="every 1s"' in response.content.decode()
        assert tasks.run_rules_changes(str(bought.pk)) == {"changes": 0}
    assert tasks.run_rules_changes(str(bought.pk)) == {"changes": 1}
    assert not client.get(response.redirect_chain[-1][0]).context["busy"]


def test_only_admins_change_and_everybody_reads(bought: Workspace, as_role: Any) -> None:
    client = as_role("admin")
    url = worked(client, bought, CHANGE, **as_typed(client, habit_days="2")).request["PATH_INFO"]
    client = as_role("operator")
    assert client.get(url).context["change"].state == "ready" and f"{url}apply/" not in client.get(url).content.decode()
    assert client.post(f"{url}apply/").status_code == 403
    assert client.post("/w/acme/settings/names/save/", {}).status_code == 403
    assert as_role("stranger").get(url).status_code == 404


def test_names_are_shown_everywhere_and_taken_back(bought: Workspace, world: Any, as_role: Any) -> None:
    client = as_role("admin")
    own = {"rfm.champions": "铁粉<b>", "stage.habit": "常用", "bits.111": "头部"}
    assert client.post("/w/acme/settings/names/save/", own).status_code == 302
    assert rules().names == own
    for page, name in (("tiers/lifecycle/", "常用"), ("tiers/rfm/", "铁粉&lt;b&gt;"), ("users/?stage=habit", "常用")):
        text = client.get(f"/w/acme/{page}").content.decode()
        assert name in text and "铁粉<b>" not in text
    assert "头部" in client.get("/w/acme/segments/new/").content.decode()
    with workspace_scope(world.other):
        from lifecycle.stages import label

        assert str(label("habit")) != "常用"
    shared = client.post("/w/acme/settings/names/save/", {"stage.habit": "常用", "stage.use": "常用"})
    assert shared.status_code == 422 and rules().names == own
    client.post("/w/acme/settings/names/save/", {})
    assert rules().names == {} and "常用" not in client.get("/w/acme/tiers/lifecycle/").content.decode()


def test_axes_are_chosen_and_explained(bought: Workspace, as_role: Any) -> None:
    client = as_role("admin")
    typed = as_typed(client, axis_r="last_seen_on", axis_f="visits_90", axis_m="core_days", rfm_best_group="111")
    change = worked(client, bought, CHANGE, **typed).context["change"]
    worked(client, bought, f"/w/acme/settings/changes/{change.pk}/apply/")
    assert list(rules().rfm_axes) == ["last_seen_on", "visits_90", "core_days"]
    page = client.get("/w/acme/tiers/rfm/")
    assert [axis["axis"].fact.key for axis in page.context["cuts"]] == ["last_seen_on", "visits_90", "core_days"]
    assert sum(row["people"] for row in page.context["distances"]) == 2
    with workspace_scope(bought):
        opened = client.get(f"/w/acme/users/?gap={page.context['distances'][0]['points']}").context["page"].rows
    assert len(opened) == page.context["distances"][0]["people"]
    person = client.get(re.search(r"/w/acme/users/[0-9a-f-]{36}/", client.get("/w/acme/users/").content.decode())[0])
    assert person.status_code == 200 and person.context["rfm"]["values"]
    same = client.post(CHANGE, as_typed(client, axis_m="visits_90"))
    assert same.status_code == 422


def test_a_list_of_a_change_that_says_nothing_is_the_list_of_all(bought: Workspace, as_role: Any) -> None:
    client = as_role("admin")
    change = worked(client, bought, CHANGE, **as_typed(client, habit_days="2")).context["change"]
    assert len(client.get(f"/w/acme/users/?rules={change.pk}:stage:any:any").context["page"].rows) == 1
    for nonsense in ("x", f"{change.pk}:x:any:any", f"{change.pk}:stage:x:any", "0" * 36):
        assert len(client.get(f"/w/acme/users/?rules={nonsense}").context["page"].rows) == 2
