"""Every condition keeps the contract: a name, inputs that clean, examples that match whom they say, a sentence."""

from __future__ import annotations

import itertools
from pathlib import Path
from types import ModuleType

import pytest
from django.db import connection
from django.utils.translation import override

from segmentation import conditions
from segmentation.compiler import compile_definition
from segmentation.conditions import GROUPS, all_conditions
from segmentation.definition import InvalidDefinition, parse
from segmentation.sentence import describe
from segmentation.vocabulary import Vocabulary
from tests.segmentation.world import PEOPLE, TODAY
from users.models import EndUser
from workspaces.errors import DomainError
from workspaces.scoping import read_role

KEYS = sorted(all_conditions())
VISIBLE = {name for name, told in PEOPLE.items() if not told.get("excluded") and told.get("identified", True)}


def names_of(definition: dict, workspace) -> set[str]:  # type: ignore[no-untyped-def]
    """Who matches as of today, run as the read role."""
    sql, params = compile_definition(definition, workspace, TODAY)
    with read_role(), connection.cursor() as cursor:
        cursor.execute(sql, params)
        ids = [row[0] for row in cursor.fetchall()]
    return set(EndUser.objects.filter(pk__in=ids).values_list("name", flat=True))


def test_a_condition_is_a_file_and_a_file_is_a_condition():
    folder = Path(conditions.__file__).parent
    assert set(KEYS) == {path.stem for path in folder.glob("*.py") if not path.stem.startswith("_")}
    assert {
        "attribute",
        "tag",
        "source",
        "event_count",
        "fact",
        "stage",
        "rfm_group",
        "rfm_bits",
        "activity",
        "segment",
        "reachable",
    } <= set(KEYS)


@pytest.mark.parametrize("key", KEYS)
def test_examples_match_whom_they_say(key, scope, regulars):
    condition = all_conditions()[key]
    assert condition.group in GROUPS and condition.fields and condition.examples
    for example in condition.examples:
        values = {name: str(regulars.pk) if value == "Regulars" else value for name, value in example.values.items()}
        definition = parse({"kind": key, **values}, Vocabulary(scope))
        assert names_of(definition, scope) == example.matches, example.values
        everybody_else = names_of({"not": definition}, scope)
        assert everybody_else == VISIBLE - example.matches, ("not", example.values)


@pytest.mark.parametrize("language", ["en", "zh-hans"])
def test_every_example_reads_as_a_sentence(language, scope, regulars):
    pairs = [(condition.key, example) for condition in all_conditions().values() for example in condition.examples]
    for key, example in pairs:
        values = {name: str(regulars.pk) if value == "Regulars" else value for name, value in example.values.items()}
        definition = parse({"kind": key, **values}, Vocabulary(scope))
        with override(language):
            sentence = describe(definition, Vocabulary(scope))
        assert sentence and "%(" not in sentence and str(regulars.pk) not in sentence


def test_a_field_nobody_declared_is_refused(scope, regulars):
    strangers = ("workspace_id", "_connector", "_negated", "tenant__users__password", "email__regex")
    for key, name in itertools.product(KEYS, strangers):
        with pytest.raises(InvalidDefinition) as caught:
            parse({"kind": key, **all_conditions()[key].examples[0].values, name: "x"}, Vocabulary(scope))
        assert (caught.value.code, caught.value.path) == (
            "unknown_field",
            f"/{name}",
        ) or caught.value.path == "/segment"


HOSTILE_TEXTS = [
    "'",
    "';--",
    "' or '1'='1",
    "%",
    "%s",
    "%(workspace)s",
    "{alias}",
    "\\",
    "_",
    "$$",
    "/* */",
    "p.id) or (true",
    "😀",
    "x" * 190,
]


def typed(text: str) -> list[dict]:
    """Every place where a rule takes a text of somebody's own."""
    ordered = {"kind": "event_count", "event": "Order Completed", "times": "at_least", "count": 1}
    return [
        {"kind": "attribute", "name": "city", "compare": "is", "text": text},
        {"kind": "attribute", "name": "level", "compare": "contains", "text": text + "énob"},
        {"kind": "attribute", "name": "city", "compare": "one_of", "texts": [text]},
        {"kind": "tag", "match": "any", "tags": [text]},
        {"kind": "source", "sources": [text]},
        {"kind": "fact", "fact": "favourite_category", "compare": "is", "text": text},
        {**ordered, "event": text},
        {**ordered, "property": text, "compare": "is", "text": text},
        {**ordered, "property": "sku", "compare": "contains", "text": text + "énob"},
    ]


def test_what_somebody_typed_never_becomes_sql(scope, regulars):
    pairs = [pair for text in HOSTILE_TEXTS for pair in zip(typed(text), typed("plain"), strict=True)]
    for rule, plain in pairs:
        rule, plain = parse(rule, Vocabulary(scope)), parse(plain, Vocabulary(scope))
        assert compile_definition(rule, scope, TODAY)[0] == compile_definition(plain, scope, TODAY)[0]
        assert names_of(rule, scope) == set()
    assert EndUser.objects.count() == len(PEOPLE)


