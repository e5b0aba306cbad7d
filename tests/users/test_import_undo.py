"""What cancelling and undoing an import leave: everything as it was, but for the import itself and what others sent."""

from __future__ import annotations

import json
import uuid
from datetime import UTC, date, datetime
from typing import Any

import pytest
from django.db import connection

from ops_platform.nightly import run_night
from tests.users.conftest import track
from tests.users.test_imports import counts, queue, run_import, stop_at, write_file
from users import import_run
from users.csv_mapping import Mapping
from users.imports import cancel_import, undo_import
from users.ingest.normal import NormalProfile, PersonKey
from users.ingest.people import array
from users.models import Consent, EndUser, Import, ImportBatch, person_id
from users.services import set_consent, upsert_people
from workspaces.models import AuditEntry, Workspace
from workspaces.scoping import workspace_scope
from workspaces.sql import read_sql

COLUMNS = {"uid": "external_id", "at": "time", "total": "amount", "mail": "email", "town": "city"}
HEADER = "uid,at,total,mail,town"
ROWS = [f"u{n % 12},2026-08-{n % 27 + 1:02d},{n}.50,u{n % 12}@{n % 3}.com,town{n % 5}" for n in range(60)]
DUMPED = "event end_user facts person_day purchase standing consent stage_change rfm_score segment_member".split()


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: Any) -> None:
    monkeypatch.setattr(import_run, "CHUNK_ROWS", 7)


def dump(workspace: Workspace, *tables: str) -> dict[str, list[dict[str, Any]]]:
    """Every row of what an import may change."""
    with workspace_scope(workspace), connection.cursor() as cursor:
        told = {}
        for table in tables or DUMPED:
            cursor.execute(f"select (to_jsonb(t) - 'received_at')::text from {table} t order by 1")
            told[table] = [json.loads(row) for (row,) in cursor.fetchall()]
        return told


def undo(workspace: Workspace, file: Import | None) -> Import:
    assert file is not None
    with workspace_scope(workspace):
        assert undo_import(file)
    undone = run_import(workspace, file.pk)
    assert undone is not None and undone.state == "undone"
    with workspace_scope(workspace):
        assert not ImportBatch.objects.filter(file=undone.pk).exists() and not undo_import(undone)
    return undone


def some_history(send: Any) -> None:
    """u1 and u2 are known already: u1 later than the file tells, u2 with an address that is newer than the file's."""
    send("track", track("1", userId="u1", timestamp="2026-08-05T00:00:00Z", properties={"total": 5}))
    send("identify", track("2", type="identify", userId="u2", event=None, traits={"email": "new@b.com", "name": "B"},
                           timestamp="2026-08-30T00:00:00Z"))  # fmt: skip
    send("identify", track("3", type="identify", userId="u3", event=None, traits={"email": "old@b.com"},
                           timestamp="2026-07-01T00:00:00Z"))  # fmt: skip


NIGHT = date(2026, 9, 1)


def test_an_undone_import_leaves_everything_as_it_was_and_the_next_night_too(acme, send, tmp_path):
    some_history(send)
    run_night(acme, NIGHT)
    before = dump(acme)
    path = write_file(tmp_path, ROWS, HEADER)
    file = run_import(acme, queue(acme, path, mapping=Mapping(COLUMNS)).pk)
    assert counts(file) == ("done", 60, 60, 0, 0, 9)
    run_night(acme, NIGHT)
    assert dump(acme)["facts"] != before["facts"]
    undone = undo(acme, file)
    assert (undone.undone, undone.undone_people) == (60, 9)
    run_night(acme, NIGHT)
    assert dump(acme) == before
    with workspace_scope(acme):
        assert set(AuditEntry.objects.filter(action__startswith="import").values_list("action", flat=True)) == {
            "import.run",
            "import.undo",
        }
    again = run_import(acme, queue(acme, path, mapping=Mapping(COLUMNS)).pk)
    assert counts(again) == ("done", 60, 60, 0, 0, 9)


def test_a_cancelled_import_takes_back_what_it_stored(acme, send, tmp_path, monkeypatch):
    some_history(send)
    before = dump(acme)
    queued = queue(acme, write_file(tmp_path, ROWS, HEADER), mapping=Mapping(COLUMNS))
    stop_at(monkeypatch, 21, cancel_import)
    file = run_import(acme, queued.pk)
    assert file is not None and (file.state, file.rows, file.undone) == ("cancelled", 21, 21)
    assert dump(acme) == before


