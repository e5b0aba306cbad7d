"""The activity flag: limits, reasons, return rates and what is at risk, each expected value worked by hand."""

from __future__ import annotations

import gettext
import re
from datetime import date, timedelta
from io import BytesIO
from pathlib import Path

import pytest
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from django.utils import translation

from lifecycle import churn
from lifecycle.churn import sentence
from lifecycle.models import ActivityChange, ReturnRate, Standing
from ops_platform import churn_reads, day_reads, selectors
from tests import builders
from tests.night.reading import facts, night, one, standing
from users.facts import FACTS
from users.ingest.normal import NormalAlias, PersonKey
from users.models import EndUser, Facts
from users.night import VISITS_IN_WINDOWS
from users.services import record_events
from workspaces.scoping import workspace_scope
from workspaces.sql import read_sql


def visits(workspace, who: str, first: str, offsets: list[int], name: str = "App Opened") -> None:  # type: ignore[no-untyped-def]
    start = date.fromisoformat(first)
    for offset in offsets:
        builders.event(workspace, who, name, start + timedelta(days=offset))


@pytest.fixture
def thirty(acme):  # type: ignore[no-untyped-def]
    """acme with N 30, limits from 7 to 90."""
    acme.settings = {"limit_days": 30, "limit_min": 7, "limit_max": 90}
    acme.save()
    return acme


def test_the_flag_turns_exactly_at_six_tenths_and_at_the_limit(thirty):
    visits(thirty, "ann", "2026-08-01", [0, 5, 10, 15])  # gaps of 5: limit 15, last seen on the 16th
    flags = {}
    for day in ("2026-08-24", "2026-08-25", "2026-08-30", "2026-08-31"):
        night(thirty, day)
        flags[day] = standing(thirty, "ann").activity
    assert list(flags.values()) == ["active", "slipping", "slipping", "dormant"]
    told = standing(thirty, "ann")
    assert (told.limit_days, told.limit_kind, told.activity_since) == (15, "personal", date(2026, 8, 31))
    with workspace_scope(thirty):
        rows = ActivityChange.objects.order_by("day").values_list("day", "from_activity", "to_activity")
        assert [(str(day), before, after) for day, before, after in rows] == [
            ("2026-08-24", "", "active"), ("2026-08-25", "active", "slipping"), ("2026-08-31", "slipping", "dormant")
        ]  # fmt: skip


def test_limits_are_exact_fractions_and_clamped(thirty):
    visits(thirty, "fraction", "2026-06-01", [0, 1, 3, 6, 16])  # gaps 1 2 3 10: median 2.5, 90 % 7.9
    visits(thirty, "daily", "2026-06-01", [0, 1, 2, 3])
    visits(thirty, "rare", "2026-01-01", [0, 50, 100, 150])
    visits(thirty, "few", "2026-06-01", [0, 1, 2])
    builders.person(thirty, "never", created="2026-06-10")
    night(thirty, "2026-06-30")
    told = {who: standing(thirty, who) for who in ("fraction", "daily", "rare", "few", "never")}
    assert [str(row.limit_days) for row in told.values()] == ["11.85", "7.00", "90.00", "30.00", "30.00"]
    assert [row.limit_kind for row in told.values()] == ["personal"] * 3 + ["default"] * 2


def test_people_who_never_came_slip_but_never_sleep(thirty):
    builders.person(thirty, "old", created="2020-01-01")
    builders.person(thirty, "ann", created="2026-08-13")
    night(thirty, "2026-08-30")
    assert standing(thirty, "ann").activity == "active"  # 17 days, and 0.6 × 30 is 18
    night(thirty, "2026-08-31")
    assert (standing(thirty, "old").activity, standing(thirty, "ann").activity) == ("slipping", "slipping")


def test_under_with_balance_only_a_known_empty_purse_sleeps(thirty):
    thirty.settings |= {"limit_rule": "with_balance"}
    thirty.save()
    for who, attributes in {"empty": {"balance": "0"}, "rich": {"balance": 0.01}, "unknown": {}}.items():
        builders.person(thirty, who, attributes=attributes)
        visits(thirty, who, "2026-06-01", [0])
    night(thirty, "2026-08-31")
    assert [standing(thirty, who).activity for who in ("empty", "rich", "unknown")] == [
        "dormant",
        "slipping",
        "slipping",
    ]
    assert standing(thirty, "rich").limit_kind == "balance"