WRONG = [
    ({"kind": "fact", "fact": "orders", "compare": "at_least", "number": "abc"}, "number"),
    ({"kind": "fact", "fact": "orders", "compare": "at_least", "number": "NaN"}, "number"),
    ({"kind": "fact", "fact": "orders", "compare": "at_least", "number": "Infinity"}, "number"),
    ({"kind": "fact", "fact": "orders", "compare": "at_least", "number": "1e400"}, "number"),
    ({"kind": "fact", "fact": "orders", "compare": "at_least", "number": True}, "number"),
    ({"kind": "fact", "fact": "orders", "compare": "at_least", "number": [1]}, "number"),
    ({"kind": "fact", "fact": "orders", "compare": "at_least"}, "number"),
    ({"kind": "fact", "fact": "orders", "compare": "contains", "text": "1"}, "compare"),
    ({"kind": "fact", "fact": "orders", "compare": "exec"}, "compare"),
    ({"kind": "fact", "fact": "password_hash", "compare": "at_least", "number": 1}, "fact"),
    ({"kind": "fact", "fact": "last_order_on", "compare": "in_last", "days": -1}, "days"),
    ({"kind": "fact", "fact": "last_order_on", "compare": "in_last", "days": 10**9}, "days"),
    ({"kind": "fact", "fact": "last_order_on", "compare": "before", "date": "2026-02-30"}, "date"),
    ({"kind": "fact", "fact": "last_order_on", "compare": "before", "date": "tomorrow"}, "date"),
    ({"kind": "event_count", "event": "x", "times": "at_least", "count": -1}, "count"),
    ({"kind": "event_count", "event": "x", "times": "at_least", "count": 1.5}, "count"),
    ({"kind": "event_count", "event": "x\x00", "times": "at_least", "count": 1}, "event"),
    ({"kind": "event_count", "event": "x" * 201, "times": "at_least", "count": 1}, "event"),
    ({"kind": "event_count", "event": {"a": 1}, "times": "at_least", "count": 1}, "event"),
    ({"kind": "attribute", "name": "tenant_id", "compare": "is", "text": "x"}, "name"),
    ({"kind": "attribute", "name": "city", "compare": "one_of", "texts": ["x"] * 50_001}, "texts"),
    ({"kind": "stage", "stages": ["king"]}, "stages"),
    ({"kind": "stage", "stages": []}, "stages"),
    ({"kind": "reachable", "channel": "pigeon"}, "channel"),
    ({"kind": "segment", "segment": "not-an-id"}, "segment"),
    ({"kind": "segment", "segment": "6b1f7d5e-3a0c-4a53-9d0f-2f1f4c9ab001"}, "segment"),
]


def test_a_wrong_value_names_its_field(scope, regulars):
    for rule, field in WRONG:
        with pytest.raises(InvalidDefinition) as caught:
            parse({"all": [rule]}, Vocabulary(scope))
        assert (caught.value.path, bool(caught.value.message)) == (f"/all/0/{field}", True), rule


def test_a_count_beyond_any_count_is_legal_and_matches_nobody(scope, regulars):
    rule = parse(
        {"kind": "event_count", "event": "Order Completed", "times": "at_least", "count": 10**18}, Vocabulary(scope)
    )
    assert names_of(rule, scope) == set()


def test_consent_counts_where_the_workspace_demands_it(scope, regulars):
    scope.settings = {"consent_required": True}
    assert names_of({"kind": "reachable", "channel": "email"}, scope) == {"An"}
    assert names_of({"kind": "reachable", "channel": "sms"}, scope) == set()


def test_a_suppressed_address_is_found_however_it_is_written(scope, regulars):
    EndUser.objects.filter(name="Di").update(email="D_i@acme.test")
    assert names_of({"kind": "reachable", "channel": "email"}, scope) == {"An"}


def test_a_file_without_its_condition_is_refused(monkeypatch):
    monkeypatch.setattr(conditions.importlib, "import_module", lambda name: ModuleType(name))
    with pytest.raises(TypeError):
        conditions._load("nothing")
    with pytest.raises(LookupError):
        conditions.get_condition("nothing")


def test_texts_may_be_typed_with_commas_of_either_kind(scope, regulars):
    rule = parse(
        {"kind": "attribute", "name": "city", "compare": "one_of", "texts": "上海，北京、 杭州,上海"}, Vocabulary(scope)
    )
    assert rule["texts"] == ["上海", "北京", "杭州"]
    with pytest.raises(DomainError):
        parse({"kind": "tag", "match": "any", "tags": " , "}, Vocabulary(scope))
