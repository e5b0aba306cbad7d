"""Taking in files of orders or events: look at it, check it, run it. Rows say how far it got, so that anybody may go on.

A chunk of rows, its errors and its progress commit together: whoever continues starts exactly behind what is stored.
"""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import F
from django.utils import timezone

from users.csv_files import BadFile, Layout, fingerprint, guess_layout, read_rows, repeated_rows
from users.csv_mapping import Mapping, RowReader, guess_mapping
from users.ingest.normal import NormalEvent, NormalProfile, Refused
from users.ingest.write import write
from users.models import EndUser, Import, ImportRowError, person_id
from users.services import in_scope
from workspaces.errors import Conflict, DomainError
from workspaces.models import Operator, Workspace
from workspaces.scoping import workspace_scope
from workspaces.services import audit

MAX_FILE_BYTES = 200 * 1024 * 1024
CHUNK_ROWS = 2_000
KEPT_ERRORS = 10_000
# A worker that did not commit a chunk for so long is taken for dead; whoever comes next goes on.
SILENCE = timedelta(minutes=2)
ACTIVE = ("due", "running")


class BadUpload(DomainError):
    """A file that cannot be read at all. `code` is one of users.csv_files.BadFile, `line` says where."""

    def __init__(self, problem: BadFile) -> None:
        super().__init__(problem.code, problem.code, "file")
        self.line = problem.line


def receive_file(upload: Any, name: str, by: Operator | None = None) -> Import:
    """Keep an uploaded file (anything with chunks()) under a name of our own and look at it. Raises BadUpload."""
    folder = Path(settings.MEDIA_ROOT) / "imports"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{uuid.uuid4().hex}.csv"
    size = 0
    try:
        with path.open("xb") as out:
            for part in upload.chunks():
                size += len(part)
                if size > MAX_FILE_BYTES:
                    raise BadFile("too_large")
                out.write(part)
        return open_file(path, name, by)
    except BadFile as problem:
        path.unlink(missing_ok=True)
        raise BadUpload(problem) from problem


def open_file(path: Path, name: str, by: Operator | None = None, layout: Layout | None = None) -> Import:
    """An import of a file that is there, with a guessed layout and mapping. Raises BadFile."""
    layout = layout or guess_layout(path)
    mapping = guess_mapping(layout.columns, [cells for cells in sample(path, layout) if isinstance(cells, list)])
    return Import.objects.create(
        name="".join(c for c in Path(name.replace("\\", "/")).name if c.isprintable())[:200] or "import.csv",
        path=str(path),
        total_bytes=path.stat().st_size,
        mapping=kept(layout, mapping),
        created_by=by.pk if by else None,
    )


def kept(layout: Layout, mapping: Mapping) -> dict[str, Any]:
    return {"layout": layout.as_dict(), "mapping": mapping.as_dict()}


def layout_of(file: Import) -> Layout:
    return Layout.of(file.mapping["layout"])


def mapping_of(file: Import) -> Mapping:
    return Mapping(**file.mapping["mapping"])


def sample(path: Path, layout: Layout, rows: int = 50) -> list[list[str] | Refused]:
    return [cells for _line, _bytes, cells in islice(read_rows(path, layout), rows)]


def change_layout(file: Import, **choices: Any) -> None:
    """Read the file again in another way (delimiter, header, encoding); the mapping is guessed anew. Raises BadUpload."""
    require_state(file, "new", "done", "failed", "cancelled")
    try:
        layout = guess_layout(Path(file.path), **choices)
    except BadFile as problem:
        raise BadUpload(problem) from problem
    except OSError as problem:
        raise Conflict("file_gone", "The file is no longer kept: upload it again.") from problem
    file.mapping = kept(layout, guess_mapping(layout.columns, sample_cells(Path(file.path), layout)))
    file.save(update_fields=["mapping"])


def sample_cells(path: Path, layout: Layout) -> list[list[str]]:
    return [cells for cells in sample(path, layout) if isinstance(cells, list)]


def start_import(file: Import, mapping: Mapping, dry_run: bool, by: Operator | None = None) -> None:
    """Queue the file with a mapping; a dry run only counts. Raises DomainError naming what is missing, Conflict when active."""
    require_state(file, "new", "done", "failed", "cancelled")
    layout = layout_of(file)
    if problem := mapping.problem(layout.columns):
        raise DomainError(problem[0], problem[0], problem[1])
    if not Path(file.path).exists():
        raise Conflict("file_gone", "The file is no longer kept: upload it again.")
    Import.objects.filter(pk=file.pk).update(
        mapping=kept(layout, mapping), dry_run=dry_run, state="due", error="", done_bytes=0, rows=0, accepted=0,
        duplicates=0, rejected=0, new_people=0, started_at=None, finished_at=None, heartbeat_at=None,
    )
    ImportRowError.objects.filter(file=file).delete()
    if not dry_run:
        audit("import.run", file.name, by, file=str(file.pk), event=mapping.event)


