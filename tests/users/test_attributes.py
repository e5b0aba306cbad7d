"""The catalogue of attributes: it grows by itself, the first type wins, and whatever was sent breaks no rule."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from segmentation.compiler import compile_definition
from tests import builders
from users.attributes import MOST, count_attributes, edit_attribute, list_attributes, note_attributes
from users.models import Attribute, EndUser
from workspaces.errors import DomainError
from workspaces.models import AuditEntry
from workspaces.scoping import read_role, workspace_scope

DAY = date(2026, 8, 31)


def tell(workspace: Any, who: str, at: int = 0, **attributes: Any) -> EndUser:
    """Somebody with attributes that were told at second `at` of 2026."""
    told = dict.fromkeys(attributes, (1767225600 + at) * 1000000)
    return builders.person(workspace, who, attributes=attributes, attribute_times=told)


def rows(workspace: Any) -> dict[str, tuple[str, int | None, int | None]]:
    with workspace_scope(workspace):
        count_attributes(workspace, DAY)
        return {row.name: (row.kind, row.people, row.conflicts) for row in Attribute.objects.all()}


def test_every_type_is_told_by_its_values(acme):
    tell(
        acme, "a", city="上海", level=3, member=True, until="2026-12-31", seen="2026-01-02T03:04:05.678Z", likes=["美妆"],
        address={"street": "南京路"}, nearly="2026-13-01",
    )  # fmt: skip
    assert {name: kind for name, (kind, _people, _conflicts) in rows(acme).items()} == {
        "city": "text", "level": "number", "member": "boolean", "until": "time", "seen": "time", "likes": "list",
        "address": "object", "nearly": "text",
    }  # fmt: skip


def test_the_first_type_wins_whoever_comes_later_and_however_many(acme):
    tell(acme, "late1", 20, level="two")
    tell(acme, "late2", 30, level="3")
    tell(acme, "first", 10, level=1)
    assert rows(acme) == {"level": ("number", 3, 2)}
    tell(acme, "first", 10, other=1)
    assert rows(acme)["level"] == ("number", 2, 2), "and keeps winning when nobody is left who told it"


def test_a_time_is_a_text_too_but_a_text_is_no_time(acme):
    tell(acme, "a", 1, note="2026-01-01", until="2026-01-01")
    tell(acme, "b", 2, note="hello", until="2026-02-01")
    assert rows(acme) == {"note": ("text", 2, 0), "until": ("time", 2, 0)}
    tell(acme, "c", 3, note="2026-03-01", until="never")
    assert rows(acme) == {"note": ("text", 3, 0), "until": ("time", 3, 1)}


def test_counting_twice_changes_nothing_and_only_people_in_the_numbers_count(acme):
    tell(acme, "a", level=1)
    builders.person(acme, "staff", attributes={"level": "x"}, excluded=True)
    builders.person(acme, "guest", attributes={"hat": 1}, identified=False)
    builders.person(acme, "old", attributes={"gone": 1}, merged_into=builders.person(acme, "a").pk)
    assert rows(acme) == {"level": ("number", 1, 0), "hat": ("number", 0, 0)}
    with workspace_scope(acme):
        assert count_attributes(acme, DAY) == {"attributes": 2, "changes": 0}


def test_an_example_of_a_conflict_is_short_and_never_personal(acme):
    tell(acme, "a", 1, level=1, mobile=13800000000)
    tell(acme, "b", 2, level="x" * 500, mobile="138 0000 0000")
    with workspace_scope(acme):
        count_attributes(acme, DAY)
        level, mobile = Attribute.objects.order_by("name")
        assert (level.other_kind, level.other_value) == ("text", "x" * 60)
        assert (mobile.conflicts, mobile.personal, mobile.other_kind, mobile.other_value) == (1, True, "text", "")
        edit_attribute(level, {"personal": True})
        edit_attribute(mobile, {"personal": False})
        count_attributes(acme, DAY)
        assert list(Attribute.objects.order_by("name").values_list("other_value", flat=True)) == ["", "138 0000 0000"]


def test_what_operators_set_outlives_the_night(acme, world):
    tell(acme, "a", 1, level="1")
    tell(acme, "b", 2, level=2)
    with workspace_scope(acme):
        count_attributes(acme, DAY)
        edit_attribute(
            Attribute.objects.get(), {"label": " 会员  等级 ", "kind": "number", "hidden": True}, world.operator
        )
        fresh = Attribute.objects.get()
        assert (fresh.label, fresh.kind, fresh.hidden, fresh.conflicts) == ("会员 等级", "number", True, None)
        count_attributes(acme, DAY)
        fresh.refresh_from_db()
        assert (fresh.label, fresh.kind, fresh.hidden, fresh.conflicts) == ("会员 等级", "number", True, 1)
        assert AuditEntry.objects.get(action="attribute.change").detail["kind"] == "number"
        for wrong in ({"kind": "money"}, {"label": "x" * 101}):
            with pytest.raises(DomainError) as caught:
                edit_attribute(fresh, wrong)
            assert caught.value.path == next(iter(wrong))


def test_names_that_are_made_up_without_end_do_not_fill_the_catalogue(acme, monkeypatch):
    monkeypatch.setattr("users.attributes.MOST", 3)
    tell(acme, "a", **{f"seen_{n}": True for n in range(20)}, level=1)
    tell(acme, "b", **{"level": 2, "x" * 300: 1})
    assert len(rows(acme)) == 3 < MOST and "level" in rows(acme)


def test_made_up_names_that_came_first_give_way_to_what_people_have(acme, monkeypatch):
    """A night that listed them saw nothing else; what an operator named, hid or called personal stays."""
    monkeypatch.setattr("users.attributes.MOST", 6)
    tell(acme, "a", **{f"seen_{n}": True for n in range(20)})
    tell(acme, "b", shared=1, seen_0=True)
    assert len(rows(acme)) == 6
    with workspace_scope(acme):
        named, hidden, _first, personal = Attribute.objects.filter(people=1).order_by("name")[:4]
        edit_attribute(named, {"label": "Named"})
        edit_attribute(hidden, {"hidden": True})
        edit_attribute(personal, {"personal": True})
    for n in range(3):
        tell(acme, f"c{n}", level=n)
        tell(acme, f"d{n}", city="上海")
    with workspace_scope(acme):
        note_attributes(acme, timezone.now())
        assert Attribute.objects.count() == 6, "there is no room before they are counted"
    told = rows(acme)
    assert set(told) == {"seen_0", "level", "city", named.name, hidden.name, personal.name}
    assert rows(acme) == told
    tell(acme, "e", one=1, zodiac="鼠")
    assert rows(acme) == told, "nobody gives way to what one person has"


def test_what_arrives_is_in_the_catalogue_within_the_minute(acme, world, client):
    batch = [
        {"type": "identify", "userId": "a", "traits": {"level": 3}},
        {"type": "track", "userId": "a", "event": "App Opened"},
        {"type": "identify", "userId": "b", "traits": {"quiet": 3}},
    ]
    body = {"writeKey": world.acme_write_key, "batch": batch}
    assert client.post("/v1/batch", body, content_type="application/json").status_code == 200
    now = timezone.now()
    with workspace_scope(acme):
        assert note_attributes(acme, now + timedelta(hours=1)) == {"attributes": 0}, "only what came lately is read"
        note_attributes(acme, now)
        note_attributes(acme, now)
        assert list(Attribute.objects.values_list("name", "kind", "people")) == [("level", "number", None)]
    assert rows(acme) == {"level": ("number", 1, 0), "quiet": ("number", 1, 0)}


def test_conflicts_come_first_and_the_list_is_searched_by_name_and_label(acme):
    tell(acme, "a", 1, city="上海", level=1, zodiac="鼠")
    tell(acme, "b", 2, city="北京", level="2")
    with workspace_scope(acme):
        count_attributes(acme, DAY)
        edit_attribute(Attribute.objects.get(name="zodiac"), {"label": "生肖"})
        assert [row.name for row in list_attributes()] == ["level", "city", "zodiac"]
        assert [row.name for row in list_attributes("肖")] == [row.name for row in list_attributes("ZOD")] == ["zodiac"]
        assert [row.name for row in list_attributes(sort="name")] == ["city", "level", "zodiac"]
        edit_attribute(Attribute.objects.get(name="zodiac"), {"hidden": True})
        assert [row.name for row in list_attributes(hidden=True)] == ["zodiac"]


HOSTILE = [
    12, "12", "1e5", "٣", "NaN", "Infinity", "", " ", "--1", "1" * 5000, 1e14, -5, True, None, [], ["12"], {}, {"12": 1},
    [[1]], "2026-02-30", "2026-08-01T99:99", "2026-08-01T10:00:00+99:99", "true",
]  # fmt: skip
COMPARISONS: list[dict[str, Any]] = [
    {"compare": "at_least", "number": 10},
    {"compare": "at_most", "number": 10},
    {"compare": "is", "text": "12"},
    {"compare": "is_not", "text": "12"},
    {"compare": "one_of", "texts": ["12", "x"]},
    {"compare": "contains", "text": "12"},
    {"compare": "before", "date": "2026-08-15"},
    {"compare": "from", "date": "2026-08-15"},
    {"compare": "yes"},
    {"compare": "no"},
    {"compare": "known"},
    {"compare": "unknown"},
]


@pytest.mark.parametrize("kind", ["text", "number", "boolean", "time", "list", "object", ""])
def test_no_rule_breaks_on_whatever_was_sent(kind, acme):
    """Also rules that were kept before the type was known, or changed since."""
    for n, value in enumerate(HOSTILE):
        builders.person(acme, f"p{n}", attributes={"x": value})
    with workspace_scope(acme):
        if kind:
            Attribute.objects.create(name="x", kind=kind, first_at=timezone.now(), last_at=timezone.now())
        found: dict[str, list[Any]] = {}
        for rule in COMPARISONS:
            sql, params = compile_definition({"kind": "attribute", "name": "x", **rule}, acme, DAY)
            with read_role(), connection.cursor() as cursor:
                cursor.execute(sql, params)
                ids = [row[0] for row in cursor.fetchall()]
            who = EndUser.objects.filter(pk__in=ids).values_list("external_id", flat=True)
            found[rule["compare"]] = [HOSTILE[n] for n in sorted(int(name[1:]) for name in who)]
    if kind == "number":
        assert sorted(found["at_least"]) == [12, 1e14] and found["at_most"] == [-5] and found["is"] == [12]
        assert len(found["known"]) == 3 and len(found["is_not"]) == len(HOSTILE) - 1
    if kind == "boolean":
        assert (found["yes"], found["no"]) == ([True], [])
    if kind == "list":
        assert found["contains"] == [["12"]] and found["one_of"] == []
    if kind == "text":
        assert found["is"] == ["12"] and found["at_least"] == ["12", "1" * 5000]
    if kind == "time":
        assert sorted(found["before"] + found["from"]) == [
            "2026-02-30",
            "2026-08-01T10:00:00+99:99",
            "2026-08-01T99:99",
        ]


@pytest.fixture
def counted(world):
    tell(world.acme, "a", 1, level=1, city="上海")
    tell(world.acme, "b", 2, level="two", city="北京")
    rows(world.acme)
    with workspace_scope(world.acme):
        return world.acme, Attribute.objects.get(name="level")


def test_the_page_says_what_is_wrong_and_every_number_opens_its_people(counted, as_role):
    _workspace, level = counted
    client = as_role("operator")
    page = client.get("/w/acme/attributes/").content.decode()
    assert page.index("level") < page.index("city") and "?attribute=level&amp;conflict=1" in page
    people = {
        query: [row["external_id"] for row in client.get(f"/w/acme/users/?{query}").context["page"].rows]
        for query in ("attribute=level", "attribute=level&conflict=1", "attribute=city&conflict=1")
    }
    assert list(map(len, people.values())) == [2, 1, 0] and people["attribute=level&conflict=1"] == ["b"]
    assert "two" in client.get(f"/w/acme/attributes/{level.pk}/").content.decode()
    answer = client.post(f"/w/acme/attributes/{level.pk}/change/", {"label": "等级", "kind": "text", "personal": "1"})
    assert answer.status_code == 302
    assert "等级" in client.get("/w/acme/attributes/?q=等").content.decode()
    answer = client.post(f"/w/acme/attributes/{level.pk}/change/", {"label": "x" * 101, "kind": "text"})
    assert answer.status_code == 422 and "x" * 101 in answer.content.decode()
    assert as_role("analyst").post(f"/w/acme/attributes/{level.pk}/change/", {"label": "x"}).status_code == 403


def test_an_empty_catalogue_says_what_to_do(as_role, world):
    assert "/w/acme/connect/" in as_role("analyst").get("/w/acme/attributes/").content.decode()


def test_programs_read_the_catalogue(counted, world, client):
    answer = client.get("/api/v1/attributes", headers={"authorization": f"Bearer {world.acme_api_key}"})
    first = answer.json()["results"][0]
    assert (first["name"], first["kind"], first["people"], first["conflicts"]) == ("level", "number", 2, 1)


def test_the_builder_offers_comparisons_by_type(counted, as_role):
    from segmentation.definition import InvalidDefinition, parse
    from segmentation.vocabulary import Vocabulary

    workspace, _level = counted
    assert 'value="level" data-type="number"' in as_role("operator").get("/w/acme/segments/new/").content.decode()
    rule = {"kind": "attribute", "name": "level"}
    with workspace_scope(workspace):
        parse({**rule, "compare": "is", "text": "1"}, Vocabulary(workspace))
        for wrong, path in (
            ({"compare": "contains", "text": "1"}, "/compare"),
            ({"compare": "is", "text": "one"}, "/text"),
            ({"compare": "one_of", "texts": ["1", "one"]}, "/texts"),
        ):
            with pytest.raises(InvalidDefinition) as caught:
                parse({**rule, **wrong}, Vocabulary(workspace))
            assert caught.value.path == path
