"""Taking in files: counted before, stored once, resumed where it stopped, and CDNOW to the cent."""

from __future__ import annotations

import io
import json
from datetime import timedelta
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from tests.users.conftest import stored, track
from users import import_run
from users.csv_mapping import Mapping
from users.import_run import Run, claim, due_imports, run_import, work_through
from users.imports import change_layout, forget_files, open_file, pause_import, resume_import, start_import
from users.models import Consent, EndUser, Event, EventName, Import, ImportRowError, Touched, person_id
from users.selectors import failure_of
from users.services import set_consent
from users.tasks import run_imports
from workspaces.errors import Conflict, DomainError
from workspaces.models import Workspace
from workspaces.scoping import workspace_scope

ROLES = {"uid": "external_id", "at": "time", "total": "amount"}


def write_file(folder: Path, rows: list[str], header: str = "uid,at,total") -> Path:
    path = folder / "orders.csv"
    path.write_text("\n".join([header, *rows]) + "\n")
    return path


def queue(workspace: Workspace, path: Path, dry_run: bool = False, mapping: Mapping | None = None) -> Import:
    with workspace_scope(workspace):
        file = open_file(path, path.name)
        start_import(file, mapping or Mapping(ROLES), dry_run)
        return Import.objects.get(pk=file.pk)


def counts(file: Import | None) -> tuple:
    assert file is not None
    return file.state, file.rows, file.accepted, file.duplicates, file.rejected, file.new_people


def tables(workspace: Workspace) -> list[int]:
    with workspace_scope(workspace):
        return [model.objects.count() for model in (Event, EndUser, EventName, Touched, Consent)]


@pytest.fixture
def small_chunks(monkeypatch: Any) -> None:
    monkeypatch.setattr(import_run, "CHUNK_ROWS", 10)


ROWS = [f"u{n % 30},2026-08-{n % 28 + 1:02d},{n}.50" for n in range(100)]


def test_a_dry_run_counts_what_a_run_would_and_writes_nothing(acme, tmp_path, small_chunks):
    path = write_file(tmp_path, [*ROWS, "u1,never,1", ROWS[0]])
    before = tables(acme)
    file = run_import(acme, queue(acme, path, dry_run=True).pk)
    assert counts(file) == ("done", 102, 101, 0, 1, 30)
    assert tables(acme) == before
    assert counts(run_import(acme, queue(acme, path).pk)) == counts(file)


def test_the_same_file_again_adds_nothing(acme, tmp_path, small_chunks):
    path = write_file(tmp_path, ROWS)
    assert counts(run_import(acme, queue(acme, path).pk)) == ("done", 100, 100, 0, 0, 30)
    before = tables(acme)
    assert counts(run_import(acme, queue(acme, path).pk)) == ("done", 100, 0, 100, 0, 0)
    assert tables(acme) == before


def test_two_equal_rows_are_two_orders_and_a_longer_file_adds_only_what_is_new(acme, tmp_path, small_chunks):
    twice = ["u1,2026-08-01,5"] * 2
    run_import(acme, queue(acme, write_file(tmp_path, [*twice, *ROWS])).pk)
    assert len(stored(acme)) == 102
    longer = write_file(tmp_path, [*ROWS[50:], *twice, "u1,2026-08-01,5", *ROWS[:50], "u99,2026-08-01,1"])
    assert counts(run_import(acme, queue(acme, longer).pk))[2:] == (2, 102, 0, 1)


def test_the_encoding_and_the_delimiter_do_not_make_other_rows(acme, tmp_path):
    path = write_file(tmp_path, ["张三,2026-08-01,5"])
    run_import(acme, queue(acme, path).pk)
    path.write_bytes("uid;at;total\n张三;2026-08-01;5\n".encode("gb18030"))
    assert counts(run_import(acme, queue(acme, path).pk))[3] == 1


