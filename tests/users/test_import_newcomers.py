"""People whom an import made are removed by its undo while others write for them: nothing that was acknowledged is nobody's."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

from campaigns.audience import freeze
from campaigns.editing import save_campaign
from campaigns.models import Run
from segmentation.services import create_segment
from tests.conftest import make_world
from tests.users.test_import_undo import undo
from tests.users.test_imports import counts, queue, run_import, write_file
from users import import_newcomers, import_undo
from users.consent import set_consent
from users.csv_mapping import Mapping
from users.imports import undo_import
from users.ingest.normal import NormalEvent, NormalProfile, PersonKey
from users.ingest.write import write
from users.models import EndUser, Event, Import, person_id
from users.profiles import add_tag
from users.services import record_events
from workspaces.models import Workspace
from workspaces.scoping import workspace_scope

pytestmark = pytest.mark.django_db(transaction=True)

AT = datetime(2026, 9, 1, tzinfo=UTC)
COLUMNS = {"uid": "external_id", "at": "time", "town": "city"}


@pytest.fixture
def acme() -> Workspace:
    return make_world().acme


@pytest.fixture
def taken_in(acme: Workspace, tmp_path: Path) -> Import:
    """An import that made six people, the first of whom this process remembers; what it stored of them since is gone."""
    rows = [f"u{n},2026-08-{n + 1:02d},town{n}" for n in range(6)]
    file = run_import(acme, queue(acme, write_file(tmp_path, rows, "uid,at,town"), mapping=Mapping(COLUMNS)).pk)
    assert file is not None and counts(file) == ("done", 6, 6, 0, 0, 6)
    record_events(acme, [sent("u0", "remembered")])
    with workspace_scope(acme):
        Event.objects.filter(message_id="remembered").delete()
    return file


def sent(who: str, message: str = "sent") -> NormalEvent:
    return NormalEvent(PersonKey(who), "App Opened", message, AT, AT)


def begin(work: Callable[[], Any]) -> threading.Thread:
    def run() -> None:
        try:
            work()
        finally:
            connection.close()

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def begin_to_write(workspace: Workspace) -> tuple[threading.Thread, threading.Event]:
    """Somebody who has written of u0, and commits when the event is set."""
    begun, go_on = threading.Event(), threading.Event()

    def writing() -> None:
        with workspace_scope(workspace):
            write([sent("u0")], AT)
            begun.set()
            go_on.wait(20)

    thread = begin(writing)
    assert begun.wait(10)
    return thread, go_on


def left(workspace: Workspace) -> dict[str, Any]:
    """Who is left, and whose the events are that are left."""
    with workspace_scope(workspace):
        people = {person.pk: person for person in EndUser.objects.all()}
        assert {event.end_user_id for event in Event.objects.all()} <= people.keys()
        return {person.external_id: person for person in people.values()}


def test_who_began_to_write_before_people_are_removed_finds_them_kept(acme, taken_in):
    thread, go_on = begin_to_write(acme)
    threading.Timer(0.3, go_on.set).start()
    file = undo(acme, taken_in)  # waits for the other to commit
    thread.join()
    kept = left(acme)
    assert list(kept) == ["u0"] and (file.undone, file.undone_people) == (6, 5)
    # What the import told of them is gone all the same.
    assert (kept["u0"].created_at, kept["u0"].attributes, kept["u0"].city) == (AT, {}, "")


def agree(workspace: Workspace) -> None:
    set_consent([person_id(workspace.pk, "u0")], "email", False, "page")


def tag(workspace: Workspace) -> None:
    add_tag([person_id(workspace.pk, "u0")], "vip")


def write_to_one(workspace: Workspace) -> None:
    """A campaign to u0 is started."""
    segment = create_segment("one", {"kind": "attribute", "name": "external_id", "compare": "is", "text": "u0"})
    campaign = save_campaign(None, {"name": "七夕", "channel": "email", "segment": segment.pk})
    freeze(Run.objects.create(campaign=campaign, due_at=AT), campaign)


@pytest.mark.parametrize("deed", [agree, tag, write_to_one])
def test_whom_something_is_being_noted_of_is_kept_too(acme, taken_in, deed):
    begun, go_on = threading.Event(), threading.Event()

    def noting() -> None:
        with workspace_scope(acme):
            deed(acme)
            begun.set()
            go_on.wait(20)

    thread = begin(noting)
    assert begun.wait(10)
    threading.Timer(0.3, go_on.set).start()
    file = undo(acme, taken_in)
    thread.join()
    assert (list(left(acme)), file.undone_people) == (["u0"], 5)


def test_who_begins_to_write_while_people_are_removed_makes_them_anew(acme, taken_in, monkeypatch):
    removing = threading.Event()

    def remove(ids: Any, plain: Any = import_newcomers.remove) -> None:
        removing.set()
        time.sleep(0.3)
        plain(ids)

    def writing() -> None:
        removing.wait(10)
        record_events(acme, [sent("u0"), NormalProfile(PersonKey("u1"), AT, {"city": "Said since"})])

    monkeypatch.setattr(import_undo, "remove", remove)
    thread = begin(writing)
    undo(acme, taken_in)
    thread.join()
    kept = left(acme)
    assert set(kept) == {"u0", "u1"} and kept["u0"].created_at == AT and kept["u1"].city == "Said since"


def test_somebody_who_takes_long_to_write_keeps_nobody_else_from_writing(acme, taken_in, monkeypatch):
    """The undo tries again later, and lets ingest go on meanwhile."""
    monkeypatch.setattr(import_newcomers, "PATIENCE", "200ms")
    monkeypatch.setattr(import_undo, "PAUSE_SECONDS", 0.2)
    slow, go_on = begin_to_write(acme)
    with workspace_scope(acme):
        assert undo_import(taken_in)
    undoing = begin(lambda: run_import(acme, taken_in.pk))
    for n in range(10):
        record_events(acme, [sent("u9", f"meanwhile-{n}")])
        time.sleep(0.1)
    assert undoing.is_alive()
    go_on.set()
    slow.join()
    undoing.join()
    assert set(left(acme)) == {"u0", "u9"}
    with workspace_scope(acme):
        assert Event.objects.filter(end_user=person_id(acme.pk, "u9")).count() == 10
        assert Import.objects.get(pk=taken_in.pk).state == "undone"


def test_people_are_removed_some_at_a_time_and_counted_once(acme, taken_in, monkeypatch):
    monkeypatch.setattr(import_undo, "AT_ONCE", 4)
    assert undo(acme, taken_in).undone_people == 6
    assert left(acme) == {}
