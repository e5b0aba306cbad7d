"""Stages, their changes with reasons, and the flow between days."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from django.utils import translation

from lifecycle.churn import sentence
from lifecycle.models import ActivityChange, DayCount, StageChange, Standing
from lifecycle.stages import all_stages, label, ladder, upward
from ops_platform import person, selectors, tier_reads
from ops_platform.people_list import PeopleQuery
from tests import builders
from tests.night.reading import night, one, standing
from users.models import EndUser
from workspaces.models import Workspace
from workspaces.scoping import workspace_scope
from workspaces.sql import run_sql

RUN, PAY = "Tool Run", "Membership Purchased"


@pytest.fixture
def tool(acme):  # type: ignore[no-untyped-def]
    """acme as a tool: core action Tool Run, habit 4 in 14, N 30 (7 to 90), pay stage on."""
    acme.industry = "tool"
    acme.settings = {"habit_window": 14, "limit_min": 7}
    acme.save()
    for name in (RUN, PAY):
        builders.name(acme, name)
    return acme


def did(workspace: Workspace, who: str, name: str, first: str, offsets: list[int]) -> None:
    for offset in offsets:
        builders.event(workspace, who, name, date.fromisoformat(first) + timedelta(days=offset))


def stages_of(workspace: Workspace, day: str, *people: str) -> list[str]:
    night(workspace, day)
    return [standing(workspace, who).stage for who in people]


def test_the_ladder_is_the_files_in_order():
    assert list(all_stages()) == ["churned", "advocate", "paying", "habit", "use", "contact"]
    assert [stage.key for stage in upward()] == ["contact", "use", "habit", "paying", "advocate", "churned"]
    assert ladder().count("when") == 6
    assert [str(label("")), str(label("bygone"))] == ["—", "bygone"]


def test_habit_is_four_distinct_days_within_fourteen(tool):
    did(tool, "ann", RUN, "2026-08-01", [0, 0, 4, 8, 13])
    assert stages_of(tool, "2026-08-13", "ann") == ["use"]
    assert stages_of(tool, "2026-08-14", "ann") == ["habit"]
    assert stages_of(tool, "2026-08-15", "ann") == ["use"]


def test_a_stage_may_rest_on_visits_in_a_window(tool, monkeypatch):
    """Those of whom visits did nothing but leave windows are left out, unless a stage asks for just that."""
    rungs = "case when f.visits_7 > 0 then 'use' else 'contact' end"
    monkeypatch.setattr("lifecycle.services.stages.ladder", lambda: rungs)
    did(tool, "ann", RUN, "2026-08-01", [0])
    assert stages_of(tool, "2026-08-06", "ann") == ["use"]
    assert stages_of(tool, "2026-08-07", "ann") == ["use"]
    assert stages_of(tool, "2026-08-08", "ann") == ["contact"]


def test_churned_needs_a_habit_or_a_payment_some_day(tool):
    did(tool, "habit", RUN, "2026-03-01", [0, 4, 8, 13])
    did(tool, "never", RUN, "2026-03-01", [0, 4, 8, 14])
    builders.event(tool, "payer", PAY, "2026-03-01", total=5)
    builders.event(tool, "visitor", "App Opened", "2026-03-01")
    assert stages_of(tool, "2026-08-31", "habit", "never", "payer", "visitor") == [
        "churned",
        "use",
        "churned",
        "contact",
    ]
    tool.settings |= {"pay_stage": False}
    tool.save()
    assert stages_of(tool, "2026-08-31", "payer") == ["contact"]


def test_an_advocate_recommends_and_does_not_live_on_coupons(tool):
    for who, kind in (("ann", "public"), ("bob", "targeted")):
        builders.event(tool, who, PAY, "2026-08-01", total=5)
        for number in range(4):
            builders.event(
                tool, who, "Order Completed", "2026-08-02", total=9, coupon_id=f"c{number}", coupon_kind=kind
            )
        builders.person(tool, f"friend of {who}", created="2026-08-01", referred_by=who)
        did(tool, f"friend of {who}", RUN, "2026-08-01", [0, 1])
    assert stages_of(tool, "2026-08-02", "ann", "bob") == ["advocate", "paying"]


def test_a_change_is_kept_with_its_reason(tool):
    did(tool, "ann", RUN, "2026-08-01", [0, 1, 2, 3])
    night(tool, "2026-08-01")
    night(tool, "2026-08-04")
    with workspace_scope(tool), translation.override("en"):
        told = person.read_history(standing(tool, "ann").end_user_id)
        flag = one(ActivityChange, tool, "ann", day="2026-08-01")
        assert (flag.from_activity, flag.to_activity) == ("", "active")
        assert sentence(flag.why) == "came today; default limit 30 days"
    words = [(str(row.day), row.kind, row.before, row.after, row.why) for row in told if row.kind == "stage"]
    assert words == [
        ("2026-08-04", "stage", "use", "habit", "4 habit days in the last 14 days; 4 make a habit"),
        ("2026-08-01", "stage", "", "use", "Core action on 1 day so far; 1 of 4 habit days in the last 14 days"),
    ]
    assert standing(tool, "ann").stage_since == date(2026, 8, 4)


def test_every_stage_words_its_reason(tool):
    did(tool, "churned", RUN, "2026-01-01", [0, 1, 2, 3])
    builders.event(tool, "paying", PAY, "2026-08-31", total=5)
    builders.event(tool, "advocate", PAY, "2026-08-31", total=5)
    builders.person(tool, "friend", created="2026-08-01", referred_by="advocate")
    did(tool, "friend", RUN, "2026-08-20", [0, 1])
    builders.person(tool, "contact")
    night(tool, "2026-08-31")
    with workspace_scope(tool), translation.override("en"):
        reasons = {row.to_stage: person.stage_reason(row) for row in StageChange.objects.all()}
    assert reasons == {
        "churned": "Had the habit; 239 days without a visit; usually every 1 day, limit 7 days",
        "paying": "Paid, and more was paid than refunded",
        "advocate": "1 recommendation that came to use the product in the last 365 days",
        "use": "Core action on 2 days so far; 2 of 4 habit days in the last 14 days",
        "contact": "No core action yet",
    }


def test_whoever_comes_back_from_churned_has_returned(tool):
    did(tool, "ann", RUN, "2026-03-01", [0, 1, 2, 3])
    assert stages_of(tool, "2026-08-30", "ann") == ["churned"]
    assert not standing(tool, "ann").returned
    builders.event(tool, "ann", RUN, "2026-08-31")
    assert stages_of(tool, "2026-08-31", "ann") == ["use"]
    assert standing(tool, "ann").returned and one(StageChange, tool, "ann", day="2026-08-31").returned
    night(tool, "2026-09-01")
    assert standing(tool, "ann").returned, "until the next change"
    did(tool, "ann", RUN, "2026-09-01", [0, 1, 2])
    assert stages_of(tool, "2026-09-03", "ann") == ["habit"]
    assert not standing(tool, "ann").returned


def test_a_second_run_that_finds_another_stage_takes_the_first_word_back(tool):
    builders.event(tool, "ann", "App Opened", "2026-08-01")
    night(tool, "2026-08-01")
    late = builders.event(tool, "ann", RUN, "2026-08-02")
    assert stages_of(tool, "2026-08-02", "ann") == ["use"]
    builders.remove_event(tool, late)
    assert stages_of(tool, "2026-08-02", "ann") == ["contact"]
    assert standing(tool, "ann").stage_since == date(2026, 8, 1)
    assert one(StageChange, tool, "ann", day="2026-08-02") is None


def test_a_leaver_is_told_even_when_the_stages_step_failed_the_night_before(tool):
    builders.event(tool, "ann", "App Opened", "2026-08-01")
    night(tool, "2026-08-01")
    with workspace_scope(tool):
        EndUser.objects.update(excluded=True)
    night(tool, "2026-08-01", only="facts")
    night(tool, "2026-08-01", only="activity")
    night(tool, "2026-08-03")
    told = one(StageChange, tool, "ann", day="2026-08-03")
    assert (told.from_stage, told.to_stage) == ("contact", "")
    with workspace_scope(tool):
        assert not Standing.objects.exists()


def test_the_flow_between_two_days_adds_up(tool):
    did(tool, "climber", RUN, "2026-08-01", [0, 10, 11, 12])
    did(tool, "stayer", RUN, "2026-08-01", [0, 12])
    builders.event(tool, "leaver", RUN, "2026-08-01")
    did(tool, "there and back", "App Opened", "2026-08-01", [0])
    did(tool, "joiner", "App Opened", "2026-08-10", [0])
    night(tool, "2026-08-01")
    back = builders.event(tool, "there and back", RUN, "2026-08-05")
    night(tool, "2026-08-05")
    builders.remove_event(tool, back)
    with workspace_scope(tool):
        EndUser.objects.filter(external_id="leaver").update(excluded=True)
    night(tool, "2026-08-10")
    night(tool, "2026-08-13")
    with workspace_scope(tool):
        moves = selectors.stage_moves(date(2026, 8, 1), date(2026, 8, 13))
        before, after = (
            {key: row.people for key, row in selectors.board_counts(day)["stage"].items()}
            for day in (date(2026, 8, 1), date(2026, 8, 13))
        )
        days, _series = tier_reads.stage_series(date(2026, 8, 1), date(2026, 8, 13))
        for day in (date(2026, 8, n) for n in range(1, 14)):  # of one day, everybody's change is the first and the last
            alone = run_sql("lifecycle/moves", first_day=day - timedelta(days=1), last_day=day)
            assert sorted(map(str, selectors.moves_on(day))) == sorted(map(str, alone))
            assert bool(alone) == (day.day in (1, 5, 10, 13))
            for move in alone:
                ends = {"from": move["from_stage"], "to": move["to_stage"], "on": str(day)}
                for since in ({}, {"since": str(day - timedelta(days=1))}):
                    lists = [PeopleQuery(tool, ends | since | {"who": who}) for who in ("", "excluded")]
                    assert sum(found.count[0] for found in lists) == move["people"]
    cells = [(row["key"], cell) for row in tier_reads.flow_matrix(moves, after) for cell in row["cells"]]
    flow = {(source, cell["key"]): cell["people"] for source, cell in cells if cell["people"]}
    assert flow == {
        ("use", "habit"): 1, ("use", "use"): 1, ("use", ""): 1, ("contact", "contact"): 1, ("", "contact"): 1
    }  # fmt: skip
    assert sum(move["people"] for move in moves) == 3
    for key in all_stages():
        assert sum(n for (source, _to), n in flow.items() if source == key) == before[key]
        assert sum(n for (_from, target), n in flow.items() if target == key) == after[key]
    assert days == ["2026-08-01", "2026-08-05", "2026-08-10", "2026-08-13"]


def test_every_night_keeps_a_count_for_every_stage_with_its_spend(tool):
    builders.event(tool, "ann", "Order Completed", "2026-08-01", total=7)
    night(tool, "2026-08-02")
    with workspace_scope(tool):
        told = selectors.board_counts(date(2026, 8, 2))["stage"]
        assert set(told) == set(all_stages())
        assert (told["contact"].people, told["contact"].money_minor) == (1, 700)
        assert DayCount.objects.filter(board="activity").count() == 3
        assert selectors.board_counts(date(2026, 8, 1))["stage"] == {}