def test_errors_have_line_column_reason_and_value(acme, tmp_path):
    path = write_file(
        tmp_path, ["u1,2026-08-01,5", "null,2026-08-01,5", "u1,03/04/2026,5", "u1,2026-08-01,=1+1", "u1,2026-08-01"]
    )
    file = run_import(acme, queue(acme, path).pk)
    with workspace_scope(acme):
        told = [(e.line, e.column, e.code, e.value) for e in ImportRowError.objects.filter(file=file).order_by("line")]
    assert told == [
        (3, "uid", "invalid_identifier", "null"),
        (4, "at", "invalid_timestamp", "03/04/2026"),
        (5, "total", "invalid_amount", "=1+1"),
        (6, "", "wrong_columns", ""),
    ]
    assert counts(file)[:5] == ("done", 5, 1, 0, 4)


def test_a_worker_that_died_is_followed_by_one_that_goes_on_where_it_stopped(acme, tmp_path, small_chunks, monkeypatch):
    queued = queue(acme, write_file(tmp_path, [*ROWS, *ROWS[:5]]))
    with workspace_scope(acme):
        file = claim(queued.pk)
        assert claim(queued.pk) is None  # somebody has it
    assert file is not None
    taken = Run.take
    monkeypatch.setattr(Run, "take", lambda self, chunk: taken(self, chunk) if chunk.position < 40 else 1 / 0)
    with pytest.raises(ZeroDivisionError):
        work_through(acme, file)
    monkeypatch.setattr(Run, "take", taken)
    assert len(stored(acme)) == 40
    with workspace_scope(acme):
        assert due_imports(timezone.now()) == []
        later = timezone.now() + timedelta(minutes=3)
        assert due_imports(later) == [queued.pk]
        Import.objects.update(heartbeat_at=timezone.now() - timedelta(minutes=3))
    assert counts(run_import(acme, queued.pk)) == ("done", 105, 105, 0, 0, 30)


def test_a_worker_that_was_only_slow_stops_when_another_took_over(acme, tmp_path, small_chunks):
    queued = queue(acme, write_file(tmp_path, ROWS))
    with workspace_scope(acme):
        slow = claim(queued.pk)
        Import.objects.update(heartbeat_at=timezone.now() - timedelta(minutes=3))
    assert slow is not None
    assert counts(run_import(acme, queued.pk))[2] == 100
    assert counts(work_through(acme, slow)) == ("done", 100, 100, 0, 0, 30)


def test_an_import_that_meets_an_error_twice_in_one_place_ends_and_says_so(acme, tmp_path, small_chunks, monkeypatch):
    queued, taken = queue(acme, write_file(tmp_path, ROWS)), Run.take
    for bad in (20, 40):  # an error somewhere else is another one
        monkeypatch.setattr(
            Run, "take", lambda self, chunk, bad=bad: taken(self, chunk) if chunk.position < bad else 1 / 0
        )
        for again in range(2 if bad == 40 else 1):
            with workspace_scope(acme):
                Import.objects.filter(pk=queued.pk).update(heartbeat_at=timezone.now() - timedelta(hours=1))
            if again:
                file = run_import(acme, queued.pk)
            else:
                with pytest.raises(ZeroDivisionError):
                    run_import(acme, queued.pk)
                with workspace_scope(acme):  # it goes on: nobody is told of a failure yet
                    assert failure_of(Import.objects.get(pk=queued.pk)) == ""
    assert failure_of(file)
    assert (counts(file)[:3], file.error) == (("failed", 40, 40), "stumbled")
    with workspace_scope(acme):
        assert due_imports(timezone.now() + timedelta(hours=1)) == []


def stop_at(monkeypatch: Any, position: int, stop: Any) -> Any:
    """`stop(file)` is called before the chunk at `position` is stored; returns what undoes that."""
    taken = Run.take

    def take(self: Run, chunk: Any) -> bool:
        if chunk.position == position:
            stop(self.file)
        return taken(self, chunk)

    monkeypatch.setattr(Run, "take", take)
    return lambda: monkeypatch.setattr(Run, "take", taken)


