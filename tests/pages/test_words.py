"""Numbers, days and sentences, as a Chinese and an English reader get them."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.utils import translation

from campaigns.models import Campaign
from lifecycle import churn
from lifecycle.models import ReturnRate
from ops_platform import churn_reads, names, numbers, terms, today
from ops_platform.selectors import anomalies, count_moves
from workspaces.models import Workspace
from workspaces.scoping import workspace_scope


@pytest.mark.parametrize(
    ("value", "chinese", "english"),
    [
        (None, "—", "—"),
        (0, "0", "0"),
        (9999, "9,999", "9,999"),
        (12_345, "1.2 万", "12.3k"),
        (99_999, "10.0 万", "100k"),
        (1_234_567, "123 万", "1.2M"),
        (999_999, "100 万", "1.0M"),
        (99_999_999, "1.0 亿", "100M"),
        (340_000_000, "3.4 亿", "340M"),
        (-12_345, "−1.2 万", "−12.3k"),
    ],
)
def test_short_numbers(value: int | None, chinese: str, english: str) -> None:
    with translation.override("zh-hans"):
        assert numbers.short_number(value) == chinese
    with translation.override("en"):
        assert numbers.short_number(value) == english


@pytest.mark.parametrize(
    ("minor", "currency", "text"),
    [
        (123_450, "CNY", "¥1,234.50"),
        (-5, "CNY", "−¥0.05"),
        (1234, "JPY", "JP¥1,234"),
        (1_234_567, "KWD", "KWD 1,234.567"),
        (0, "USD", "$0.00"),
        (None, "USD", "—"),
        (100, "", "1.00"),
    ],
)
def test_money(minor: int | None, currency: str, text: str) -> None:
    assert numbers.money(minor, currency) == text


def test_money_on_cards_is_short() -> None:
    with translation.override("zh-hans"):
        assert numbers.short_money(4_612_300, "CNY") == "¥4.6 万"
        assert numbers.short_money(455_900, "CNY") == "¥4,559"
        assert numbers.short_money(950, "CNY") == "¥9.50"


def test_changes_carry_a_sign_and_know_when_there_is_nothing_to_compare() -> None:
    assert numbers.difference(112, 100) == ("up", "+12.0%")
    assert numbers.difference(88, 100) == ("down", "−12.0%")
    assert numbers.difference(5, 5) == ("flat", "±0.0%")
    assert numbers.difference(5, 0) is None
    assert numbers.difference(None, 3) is None
    assert numbers.difference(5, 9, in_percent=False) == ("down", "−4")


def test_days_and_times() -> None:
    with translation.override("zh-hans"):
        assert numbers.long_day(date(2026, 8, 31)) == "8月31日 周一"
    with translation.override("en"):
        assert numbers.long_day(date(2026, 8, 31)) == "Mon 31 Aug"
        now = datetime(2026, 8, 31, 12, tzinfo=UTC)
        assert numbers.ago(now - timedelta(minutes=5), now) == "5 minutes ago"
        assert numbers.ago(now - timedelta(days=2), now) == "2026-08-29 12:00"
        assert numbers.ago(now + timedelta(days=2), now) == "2026-09-02 12:00"


def test_every_term_is_defined_with_the_workspaces_own_thresholds() -> None:
    workspace = Workspace(slug="x", industry="ecommerce", settings={"slipping_percent": 42, "recall_days": [3, 9]})
    for key in [*names.STAGES, *terms.SENTENCES]:
        label, sentence = terms.explain(key, workspace)
        assert label
        assert sentence.rstrip().endswith((".", "。"))
    with translation.override("en"):
        assert "42 %" in terms.explain("slipping", workspace)[1]
        assert "3, 9" in terms.explain("ladder", workspace)[1]


def test_every_kind_of_name_says_something_in_both_languages() -> None:
    for language in ("zh-hans", "en"):
        with translation.override(language):
            for kind, labels in names.KINDS.items():
                assert all(str(label) for label in labels.values()), kind


def test_few_people_are_told_of_one_by_one(told: Any, as_role: Any) -> None:
    client = as_role("analyst")
    client.cookies["django_language"] = "en"
    assert client.get("/w/acme/").context["verdict"] == (
        "Of 7 people, 4 used it on more than one day and 0 recommend it; 1 slipping: talk to them first."
    )
    client.cookies["django_language"] = "zh-hans"
    assert client.get("/w/acme/").context["verdict"].startswith("7 人里 4 人不止一天用过、0 人成了死忠；1 人有流失风险")


def test_a_limit_is_told_in_whole_days() -> None:
    why = {"seen": True, "idle": 17, "kind": "personal", "limit": 28.05, "median": 2.5}
    with translation.override("en"):
        assert churn.sentence(why) == "17 days without a visit; usually every 2.5 days, limit 29 days"


def test_the_few_absences_left_over_from_many_make_no_rate(told: Any) -> None:
    day = told.acme.current_day
    with workspace_scope(told.acme):
        ReturnRate.objects.all().delete()
        for idle, spells in ((1, 9000), (90, 90), (150, 40)):
            ReturnRate.objects.create(day=day, idle_days=idle, spells=spells, returned=40)
        assert [row.idle_days for row in churn_reads.return_rates(day)] == [1, 90]


def test_the_verdict_is_a_sentence_in_both_languages(told: Any, as_role: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(today, "FEW", 0)
    client = as_role("analyst")
    client.cookies["django_language"] = "en"
    english = client.get("/w/acme/").context["verdict"]
    assert english.startswith("1 person churned yesterday and 1 person is slipping")
    assert "¥" in english
    client.cookies["django_language"] = "zh-hans"
    page = client.get("/w/acme/")
    assert page.context["verdict"].startswith("昨日 1 人流失，1 人有流失风险，90 天预计少收 ¥")
    assert "今日" in page.content.decode()


def test_moves_are_counted_by_direction() -> None:
    moves = [
        {"from_stage": "contact", "to_stage": "use", "people": 5},
        {"from_stage": "habit", "to_stage": "use", "people": 2},
        {"from_stage": "habit", "to_stage": "churned", "people": 3},
        {"from_stage": "churned", "to_stage": "use", "people": 1},
        {"from_stage": "", "to_stage": "contact", "people": 7},
        {"from_stage": "use", "to_stage": "", "people": 4},
    ]
    order = ["contact", "use", "habit", "paying", "advocate", "churned"]
    assert count_moves(moves, order) == {"up": 5, "down": 2, "churned": 3, "returned": 1, "joined": 7}


def totals(now: int, *before: int) -> list[dict[str, int]]:
    calm = {"orders": 50, "active": 100, "joined": 10}
    return [{"revenue_minor": value, **calm} for value in (now, *before)]


def test_an_anomaly_is_far_from_its_four_weeks() -> None:
    found = anomalies(totals(3000, 9000, 10_000, 11_000, 10_000))
    assert [(odd["key"], round(odd["share"], 2)) for odd in found] == [("revenue_minor", -0.7)]
    assert anomalies(totals(9500, 9000, 10_000, 11_000, 10_000)) == []
    assert anomalies(totals(0, 0, 0, 0, 0)) == []


def test_home_tells_what_ended_campaigns_changed(told: Any, as_role: Any) -> None:
    with workspace_scope(told.acme):
        Campaign.objects.create(name="五一召回", channel="sms", state="finished", conversion_event="Order Completed")
        Campaign.objects.create(name="草稿一份", channel="sms")
    page = as_role("analyst").get("/w/acme/").content.decode()
    assert "五一召回" in page and "草稿一份" not in page