def test_joiners_and_leavers_are_told_once_and_the_same_on_a_second_run(thirty):
    visits(thirty, "ann", "2026-08-01", [0])
    night(thirty, "2026-08-02")
    with workspace_scope(thirty):
        EndUser.objects.update(excluded=True)
    assert night(thirty, "2026-08-03")["changes"] > 0
    assert night(thirty, "2026-08-03")["changes"] == 0
    told = one(ActivityChange, thirty, "ann", day="2026-08-03")
    assert (told.from_activity, told.to_activity, told.why) == ("active", "", {})
    assert standing(thirty, "ann") is None
    with workspace_scope(thirty):
        EndUser.objects.update(excluded=False)
    night(thirty, "2026-08-03")
    assert one(ActivityChange, thirty, "ann", day="2026-08-03") is None
    assert standing(thirty, "ann").activity_since == date(2026, 8, 2)


def test_value_at_risk_is_ninety_days_of_the_last_years_spend(acme):
    # Ecommerce: N 60, slipping from 36. Known 50 days, 100.00 spent: 10000 ÷ 50 × 90 × (1 − 0).
    builders.person(acme, "ann", created="2026-07-13")
    builders.event(acme, "ann", "Order Completed", "2026-07-13", total=100)
    # Known 60 days, a half rounded up: 3 × 90 ÷ 60 = 4.5.
    builders.event(acme, "bob", "Order Completed", "2026-07-03", total=0.03)
    builders.person(acme, "cat", created="2026-07-13")
    builders.event(acme, "cat", "Order Completed", "2026-07-13", order_id="o", total=10)
    builders.event(acme, "cat", "Order Refunded", "2026-07-14", total=30)
    builders.event(acme, "dan", "Order Completed", "2026-08-30", total=500)
    night(acme, "2026-08-31")
    assert [standing(acme, who).activity for who in ("ann", "bob", "cat", "dan")] == ["slipping"] * 2 + [
        "slipping",
        "active",
    ]
    assert [standing(acme, who).value_at_risk_minor for who in ("ann", "bob", "cat", "dan")] == [18000, 5, 0, None]
    with workspace_scope(acme):
        told = selectors.board_counts(date(2026, 8, 31))["activity"]["slipping"]
    assert (told.people, told.money_minor) == (3, 18005)


def test_value_at_risk_leaves_out_those_who_come_back(acme):
    # Two old spells reached 40 days, one of them ended: half of those 40 days idle return.
    visits(acme, "back", "2026-01-01", [0, 60])
    visits(acme, "gone", "2026-01-01", [0])
    builders.person(acme, "ann", created="2026-07-22")
    builders.event(acme, "ann", "Order Completed", "2026-07-22", total=100)
    night(acme, "2026-08-31")
    with workspace_scope(acme):
        point = ReturnRate.objects.get(day="2026-08-31", idle_days=40)
    # back's second visit, on 2 March, began a third spell that reached 40 long ago and has not ended.
    assert (point.spells, point.returned) == (3, 1)
    assert standing(acme, "ann").value_at_risk_minor == round(10000 / 41 * 90 * 2 / 3)


def test_the_return_curve_counts_spells_that_reached_their_length_thirty_days_ago(acme):
    visits(acme, "ann", "2026-01-01", [0, 1, 4])  # a spell of 0 idle days, one of 2 that ended, an open one
    night(acme, "2026-02-10")  # 5 January + 36 days
    with workspace_scope(acme):
        points = list(ReturnRate.objects.filter(day="2026-02-10").order_by("idle_days"))
    curve = {point.idle_days: (point.spells, point.returned) for point in points}
    assert curve[1] == (2, 1) and curve[2] == (2, 1) and curve[3] == (1, 0)
    assert curve[6] == (1, 0) and curve[7] == (0, 0)  # 11 January is 30 days ago, 12 January is not
    assert churn_reads.smallest_limit(points, 0.10) == 3


