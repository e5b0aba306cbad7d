"""A definition is checked, compiled and said: limits, borders of days, walls, the read role, sentences."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from django.conf import settings
from django.db import ProgrammingError, connection
from django.utils.translation import override

from segmentation import selectors
from segmentation.compiler import Query, compile_definition
from segmentation.conditions import all_conditions
from segmentation.definition import InvalidDefinition, as_rows, parse, read_json
from segmentation.models import Segment
from segmentation.sentence import describe
from segmentation.vocabulary import Vocabulary
from tests.segmentation.test_conditions import names_of
from tests.segmentation.world import TODAY, add_event, add_people
from workspaces.errors import DomainError
from workspaces.scoping import workspace_scope

AN = {"kind": "attribute", "name": "city", "compare": "is", "text": "上海"}
VIP = {"kind": "tag", "match": "any", "tags": ["vip"]}
CHAMPION = {"kind": "rfm_group", "groups": ["champions"]}


def ordered(days: int | None = None, **more: object) -> dict:
    window = {} if days is None else {"days": days}
    return {"kind": "event_count", "event": "Order Completed", "times": "at_least", "count": 1, **window, **more}


def problems_of(raw: object, workspace) -> list[tuple[str, str]]:  # type: ignore[no-untyped-def]
    with pytest.raises(InvalidDefinition) as caught:
        parse(raw, Vocabulary(workspace))
    return [(problem.code, problem.path) for problem in caught.value.problems]


def test_all_any_and_not_compose(scope, regulars):
    assert names_of({"all": [AN, VIP]}, scope) == {"An"}
    assert names_of({"any": [AN, VIP]}, scope) == {"An", "Bo", "Chen"}
    assert names_of({"all": [VIP, {"not": AN}]}, scope) == {"Chen"}
    assert names_of({"not": {"any": [AN, {"not": VIP}]}}, scope) == {"Chen"}


def test_unknown_counts_as_no_on_both_sides_of_not(scope, regulars):
    """People outside RFM have no group: they are not champions, and no "not" of them is lost."""
    assert names_of({"not": CHAMPION}, scope) == {"Bo", "Chen", "Di", "Fang", "Guo"}
    assert names_of({"not": {"not": CHAMPION}}, scope) == {"An"}
    assert names_of({"all": [{"not": CHAMPION}, {"not": {"kind": "rfm_bits", "classes": ["111"]}}, VIP]}, scope) == {
        "Chen"
    }


def test_a_window_begins_and_ends_at_the_workspaces_midnight(scope, regulars):
    # Chen ordered at 00:10 in Shanghai on the 30th, which is still the 29th in London.
    assert names_of(ordered(days=1), scope) == set()
    assert names_of(ordered(days=2), scope) == {"Chen"}
    # An's second order was at 23:59 on the 20th: the twelfth day back.
    assert names_of(ordered(days=11), scope) == {"Chen"}
    assert names_of(ordered(days=12), scope) == {"An", "Chen"}
    add_event(scope, "Fang", "Order Completed", "2026-08-31 23:59:59", {})
    add_event(scope, "Guo", "Order Completed", "2026-09-01 00:00", {})
    assert names_of(ordered(days=1), scope) == {"Fang"}


def test_any_number_of_event_counts_is_one_scan(scope, regulars):
    rules = [ordered(days=n) for n in range(1, 20)] + [
        ordered(),
        ordered(property="total", compare="at_least", number=100),
    ]
    sql, _params = compile_definition({"any": rules}, scope, TODAY)
    assert len(re.findall(r"from event\b", sql)) == 1
    assert names_of({"all": [ordered(days=n) for n in (12, 20, 31)]}, scope) == {"An", "Chen"}


def test_every_table_of_every_condition_carries_the_workspace(scope, regulars):
    for condition in all_conditions().values():
        for example in condition.examples:
            sql, params = compile_definition({"kind": condition.key, **example.values}, scope, TODAY)
            tables = re.findall(r"(?:from|join) (\w+) \w+", sql)
            assert len(re.findall(r"workspace_id = %s", sql)) == len(tables), sql
            assert params.count(scope.pk) == len(tables)
            assert sql.count("%s") == len(params)


def test_a_rule_sees_its_own_workspace_only(world, scope, regulars):
    rule = {"any": [AN, ordered(), {"kind": "stage", "stages": ["paying"]}]}
    with workspace_scope(world.other):
        assert names_of(parse({"any": [AN, ordered()]}, Vocabulary(world.other)), world.other) == set()
        add_people(world.other, "An")
        assert names_of(AN, world.other) == {"An"}
        # Even with the other workspace's id bound, row-level security lets nothing through.
        assert names_of(rule, scope) == set()
    assert names_of(AN, scope) == {"An", "Bo"}


def test_another_workspaces_segment_and_a_made_up_one_look_alike(world, scope, regulars):
    with workspace_scope(world.other):
        foreign = Segment.objects.create(name="theirs", definition={"all": [AN]})
    made_up = "6b1f7d5e-3a0c-4a53-9d0f-2f1f4c9ab001"
    answers = [problems_of({"kind": "segment", "segment": str(pk)}, scope) for pk in (foreign.pk, made_up)]
    assert answers[0] == answers[1] == [("unknown_segment", "/segment")]


def test_rules_run_as_a_role_that_can_only_read(scope, regulars):
    roles: list[str] = []

    def note_role(execute, sql, params, many, context):  # type: ignore[no-untyped-def]
        if "from end_user p" in sql:
            with context["connection"].connection.cursor() as cursor:
                cursor.execute("select current_user")
                roles.append(cursor.fetchone()[0])
        return execute(sql, params, many, context)

    with connection.execute_wrapper(note_role):
        selectors.count_live({"any": [AN, ordered()]}, scope)
    assert roles == ["uop_read"]
    with connection.cursor() as cursor:
        cursor.execute("select current_user, current_setting('statement_timeout'), current_setting('enable_nestloop')")
        assert cursor.fetchone() == ("uop_app", "0", "on")
    for statement in ("delete from end_user", "update segment set size = 0", "select * from audit_entry"):
        with pytest.raises(ProgrammingError, match="permission denied"):
            run_as_reader(statement)


def run_as_reader(statement: str) -> None:
    with selectors.reading(1), connection.cursor() as cursor:
        cursor.execute(statement)


def test_a_rule_that_takes_too_long_says_so_and_leaves_the_scope_usable(scope, regulars, monkeypatch):
    monkeypatch.setattr(Query, "compile", lambda self, node: ("(select true from pg_sleep(3))", []))
    sql, params = compile_definition(AN, scope, TODAY)
    with pytest.raises(DomainError) as caught, selectors.reading(1):
        connection.cursor().execute(sql, params)
    assert caught.value.code == "too_expensive"
    monkeypatch.undo()
    assert names_of(AN, scope) == {"An", "Bo"}


@pytest.mark.parametrize(
    ("raw", "code", "path"),
    [
        (None, "invalid_rule", ""),
        ({}, "invalid_rule", ""),
        ([], "invalid_rule", ""),
        ("all", "invalid_rule", ""),
        ({"xor": []}, "unknown_operator", ""),
        ({"all": [], "any": []}, "unknown_operator", ""),
        ({"all": []}, "empty_group", ""),
        ({"all": {"kind": "tag"}}, "invalid_rule", ""),
        ({"not": {"all": []}}, "empty_group", "/not"),
        ({"all": [AN, {"any": [VIP, {"not": {"all": []}}]}]}, "empty_group", "/all/1/any/1/not"),
        ({"kind": "exec"}, "unknown_condition", ""),
        ({"kind": ["tag"]}, "unknown_condition", ""),
        ({"kind": "_tiers"}, "unknown_condition", ""),
        ({"kind": "tag", "match": "any", "tags": ["vip"], "all": []}, "unknown_field", "/all"),
        ({"any": [AN] * 51}, "too_many_conditions", ""),
        ({"any": [AN] * 10_001}, "too_many_conditions", ""),
    ],
)
def test_a_wrong_rule_is_refused_with_its_place(raw, code, path, world):
    with workspace_scope(world.acme):
        assert problems_of(raw, world.acme)[0] == (code, path)


def nested(depth: int) -> dict:
    rule: dict = AN
    for _ in range(depth):
        rule = {"not": rule}
    return rule


def test_rules_nest_six_deep_and_hold_fifty_conditions(scope, regulars):
    assert names_of(parse(nested(6), Vocabulary(scope)), scope) == {"An", "Bo"}
    assert problems_of(nested(7), scope) == [("too_deep", "/not" * 6)]
    assert problems_of(nested(900), scope) == [("too_deep", "/not" * 6)]
    fifty = [ordered(count=n) for n in range(50)]
    assert names_of(parse({"all": fifty[:2]}, Vocabulary(scope)), scope) == {"An", "Bo", "Chen"}
    assert selectors.count_live(parse({"any": fifty}, Vocabulary(scope)), scope).people == 6


def test_json_too_deep_for_python_is_too_deep():
    with pytest.raises(DomainError) as caught:
        read_json('{"not":' * 50_00 + json.dumps(AN) + "}" * 50_00)
    assert caught.value.code == "too_deep"
    for text, code in (
        ("{", "invalid_rule"),
        ('{"kind":"\\ud83d"}', "invalid_rule"),
        ("x" * 300_000, "too_many_conditions"),
    ):
        with pytest.raises(DomainError) as caught:
            read_json(text)
        assert caught.value.code == code


def test_every_problem_of_a_rule_is_told_at_once(scope, regulars):
    raw = {"all": [ordered(count="x"), {"any": []}, {"not": {"kind": "reachable", "channel": "pigeon"}}]}
    assert problems_of(raw, scope) == [
        ("invalid_value", "/all/0/count"),
        ("empty_group", "/all/1"),
        ("unknown_operator", "/all/2/not/channel"),
    ]


def test_a_flat_rule_is_rows_and_a_nested_one_is_not():
    assert as_rows({}) == []
    assert as_rows(AN) == [(False, AN)]
    assert as_rows({"all": [AN, {"not": VIP}]}) == [(False, AN), (True, VIP)]
    for nested_rule in (
        {"any": [AN, VIP]},
        {"all": [AN, {"any": [VIP]}]},
        {"all": [{"not": {"any": [VIP]}}]},
        {"all": [1]},
    ):
        assert as_rows(nested_rule) is None


PAYING_SLIPPING = {"all": [{"kind": "stage", "stages": ["paying"]}, {"kind": "activity", "flags": ["slipping"]}]}
SAID = [
    (PAYING_SLIPPING, "Paying and slipping", "已付费且有流失风险"),
    (
        {"any": [{"kind": "stage", "stages": ["churned"], "days": 7}, {"all": [VIP, {"not": AN}]}]},
        "Churned (since the last 7 days) or (tagged vip and not (City is 上海))",
        "已流失（最近 7 天内进入）或（有标签「vip」且不满足「城市是上海」）",
    ),
    (
        ordered(days=30, count=3),
        "Did Order Completed at least 3 times in the last 30 days",
        "最近 30 天做过「Order Completed」至少 3 次",
    ),
    (ordered(times="exactly", count=0), "Did not do Order Completed", "没做过「Order Completed」"),
    (
        {"kind": "fact", "fact": "revenue_minor", "compare": "at_least", "number": 300},
        "Spend to date is at least ¥300",
        "累计实付至少 ¥300",
    ),
    ({"kind": "reachable", "channel": "sms"}, "Reachable by SMS", "短信可触达"),
    ({}, "", ""),
]


@pytest.mark.parametrize(("rule", "english", "chinese"), SAID, ids=[english for _, english, _ in SAID])
def test_a_rule_is_said_as_a_colleague_would(rule, english, chinese, world):
    with workspace_scope(world.acme):
        with override("en"):
            assert describe(rule, Vocabulary(world.acme)) == english
        if not any(Path(folder, "zh_Hans/LC_MESSAGES/django.mo").exists() for folder in settings.LOCALE_PATHS):
            pytest.skip("the Chinese catalogue is not compiled")
        with override("zh-hans"):
            assert describe(rule, Vocabulary(world.acme)) == chinese
