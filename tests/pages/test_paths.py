"""Paths: time in stage, common ways, and what preceded a step up, each number worked by hand."""

from __future__ import annotations

import csv
import io
from datetime import date, timedelta
from typing import Any

import pytest
from django.test import Client

from lifecycle.models import StageChange
from ops_platform import path_reads
from ops_platform.people_list import PeopleQuery
from tests import builders
from tests.conftest import ground
from tests.night.reading import night
from users.export_kinds import all_kinds
from users.export_run import ask_export, path_of, run_export
from users.models import person_id
from workspaces.models import Workspace
from workspaces.scoping import workspace_scope

FIRST, LAST = date(2026, 8, 1), date(2026, 8, 12)


@ground
def walked(world: Any) -> Workspace:
    """Nights of 1 and 12 August. Of four contacts two order on the 12th, after a search on the 9th (one of them also on
    the 12th itself, which is no time before); one searches and stays; one only looks; one does not come."""
    acme = world.acme
    acme.frozen_on = LAST
    acme.save()
    for who in ("up1", "up2", "stay1", "stay2", "away"):
        builders.person(acme, who, "2026-07-01")
    for who in ("up1", "up2", "stay1"):
        builders.event(acme, who, "Product Searched", "2026-08-09")
    builders.event(acme, "stay2", "App Opened", "2026-08-10")
    builders.event(acme, "up1", "Coupon Claimed", "2026-08-10")
    for who in ("up1", "up2"):
        builders.event(acme, who, "Coupon Claimed", "2026-08-12 08:00")
        builders.event(acme, who, "Order Completed", "2026-08-12", total=5)
    night(acme, FIRST.isoformat())
    night(acme, LAST.isoformat())
    acme.refresh_from_db()
    return acme


