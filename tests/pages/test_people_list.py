"""The list of people: its conditions, its pages, and what it does with an address that makes no sense."""

from __future__ import annotations

from typing import Any

import pytest

from ops_platform import people_list
from ops_platform.people_list import PeopleQuery
from tests import builders
from tests.planner import noting_loops
from workspaces.scoping import workspace_scope


def found(workspace: Any, **query: str) -> list[str]:
    with workspace_scope(workspace):
        return [row["external_id"] for row in PeopleQuery(workspace, query).page().rows]


CONDITIONS: list[tuple[dict[str, str], set[str]]] = [
    ({"q": "reg"}, {"reg1", "reg2"}),
    ({"q": "张"}, {"reg1"}),
    ({"q": "slip@mail"}, {"slip"}),
    ({"q": "%"}, set()),
    ({"activity": "slipping"}, {"slip"}),
    ({"stage": "churned"}, {"gone"}),
    ({"stage": "contact"}, {"look"}),
    ({"stage": "contact,churned"}, {"look", "gone"}),
    ({"source": "自然"}, {"reg1", "slip"}),
    ({"source": "—"}, {"look"}),
    ({"source": "", "activity": "slipping"}, {"slip"}),
    ({"first_order_from": "2026-08-15"}, {"new1", "new2"}),
    ({"first_order_from": "", "first_order_to": "2026-08-15"}, {"reg1", "reg2", "slip", "gone"}),
    ({"orders": "1"}, {"new1", "new2"}),
    ({"first_order_from": "2026-08-15", "first_order_to": "2026-08-25"}, {"new1", "new2"}),
    ({"seen_on": "2026-08-31"}, {"reg1", "reg2"}),
    ({"ordered_on": "2026-08-19"}, {"new1", "new2", "reg1"}),
    ({"reach": "email"}, {"reg1", "reg2", "slip", "gone", "new1", "new2", "look"}),
    ({"reach": "push"}, set()),
    ({"stage": "habit", "activity": "slipping"}, {"slip"}),
]


def test_a_condition_finds_exactly_its_people(told: Any) -> None:
    for query, expected in CONDITIONS:
        assert set(found(told.acme, **query)) == expected, query


@pytest.mark.parametrize(
    ("query", "loops"),
    [
        ({"stage": "habit", "as_of": "2026-08-01"}, "off"),
        ({"seen_from": "2026-08-01", "seen_to": "2026-08-30", "lost": "1"}, "off"),
        ({"stage": "habit"}, "on"),
    ],
)
def test_those_whom_most_may_be_among_are_joined_as_sets(told: Any, query: dict[str, str], loops: str) -> None:
    with workspace_scope(told.acme), noting_loops("from end_user u") as found:
        asked = PeopleQuery(told.acme, query)
        asked.page()
    # How many, whom, everything about them.
    assert found == [loops, loops, "on"][: 3 if asked.count[0] else 1]


def test_tags_are_found_after_they_were_given(told: Any, as_role: Any) -> None:
    client = as_role("operator")
    ids = client.get("/w/acme/users/?q=reg").context["page"].rows
    for _twice in range(2):
        client.post("/w/acme/users/change/", {"verb": "tag", "tag": "VIP", "person": [row["id"] for row in ids]})
    assert set(found(told.acme, tag="VIP")) == {"reg1", "reg2"}
    client.post("/w/acme/users/change/", {"verb": "untag", "tag": "VIP", "person": [ids[0]["id"]]})
    assert len(found(told.acme, tag="VIP")) == 1


