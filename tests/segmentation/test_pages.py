"""The pages of segments, as a browser without script sees them, and the parts that the script asks for."""

from __future__ import annotations

import csv
import io
import json
import re
from typing import Any

import pytest
from django.test import Client

from segmentation.models import Segment, SegmentDay
from segmentation.services import create_segment
from tests.segmentation import world as small
from users.export_run import run_export
from users.models import EndUser, Export
from workspaces.scoping import workspace_scope

VIP = {"all": [{"kind": "tag", "match": "any", "tags": ["vip"]}]}
ROOT = "/w/acme/segments/"


@pytest.fixture
def page(world, client) -> Client:  # type: ignore[no-untyped-def]
    """The small world, and its operator logged in, reading English."""
    with workspace_scope(world.acme):
        small.settle(world.acme)
    client.force_login(world.operator)
    client.cookies["django_language"] = "en"
    return client


def keep(world: Any, name: str = "VIP", rule: Any = None) -> Segment:
    with workspace_scope(world.acme):
        return create_segment(name, rule or VIP, by=world.operator)


def find(world: Any, name: str) -> Segment | None:
    with workspace_scope(world.acme):
        return Segment.objects.filter(name=name).first()


def text(answer: Any) -> str:
    return answer.content.decode()


def form(answer: Any) -> dict[str, Any]:
    """What a browser without script would send back: the named inputs of the builder as they stand."""
    html = text(answer).split('id="builder"')[1].split("</form>")[0]
    values: dict[str, Any] = {}
    for tag in re.findall(r"<input[^>]*>", html):
        found = dict(re.findall(r'([\w-]+)="([^"]*)"', tag))
        if "name" in found and (found.get("type") not in ("checkbox", "radio") or " checked" in tag):
            values.setdefault(found["name"], []).append(found.get("value", "on"))
    for name, options in re.findall(r'<select[^>]*name="([^"]+)"[^>]*>(.*?)</select>', html, re.S):
        chosen = re.findall(r'<option value="([^"]*)"[^>]*selected', options)
        values[name] = chosen[:1] or re.findall(r'<option value="([^"]*)"', options)[:1]
    return values


def test_the_list_says_what_there_is_and_what_to_do_when_there_is_nothing(page, world):
    keep(world)
    html = text(page.get(ROOT))
    assert "VIP" in html and "Tagged vip" in html and "/w/acme/users/?segment=" in html
    assert "VIP" not in text(page.get(ROOT, {"q": "zzz"})).split("<main")[1]
    assert "No such segment" in text(page.get(ROOT, {"archived": "1", "q": "zzz"}))
    assert "Nothing is archived" in text(page.get(ROOT, {"archived": "1"}))
    assert ["VIP", "Tagged vip", "2", "2", "0", "2026-08-31"] in listed(page, f"{ROOT}?format=csv")
    with workspace_scope(world.acme):
        Segment.objects.all().delete()
    assert "Build the first one" in text(page.get(ROOT))


def listed(page: Client, url: str) -> list[list[str]]:
    """The rows of the list as a file."""
    file = b"".join(page.get(url).streaming_content).decode("utf-8-sig")
    return list(csv.reader(io.StringIO(file)))[1:]


def test_the_file_of_the_list_is_what_the_page_lists_and_not_only_its_first_page(page, world, monkeypatch):
    for name in ("one", "two", "three"):
        keep(world, name)
    page.post(f"{ROOT}{keep(world, 'put away').pk}/archive/")
    monkeypatch.setattr("segmentation.listing.PAGE", 2)

    def behind(query: str) -> set[str]:
        [url] = re.findall(r'href="(\?[^"]*format=csv[^"]*)"', text(page.get(f"{ROOT}{query}")))
        return {row[0] for row in listed(page, ROOT + url.replace("&amp;", "&"))}

    assert behind("") == behind("?page=2") == {"Regulars", "one", "two", "three"}
    for query in ("", "?page=2", "?q=zzz"):
        assert "4 segments; 3 changed with the last update" in text(page.get(f"{ROOT}{query}")), "not only those shown"
    assert behind("?q=o") == {"one", "two"} and behind("?archived=1") == {"put away"}


def test_a_segment_that_everybody_left_says_so(page, world):
    segment = keep(world)
    assert "2 people" in text(page.get(f"{ROOT}{segment.pk}/"))
    with workspace_scope(world.acme):
        SegmentDay.objects.filter(segment=segment).update(size=0, entered=0, left=2)
        Segment.objects.filter(pk=segment.pk).update(size=0)
    assert "0 people; 0 entered and 2 left with the last update." in text(page.get(f"{ROOT}{segment.pk}/"))


