"""Reads for pages and the API: event names with their roles, imports with their progress."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from itertools import islice
from pathlib import Path
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _

from users.csv_files import SAMPLE_LINES, read_rows
from users.csv_items import sum_items
from users.csv_mapping import Mapping
from users.csv_people import reader_of
from users.import_effects import OUTCOMES
from users.import_kinds import CONSENTS
from users.import_words import sentence
from users.imports import ACTIVE, ENDED, STOPPABLE, layout_of, mapping_of
from users.ingest.normal import Refused
from users.models import EventName, Import, ImportRowError, IngestError
from workspaces.models import Workspace
from workspaces.rules import ROLES
from workspaces.sql import run_sql

RECENT = timedelta(days=30)
SHOWN_NAMES = 500


@dataclass(frozen=True)
class Arrived:
    """How many events of a name are stored, how many of the last 30 days, and when the last one happened."""

    events: int = 0
    recent: int = 0
    last_at: datetime | None = None


def list_event_names(words: str = "") -> list[EventName]:
    """Names whose text contains the words; those that people act by first, then by name. At most SHOWN_NAMES."""
    names = EventName.objects.filter(name__icontains=words.replace("\0", "")) if words else EventName.objects.all()
    return sorted(names, key=lambda name: (roles_of(name) in ([], ["passive"]), name.name))[:SHOWN_NAMES]


def roles_of(name: EventName) -> list[str]:
    return [role for role in ROLES if getattr(name, f"is_{role}")]


def count_events(workspace: Workspace) -> dict[int, Arrived]:
    """What has arrived, by id of the event name; names without events are missing. Reads every event: not on the way
    to a page's first answer. The 30 days end on the workspace's today."""
    midnight = datetime.combine(workspace.today() + timedelta(days=1), time(), workspace.tzinfo)
    rows = run_sql("users/event_counts", since=midnight - RECENT)
    return {row["name_id"]: Arrived(row["events"], row["recent"], row["last_at"]) for row in rows}


def missing_roles(workspace: Workspace) -> list[str]:
    """Sentences that say what cannot be computed because no event plays the role it needs."""
    played = {role for name in EventName.objects.all() for role in roles_of(name)}
    sentences = []
    if "core" not in played:
        sentences.append(
            _("No event is the core action: until one is, any visit counts, and the stages tell you nothing.")
        )
    if "order" not in played:
        sentences.append(_("No event is an order: there is no revenue and no RFM."))
    if workspace.rules.pay_stage and "pay" not in played:
        sentences.append(_("The stage Paying is on, but no event says that somebody paid."))
    return sentences


def recent_rejects(limit: int = 20) -> list[IngestError]:
    """The last items that ingest refused."""
    return list(IngestError.objects.order_by("-at")[:limit])


def list_imports(limit: int = 100) -> list[Import]:
    return list(Import.objects.order_by("-created_at")[:limit])


def find_import(pk: uuid.UUID) -> Import | None:
    return Import.objects.filter(pk=pk).first()


def list_row_errors(file: Import, limit: int | None = None) -> list[ImportRowError]:
    """Refused lines in the order of the file; each has `sentence`, the reason in the reader's language."""
    errors = list(ImportRowError.objects.filter(file=file).order_by("line")[:limit])
    for error in errors:
        error.sentence = sentence(error.code) if sentence(error.code) != error.code else error.message
    return errors


def effects_of(file: Import) -> list[dict[str, Any]]:
    """What a check found, a column at a time in the order of the file: {name, counts, examples}."""
    found = file.effects.get("columns", {})
    roles, words = mapping_of(file).roles, {"yes": _("agrees"), "no": _("does not agree")}
    columns = []
    for name in filter(found.__contains__, layout_of(file).columns):
        counts, examples = (
            [found[name][outcome] for outcome in OUTCOMES],
            found[name]["changes"] or found[name]["fills"],
        )
        if roles.get(name) in CONSENTS:
            examples = [one | {key: words.get(one[key], "") for key in ("before", "value")} for one in examples]
        columns.append({"name": name, "counts": counts, "examples": examples})
    return columns


def failure_of(file: Import) -> str:
    """Why a failed import ended, in a sentence; "" otherwise."""
    # Of one that goes on it says where an error was met (users/import_run.py), which is no failure yet.
    return sentence(file.error) if file.state == "failed" and file.error else ""


def import_job(file: Import, now: datetime | None = None) -> dict[str, Any]:
    """Progress as shared/_progress.html draws it: rows per second, and how long what is left will take."""
    undoing = file.state in ("undoing", "undone")
    began = file.undo_started_at if undoing else file.started_at
    # Of one that was paused, or whose undo failed, nobody knows when it ended: it was heard of last then.
    ended = None if file.state in ACTIVE or undoing else file.finished_at or file.heartbeat_at
    seconds = ((ended or now or timezone.now()) - began).total_seconds() if began else 0.0
    # An undo takes back what earlier runs of the file took in as well.
    done, total = (file.undone, max(file.accepted, file.undone)) if undoing else (file.done_bytes, file.total_bytes)
    rows = file.undone if undoing else file.rows
    running = file.state in ("running", "undoing") and done and seconds > 1
    return {
        "title": file.name,
        "state": file.state,
        "done": total if file.state in ("done", "undone") else done,
        "total": total,
        "undoing": undoing,
        "rows_per_second": round(rows / seconds) if seconds > 0.1 and file.state != "undone" else None,
        "seconds_left": round((total - done) * seconds / done) if running else None,
        "active": file.state in ACTIVE,
        "ended": file.state in ENDED,
        "stoppable": file.state in (*STOPPABLE, "paused"),
    }


def preview_rows(
    workspace: Workspace, file: Import, mapping: Mapping | None = None, rows: int = 8
) -> list[dict[str, Any]]:
    """The first rows as they stand and as the mapping reads them: {cells, problem, column}, or cells with what the row
    tells: NormalEvent, NormalProfile, Tagged, Said.

    Raises BadFile or OSError when the file cannot be read any more.
    """
    layout, mapping = layout_of(file), mapping or mapping_of(file)
    reader = reader_of(mapping, layout.columns, workspace.zone, workspace.currency, timezone.now())
    read = read_rows(Path(file.path), layout, SAMPLE_LINES)
    if mapping.sum_items and not mapping.problem(layout.columns):
        read = sum_items(read, mapping, layout.columns)
    shown: list[dict[str, Any]] = []
    for _line, _done, cells in islice(read, rows):
        try:
            if isinstance(cells, Refused):
                raise cells
            shown.append({"cells": cells, **{type(item).__name__: item for item in reader.read(cells, 0)}})
        except Refused as problem:
            column = problem.path.removeprefix("properties.")
            told = cells if isinstance(cells, list) else []
            shown.append({"cells": told, "problem": sentence(problem.code), "column": column})
    return shown
