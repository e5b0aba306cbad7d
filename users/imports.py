"""Taking in files of orders or events: receive one, look at it, say what its columns mean, check or run it, pause,
cancel or undo it.

The work itself is in users.import_run; here rows are left that say what is due.
"""

from __future__ import annotations

import logging
import uuid
from datetime import datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db.models import Func, IntegerField, Sum
from django.utils import timezone

from users.csv_files import SAMPLE_LINES, XLSX, BadFile, Layout, guess_layout, read_rows
from users.csv_mapping import Mapping, guess_mapping
from users.import_words import sentence
from users.models import Import, ImportBatch, ImportRowError
from workspaces.errors import Conflict, DomainError
from workspaces.models import Operator
from workspaces.services import audit

logger = logging.getLogger(__name__)
MAX_FILE_BYTES = 200 * 1024 * 1024
KEPT_FILES = timedelta(days=7)
ACTIVE = ("due", "running", "undoing")
STOPPABLE = ("due", "running")
ENDED = ("new", "done", "failed", "cancelled", "undone")
UNDOABLE = ("done", "failed", "cancelled")
# What the row says before the first row of the file is read.
UNREAD: dict[str, Any] = {
    **dict.fromkeys(("done_bytes", "rows", "accepted", "duplicates", "rejected", "new_people"), 0),
    "effects": {},
}
# What an undo needs is kept for so long.
UNDO_DAYS = 30


def bad_upload(problem: BadFile) -> DomainError:
    code = f"{problem.code}:{problem.line}" if problem.line else problem.code
    return DomainError(problem.code, sentence(code), "file")


def folder() -> Path:
    return Path(settings.MEDIA_ROOT) / "imports"


def receive_file(upload: Any, name: str, by: Operator | None = None) -> Import:
    """Keep an uploaded file (anything with chunks()) under a name of our own and look at it. Raises DomainError."""
    path = folder() / f"{uuid.uuid4().hex}.csv"
    size = 0
    try:
        folder().mkdir(parents=True, exist_ok=True)
        with path.open("xb") as out:
            for part in upload.chunks():
                size += len(part)
                if size > MAX_FILE_BYTES:
                    raise BadFile("too_large")
                out.write(part)
        return open_file(path, name, by)
    except BadFile as problem:
        path.unlink(missing_ok=True)
        raise bad_upload(problem) from problem
    except OSError as problem:
        path.unlink(missing_ok=True)
        logger.error("imports: a file could not be kept: %s", problem)
        raise bad_upload(BadFile("storage_full")) from problem


def open_file(path: Path, name: str, by: Operator | None = None, layout: Layout | None = None) -> Import:
    """An import of a file that is there, with a guessed layout and mapping. Raises BadFile."""
    layout = layout or guess_layout(path)
    # A page or a table under that name: its cells would be a guess.
    if name.lower().endswith(".xlsx") and layout.encoding != XLSX:
        raise BadFile("broken_xlsx")
    mapping = guess_mapping(layout.columns, sample_rows(path, layout))
    return Import.objects.create(
        name="".join(c for c in Path(name.replace("\\", "/")).name if c.isprintable())[:200] or "import.csv",
        path=str(path),
        total_bytes=path.stat().st_size,
        mapping=kept(layout, mapping),
        kind=mapping.kind,
        created_by=by.pk if by else None,
    )


def kept(layout: Layout, mapping: Mapping) -> dict[str, Any]:
    return {"layout": layout.as_dict(), "mapping": mapping.as_dict()}


def layout_of(file: Import) -> Layout:
    return Layout.of(file.mapping["layout"])


def mapping_of(file: Import) -> Mapping:
    return Mapping(**file.mapping["mapping"])


def sample_rows(path: Path, layout: Layout, rows: int = 50) -> list[list[str]]:
    """The first rows that can be read. Raises BadFile."""
    return [
        cells for _line, _bytes, cells in islice(read_rows(path, layout, SAMPLE_LINES), rows) if isinstance(cells, list)
    ]


def change_layout(file: Import, kind: str = "", **choices: Any) -> None:
    """Read the file again in another way (kind, delimiter, header, encoding); the mapping is guessed anew.

    Raises DomainError.
    """
    require_state(file, *ENDED)
    try:
        layout = guess_layout(Path(file.path), **choices)
        mapping = guess_mapping(layout.columns, sample_rows(Path(file.path), layout), kind)
    except BadFile as problem:
        raise bad_upload(problem) from problem
    except OSError as problem:
        raise Conflict("file_gone", sentence("file_gone")) from problem
    file.mapping, file.kind = kept(layout, mapping), mapping.kind
    file.save(update_fields=["mapping", "kind"])


