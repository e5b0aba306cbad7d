"""What a check of a file of users says that it would do, against what taking the file in then does."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.users.test_import_people import PEOPLE, ROWS, take_in
from users import import_run
from users.csv_mapping import Mapping
from users.identity import merge_pending
from users.import_effects import OUTCOMES, forget_in_effects
from users.import_run import run_import
from users.imports import pause_import, resume_import
from users.ingest.normal import NormalAlias, NormalProfile, PersonKey
from users.models import EndUser, Import, person_id
from users.services import add_tag, record_events, set_consent
from workspaces.models import Workspace
from workspaces.scoping import workspace_scope

DAY = datetime(2026, 8, 1, tzinfo=UTC)
PLAIN = Mapping({"external_id": "external_id", "city": "city", "level": "property", "when": "time"}, kind="users")

MAIL = Mapping({"external_id": "external_id", "email": "email", "note": "skip"}, kind="users")


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(import_run, "CHUNK_ROWS", 2)


def known(acme: Workspace, external_id: str, days: int = 0, **traits: Any) -> None:
    record_events(acme, [NormalProfile(PersonKey(external_id), DAY + timedelta(days=days), traits)])


def people(file: Import) -> tuple[int, int, int]:
    return tuple(file.effects[name] for name in ("new", "changed", "unchanged"))  # type: ignore[return-value]


def column(file: Import, name: str) -> dict[str, int]:
    """Outcomes of a column that there are any of."""
    return {name: n for name, n in file.effects["columns"][name].items() if name in OUTCOMES and n}


def test_a_check_tells_what_each_column_would_do(acme: Workspace, tmp_path: Path) -> None:
    known(acme, "u2", email="old@b.com", name="B")
    with workspace_scope(acme):
        add_tag([person_id(acme.pk, "u2")], "vip")
        set_consent([person_id(acme.pk, "u2")], "email", True, "form", DAY)
    file = take_in(acme, tmp_path, [*ROWS, "u2,u2@b.com,,,,,,,no,"], PEOPLE, dry_run=True)
    assert people(file) == (1, 1, 0) and file.new_people == 1, "u3 and u4 are refused"
    told = {name: column(file, name) for name in file.effects["columns"]}
    assert told == {
        "email": {"set": 1, "changed": 2, "refused": 1},
        "phone": {"set": 1},
        "city": {"set": 2},
        "locale": {"set": 1},
        "zone": {"set": 1, "refused": 1},
        "registered_at": {"set": 1},
        "tags": {"set": 1, "same": 1},
        "consent_email": {"set": 1, "changed": 1},
        "level": {"set": 2},
    }
    found = file.effects["columns"]
    assert found["email"]["changes"][0] == {"line": 3, "who": "u2", "before": "old@b.com", "value": "u2@b.com"}
    assert found["consent_email"]["changes"] == [{"line": 7, "who": "u2", "before": "yes", "value": "no"}]
    assert [one["value"] for one in found["city"]["fills"]] == ["上海", "北京"]
    with workspace_scope(acme):
        assert not EndUser.objects.filter(external_id="u1").exists()
    assert take_in(acme, tmp_path, ROWS, PEOPLE).effects == {}


def test_what_is_known_already_or_in_newer_words_changes_nobody(acme: Workspace, tmp_path: Path) -> None:
    known(acme, "u1", city="上海", level=3)
    known(acme, "u2", days=9, city="广州")
    rows = ["u1,上海,3,2026-08-05", "u2,北京,,2026-08-05", "u1,上海,,2026-08-07"]
    file = take_in(acme, tmp_path, rows, PLAIN, dry_run=True)
    assert people(file) == (0, 0, 2)
    assert (column(file, "city"), column(file, "level")) == ({"same": 2, "older": 1}, {"same": 1})
    assert "when" not in file.effects["columns"] and "external_id" not in file.effects["columns"]


def test_of_a_persons_ids_each_is_looked_at_by_itself(acme: Workspace, tmp_path: Path) -> None:
    known(acme, "u1", city="上海")
    known(acme, "u9", city="北京")
    record_events(acme, [NormalAlias(PersonKey("u9"), PersonKey("u1"), DAY)])
    merge_pending(acme)
    with workspace_scope(acme):
        add_tag([person_id(acme.pk, "u9")], "vip")
    mapping = Mapping({"external_id": "external_id", "city": "city", "tags": "tags"}, kind="users")
    file = take_in(acme, tmp_path, ["u1,上海,vip", "u9,上海,老客"], mapping, dry_run=True)
    assert people(file) == (0, 1, 1)
    assert column(file, "city") == {"same": 1, "changed": 1} and column(file, "tags") == {"same": 1, "set": 1}


def test_a_check_that_was_interrupted_counts_everybody_once(acme: Workspace, tmp_path: Path, monkeypatch: Any) -> None:
    """u1 stands on both sides of the break; the row without an id is refused before it."""
    rows = [",上海,1,2026-08-05", *(f"u{n},上海,{n},2026-08-05" for n in (1, 2, 3, 4, 5, 6, 1))]
    taken = import_run.Run.take

    def pausing(run: Any, chunk: Any) -> bool:
        done = taken(run, chunk)
        pause_import(run.file)
        return done

    monkeypatch.setattr(import_run.Run, "take", pausing)
    file = take_in(acme, tmp_path, rows, PLAIN, dry_run=True)
    assert (file.state, file.rows, column(file, "city")) == ("paused", 2, {"set": 1})
    monkeypatch.setattr(import_run.Run, "take", taken)
    with workspace_scope(acme):
        resume_import(file)
    file = run_import(acme, file.pk)  # type: ignore[assignment]
    assert people(file) == (6, 0, 0) and column(file, "level") == {"set": 7}
    assert (file.rows, file.accepted, file.rejected, file.new_people) == (8, 7, 1, 6)
    assert len(file.effects["columns"]["city"]["fills"]) == 3


def test_an_erased_person_is_no_example(acme: Workspace, tmp_path: Path) -> None:
    file = take_in(acme, tmp_path, ["u1,上海,1,2026-08-05", "u2,北京,2,2026-08-05"], PLAIN, dry_run=True)
    with workspace_scope(acme):
        assert (forget_in_effects(["u1"]), forget_in_effects(["u1"])) == (1, 0)
        file.refresh_from_db()
    assert [one["who"] for one in file.effects["columns"]["city"]["fills"]] == ["u2"]
    assert column(file, "city") == {"set": 2}


cells = st.sampled_from(["", "上海", "北京"])
rows = st.lists(st.tuples(st.sampled_from("abc"), cells), min_size=1, max_size=6, unique_by=lambda row: row[0])


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(st.dictionaries(st.sampled_from("abc"), st.sampled_from(["上海", "北京"])), rows)
def test_what_a_check_says_is_what_happens(acme: Workspace, tmp_path: Path, had: dict[str, str], told: Any) -> None:
    mapping = Mapping({"external_id": "external_id", "city": "city"}, kind="users")
    with transaction.atomic():
        for name, city in had.items():
            known(acme, name, city=city)
        lines = [",".join(row) for row in told]
        check = take_in(acme, tmp_path, lines, mapping, dry_run=True)
        take_in(acme, tmp_path, lines, mapping)
        with workspace_scope(acme):
            now = dict(EndUser.objects.values_list("external_id", "city"))
        transaction.set_rollback(True)
    given_ = {name: city for name, city in told if city}
    changed = {name for name, city in now.items() if name in had and city != had[name]}
    new = now.keys() - had.keys()
    assert people(check) == (len(new), len(changed), len({name for name, _city in told}) - len(new | changed))
    outcome = [
        "set" if name not in had else "same" if city == had[name] else "changed" for name, city in given_.items()
    ]
    assert column(check, "city") == {name: outcome.count(name) for name in set(outcome)}


def test_the_page_and_the_api_tell_what_a_check_found(
    acme: Workspace, world: Any, as_role: Any, tmp_path: Path
) -> None:
    known(acme, "u2", email="old@b.com")
    file = take_in(acme, tmp_path, ["u1,u1@b.com,x", "u2,<b>@b.com,x", "u2,new@b.com,x"], MAIL, dry_run=True)
    client = as_role("analyst")
    page = client.get(f"/w/acme/imports/{file.pk}/", headers={"Accept-Language": "en"}).content.decode()
    row = page.partition('<th scope="row">email</th>')[2].partition("</table>")[0]
    assert [part.partition("<")[0] for part in row.split('">')[1:6]] == ["1", "1", "0", "0", "1"]
    assert "<del>old@b.com</del> → <ins>new@b.com</ins>" in row and "Line 4, u2:" in row
    chinese = client.get(f"/w/acme/imports/{file.pk}/", headers={"Accept-Language": "zh-CN"}).content.decode()
    assert "第 4 行，u2：" in chinese and "Newer known" not in chinese
    headers = {"Authorization": f"Bearer {world.acme_api_key}"}
    told = client.get(f"/api/v1/imports/{file.pk}", headers=headers).json()
    assert (told["kind"], told["dry_run"], told["state"], told["rejected"]) == ("users", True, "done", 1)
    assert told["effects"] == file.effects and told["effects"]["columns"]["email"]["changed"] == 1
    assert client.get("/api/v1/imports", headers=headers).json()["results"] == [told]
    stranger = {"Authorization": f"Bearer {world.other_api_key}"}
    assert client.get(f"/api/v1/imports/{file.pk}", headers=stranger).status_code == 404
    assert client.get("/api/v1/imports", headers=stranger).json() == {"results": []}