def test_what_others_sent_in_between_stays(acme, send, tmp_path):
    """The same end as if the import had never been: a second workspace without it is the measure."""
    some_history(send)
    file = run_import(acme, queue(acme, write_file(tmp_path, ROWS, HEADER), mapping=Mapping(COLUMNS)).pk)

    def afterwards() -> None:
        send("track", track("a", userId="u1", timestamp="2026-08-03T00:00:00Z"))
        send("track", track("b", userId="u5", timestamp="2026-08-20T00:00:00Z"))
        send("identify", track("c", type="identify", userId="u6", event=None, traits={"email": "six@b.com"},
                               timestamp="2026-08-31T00:00:00Z"))  # fmt: skip
        send("identify", track("d", type="identify", userId="u7", event=None, traits={"name": "Seven"},
                               timestamp="2026-08-31T00:00:00Z"))  # fmt: skip

    afterwards()
    with workspace_scope(acme):
        set_consent([person_id(acme.pk, "u8")], "email", False, "link")
    undo(acme, file)
    left = dump(acme)
    with workspace_scope(acme):
        assert Consent.objects.get().end_user_id == person_id(acme.pk, "u8")
        kept = EndUser.objects.get(external_id="u8")
        assert (kept.email, kept.attributes, kept.attribute_times) == ("", {}, {})
        EndUser.objects.all().delete()
        Consent.objects.all().delete()
        with connection.cursor() as cursor:
            cursor.execute("delete from event")
    some_history(send)
    afterwards()
    plain = dump(acme)
    assert left["event"] == plain["event"]
    assert [row for row in left["end_user"] if row["external_id"] != "u8"] == plain["end_user"]


def test_an_event_that_was_there_before_is_not_taken_back(acme, tmp_path):
    path = write_file(tmp_path, ROWS[:20], HEADER)
    run_import(acme, queue(acme, path, mapping=Mapping(COLUMNS)).pk)
    before = dump(acme)
    longer = write_file(tmp_path, ROWS, HEADER)
    file = run_import(acme, queue(acme, longer, mapping=Mapping(COLUMNS)).pk)
    assert counts(file)[2:4] == (40, 20)
    undo(acme, file)
    assert dump(acme) == before


def test_people_who_were_merged_since_give_back_what_is_theirs(acme, send, tmp_path):
    from users.identity import merge_pending

    some_history(send)
    file = run_import(acme, queue(acme, write_file(tmp_path, ROWS, HEADER), mapping=Mapping(COLUMNS)).pk)
    alias = {
        "type": "alias",
        "previousId": "u1",
        "userId": "u9",
        "messageId": "al",
        "timestamp": "2026-08-30T00:00:00Z",
    }
    send("alias", alias)
    merge_pending(acme)
    undo(acme, file)
    left = dump(acme)
    with workspace_scope(acme):
        people = {person.external_id: person for person in EndUser.objects.all()}
    assert set(people) == {"u1", "u2", "u3", "u9"}
    assert people["u1"].merged_into == people["u9"].pk and people["u9"].attributes == {}
    assert len(left["event"]) == 1 and left["event"][0]["end_user_id"] == str(people["u9"].pk)


def test_a_check_is_cancelled_without_anything_to_take_back(acme, tmp_path, monkeypatch):
    queued = queue(acme, write_file(tmp_path, ROWS, HEADER), dry_run=True, mapping=Mapping(COLUMNS))
    stop_at(monkeypatch, 21, cancel_import)
    file = run_import(acme, queued.pk)
    assert file is not None and file.state == "cancelled"
    with workspace_scope(acme):
        assert not undo_import(file)


def test_the_first_event_left_of_each_person_is_found_by_the_key(acme):
    """Row-level security lets only some comparisons use an index: with another each person read the whole table."""
    with workspace_scope(acme), connection.cursor() as cursor:
        cursor.execute("set local enable_seqscan = off")
        told = {"ids": array([uuid.uuid4()]), "workspace": acme.pk}
        cursor.execute(f"explain {read_sql('users/undo_first_events')}", told)
        plan = "\n".join(line for (line,) in cursor.fetchall())
    assert "Seq Scan on event" not in plan


def test_devices_that_an_import_told_of_go_back_to_whom_they_were(acme, tmp_path):
    known = NormalProfile(PersonKey("u1"), datetime(2026, 7, 1, tzinfo=UTC), {"push_token": "phone"})
    upsert_people(acme, [known])
    before = dump(acme, "push_device", "end_user")
    path = write_file(tmp_path, ["u2,phone,2026-08-01", "u3,other,2026-08-01"], "uid,push_token,at")
    mapping = Mapping({"uid": "external_id", "at": "time"}, kind="users")
    file = run_import(acme, queue(acme, path, mapping=mapping).pk)
    with workspace_scope(acme):
        told = dict(EndUser.objects.values_list("external_id", "push_token"))
    assert told == {"u1": "", "u2": "phone", "u3": "other"}
    undo(acme, file)
    assert dump(acme, "push_device", "end_user") == before
