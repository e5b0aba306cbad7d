"""Lists as files: in the background, once at a time, safe in a spreadsheet, gone after some days."""

from __future__ import annotations

import csv
import io
import json
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from campaigns.models import Campaign, Delivery, Run
from ops_platform.catalogue_exports import CONSENTS_HEADER
from ops_platform.nightly import run_night
from segmentation.services import create_segment
from segmentation.tagging import bind_tag
from tests import builders
from tests.users.test_imports import counts, queue, run_import
from users import export_run
from users.csv_mapping import guess_mapping
from users.export_kinds import all_kinds
from users.export_run import ask_export, claim, expire_exports, path_of, run_export, write_page
from users.models import EndUser, Export
from users.services import add_tag, set_consent
from workspaces.errors import DomainError
from workspaces.models import AuditEntry, Workspace
from workspaces.scoping import workspace_scope

ROOT = "/w/acme/exports/"


@pytest.fixture(autouse=True)
def small_pages(settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    settings.MEDIA_ROOT = tmp_path
    monkeypatch.setattr(export_run, "PAGE", 3)
    return tmp_path


@pytest.fixture
def crowd(acme: Workspace) -> Workspace:
    for n in range(10):
        builders.event(
            acme, f"u{n}", "Order Completed", day="2026-08-01", total=n, category="美妆" if n % 2 else "零食"
        )
    with workspace_scope(acme):
        EndUser.objects.filter(external_id="u1").update(name="=1+1", email="@x", city="＝SUM(A1)", tags=["-1", "b"])
    return acme


def rows_of(workspace: Workspace, export: Export) -> list[dict[str, str]]:
    with workspace_scope(workspace):
        return list(csv.DictReader(io.StringIO(path_of(export).read_text(encoding="utf-8-sig"))))


def made(workspace: Workspace, kind: str, **query: str) -> list[dict[str, str]]:
    with workspace_scope(workspace):
        export = ask_export(all_kinds()[kind], query)
    run_export(workspace, export.pk)
    with workspace_scope(workspace):
        export.refresh_from_db()
    assert (export.state, export.rows, export.total) == ("done", export.total, export.rows), export.error
    rows = rows_of(workspace, export)
    assert len(rows) == export.rows
    return rows


def test_the_list_of_users_comes_whole_and_runs_nothing_in_a_spreadsheet(crowd: Workspace) -> None:
    rows = made(crowd, "people")
    assert sorted(row["external_id"] for row in rows) == [f"u{n}" for n in range(10)]
    one = next(row for row in rows if row["external_id"] == "u1")
    assert (one["name"], one["email"], one["city"], one["tags"]) == ("'=1+1", "'@x", "'＝SUM(A1)", "'-1, b")
    assert [row["external_id"] for row in made(crowd, "people", q="u7", sort="spend", nonsense="1")] == ["u7"]


def test_events_deliveries_and_the_audit_trail_come_whole(crowd: Workspace, world: Any) -> None:
    assert len(made(crowd, "events", event="Order Completed", since="2026-08-01", until="2026-08-01")) == 10
    assert made(crowd, "events", event="Order Completed", since="2026-08-02") == []
    some = made(crowd, "events", event="Order Completed", by="category", **{"is": "美妆"})
    assert {json.loads(row["properties"])["category"] for row in some} == {"美妆"} and len(some) == 5
    assert made(crowd, "events", event="Order Completed", by="category", **{"is": ""}) == []
    with workspace_scope(crowd):
        campaign = Campaign.objects.create(name="召回", channel="email")
        runs = [Run.objects.create(campaign=campaign, due_at=timezone.now() + timedelta(days=n)) for n in range(2)]
        Delivery.objects.bulk_create(
            [
                Delivery(workspace=crowd, end_user_id=person, run=run, channel="email", state="sent", address="a@b.c")
                for person in EndUser.objects.values_list("pk", flat=True)
                for run in runs
            ]
        )
        entries = AuditEntry.objects.count()
    assert len(made(crowd, "deliveries", campaign=str(campaign.pk), state="sent")) == 20
    assert made(crowd, "deliveries", campaign=str(campaign.pk), state="failed") == []
    assert len(made(crowd, "audit")) > entries
    with workspace_scope(crowd):
        for kind in ("events", "deliveries", "members"):
            with pytest.raises(DomainError):
                ask_export(all_kinds()[kind], {"campaign": "7", "segment": "7", "event": "nothing"})


def test_attributes_tags_and_consents_come_whole(crowd: Workspace, send: Any, tmp_path: Path) -> None:
    names = [f"level_{n}" for n in range(7)]
    send("identify", {"type": "identify", "userId": "u2", "traits": dict.fromkeys(names, 1), "messageId": "t"})
    # An id that a spreadsheet would run goes out with a quote in front, and comes in without.
    builders.event(crowd, "+8613800138000", "App Opened", day="2026-08-01")
    run_night(crowd, date(2026, 8, 2))
    rows = made(crowd, "attributes", q="level")
    assert [(row["name"], row["kind"], row["people"], row["conflicts"]) for row in rows] == [
        (name, "number", "1", "0") for name in names
    ]
    with workspace_scope(crowd):
        people = {one.external_id: one for one in EndUser.objects.all()}
        for n in range(5):
            add_tag([people["u3"].pk, people["u4"].pk], f"t{n}")
        bind_tag(
            "ruled",
            create_segment("所有人", {"all": [{"kind": "fact", "fact": "orders", "compare": "at_least", "number": 0}]}),
        )
        for n, name in enumerate(sorted(people)):
            set_consent([people[name].pk], "email", n % 2 == 0, "link")
            set_consent([people[name].pk], "email/news", False, "page")
    rows = made(crowd, "tags")
    assert [(row["tag"], row["people"]) for row in rows if row["tag"].startswith("t")] == [
        (f"t{n}", "2") for n in range(5)
    ]
    assert [(row["people"], row["segment"]) for row in rows if row["tag"] == "ruled"] == [("0", "所有人")]
    assert [row["tag"] for row in made(crowd, "tags", q="T3")] == ["t3"]
    words = made(crowd, "consents")
    assert len(words) == 22 and "'+8613800138000" in {word["external_id"] for word in words}
    assert len(made(crowd, "consents", channel="email/news")) == 11
    # The file goes in again as it came out, and says nothing new.
    with workspace_scope(crowd):
        path = path_of(Export.objects.get(kind="consents", query={}))
    mapping = guess_mapping(CONSENTS_HEADER, [list(word.values()) for word in words])
    assert mapping.kind == "consents"
    assert counts(run_import(crowd, queue(crowd, path, mapping=mapping).pk))[:5] == ("done", 22, 0, 22, 0)


def test_two_clicks_make_one_file_and_the_page_gives_it_to_those_who_may(crowd: Workspace, as_role: Any) -> None:
    operator = as_role("operator")
    for _click in range(2):
        assert operator.post(f"{ROOT}ask/", {"kind": "people", "query": "q=u&page=2"})["Location"] == ROOT
    with workspace_scope(crowd):
        export = Export.objects.get()
        assert export.query == {"q": "u"}
    page = operator.get(ROOT, headers={"Accept-Language": "en"}).content.decode()
    assert "Queued" in page and "hx-trigger" in page
    file = f"{ROOT}{export.pk}/download/"
    assert operator.get(file).status_code == 404, "not yet"
    run_export(crowd, export.pk)
    answer = operator.get(file)
    assert b"".join(answer.streaming_content).count(b"\n") == 11 and answer["Cache-Control"] == "no-store"
    assert as_role("analyst").get(file).status_code == 403 and as_role("stranger").get(file).status_code == 404
    assert as_role("operator").post(f"{ROOT}ask/", {"kind": "audit"}).status_code == 403
    assert as_role("operator").post(f"{ROOT}ask/", {"kind": "nothing"}).status_code == 404
    as_role("admin").post(f"{ROOT}ask/", {"kind": "audit"})
    with workspace_scope(crowd):
        audit = Export.objects.get(kind="audit")
        assert AuditEntry.objects.filter(action__in=["export.run", "export.download"]).count() == 3
    run_export(crowd, audit.pk)
    assert as_role("operator").get(f"{ROOT}{audit.pk}/download/").status_code == 403
    assert str(audit.pk) not in as_role("operator").get(ROOT).content.decode()


@pytest.mark.parametrize("kind", ["people", "attributes", "tags", "consents", "audit"])
def test_an_address_with_a_nul_asks_for_what_it_says_without(acme: Workspace, as_role: Any, kind: str) -> None:
    answer = as_role("admin").post(f"{ROOT}ask/", {"kind": kind, "query": "q=a%00b&channel=%00&stage=%00"})
    assert answer.status_code == 302
    with workspace_scope(acme):
        export = Export.objects.get()
    run_export(acme, export.pk)
    with workspace_scope(acme):
        assert Export.objects.get().state == "done" and export.query.get("q") in (None, "ab")


def test_files_go_after_the_days_that_the_workspace_keeps_them(crowd: Workspace, small_pages: Path) -> None:
    made(crowd, "people")
    stray = next(small_pages.rglob("*.csv")).with_name("left-behind.csv")
    stray.write_text("x")
    with workspace_scope(crowd):
        assert expire_exports(crowd, timezone.now() + timedelta(days=6)) == 0 and not stray.exists()
        assert expire_exports(crowd, timezone.now() + timedelta(days=8)) == 1
        assert Export.objects.get().state == "gone" and not list(small_pages.rglob("*.csv"))


def test_an_export_can_be_stopped(crowd: Workspace, as_role: Any, small_pages: Path) -> None:
    with workspace_scope(crowd):
        export = ask_export(all_kinds()["people"], {})
        token = claim(export.pk)
    assert token and write_page(crowd, export.pk, token)
    as_role("operator").post(f"{ROOT}{export.pk}/cancel/")
    assert not write_page(crowd, export.pk, token) and not list(small_pages.rglob("*.csv"))
    with workspace_scope(crowd):
        assert Export.objects.get().state == "cancelled"
