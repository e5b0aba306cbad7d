"""Working through an import. The row says how far it got, so that whoever comes next goes on exactly there; a check, which
stores nothing, begins again.

A chunk of rows, its errors and its progress commit together.
"""

from __future__ import annotations

import gc
import logging
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

import numpy as np
from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.db.models.functions import Now
from django.utils import timezone

from users.csv_files import BadFile
from users.csv_people import reader_of
from users.differences import introduce
from users.import_effects import Effects, short
from users.import_kinds import ABOUT_PEOPLE
from users.import_people import store_told
from users.import_rows import Chunk, ChunkReader, read_ahead
from users.import_store import Met, Stored, store_chunk
from users.import_undo import undo_import
from users.imports import ACTIVE, UNREAD, layout_of, mapping_of
from users.ingest import write
from users.ingest.normal import Refused
from users.models import Import, ImportBatch, ImportRowError
from users.services import in_scope
from workspaces.models import Workspace
from workspaces.scoping import workspace_scope
from workspaces.sql import database_now, is_away

logger = logging.getLogger(__name__)
CHUNK_ROWS = 20_000
KEPT_ERRORS = 10_000
# A worker that did not commit a chunk for so long is taken for dead.
SILENCE = timedelta(minutes=2)
TOO_MANY_NAMES = Refused(write.TOO_MANY_NAMES.code, write.TOO_MANY_NAMES.message)
# How it ends when an error meets it twice in one place.
STUMBLED = {"running": "stumbled", "undoing": "undo_stumbled"}
WOULD_LOOSEN = ("would_loosen", "Opt-ins are taken in only where that was confirmed.")


def due_imports(now: datetime) -> list[uuid.UUID]:
    """Imports that nobody works on, in the open scope: just queued, or left behind by a worker that died."""
    queued = Import.objects.filter(Q(state="due") | Q(state="undoing", heartbeat_at=None))
    silent = Import.objects.filter(state__in=["running", "undoing"], heartbeat_at__lt=now - SILENCE)
    return list((queued | silent).order_by("created_at").values_list("pk", flat=True))


def run_import(workspace: Workspace, pk: uuid.UUID) -> Import | None:
    """Work through a due import, opening its own scopes; None when somebody else does already."""
    with workspace_scope(workspace):
        file = claim(pk)
    return work_through(workspace, file) if file else None


def work_through(workspace: Workspace, file: Import) -> Import:
    """Work through a claimed import to its end, or take it back; returns it as it then is."""
    try:
        if file.state == "running":
            Run(workspace, file).work()
        undo_import(workspace, file.pk)  # also when somebody asked for it while it ran
    except (BadFile, OSError) as problem:
        code = problem.code if isinstance(problem, BadFile) else "file_gone"
        line = problem.line if isinstance(problem, BadFile) else 0
        finish(workspace, file, "failed", f"{code}:{line}" if line else code)
    except Exception as problem:
        if is_away(problem) or not (was := stumbled_here(workspace, file)):
            raise  # whoever comes next tries it once more
        logger.exception("imports: %s ends where it met an error twice", file.pk)
        finish(workspace, file, "failed", STUMBLED[was], was)
    with workspace_scope(workspace):
        return Import.objects.get(pk=file.pk)


def stumbled_here(workspace: Workspace, file: Import) -> str:
    """The state of an import that an error met at this row before, or when so many batches were left to take back; else "".

    The row remembers where the last one did.
    """
    with workspace_scope(workspace):
        mine = in_hand(file, *STUMBLED)
        met = mine.values("state", "rows", "error").first()
        if met is None:
            return ""
        left = ImportBatch.objects.filter(file=file.pk).count()
        here = f"{STUMBLED[met['state']]}:{met['rows'] if met['state'] == 'running' else left}"
        mine.update(error=here)
        return met["state"] if met["error"] == here else ""


def claim(pk: uuid.UUID) -> Import | None:
    now = database_now()  # batches are told apart by it, which the database dates as it does a worker's signs of life
    if pk not in due_imports(now):
        return None
    file = Import.objects.select_for_update(skip_locked=True).filter(pk=pk, state__in=ACTIVE).first()
    if file is None or (file.heartbeat_at and file.heartbeat_at > now - SILENCE):
        return None
    if file.state == "due":
        file.state = "running"
    if file.dry_run and file.started_at:
        read_anew(file)
    file.heartbeat_at, file.started_at = now, file.started_at or now
    file.save(update_fields=["state", "heartbeat_at", "started_at"])
    return file


def read_anew(file: Import) -> None:
    """Begin a check that was interrupted from the first row: it stored nothing, so whom it has counted is not known."""
    ImportRowError.objects.filter(file=file).delete()
    file.started_at = None
    for field, value in UNREAD.items():
        setattr(file, field, value)
    file.save(update_fields=[*UNREAD])


