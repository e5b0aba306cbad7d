"""Tags by hand, over the API and by rule: who has one, where it shows, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from ops_platform import list_exports
from ops_platform.people_list import PeopleQuery
from segmentation.definition import parse
from segmentation.models import Segment, SegmentMember
from segmentation.services import archive_segment, delete_segment, in_order, refresh_segments, update_segment
from segmentation.tagging import bind_tag, list_tags, ruled_tags, unbind_tag
from segmentation.vocabulary import Vocabulary
from tests.segmentation.test_conditions import names_of
from tests.segmentation.world import TODAY, add_segment, pk
from users.models import EndUser
from users.profiles import MOST_TAGS, add_tag
from workspaces.errors import Conflict, DomainError
from workspaces.models import AuditEntry
from workspaces.scoping import workspace_scope


def tagged(scope: Any, *tags: str, match: str = "any") -> set[str]:
    return names_of(parse({"kind": "tag", "match": match, "tags": list(tags)}, Vocabulary(scope)), scope)


def listed(scope: Any, tag: str) -> set[str]:
    return {row["name"] for row in PeopleQuery(scope, {"tag": tag}).page().rows}


def test_who_enters_the_segment_has_its_tag_and_who_leaves_loses_it(scope, regulars, world):
    rule = bind_tag(" core  buyers ", regulars, world.operator)
    assert tagged(scope, "core buyers") == listed(scope, "core buyers") == {"An", "Chen"}
    assert tagged(scope, "core buyers", "美妆达人", match="all") == {"An"}
    assert tagged(scope, "core buyers", "美妆达人") == {"An", "Bo", "Chen"}
    assert ruled_tags([pk(scope, "An"), pk(scope, "Bo")]) == {pk(scope, "An"): ["core buyers"]}
    in_file = {row[1]: row[6] for row in list_exports.page_people(scope, {"tag": "core buyers"}, "", 10)[0]}
    assert in_file == {
        row["name"]: ", ".join(row["tags"]) for row in PeopleQuery(scope, {"tag": "core buyers"}).page().rows
    }
    SegmentMember.objects.filter(end_user=pk(scope, "An")).delete()
    assert tagged(scope, "core buyers") == {"Chen"}
    assert next(row for row in list_tags() if row["tag"] == "core buyers")["rule"] == rule
    unbind_tag(rule, world.operator)
    assert tagged(scope, "core buyers") == listed(scope, "core buyers") == set()
    assert list(AuditEntry.objects.filter(target="core buyers").order_by("at").values_list("action", flat=True)) == [
        "tag.bind",
        "tag.unbind",
    ]


def test_a_tag_by_hand_and_one_by_rule_do_not_take_one_another_away(scope, regulars):
    rule = bind_tag("vip", regulars)
    assert tagged(scope, "vip") == {"An", "Chen"}
    add_tag([pk(scope, "Bo")], "vip")
    assert tagged(scope, "vip") == listed(scope, "vip") == {"An", "Bo", "Chen"}
    assert next(row["people"] for row in list_tags() if row["tag"] == "vip") == 3
    unbind_tag(rule)
    assert tagged(scope, "vip") == {"An", "Bo", "Chen"}, "An and Chen had it by hand as well"


def test_a_rule_never_leads_back_to_itself(scope, regulars):
    asks = {"all": [{"kind": "tag", "match": "any", "tags": ["loop"]}]}
    other = add_segment(scope, "Other")
    update_segment(other, definition=asks)
    with pytest.raises(DomainError) as caught:
        bind_tag("loop", other)
    assert (caught.value.code, caught.value.path) == ("cyclic_segment", "segment")
    bind_tag("loop", regulars)
    with pytest.raises(DomainError) as caught:
        update_segment(regulars, definition={"all": [{"kind": "segment", "segment": str(other.pk)}]})
    assert caught.value.code == "cyclic_segment"
    assert [one.name for one in in_order([other, regulars])] == ["Regulars", "Other"], "whom a tag comes from is first"
    refresh_segments(scope, TODAY)
    members = SegmentMember.objects.filter(segment=other).values_list("end_user__name", flat=True)
    assert set(members) == tagged(scope, "loop")


def test_what_cannot_be_is_refused_and_names_its_field(scope, regulars, world, monkeypatch):
    bind_tag("vip", regulars)
    with pytest.raises(Conflict):
        bind_tag("vip", add_segment(scope, "Other"))
    for tag in ("", "x" * 51):
        with pytest.raises(DomainError) as caught:
            bind_tag(tag, regulars)
        assert caught.value.path == "tag"
    for change in (archive_segment, delete_segment):
        with pytest.raises(Conflict, match="vip"):
            change(regulars)
    monkeypatch.setattr("segmentation.tagging.MOST_RULES", 1)
    with pytest.raises(DomainError):
        bind_tag("one more", regulars)
    Segment.objects.filter(pk=regulars.pk).update(archived_at="2026-08-31T00:00:00Z")
    with pytest.raises(Conflict):
        bind_tag("late", Segment.objects.get(pk=regulars.pk))


def test_nobody_has_more_tags_than_the_page_can_bear(scope, regulars):
    EndUser.objects.filter(name="Bo").update(tags=[f"t{n}" for n in range(MOST_TAGS)])
    add_tag([pk(scope, "Bo")], "t1")  # is there already
    with pytest.raises(DomainError, match="bo") as caught:
        add_tag([pk(scope, "An"), pk(scope, "Bo")], "one more")
    assert caught.value.code == "too_many" and tagged(scope, "one more") == set()


def test_the_page_shows_every_tag_and_takes_rules(scope, regulars, as_role):
    client = as_role("operator")
    answer = client.post("/w/acme/tags/rules/", {"tag": "core", "segment": str(regulars.pk)})
    assert answer.status_code == 302
    page = client.get("/w/acme/tags/?q=co").content.decode()
    assert "Regulars" in page and "美妆达人" not in page
    for wrong in ({"tag": "core", "segment": str(regulars.pk)}, {"tag": "x", "segment": "no"}, {"segment": "\0"}):
        assert client.post("/w/acme/tags/rules/", wrong).status_code in (400, 422)
    person = client.get(f"/w/acme/users/{pk(scope, 'An')}/").content.decode()
    assert "?tag=core" in person and "去掉标签 core" not in person and "去掉标签 vip" in person
    [row] = [row for row in list_tags() if row["rule"]]
    assert client.post(f"/w/acme/tags/rules/{row['rule'].pk}/delete/").status_code == 302
    assert not [row for row in list_tags() if row["rule"]]


def test_programs_tag_one_person_or_many(scope, regulars, world, client):
    bind_tag("core", regulars)

    def ask(method: str, path: str, body: Any = None) -> Any:
        headers = {"authorization": f"Bearer {world.acme_api_key}"}
        return getattr(client, method)(f"/api/v1/{path}", body, content_type="application/json", headers=headers)

    an = EndUser.objects.get(name="An").external_id
    answer = ask("post", f"users/{an}/tags", {"add": ["new", "vip"], "remove": ["美妆达人", "never"]})
    assert answer.json() == {"tags": ["vip", "new", "core"]}
    assert ask("get", f"users/{an}").json()["tags"] == ["vip", "new", "core"]
    people = [EndUser.objects.get(name=name).external_id for name in ("An", "Bo")]
    answer = ask("post", "tags", {"tag": "new", "users": [*people, "nobody"]})
    assert answer.json() == {"changed": 1, "unknown": ["nobody"]}
    answer = ask("post", "tags", {"tag": "new", "users": people, "remove": True})
    assert answer.json() == {"changed": 2, "unknown": []}
    found = {row["tag"]: row for row in ask("get", "tags").json()["results"]}
    assert found["core"]["segment"] == str(regulars.pk) and found["vip"]["segment"] is None
    for path, body, field in (
        ("tags", {"tag": "x" * 51, "users": ["a"]}, "tag"),
        ("tags", {"tag": "x", "users": ["a"] * 1001}, "users"),
        ("tags", {"tag": "x", "users": []}, "users"),
        (f"users/{an}/tags", {"add": "vip"}, "add"),
        (f"users/{an}/tags", {"add": ["x" * 51]}, "add"),
    ):
        answer = ask("post", path, body)
        assert answer.status_code == 400 and field in answer.content.decode(), (path, body)
    assert ask("post", "users/nobody/tags", {"add": ["x"]}).status_code == 404
    with workspace_scope(world.other):
        assert list_tags() == []