def test_one_segment_shows_its_rule_its_people_and_who_came(page, world):
    segment = keep(world)
    html = text(page.get(f"{ROOT}{segment.pk}/"))
    for words in (
        "Tagged vip",
        "An",
        "Chen",
        "Entered on 2026-08-31",
        f"/w/acme/users/?segment={segment.pk}",
        "exports/ask",
    ):
        assert words in html
    left = text(page.get(f"{ROOT}{segment.pk}/", {"show": "left", "on": "2026-08-31"}))
    assert "Nobody on this day" in left
    for query in ({"show": "x"}, {"on": "yesterday"}, {"after": "'"}, {"show": "entered", "on": "2026-99-99"}):
        assert page.get(f"{ROOT}{segment.pk}/", query).status_code == 200
    assert page.get(f"{ROOT}6b1f7d5e-3a0c-4a53-9d0f-2f1f4c9ab001/").status_code == 404


def test_a_rule_is_built_row_by_row_without_script(page, world):
    answer = page.get(f"{ROOT}new/")
    answer = page.post(f"{ROOT}new/", {**form(answer), "add": "1", "add-kind": "event_count"})
    assert answer.status_code == 200
    sent = {**form(answer), "row-0-event": "Order Completed", "row-0-days": ""}
    answer = page.post(f"{ROOT}new/", {**sent, "add": "1", "add-kind": "stage"})
    sent = {**form(answer), "row-1-stages": ["habit", "churned"], "row-1-not": "on"}
    assert sent["row-0-event"] == ["Order Completed"], "nothing typed is lost"
    answer = page.post(f"{ROOT}new/", {**sent, "preview": "1"})
    assert re.search(r'count-number num">1\b', text(answer)), "An ordered, and is neither habit nor churned"
    sent = form(answer)
    assert page.post(f"{ROOT}new/", {**sent, "duplicate": "0"}).content.count(b'-kind" value="event_count"') == 2
    assert page.post(f"{ROOT}new/", {**sent, "remove": "0"}).content.count(b'-kind" value="event_count"') == 0
    answer = page.post(f"{ROOT}new/", {**sent, "name": "one row at a time"})
    assert answer.status_code == 303
    segment = find(world, "one row at a time")
    assert segment.definition["all"][1] == {"not": {"kind": "stage", "stages": ["habit", "churned"]}}
    assert segment.size == 1


def test_what_is_wrong_is_said_at_its_row_and_nothing_typed_is_lost(page):
    answer = page.post(f"{ROOT}new/", {**form(page.get(f"{ROOT}new/")), "add": "1", "add-kind": "event_count"})
    sent = {**form(answer), "name": "", "row-0-event": "Order Completed", "row-0-count": "many"}
    answer = page.post(f"{ROOT}new/", sent)
    assert answer.status_code == 422
    assert "Enter a number." in text(answer) or "A name has 1 to 100 characters." in text(answer)
    answer = page.post(f"{ROOT}new/", {**sent, "name": "kept"})
    assert answer.status_code == 422 and 'value="many"' in text(answer) and 'value="kept"' in text(answer)
    assert "Enter a number." in text(answer)


def test_the_script_sends_the_rule_as_json(page, world):
    nested = {"any": [VIP, {"all": [{"kind": "attribute", "name": "city", "compare": "is", "text": "上海"}]}]}
    sent = {"by": "json", "name": "nested", "goal": "scale", "definition": json.dumps(nested)}
    answer = page.post(f"{ROOT}new/", sent)
    segment = find(world, "nested")
    assert (answer.status_code, answer["Location"]) == (303, f"{ROOT}{segment.pk}/")
    html = text(page.get(f"{ROOT}{segment.pk}/edit/"))
    assert 'name="by" value="json"' in html and "groups inside groups" in html
    page.post(f"{ROOT}{segment.pk}/edit/", {**sent, "name": "renamed", "definition": json.dumps(VIP)})
    segment = find(world, "renamed")
    assert (segment.definition, segment.size) == (VIP, 2)
    for definition in ("{", "[]", "null", '{"all": []}', "x" * 300_000):
        answer = page.post(f"{ROOT}new/", {**sent, "name": "bad", "definition": definition})
        assert answer.status_code == 422, definition[:10]


def test_any_picture_can_start_a_segment(page, world):
    segment = keep(world)
    starts = {
        "stage=habit,paying&activity=slipping": '"stages": ["habit", "paying"]',
        "rfm=champions&bits=111": '"groups": ["champions"]',
        f"definition={json.dumps(VIP)}": '"tags": ["vip"]',
        f"copy={segment.pk}": "VIP, copy",
        "stage=%27king&definition=": "builder",
        "definition={": "not valid JSON",
        "copy=x": "builder",
    }
    for query, words in starts.items():
        answer = page.get(f"{ROOT}new/?{query}")
        assert answer.status_code == 200 and words in text(answer).replace("&quot;", '"'), query