def finish(workspace: Workspace, file: Import, state: str, error: str = "", was: str = "running") -> None:
    with workspace_scope(workspace):
        # Of an undo the row keeps when the import had ended, or that it was cancelled and never did.
        values = {"finished_at": timezone.now()} if was == "running" else {}
        in_hand(file, was).update(state=state, error=error, **values)
        introduce()


def in_hand(file: Import, *states: str) -> QuerySet[Import]:
    """The row of a claimed import for as long as that run goes on: who starts the file again begins another one."""
    return Import.objects.filter(pk=file.pk, state__in=states, started_at=file.started_at)


def is_about_users(file: Import) -> bool:
    """Whether it is a check that says what would become of people's attributes."""
    return file.dry_run and file.kind == "users"


@contextmanager
def no_cycles() -> Iterator[None]:
    """Without the collector of cyclic garbage: it would look through every row of every chunk and find none."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


class Run:
    """One worker's way through one file."""

    def __init__(self, workspace: Workspace, file: Import) -> None:
        self.workspace, self.file = workspace, file
        self.layout = layout_of(file)
        self.now = timezone.now()
        self.reader = reader_of(mapping_of(file), self.layout.columns, workspace.zone, workspace.currency, self.now)
        # People a dry run has already counted as new, which it took back from the database; eight bytes each.
        self.counted = short(())
        # Whether the chunk before was all news: repeats come in crowds.
        self.news = True
        self.met = Met()
        # What a check of a file of users finds that the file would do.
        self.effects = Effects(self.reader, self.layout.columns) if is_about_users(file) else None

    def work(self) -> None:
        """Chunk by chunk to the end, or until the row says that somebody stopped it or took over."""
        rows = self.file.rows
        chunks = ChunkReader(self.workspace, Path(self.file.path), self.layout, self.reader, CHUNK_ROWS, rows)
        with no_cycles():
            for chunk in read_ahead(iter(chunks)):
                if not in_scope(self.workspace, partial(self.take, chunk)):
                    return
                rows = chunk.position + chunk.rows
        finish(self.workspace, self.file, "done" if rows else "failed", "" if rows else "no_rows")

    def take(self, chunk: Chunk) -> bool:
        """Store a chunk with its errors and progress in the open scope; False when this run is no longer ours.

        The row is locked only for the last moment, so that whoever wants to stop the import need not wait for a chunk.
        """
        mine = in_hand(self.file, "running").filter(rows=chunk.position)
        current = mine.first()
        if current is None:
            return False
        with transaction.atomic():
            stored = self.store(chunk)
            errors = [self.error(*told) for told in chunk.errors]
            errors += [self.error(line, TOO_MANY_NAMES, []) for line in stored.refused]
            said = self.reader.mapping.column_of("opted_in") or ""
            errors += [self.error(line, Refused(*WOULD_LOOSEN, said), []) for line in stored.loosening]
            room = max(0, KEPT_ERRORS - current.rejected)
            ImportRowError.objects.bulk_create(errors[:room], batch_size=1000)
            still = mine.update(
                rows=F("rows") + chunk.rows,
                done_bytes=chunk.done_bytes,
                accepted=F("accepted") + stored.accepted,
                duplicates=F("duplicates") + stored.duplicates,
                rejected=F("rejected") + len(errors),
                new_people=F("new_people") + len(stored.new_people),
                heartbeat_at=Now(),
                effects=self.effects.told() if self.effects else {},
            )
            if not still:
                transaction.set_rollback(True)
        return bool(still)

    def store(self, chunk: Chunk) -> Stored:
        """Write the chunk; a dry run does the same and takes it back, so that it counts what a run would."""
        with transaction.atomic():
            if self.reader.mapping.kind in ABOUT_PEOPLE:
                stored = store_told(self.workspace, self.file, chunk, self.reader, self.met)
            else:
                stored = store_chunk(self.workspace, self.file, chunk, self.reader, self.met, news=self.news)
            if self.effects:
                self.effects.add(chunk, stored.changes, stored.new_people)
            if self.file.dry_run:
                transaction.set_rollback(True)
        self.news = not stored.duplicates
        if self.file.dry_run:
            stored.new_people = self.not_counted(stored.new_people)
        return stored

    def not_counted(self, new: list[str]) -> list[str]:
        """Those of the people whom no chunk before has counted; they are from now on."""
        met = np.isin(short(new), self.counted)
        self.counted = np.union1d(self.counted, short(new))
        return [pk for pk, known in zip(new, met.tolist(), strict=True) if not known]

    def error(self, line: int, problem: Refused, cells: list[str] | Refused) -> ImportRowError:
        column = problem.path.removeprefix("properties.")
        value = ""
        if cells and isinstance(cells, list) and column in self.layout.columns:
            value = cells[self.layout.columns.index(column)].replace("\0", "")
        return ImportRowError(
            workspace=self.workspace,
            file=self.file,
            line=line,
            column=column[:200],
            code=problem.code,
            message=problem.message[:300],
            value=value[:200],
        )