def test_a_paused_import_keeps_what_it_took_and_goes_on_where_it_stopped(acme, tmp_path, small_chunks, monkeypatch):
    queued = queue(acme, write_file(tmp_path, [*ROWS, *ROWS[:5]]))
    as_it_was = stop_at(monkeypatch, 20, pause_import)
    assert counts(run_import(acme, queued.pk))[:3] == ("paused", 20, 20)
    as_it_was()
    with workspace_scope(acme):
        assert not pause_import(queued) and due_imports(timezone.now()) == []
        assert resume_import(queued)
    assert counts(run_import(acme, queued.pk)) == ("done", 105, 105, 0, 0, 30)


def test_one_import_is_started_once(acme, tmp_path):
    queued = queue(acme, write_file(tmp_path, ROWS))
    with workspace_scope(acme):
        for attempt in (
            lambda: start_import(queued, Mapping(ROLES), False),
            lambda: change_layout(queued, delimiter="tab"),
        ):
            with pytest.raises(Conflict):
                attempt()
    assert run_imports(str(acme.pk)) == {"imports": 1} and run_imports(str(acme.pk)) == {"imports": 0}


def test_a_file_that_is_gone_or_breaks_off_fails_with_a_reason(acme, tmp_path):
    queued = queue(acme, write_file(tmp_path, ROWS))
    (tmp_path / "orders.csv").unlink()
    file = run_import(acme, queued.pk)
    assert file is not None and (file.state, file.error) == ("failed", "file_gone")
    with workspace_scope(acme), pytest.raises(Conflict):
        start_import(file, Mapping(ROLES), False)
    broken = queue(acme, write_file(tmp_path, ROWS))
    (tmp_path / "orders.csv").write_text('uid,at,total\nu1,2026-08-01,1\n"u2,2026-08-01,1\n')
    file = run_import(acme, broken.pk)
    assert file is not None and (file.state, file.error) == ("failed", "malformed_csv:3")


def test_an_encoding_that_a_file_does_not_have_is_told_and_changes_nothing(acme, tmp_path):
    (tmp_path / "orders.csv").write_bytes("用户,时间,金额\n甲,2026-08-01,1\n".encode("gb18030"))
    with workspace_scope(acme):
        file = open_file(tmp_path / "orders.csv", "orders.csv")
        with pytest.raises(DomainError) as caught:
            change_layout(file, encoding="utf-8-sig", delimiter="comma", header=True)
        assert (caught.value.code, caught.value.path) == ("other_encoding", "file")
        assert Import.objects.get(pk=file.pk).mapping["layout"]["encoding"] == "gb18030"


def test_item_rows_of_an_order_are_added_up(acme, tmp_path, small_chunks):
    rows = [
        "u1,2026-08-01,1.50,o1",
        "u1,2026-08-01,2.25,o1",
        "u1,2026-08-01,2.25,o1",
        "u2,2026-08-01,9,o1",
        "u2,2026-08-02,3,",
    ]
    rows += ["u2,2026-08-02,3,", "u3,2026-08-02,x,o5", "u3,2026-08-02,3,o5", "u1,2026-08-03,4,o1"]
    path = write_file(tmp_path, rows, "uid,at,total,order")
    mapping = Mapping({**ROLES, "order": "order_id"}, sum_items=True)
    file = run_import(acme, queue(acme, path, mapping=mapping).pk)
    assert counts(file) == ("done", 6, 4, 0, 2, 2)
    told = [(event.end_user.external_id, event.order_id, event.amount_minor) for event in stored(acme)]
    assert sorted(told, key=str) == [("u1", "o1", 600), ("u2", "o1", 900), ("u2", None, 300), ("u2", None, 300)]
    with workspace_scope(acme):
        errors = ImportRowError.objects.filter(file=file).order_by("line").values_list("line", "code", "column")
        assert list(errors) == [(8, "invalid_amount", "total"), (10, "order_apart", "order")]
    assert counts(run_import(acme, queue(acme, path, mapping=mapping).pk))[2:5] == (0, 4, 2)