def test_false_churn_is_the_share_of_the_flagged_seen_since(thirty):
    for who, again in (("back", [35]), ("gone", []), ("old id", []), ("new id", [19, 39])):
        visits(thirty, who, "2026-06-01", [0, *again])
    night(thirty, "2026-06-30")
    night(thirty, "2026-07-01")  # 30 days idle, but for the new id
    at = builders.moment(thirty, "2026-07-15")
    record_events(thirty, [NormalAlias(PersonKey("new id"), PersonKey("old id"), at)])  # one person, who came
    night(thirty, "2026-07-31")
    with workspace_scope(thirty):
        told = [row for row in day_reads.audits(date(2026, 7, 31)) if row.activity == "dormant"]
        assert [(str(row.day), row.after_days, row.flagged, row.seen_again) for row in told] == [
            ("2026-07-31", 30, 3, 2)
        ]


WHY = {"seen": True, "idle": 24, "kind": "personal", "limit": 15, "median": 5}
CASES = [
    (
        WHY,
        "24 days without a visit; usually every 5 days, limit 15 days",
        "24 天没来；平时 5 天一次，期限 15 天",
    ),
    (
        WHY | {"idle": 0, "median": 2.5, "limit": 11.85},
        "came today; usually every 2.5 days, limit 12 days",
        "今天来过；平时 2.5 天一次，期限 12 天",
    ),
    (
        WHY | {"idle": 1, "kind": "default", "limit": 60},
        "1 day without a visit; default limit 60 days",
        "1 天没来；默认期限 60 天",
    ),
    (
        WHY | {"idle": 9, "kind": "fixed", "limit": 7},
        "9 days without a visit; limit 7 days",
        "9 天没来；期限 7 天",
    ),
    (
        {"seen": False, "idle": 18, "kind": "default", "limit": 30},
        "known for 18 days, never came; default limit 30 days",
        "录入 18 天，一直没来过；默认期限 30 天",
    ),
    (
        WHY | {"kind": "balance"},
        "24 days without a visit; usually every 5 days, limit 15 days; not dormant while there is a balance",
        "24 天没来；平时 5 天一次，期限 15 天；还有余额，不算沉睡",
    ),
    ({}, "", ""),
]


@pytest.mark.parametrize(("why", "english", "chinese"), CASES)
def test_the_reason_is_a_sentence_in_both_languages(monkeypatch, why, english, chinese):
    with translation.override("en"):
        assert sentence(why) == english
    catalogue = Path(__file__).parents[2] / "locale/zh_Hans/LC_MESSAGES/django.po"
    compiled = BytesIO()
    with catalogue.open("rb") as source:
        write_mo(compiled, read_po(source, locale="zh_Hans"))
    compiled.seek(0)
    words = gettext.GNUTranslations(compiled)
    monkeypatch.setattr(churn, "_", words.gettext)
    monkeypatch.setattr(churn, "ngettext", words.ngettext)
    assert sentence(why) == chinese


def test_the_reason_kept_with_a_change_is_worded(thirty):
    visits(thirty, "ann", "2026-08-01", [0, 5, 10, 15])
    night(thirty, "2026-09-09")
    with translation.override("en"):
        assert sentence(one(ActivityChange, thirty, "ann").why) == CASES[0][1]


def test_an_unchanged_person_stays_an_unchanged_row(thirty):
    """Dates and not "days since": the night of another day writes nothing about people to whom nothing happened."""
    visits(thirty, "ann", "2025-01-01", [0])
    night(thirty, "2026-08-01")
    rows = facts(thirty, "ann"), standing(thirty, "ann")
    night(thirty, "2026-08-02")
    for before, model in zip(rows, (Facts, Standing), strict=True):
        after = one(model, thirty, "ann")
        assert {f.attname: getattr(before, f.attname) for f in model._meta.concrete_fields} == {
            f.attname: getattr(after, f.attname) for f in model._meta.concrete_fields
        }


def test_no_flag_rests_on_what_changes_while_days_only_leave_windows():
    """Whoever has only such changes is not looked at again (FLAGS in lifecycle/services.py)."""
    words = set(re.findall(r"\w+", read_sql("lifecycle/flags")))
    windowed = {*VISITS_IN_WINDOWS, "habit_days"}
    assert "active_days" in words and windowed.isdisjoint(words) and set(FACTS) >= windowed
