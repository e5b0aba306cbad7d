"""Working through an import. The row says how far it got, so that whoever comes next goes on exactly there.

A chunk of rows, its errors and its progress commit together.
"""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from functools import partial
from itertools import islice
from pathlib import Path

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from users.csv_files import BadFile, fingerprint, read_rows, repeated_rows
from users.csv_items import sum_items
from users.csv_mapping import RowReader
from users.differences import refresh_statistics
from users.imports import ACTIVE, layout_of, mapping_of
from users.ingest.normal import NormalEvent, NormalProfile, Refused
from users.ingest.write import write
from users.models import EndUser, Import, ImportRowError, person_id
from users.services import in_scope
from workspaces.models import Workspace
from workspaces.scoping import workspace_scope

CHUNK_ROWS = 2_000
KEPT_ERRORS = 10_000
# A worker that did not commit a chunk for so long is taken for dead.
SILENCE = timedelta(minutes=2)
# Line number, bytes read so far, cells or why there are none, and how often the very same row came before.
FileRow = tuple[int, int, list[str] | Refused, int]


def due_imports(now: datetime) -> list[uuid.UUID]:
    """Imports that nobody works on, in the open scope: just queued, or left behind by a worker that died."""
    queued = Import.objects.filter(state="due")
    silent = Import.objects.filter(state="running", heartbeat_at__lt=now - SILENCE)
    return list((queued | silent).order_by("created_at").values_list("pk", flat=True))


def run_import(workspace: Workspace, pk: uuid.UUID) -> Import | None:
    """Work through a due import, opening its own scopes; None when somebody else does already."""
    with workspace_scope(workspace):
        file = claim(pk)
    return work_through(workspace, file) if file else None


def work_through(workspace: Workspace, file: Import) -> Import:
    """Work through a claimed import to its end; returns it as it then is."""
    try:
        Run(workspace, file).work()
    except (BadFile, OSError) as problem:
        code = problem.code if isinstance(problem, BadFile) else "file_gone"
        line = problem.line if isinstance(problem, BadFile) else 0
        finish(workspace, file, "failed", f"{code}:{line}" if line else code)
    with workspace_scope(workspace):
        return Import.objects.get(pk=file.pk)


def claim(pk: uuid.UUID) -> Import | None:
    now = timezone.now()
    if pk not in due_imports(now):
        return None
    file = Import.objects.select_for_update(skip_locked=True).filter(pk=pk, state__in=ACTIVE).first()
    if file is None or (file.state == "running" and file.heartbeat_at > now - SILENCE):
        return None
    file.state, file.heartbeat_at, file.started_at = "running", now, file.started_at or now
    file.save(update_fields=["state", "heartbeat_at", "started_at"])
    return file


def finish(workspace: Workspace, file: Import, state: str, error: str = "") -> None:
    with workspace_scope(workspace):
        mine = Import.objects.filter(pk=file.pk, state="running")
        mine.update(state=state, error=error, finished_at=timezone.now())
        refresh_statistics(Import.objects.get(pk=file.pk).accepted, "event", "end_user")


class Run:
    """One worker's way through one file."""

    def __init__(self, workspace: Workspace, file: Import) -> None:
        self.workspace, self.file = workspace, file
        self.path, layout = Path(file.path), layout_of(file)
        self.layout = layout
        self.now = timezone.now()
        self.reader = RowReader(mapping_of(file), layout.columns, workspace.zone, workspace.currency, self.now)
        # People a dry run has already counted as new, which it took back from the database.
        self.counted: set[uuid.UUID] = set()

    def work(self) -> None:
        """Chunk by chunk to the end, or until the row says that somebody cancelled or took over."""
        rows = self.numbered_rows()
        skipped = sum(1 for _ in islice(rows, self.file.rows))  # only counted again: they are stored
        position = skipped
        while chunk := list(islice(rows, CHUNK_ROWS)):
            if not in_scope(self.workspace, partial(self.take, chunk, position)):
                return
            position += len(chunk)
            self.counted |= self.new
        finish(self.workspace, self.file, "done" if position else "failed", "" if position else "no_rows")

    def rows(self) -> Iterator[tuple[int, int, list[str] | Refused]]:
        rows, mapping = read_rows(self.path, self.layout), self.reader.mapping
        return sum_items(rows, mapping, self.layout.columns) if mapping.sum_items else rows

    def numbered_rows(self) -> Iterator[FileRow]:
        """Rows with how often the very same row came before in this file."""
        repeated = repeated_rows(self.rows())
        seen: Counter[int] = Counter()
        for line, done, cells in self.rows():
            occurrence = 0
            if repeated and isinstance(cells, list) and (mark := fingerprint(cells)) in repeated:
                occurrence = seen[mark]
                seen[mark] += 1
            yield line, done, cells, occurrence

    def take(self, chunk: list[FileRow], position: int) -> bool:
        """Store a chunk with its errors and progress in the open scope; False when this run is no longer ours."""
        current = Import.objects.select_for_update().get(pk=self.file.pk)
        if current.state != "running" or current.rows != position:
            return False
        errors: list[ImportRowError] = []
        items: list[NormalEvent | NormalProfile] = []
        lines: list[int] = []
        for line, _done, cells, occurrence in chunk:
            try:
                if isinstance(cells, Refused):
                    raise cells
                read = self.reader.read(cells, occurrence)
                items += read
                lines += [line] * len(read)
            except Refused as problem:
                errors.append(self.error(line, problem, cells))
        self.new = self.find_new(items)
        counts = self.store(items, lines, errors)
        room = max(0, KEPT_ERRORS - current.rejected)
        ImportRowError.objects.bulk_create(errors[:room], batch_size=1000)
        Import.objects.filter(pk=self.file.pk).update(
            rows=F("rows") + len(chunk),
            done_bytes=chunk[-1][1],
            accepted=F("accepted") + counts["accepted"],
            duplicates=F("duplicates") + counts["duplicate"],
            rejected=F("rejected") + len(errors),
            new_people=F("new_people") + len(self.new),
            heartbeat_at=timezone.now(),
        )
        return True

    def store(
        self, items: list[NormalEvent | NormalProfile], lines: list[int], errors: list[ImportRowError]
    ) -> Counter[str]:
        """Write the items; a dry run does the same and takes it back, so that it counts what a run would."""
        with transaction.atomic():
            results = write(items, self.now)
            if self.file.dry_run:
                transaction.set_rollback(True)
        counts: Counter[str] = Counter()
        for item, result, line in zip(items, results, lines, strict=True):
            if isinstance(item, NormalEvent):
                counts[result.status] += 1
                if result.status == "rejected":
                    errors.append(self.error(line, Refused(result.code, result.message), []))
        return counts

    def find_new(self, items: Iterable[NormalEvent | NormalProfile]) -> set[uuid.UUID]:
        keys = {item.person for item in items}
        ids = {person_id(self.workspace.pk, key.external_id, key.kind) for key in keys} - self.counted
        return ids - set(EndUser.objects.filter(pk__in=list(ids)).values_list("pk", flat=True))

    def error(self, line: int, problem: Refused, cells: list[str] | Refused) -> ImportRowError:
        column = problem.path.removeprefix("properties.")
        value = ""
        if isinstance(cells, list) and column in self.layout.columns:
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