def test_items_that_are_given_back_are_not_added_to_what_was_bought(acme, tmp_path):
    rows = ["u1,2026-08-01,5,o1,否", "u1,2026-08-01,7,o1,", "u1,2026-08-02,7,o1,是", "u1,2026-08-02,1,o2,0"]
    path = write_file(tmp_path, rows, "uid,at,total,order,退款")
    mapping = Mapping({**ROLES, "order": "order_id", "退款": "refund"}, sum_items=True, kind="orders")
    assert counts(run_import(acme, queue(acme, path, mapping=mapping).pk))[:3] == ("done", 3, 3)
    told = [(event.name.name, event.order_id, event.amount_minor) for event in stored(acme)]
    bought = [("Order Completed", "o1", 1200), ("Order Completed", "o2", 100)]
    assert sorted(told) == [*bought, ("Order Refunded", "o1", 700)]


@pytest.mark.parametrize("most", [100, 1])
def test_an_item_that_was_given_back_may_stand_between_those_that_were_kept(acme, tmp_path, monkeypatch, most):
    """However many events somebody's order consists of, few are held at once."""
    monkeypatch.setattr("users.csv_items.MOST_KINDS", most)
    rows = ["u1,2026-08-01,5,o1,否", "u1,2026-08-01,7,o1,是", "u1,2026-08-01,1,o1,", "u1,2026-08-01,3,o1,是"]
    path = write_file(tmp_path, [*rows, "u2,2026-08-01,9,o2,", *rows[:1]], "uid,at,total,order,退款")
    mapping = Mapping({**ROLES, "order": "order_id", "退款": "refund"}, sum_items=True, kind="orders")
    file = run_import(acme, queue(acme, path, mapping=mapping).pk)
    told = sorted((event.name.name, event.order_id, event.amount_minor) for event in stored(acme))
    given_back = [("Order Refunded", "o1", 1000)] if most > 1 else []
    assert told == [("Order Completed", "o1", 600), ("Order Completed", "o2", 900), *given_back]
    with workspace_scope(acme):
        errors = [(error.line, error.code) for error in ImportRowError.objects.filter(file=file).order_by("line")]
    assert errors == [(line, "order_apart") for line in ((7,) if most > 1 else (3, 5, 7))]


def test_imports_never_loosen_consent(acme, tmp_path):
    run_import(acme, queue(acme, write_file(tmp_path, ["u1,2026-08-01,5"])).pk)
    with workspace_scope(acme):
        set_consent([person_id(acme.pk, "u1")], "email", False, "link")
    path = write_file(tmp_path, ["u1,2026-08-02,a@b.com,true", "u2,2026-08-02,c@d.com,true"], "uid,at,email,subscribed")
    mapping = Mapping({"uid": "external_id", "at": "time", "email": "email", "subscribed": "property"})
    assert counts(run_import(acme, queue(acme, path, mapping=mapping).pk))[2] == 2
    with workspace_scope(acme):
        assert [(word.opted_in, word.source) for word in Consent.objects.all()] == [(False, "link")]
        assert EndUser.objects.get(external_id="u2").email == "c@d.com"


def test_imported_and_sent_events_are_equally_the_persons(acme, tmp_path, send):
    send("track", track("1", userId="u1", timestamp="2026-08-05T00:00:00Z"))
    run_import(acme, queue(acme, write_file(tmp_path, ["u1,2026-08-01,5"])).pk)
    assert len({event.end_user_id for event in stored(acme)}) == 1
    assert stored(acme)[0].end_user.created_at == stored(acme)[0].at