def start_import(file: Import, mapping: Mapping, dry_run: bool, by: Operator | None = None) -> None:
    """Queue the file with a mapping; a dry run only counts. Raises DomainError naming what is missing, Conflict when active.

    That it may loosen consent is told apart in the audit log.
    """
    require_state(file, *ENDED)
    layout = layout_of(file)
    if problem := mapping.problem(layout.columns):
        raise DomainError(problem[0], sentence(problem[0]), problem[1])
    if not Path(file.path).exists():
        raise Conflict("file_gone", sentence("file_gone"))
    Import.objects.filter(pk=file.pk).update(
        mapping=kept(layout, mapping),
        kind=mapping.kind,
        dry_run=dry_run,
        state="due",
        error="",
        **UNREAD,
        started_at=None,
        finished_at=None,
        heartbeat_at=None,
        undone=0,
        undone_people=0,
        undo_started_at=None,
    )
    ImportRowError.objects.filter(file=file).delete()
    if not dry_run:
        audit("import.run", file.name, by, file=str(file.pk), kind=mapping.kind, event=mapping.event)
        if mapping.loosen:
            audit("import.loosen", file.name, by, file=str(file.pk))


def require_state(file: Import, *states: str) -> None:
    """Lock the row and refuse when it is not in one of the states."""
    found = Import.objects.select_for_update().get(pk=file.pk)
    if found.state not in states:
        raise Conflict("import_active", sentence("import_active"))


def pause_import(file: Import, by: Operator | None = None) -> bool:
    """Stop after the chunks that are stored, to go on later. Returns False when there was nothing to stop."""
    return change_state(file, ("due", "running"), by, "import.pause", state="paused")


def resume_import(file: Import, by: Operator | None = None) -> bool:
    """Go on where it was paused. Returns False when it is not."""
    return change_state(file, ("paused",), by, "import.resume", state="due", heartbeat_at=None)


def cancel_import(file: Import, by: Operator | None = None) -> bool:
    """Stop, and take back what this run stored so far. Returns False when there was nothing to stop."""
    states = (*STOPPABLE, "paused")
    ended = {"state": "cancelled", "finished_at": timezone.now()}
    if file.dry_run:
        return change_state(file, states, by, "import.cancel", **ended)
    waiting = Import.objects.filter(pk=file.pk, state="due", started_at=None)
    if waiting.update(**ended):
        audit("import.cancel", file.name, by, file=str(file.pk))
        return True
    return change_state(file, states, by, "import.cancel", **undoing())


def undo_import(file: Import, by: Operator | None = None) -> bool:
    """Take back what a finished import stored. Returns False when there is nothing to take back (any more)."""
    if not can_undo(file):
        return False
    return change_state(file, UNDOABLE, by, "import.undo", **undoing())


def undoing() -> dict[str, Any]:
    return {"state": "undoing", "heartbeat_at": None, "undo_started_at": timezone.now()}


def can_undo(file: Import) -> bool:
    return file.state in UNDOABLE and ImportBatch.objects.filter(file=file.pk).exists()


def what_goes(file: Import) -> dict[str, int]:
    """What an undo would take back, of every run of the file: events (or rows about people), and people it made."""
    sizes = {
        name: Sum(Func(name, function="cardinality", output_field=IntegerField())) for name in ("events", "new_people")
    }
    found = ImportBatch.objects.filter(file=file.pk).aggregate(**sizes, about_people=Sum("rows"))
    return {"rows": (found["events"] or 0) + (found["about_people"] or 0), "people": found["new_people"] or 0}


def change_state(file: Import, states: tuple[str, ...], by: Operator | None, action: str, **values: Any) -> bool:
    done = Import.objects.filter(pk=file.pk, state__in=states).update(**values)
    if done:
        audit(action, file.name, by, file=str(file.pk))
    return bool(done)


def forget_files(now: datetime) -> int:
    """Delete uploaded files a week after their import ended, in the open scope; rows, counts and errors stay.

    So does what an undo needs, for UNDO_DAYS. Returns how many files went.
    """
    ImportBatch.objects.filter(at__lt=now - timedelta(days=UNDO_DAYS)).exclude(file__state__in=ACTIVE).delete()
    old = (
        Import.objects.filter(created_at__lt=now - KEPT_FILES)
        .exclude(state__in=(*ACTIVE, "paused"))
        .values_list("path", flat=True)
    )
    gone = [path for path in map(Path, old) if path.parent == folder() and path.exists()]
    for path in gone:
        path.unlink(missing_ok=True)
    return len(gone)