def test_what_preceded_a_step_is_compared_with_those_who_came_and_stayed(
    walked: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(path_reads, "ENOUGH_PEOPLE", 1)
    with workspace_scope(walked):
        [step] = path_reads.steps(FIRST, LAST)
        told = path_reads.before_step(walked, FIRST, LAST, "contact", "use")
        deeds = {row["name"]: (row["moved"], row["movers"], row["stayed"], row["stayers"]) for row in told["deeds"]}
        ends = {"from": "contact", "to": "use", "since": FIRST.isoformat(), "on": LAST.isoformat()}
        for name, (moved, *_rest) in deeds.items():
            assert len(PeopleQuery(walked, {"preceded": name, **ends}).ids()) == moved
        behind = [
            PeopleQuery(walked, {"lasts": ",".join(map(str, row["ids"])), **ends}).page() for row in told["lasts"]
        ]
        assert not any("lasts" in part.keys for part in PeopleQuery(walked, {"lasts": "1,nothing", **ends}).parts)
    assert (step["from_stage"], step["to_stage"], step["people"]) == ("contact", "use", 2)
    assert deeds == {"Product Searched": (2, 2, 1, 2), "Coupon Claimed": (1, 2, 0, 2), "App Opened": (0, 2, 1, 2)}
    assert (told["people"], told["days"], told["movers"], told["stayers"]) == (2, 11, 2, 2)
    assert [(row["events"], row["before"]) for row in told["lasts"]] == [
        (["Product Searched"], 1),
        (["Product Searched", "Coupon Claimed"], 1),
    ]
    assert [[row["external_id"] for row in page.rows] for page in behind] == [["up2"], ["up1"]]


def test_only_what_came_before_the_last_step_counts_in_number_and_list(
    walked: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody who took the step twice did it before the first; and who only got a message did not come."""
    monkeypatch.setattr(path_reads, "ENOUGH_PEOPLE", 1)
    builders.event(walked, "up2", "Wishlist Opened", "2026-08-03")
    builders.event(walked, "away", "Push Delivered", "2026-08-10")
    with workspace_scope(walked):
        twice, away = person_id(walked.pk, "up2"), person_id(walked.pk, "away")
        for who, day, step in ((twice, 5, "contact>use"), (twice, 6, "use>contact"), (away, 12, "contact>use")):
            source, _to, target = step.partition(">")
            values = {"from_stage": source, "to_stage": target, "day": date(2026, 8, day), "end_user_id": who}
            StageChange.objects.create(workspace=walked, **values)
        told = path_reads.before_step(walked, FIRST, LAST, "contact", "use")
        ends = {"from": "contact", "to": "use", "since": FIRST.isoformat(), "on": LAST.isoformat()}
        deeds = {row["name"]: row["moved"] for row in told["deeds"]}
        for name in ("Product Searched", "Wishlist Opened", "Push Delivered"):
            assert PeopleQuery(walked, {"preceded": name, **ends}).count[0] == deeds.get(name, 0), name
    assert deeds["Product Searched"] == 2 and not deeds.get("Wishlist Opened")


def test_time_in_stage_is_the_days_since_the_change_that_began_it(walked: Workspace) -> None:
    with workspace_scope(walked):
        rows = {row["key"]: row for row in path_reads.stage_ages(LAST)}
        listed = PeopleQuery(walked, {"stage": "contact", "stayed": "7-13"}).ids()
    assert (rows["contact"]["people"], rows["contact"]["median"], rows["contact"]["begun"]) == (3, 11, 3)
    assert (rows["use"]["people"], rows["use"]["median"], rows["use"]["begun"]) == (2, 0, 0)
    assert rows["contact"]["ages"][:3] == [0, 3, 0] and len(listed) == 3


@pytest.mark.parametrize(("values", "median"), [([(3, 1)], 3), ([(1, 1), (4, 1)], 2.5), ([(0, 5), (9, 2)], 0)])
def test_the_median_of_counted_days(values: list[tuple[int, int]], median: float) -> None:
    assert path_reads.weighted_median(values) == median


def test_paths_of_two_changes_open_their_people(walked: Workspace, as_role: Any) -> None:
    with workspace_scope(walked):
        people = list(StageChange.objects.filter(day=LAST).values_list("end_user", flat=True))
        for person in people:
            StageChange.objects.create(
                workspace=walked, end_user_id=person, day=LAST - timedelta(days=5), from_stage="use", to_stage="contact"
            )
        found = path_reads.paths(FIRST, LAST)
    assert [(row["path"], row["people"], row["days"], row["walkers"]) for row in found] == [
        ("use>contact>use", 2, 5, 2)
    ]
    page = as_role("analyst").get("/w/acme/tiers/paths/?since=2026-08-01&until=2026-08-12")
    [row] = page.context["paths"]
    assert as_role("analyst").get(row["url"]).context["count"] == 2


def test_the_api_tells_days_moves_warnings_and_churn(walked: Workspace, world: Any, client: Client) -> None:
    def ask(path: str) -> Any:
        return client.get(f"/api/v1/{path}", headers={"authorization": f"Bearer {world.acme_api_key}"})

    told = ask("days/2026-08-12").json()
    sizes = {row["key"]: row["people"] for row in told["counts"] if row["board"] == "stage"}
    assert (sizes["contact"], sizes["use"]) == (3, 2)
    assert {"board": "stage", "from_key": "contact", "to_key": "use", "people": 2} in told["flows"]
    assert ask("days/2026-08-11").status_code == 404
    moves = ask("moves?since=2026-08-01&until=2026-08-12").json()
    assert moves["moves"] == [{"from_stage": "contact", "to_stage": "use", "people": 2}]
    answer = ask("moves?since=soon&until=2026-08-12")
    assert (answer.status_code, answer.json()["error"]["details"][0]["path"]) == (400, "since")
    # Away for 42 days since they were made known, of a limit of 60: only the one who never came.
    [warning] = ask("warnings").json()["results"]
    assert (warning["external_id"], warning["idle"], warning["rung"], warning["signals"]) == ("away", 42, None, [])
    for edge in ("1", "x.y", f"{2**70}.{warning['id']}"):
        assert ask(f"warnings?after={edge}").status_code == 400
    assert ask(f"warnings?after=0.{warning['id']}").json()["results"] == []
    assert ask("churn").json()["day"] == "2026-08-12"


def test_warnings_and_moves_as_files(walked: Workspace, settings: Any, tmp_path: Any) -> None:
    settings.MEDIA_ROOT = tmp_path
    rows = {}
    for kind, query in (("warnings", {}), ("moves", {"since": "2026-08-01", "until": "2026-08-12"})):
        with workspace_scope(walked):
            export = ask_export(all_kinds()[kind], query)
        run_export(walked, export.pk)
        with workspace_scope(walked):
            export.refresh_from_db()
            rows[kind] = list(csv.DictReader(io.StringIO(path_of(export).read_text(encoding="utf-8-sig"))))
    [warning] = rows["warnings"]
    assert warning["external_id"] == "away" and warning["reason"]
    assert [(row["external_id"], row["from_stage"], row["to_stage"]) for row in rows["moves"]] in (
        [("up1", "contact", "use"), ("up2", "contact", "use")],
        [("up2", "contact", "use"), ("up1", "contact", "use")],
    )