@pytest.mark.parametrize(
    ("roles", "code"),
    [
        ({"uid": "external_id"}, "missing_role"),
        ({"at": "time"}, "missing_role"),
        ({"uid": "external_id", "at": "external_id"}, "role_twice"),
        ({"nowhere": "time"}, "unknown_column"),
    ],
)
def test_a_mapping_that_reads_no_row_is_refused(acme, tmp_path, roles, code):
    path = write_file(tmp_path, ROWS)
    with workspace_scope(acme):
        file = open_file(path, path.name)
        with pytest.raises(DomainError) as caught:
            start_import(file, Mapping(roles), False)
    assert caught.value.code == code


def test_uploaded_files_are_let_go_after_a_week_and_others_never(acme, tmp_path, settings):
    settings.MEDIA_ROOT = tmp_path
    (tmp_path / "imports").mkdir()
    ours, theirs = write_file(tmp_path / "imports", ROWS), write_file(tmp_path, ROWS)
    with workspace_scope(acme):
        for path in (ours, theirs):
            open_file(path, path.name)
        assert forget_files(timezone.now() + timedelta(days=6)) == 0
        assert forget_files(timezone.now() + timedelta(days=8)) == 1
    assert theirs.exists() and not ours.exists()


# --- the command line ----------------------------------------------------------------------------------------------


def run(name: str, *arguments: str) -> Any:
    out = io.StringIO()
    call_command(name, *arguments, stdout=out)
    return json.loads(out.getvalue())


def cdnow() -> Path:
    spec = find_spec("lifetimes")
    assert spec and spec.submodule_search_locations, "requirements/data.txt"
    return Path(spec.submodule_search_locations[0]) / "datasets" / "CDNOW_sample.txt"


def test_cdnow_comes_in_to_the_cent_and_only_once(db):
    made = run(
        "create_workspace",
        "cdnow",
        "--name",
        "CDNOW",
        "--zone",
        "UTC",
        "--currency",
        "USD",
        "--frozen-on",
        "1998-06-30",
    )
    assert made["write_key"].startswith("wk_") and made["api_key"].startswith("ak_")
    arguments = [
        str(cdnow()),
        "--workspace",
        "cdnow",
        "--map",
        "external_id=2:int",
        "--map",
        "time=3:%Y%m%d",
        "--map",
        "amount=5",
    ]
    arguments += ["--map", "cds=4", "--skip", "1", "--event", "Order Completed"]
    workspace = Workspace.objects.get(slug="cdnow")
    dry = run("import_events", *arguments, "--dry-run")
    assert (dry["accepted"], dry["new_people"], tables(workspace)[0]) == (6919, 2357, 0)
    told = run("import_events", *arguments, "--no-header", "--delimiter", "whitespace")
    assert (told["accepted"], told["rejected"], told["new_people"]) == (6919, 0, 2357)
    again = run("import_events", *arguments)
    assert (again["accepted"], again["duplicates"], again["new_people"]) == (0, 6919, 0)
    events = stored(workspace)
    assert len(events) == 6919 and sum(event.amount_minor or 0 for event in events) == 24_409_194
    assert {event.end_user.external_id for event in events} == {str(n) for n in range(1, 2358)}
    assert sum(event.properties["cds"] for event in events) == 16_479
    assert events[0].at.isoformat() == "1997-01-01T12:00:00+00:00"


@pytest.mark.parametrize(
    "arguments",
    [
        ["nowhere.csv", "--workspace", "acme"],
        ["{file}", "--workspace", "nobody"],
        ["{file}", "--workspace", "acme", "--map", "external_id"],
        ["{file}", "--workspace", "acme", "--map", "external_id=9"],
        ["{file}", "--workspace", "acme", "--map", "external_id=uid:hex", "--map", "time=at"],
        ["{file}", "--workspace", "acme", "--map", "time=at"],
    ],
)
def test_a_command_that_cannot_work_says_so_and_stores_nothing(world, tmp_path, arguments):
    path = str(write_file(tmp_path, ROWS))
    with pytest.raises(CommandError):
        run("import_events", *[argument.replace("{file}", path) for argument in arguments])
    with workspace_scope(world.acme):
        assert not Import.objects.exists() and not Event.objects.exists()