def test_the_live_part_counts_says_and_points(page, world):
    segment = keep(world)

    def count(rule: Any, **more: str) -> str:
        answer = page.post(f"{ROOT}count/", {"definition": json.dumps(rule), **more})
        assert answer.status_code == 200
        return text(answer)

    html = count(VIP)
    assert re.search(r'count-number num">2\b', html) and "Tagged vip" in html and "33.3%" in html and "An" in html
    html = count({"all": [VIP, {"kind": "fact", "fact": "orders", "compare": "at_least", "number": "x"}]})
    assert 'data-path="/all/1/number"' in html and 'data-code="invalid_value"' in html
    assert "<b>Metric · Number</b> Enter a number." in html and 'data-message="Enter a number."' in html
    assert "<b>Tag · Tags</b> Fill this in." in count({"all": [{"not": {"kind": "tag", "match": "any"}}, {"any": []}]})
    assert "No event “Sneezed” has arrived yet" in count(
        {"kind": "event_count", "event": "Sneezed", "times": "at_least", "count": 1}
    )
    itself = {"kind": "segment", "segment": str(segment.pk)}
    assert "cyclic_segment" in count(itself, segment=str(segment.pk)) and "count-number" in count(itself)


def test_suggestions_come_from_the_workspaces_own_data(page):
    def ask(**query: str) -> list[str]:
        return page.get(f"{ROOT}suggest/", query).json()["results"]

    assert set(ask(of="property", **{"for": "Order Completed"})) >= {"category", "total", "sku"}
    assert ask(of="value", **{"for": "city"})[0] == "上海"
    assert set(ask(of="value", **{"for": "level"})) >= {"1", "2", "3"}
    assert set(ask(of="fact", **{"for": "favourite_category"})) == {"美妆", "零食"}
    for nothing in (
        {},
        {"of": "property", "for": "x"},
        {"of": "fact", "for": "orders"},
        {"of": "value", "for": "\x00'"},
    ):
        assert ask(**nothing) == []


def test_the_export_runs_nothing_in_a_spreadsheet(page, world, settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path
    with workspace_scope(world.acme):
        EndUser.objects.filter(external_id="an").update(name='=HYPERLINK("http://evil")', city="+86", source="@x")
    segment = keep(world, "导出")
    rows, name = exported(page, world, f"segment={segment.pk}")
    assert rows[0][:2] == ["external_id", "name"] and len(rows) == 3
    an = next(row for row in rows if row[0] == "an")
    assert an[1] == '\'=HYPERLINK("http://evil")' and an[4] == "'+86" and an[5] == "'@x"
    assert an[6:] == ["paying", "active", "2", "35050", "", "2026-08-31"]
    assert "%E5%AF%BC%E5%87%BA" in name
    assert len(exported(page, world, f"segment={segment.pk}&show=left&on=2026-08-31")[0]) == 1


def exported(page, world, query):
    """The rows of the file that the page's button makes, and its name."""
    page.post("/w/acme/exports/ask/", {"kind": "members", "query": query})
    with workspace_scope(world.acme):
        export = Export.objects.latest("asked_at")
    run_export(world.acme, export.pk)
    answer = page.get(f"/w/acme/exports/{export.pk}/download/")
    text = b"".join(answer.streaming_content).decode("utf-8-sig")
    return list(csv.reader(io.StringIO(text))), answer["Content-Disposition"]


def test_putting_away_bringing_back_and_deleting(page, world):
    segment = keep(world)
    assert page.get(f"{ROOT}{segment.pk}/archive/").status_code == 405
    assert page.post(f"{ROOT}{segment.pk}/archive/")["Location"] == ROOT
    assert "Archived" in text(page.get(f"{ROOT}{segment.pk}/"))
    assert page.post(f"{ROOT}{segment.pk}/restore/")["Location"] == f"{ROOT}{segment.pk}/"
    user = keep(world, "user", {"kind": "segment", "segment": str(segment.pk)})
    refused = page.post(f"{ROOT}{segment.pk}/delete/", follow=True)
    assert "Still used by: user" in text(refused)
    page.post(f"{ROOT}{user.pk}/delete/")
    page.post(f"{ROOT}{segment.pk}/delete/")
    assert find(world, "VIP") is None


def test_an_analyst_looks_and_counts_but_changes_nothing(page, world, client):
    segment = keep(world)
    client.force_login(world.analyst)
    html = text(client.get(f"{ROOT}{segment.pk}/"))
    assert "exports/ask" not in html and "/edit/" not in html
    assert client.post(f"{ROOT}count/", {"definition": json.dumps(VIP)}).status_code == 200
    for path in ("new/", f"{segment.pk}/edit/", f"{segment.pk}/archive/", f"{segment.pk}/delete/"):
        assert client.post(f"{ROOT}{path}", {}).status_code == 403
    assert client.post("/w/acme/exports/ask/", {"kind": "members"}).status_code == 403
