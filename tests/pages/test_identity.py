"""Identities on the person's page and in the API: every id, why, and the way back."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from tests import builders
from tests.night.reading import night
from users.identity import merge_pending
from users.ingest.normal import NormalAlias, NormalEvent, NormalProfile, PersonKey
from users.models import EndUser, Facts, IdentityMerge, person_id
from users.services import record_events
from workspaces.models import AuditEntry
from workspaces.scoping import workspace_scope

DAY = datetime(2026, 8, 1, tzinfo=UTC)


@pytest.fixture
def shop(acme):  # type: ignore[no-untyped-def]
    """u1 bought and is u2 now, whom the visitor v1 turned out to be; u3 is somebody else."""
    builders.name(acme, "Order Completed")
    bought = '{"total": 10, "order_id": "o1"}'
    record_events(
        acme,
        [
            NormalEvent(PersonKey("u1"), "Order Completed", "a", DAY, DAY, bought, 1000, "o1"),
            NormalEvent(PersonKey("v1", False), "App Opened", "b", DAY, DAY),
            NormalEvent(PersonKey("u3"), "App Opened", "c", DAY, DAY),
            NormalProfile(PersonKey("u2"), DAY + timedelta(hours=1), {"name": "王"}, visitor="v1"),
            NormalAlias(PersonKey("u2"), PersonKey("u1"), DAY + timedelta(hours=2)),
        ],
    )
    return acme


def page(name: str, workspace: Any, kind: str = "user", rest: str = "") -> str:
    return f"/w/acme/users/{person_id(workspace.pk, name, kind)}/{rest}"


def api(client: Any, world: Any, path: str, body: dict | None = None) -> Any:
    headers = {"Authorization": f"Bearer {world.acme_api_key}"}
    if body is None:
        return client.get(f"/api/v1/users{path}", headers=headers)
    return client.post(f"/api/v1/users{path}", json.dumps(body), content_type="application/json", headers=headers)


def test_the_night_merges_first_and_a_merged_id_is_in_no_number(shop, as_role):
    before = night(shop, "2026-08-10")
    assert before["steps"][0]["counts"]["merged"] == 2
    with workspace_scope(shop):
        assert {row.end_user_id for row in Facts.objects.all()} == {person_id(shop.pk, "u2"), person_id(shop.pk, "u3")}
        told = Facts.objects.get(end_user=person_id(shop.pk, "u2"))
    assert (told.orders, told.revenue_minor, told.visits) == (1, 1000, 2)
    listed = as_role("analyst").get("/w/acme/users/").content.decode()
    assert "u3" in listed and ">u1<" not in listed
    assert "王" in as_role("analyst").get("/w/acme/users/?q=u1").content.decode()
    visitors = as_role("analyst").get("/w/acme/users/?who=visitors").content.decode()
    assert page("v1", shop, "anonymous") not in visitors


def test_a_merge_after_a_night_takes_the_merged_user_out_of_the_next(shop, client, world):
    with workspace_scope(shop):
        shop_links = IdentityMerge.objects.count()
    night(shop, "2026-08-10")
    assert shop_links == 0
    record_events(shop, [NormalAlias(PersonKey("u3"), PersonKey("u2"), DAY + timedelta(hours=3))])
    night(shop, "2026-08-11")
    with workspace_scope(shop):
        [told] = Facts.objects.all()
    assert told.end_user_id == person_id(shop.pk, "u3") and told.visits == 3
    assert [one["external_id"] for one in api(client, world, "").json()["results"]] == ["u3"]
    assert night(shop, "2026-08-11")["changes"] == 0


def test_the_old_ids_lead_to_the_person_who_remains(shop, as_role, client, world):
    merge_pending(shop)
    for name, kind in (("u1", "user"), ("v1", "anonymous")):
        answer = as_role("analyst").get(page(name, shop, kind))
        assert answer.status_code == 302 and answer["Location"] == page("u2", shop)
    told = api(client, world, "/u1").json()
    assert told["external_id"] == "u2"
    assert told["ids"] == [
        {"external_id": "u2", "visitor": False},
        {"external_id": "u1", "visitor": False},
        {"external_id": "v1", "visitor": True},
    ]


def test_an_id_that_nobody_has_is_told_back(shop, as_role):
    answer = as_role("operator").post(page("u2", shop, rest="merge/"), {"previous": "u2000"}, follow=True)
    assert "u2000" in answer.content.decode()


def test_a_phone_number_stands_once_however_it_was_told(shop, as_role):
    for told, rows in (("+86 138 0013 8000", 0), ("12", 1)):
        with workspace_scope(shop):
            EndUser.objects.filter(external_id="u2").update(phone="+8613800138000", attributes={"phone": told})
        shown = as_role("analyst").get(page("u2", shop)).content.decode()
        assert "+8613800138000" in shown and shown.count("<dt>phone</dt>") == rows


def test_the_page_shows_every_id_and_undoes_for_thirty_days(shop, as_role):
    merge_pending(shop)
    assert "unmerge" not in as_role("analyst").get(page("u2", shop)).content.decode()
    client = as_role("operator")
    shown = client.get(page("u2", shop)).content.decode()
    assert "v1" in shown and page("v1", shop, "anonymous", "unmerge/") in shown
    answer = client.post(page("v1", shop, "anonymous", "unmerge/"), {"next": page("u2", shop)}, follow=True)
    assert answer.redirect_chain[-1][0] == page("u2", shop)
    assert page("v1", shop, "anonymous", "unmerge/") not in answer.content.decode()
    with workspace_scope(shop):
        assert EndUser.objects.get(external_id="v1").merged_into is None
        assert AuditEntry.objects.filter(action="people.unmerge").exists()
        IdentityMerge.objects.update(at=timezone.now() - timedelta(days=40))
    assert "unmerge" not in client.get(page("u2", shop)).content.decode()
    assert client.post(page("u1", shop, rest="unmerge/"), follow=True).status_code == 200
    with workspace_scope(shop):
        assert EndUser.objects.get(external_id="u1").merged_into


def test_operators_merge_by_hand_on_the_page_and_programs_by_the_api(shop, as_role, client, world):
    merge_pending(shop)
    as_role("operator").post(page("u3", shop, rest="merge/"), {"previous": "u2"})
    with workspace_scope(shop):
        assert EndUser.objects.get(external_id="v1").merged_into == person_id(shop.pk, "u3")
    assert api(client, world, "/u2/unmerge", {}).json()["external_id"] == "u2"
    told = api(client, world, "/u3/merge", {"previous": "u2"}).json()
    assert told["external_id"] == "u3" and "u2" in {one["external_id"] for one in told["ids"]}
    assert api(client, world, "/nobody/merge", {"previous": "u2"}).status_code == 404
    assert api(client, world, "/u3/merge", {"previous": "u3"}).status_code == 400
    assert api(client, world, "/u3/unmerge", {}).status_code == 400


def test_tagging_an_old_id_tags_the_person(shop, as_role):
    merge_pending(shop)
    old = person_id(shop.pk, "u1")
    as_role("operator").post("/w/acme/users/change/", {"person": str(old), "verb": "tag", "tag": "VIP"})
    with workspace_scope(shop):
        assert EndUser.objects.get(external_id="u2").tags == ["VIP"]