def require_state(file: Import, *states: str) -> None:
    """Lock the row and refuse when it is not in one of the states."""
    found = Import.objects.select_for_update().get(pk=file.pk)
    if found.state not in states:
        raise Conflict("import_active", "The import is running.")


def cancel_import(file: Import, by: Operator | None = None) -> bool:
    """Stop after the chunk in hand; what is stored stays. Returns False when there was nothing to stop."""
    stopped = Import.objects.filter(pk=file.pk, state__in=ACTIVE).update(state="cancelled", finished_at=timezone.now())
    if stopped:
        audit("import.cancel", file.name, by, file=str(file.pk))
    return bool(stopped)


def due_imports(now: datetime) -> list[uuid.UUID]:
    """Imports that nobody works on, in the open scope: just queued, or left behind by a worker that died."""
    queued = Import.objects.filter(state="due")
    silent = Import.objects.filter(state="running", heartbeat_at__lt=now - SILENCE)
    return list((queued | silent).order_by("created_at").values_list("pk", flat=True))


def run_import(workspace: Workspace, pk: uuid.UUID) -> Import | None:
    """Work through a due import, opening its own scopes; None when somebody else does already."""
    with workspace_scope(workspace):
        file = claim(pk)
    if file is None:
        return None
    try:
        Run(workspace, file).work()
    except (BadFile, OSError) as problem:
        code = problem.code if isinstance(problem, BadFile) else "file_gone"
        line = problem.line if isinstance(problem, BadFile) else 0
        finish(workspace, file, "failed", f"{code}:{line}" if line else code)
    with workspace_scope(workspace):
        return Import.objects.get(pk=pk)


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


class Run:
    """One worker's way through one file."""

    def __init__(self, workspace: Workspace, file: Import) -> None:
        self.workspace, self.file = workspace, file
        self.path, layout = Path(file.path), layout_of(file)
        self.layout = layout
        self.now = timezone.now()
        self.reader = RowReader(mapping_of(file), layout.columns, workspace.zone, workspace.currency, self.now)
        self.new_people: set[uuid.UUID] = set()

    def work(self) -> None:
        """Chunk by chunk to the end, or until the row says that somebody cancelled or took over."""
        rows = self.numbered_rows()
        skipped = sum(1 for _ in islice(rows, self.file.rows))  # only counted again: they are stored
        position = skipped
        while chunk := list(islice(rows, CHUNK_ROWS)):
            if not in_scope(self.workspace, lambda chunk=chunk, position=position: self.take(chunk, position)):
                return
            position += len(chunk)
        finish(self.workspace, self.file, "done" if position else "failed", "" if position else "no_rows")

    def numbered_rows(self) -> Iterator[tuple[int, int, list[str] | Refused, int]]:
        """Rows with how often the very same row came before in this file."""
        repeated = repeated_rows(self.path, self.layout)
        seen: Counter[int] = Counter()
        for line, done, cells in read_rows(self.path, self.layout):
            occurrence = 0
            if repeated and isinstance(cells, list) and (mark := fingerprint(cells)) in repeated:
                occurrence = seen[mark]
                seen[mark] += 1
            yield line, done, cells, occurrence

    def take(self, chunk: list[tuple[int, int, list[str] | Refused, int]], position: int) -> bool:
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
        new = self.count_new(items)
        counts = self.store(items, lines, errors)
        room = max(0, KEPT_ERRORS - current.rejected)
        ImportRowError.objects.bulk_create(errors[:room], batch_size=1000)
        Import.objects.filter(pk=self.file.pk).update(
            rows=F("rows") + len(chunk),
            done_bytes=chunk[-1][1],
            accepted=F("accepted") + counts["accepted"],
            duplicates=F("duplicates") + counts["duplicate"],
            rejected=F("rejected") + len(errors),
            new_people=F("new_people") + new,
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

    def count_new(self, items: Iterable[NormalEvent | NormalProfile]) -> int:
        ids = {person_id(self.workspace.pk, item.person.external_id, item.person.kind) for item in items} - self.new_people
        new = ids - set(EndUser.objects.filter(pk__in=list(ids)).values_list("pk", flat=True))
        self.new_people |= new
        return len(new)

    def error(self, line: int, problem: Refused, cells: list[str] | Refused) -> ImportRowError:
        column = problem.path.removeprefix("properties.")
        value = ""
        if isinstance(cells, list) and column in self.layout.columns:
            value = cells[self.layout.columns.index(column)].replace("\0", "")
        return ImportRowError(
            workspace=self.workspace, file=self.file, line=line, column=column[:200], code=problem.code,
            message=problem.message[:300], value=value[:200],
        )


def drop_file(file: Import) -> None:
    """Forget the file itself once nobody needs it; the row, its counts and its errors stay."""
    path = Path(file.path)
    if path.parent == Path(settings.MEDIA_ROOT) / "imports":
        path.unlink(missing_ok=True)