def test_everybody_who_matches_is_tagged_at_once(told: Any, as_role: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(people_list, "PAGE", 1)
    client = as_role("operator")
    assert 'value="tag_everybody"' not in client.get("/w/acme/users/").content.decode()
    assert 'value="tag_everybody"' in client.get("/w/acme/users/?orders=1").content.decode()
    change = {"verb": "tag_everybody", "tag": "once", "query": "orders=1&sort=spend"}
    client.post("/w/acme/users/change/", change)
    monkeypatch.undo()
    assert set(found(told.acme, tag="once")) == {"new1", "new2"}
    monkeypatch.setattr(people_list, "CHANGED_AT_ONCE", 1)
    client.post("/w/acme/users/change/", change | {"tag": "never"})
    assert found(told.acme, tag="never") == []


def test_excluded_people_leave_the_list_and_can_come_back(told: Any, as_role: Any) -> None:
    client = as_role("operator")
    person = client.get("/w/acme/users/?q=look").context["page"].rows[0]["id"]
    client.post("/w/acme/users/change/", {"verb": "exclude", "reason": "staff", "person": person})
    assert "look" not in found(told.acme)
    assert found(told.acme, who="excluded") == ["look"]
    assert "?q=look&amp;who=excluded" in client.get("/w/acme/users/?q=look").content.decode()
    assert "who=excluded" not in client.get("/w/acme/users/?q=lookout").content.decode()
    assert "look · staff" in client.get("/w/acme/users/?who=excluded").content.decode()
    client.post("/w/acme/users/change/", {"verb": "include", "person": person})
    assert "look" in found(told.acme)


def test_an_analyst_changes_nobody(told: Any, as_role: Any) -> None:
    response = as_role("analyst").post("/w/acme/users/change/", {"verb": "tag", "tag": "x"})
    assert response.status_code == 403


@pytest.mark.parametrize("counted", [1, 100])
def test_pages_lead_through_everybody_once_and_back(told: Any, monkeypatch: pytest.MonkeyPatch, counted: int) -> None:
    """Also where there are more than can be counted, of whom not all are found first."""
    monkeypatch.setattr(people_list, "PAGE", 2)
    monkeypatch.setattr(people_list, "COUNTED_UP_TO", counted)
    for sort in people_list.SORTS:
        walk(told.acme, sort)


def walk(workspace: Any, sort: str) -> None:
    with workspace_scope(workspace):
        everybody, pages, cursor = [], [], ""
        while True:
            page = PeopleQuery(workspace, {"sort": sort, "after": cursor} if cursor else {"sort": sort}).page()
            pages.append([row["external_id"] for row in page.rows])
            everybody += pages[-1]
            cursor = page.after
            if not cursor:
                break
        assert sorted(everybody) == ["gone", "look", "new1", "new2", "reg1", "reg2", "slip"]
        back = PeopleQuery(workspace, {"sort": sort, "before": page.before}).page()
        assert [row["external_id"] for row in back.rows] == pages[-2]


NONSENSE = [
    "stage=nonsense",
    "activity=&rfm=&bits=9",
    "segment=not-a-uuid",
    "segment=00000000-0000-0000-0000-000000000007",
    "on=2026-13-45&from=use",
    "from=use&to=nonsense",
    "since=yesterday&to=habit",
    "r=9&f=-1&m=x",
    "recall=99999999999999999999",
    "orders=1e9",
    "after=%00%00&before=zzzz",
    "after=eHx5",
    "q=%00",
    "q=%5C%25_%27%22",
    "source=%00",
    "sort=drop+table",
    "who=everyone",
    "reach=pigeon",
    "tag=%00",
    "city=%00",
    "first_order_from=2026-08-01",
    "moved=sideways",
]


def test_an_address_that_makes_no_sense_still_shows_a_list(told: Any, as_role: Any) -> None:
    client = as_role("analyst")
    for query in NONSENSE:
        assert client.get(f"/w/acme/users/?{query}").status_code == 200, query


def test_a_nul_breaks_no_page(told: Any, as_role: Any) -> None:
    client, nul = as_role("owner"), "a\0b"
    for path, names in {
        "campaigns/": ("q", "state", "channel"),
        "suppressions/": ("q",),
        "settings/audit/": ("q",),
    }.items():
        for name in names:
            assert client.get(f"/w/acme/{path}", {name: nul}).status_code == 200, path
    for path, names in {
        "campaigns/preview/": ("person", "name"),
        "suppressions/remove/": ("channel", "address"),
        "channels/email/": ("host", "username", "password"),
        "channels/email/test/": ("address",),
    }.items():
        assert client.post(f"/w/acme/{path}", dict.fromkeys(names, nul)).status_code < 500, path


def test_another_workspaces_people_are_never_listed(told: Any, as_role: Any) -> None:
    builders.person(told.other, "alien", name="Alien")
    assert "alien" not in found(told.acme, q="alien")


def test_the_sentence_of_the_list_can_be_taken_apart(told: Any, as_role: Any) -> None:
    parts = as_role("analyst").get("/w/acme/users/?stage=habit&activity=slipping&sort=risk").context["parts"]
    assert [part["remove"] for part in parts] == [
        "/w/acme/users/?activity=slipping&sort=risk",
        "/w/acme/users/?stage=habit&sort=risk",
    ]
