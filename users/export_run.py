"""Lists into files, in the background: a page of rows at a time, read in one transaction, written outside of any, and
noted in the next.

The row says how many bytes of the file count. Whoever goes on after a kill cuts the rest off and begins there. Writers of
one file take turns by its lock, under which each makes sure that the export is still its own.
"""

from __future__ import annotations

import logging
import os
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from fcntl import LOCK_EX, flock
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec
from django.conf import settings
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _

from users.export_kinds import Kind, all_kinds
from users.exports import csv_lines
from users.models import Export
from users.services import in_scope
from workspaces.errors import DomainError
from workspaces.models import Operator, Workspace
from workspaces.scoping import current_workspace
from workspaces.services import audit
from workspaces.sql import is_interruption

logger = logging.getLogger(__name__)
PAGE = 2_000
# A worker that did not write a page for so long is taken for dead.
SILENCE = timedelta(minutes=2)
WAITING = ("due", "running")
SHORT = 3


def folder(workspace: Workspace) -> Path:
    return Path(settings.MEDIA_ROOT) / "exports" / str(workspace.pk)


def file_of(workspace: Workspace, pk: uuid.UUID) -> Path:
    return folder(workspace) / f"{pk}.csv"


def path_of(export: Export) -> Path:
    return file_of(current_workspace(), export.pk)


def ask_export(kind: Kind, asked: Mapping[str, str], by: Operator | None = None) -> Export:
    """Ask for a list, in the open scope; while the same one waits or is written, that is it. Raises DomainError."""
    workspace = current_workspace()
    # No value of ours has one, and PostgreSQL takes none.
    query = kind.read(workspace, {name: value.replace("\0", "") for name, value in asked.items()})
    try:
        name = kind.name(workspace, query)
    except LookupError as error:
        raise DomainError("not_found", _("There is no such list any more.")) from error
    same = sha256(msgspec.json.encode([kind.key, query], order="sorted")).hexdigest()
    row = Export(
        workspace=workspace, kind=kind.key, query=query, name=name[:200], same=same, asked_by=by.pk if by else None
    )
    Export.objects.bulk_create([row], ignore_conflicts=True)
    export = Export.objects.filter(same=same).latest("asked_at")
    if export.pk == row.pk:
        audit("export.run", kind.key, by, export=str(export.pk))
    return export


def due_exports(now: datetime) -> list[uuid.UUID]:
    """Exports that nobody writes, in the open scope: just asked for, or left behind by a worker that died."""
    silent = Q(state="running") & (Q(heartbeat_at=None) | Q(heartbeat_at__lt=now - SILENCE))
    return list(Export.objects.filter(Q(state="due") | silent).order_by("asked_at").values_list("pk", flat=True))


def run_export(workspace: Workspace, pk: uuid.UUID) -> None:
    """Write an export to its end, opening its own scopes; nothing when somebody else does already."""
    token = in_scope(workspace, partial(claim, pk))
    if token is None:
        return
    try:
        while write_page(workspace, pk, token):
            pass
    except Exception as problem:
        if is_interruption(problem):  # whoever comes next goes on where this one was
            raise
        if not isinstance(problem, DomainError):
            logger.exception("export: a list could not be written")
        words = problem.message if isinstance(problem, DomainError) else _("The list could not be written.")
        in_scope(workspace, partial(fail, pk, token, words))


def claim(pk: uuid.UUID) -> uuid.UUID | None:
    """Take an export over; the token of whoever had it is worth nothing then."""
    now, token = timezone.now(), uuid.uuid4()
    export = Export.objects.select_for_update(skip_locked=True).filter(pk=pk, state__in=WAITING).first()
    if export is None or (export.token and export.heartbeat_at and export.heartbeat_at > now - SILENCE):
        return None
    started = export.started_at or now
    Export.objects.filter(pk=pk).update(state="running", token=token, heartbeat_at=now, started_at=started)
    return token


@dataclass(frozen=True)
class Page:
    """What comes next in a file: its text, the byte at which it begins, the rows there are with it, and the next cursor."""

    text: bytes
    offset: int
    rows: int
    after: str


def write_page(workspace: Workspace, pk: uuid.UUID, token: uuid.UUID) -> bool:
    """The next page, read and noted in scopes of its own; False when it was the last, or the export is no longer ours."""
    path = file_of(workspace, pk)
    size = path.stat().st_size if path.exists() else 0
    page = in_scope(workspace, partial(read_page, workspace, pk, token, size))
    return bool(
        page and append(workspace, pk, token, page) and in_scope(workspace, partial(note_page, pk, token, page))
    )


def is_mine(pk: uuid.UUID, token: uuid.UUID) -> bool:
    """Waits for whoever is about to take the export away: they delete the file before they commit."""
    mine = Export.objects.select_for_update().filter(pk=pk, token=token, state="running")
    return mine.first() is not None


def read_page(workspace: Workspace, pk: uuid.UUID, token: uuid.UUID, size: int) -> Page | None:
    """In the open scope; from the beginning where the file is shorter than the row says. None: not ours."""
    export = Export.objects.filter(pk=pk, token=token, state="running").first()
    if export is None:
        return None
    kind = all_kinds()[export.kind]
    offset, rows, after = export.bytes, export.rows, export.after
    if size < offset:
        offset, rows, after = 0, 0, ""
    found, after = kind.page(workspace, export.query, after, PAGE)
    lines = list(csv_lines(kind.header, found))
    text = "".join(lines[1:] if offset else lines).encode()
    total = export.total if offset else kind.count(workspace, export.query)
    Export.objects.filter(pk=pk, token=token).update(total=total, heartbeat_at=timezone.now())
    return Page(text, offset, rows + len(found), after)


def append(workspace: Workspace, pk: uuid.UUID, token: uuid.UUID, page: Page) -> bool:
    """Write the page behind the bytes that count, outside of any transaction; False when the export is no longer ours.

    Whoever took it over waits for the lock, and cuts off what was written under it.
    """
    path = file_of(workspace, pk)
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with path.open("ab") as file:
        flock(file, LOCK_EX)
        if not in_scope(workspace, partial(is_mine, pk, token)):
            return False
        file.truncate(page.offset)
        file.write(page.text)
        file.flush()
        os.fsync(file.fileno())
    return True


def note_page(pk: uuid.UUID, token: uuid.UUID, page: Page) -> bool:
    """Say in the open scope that the page is in the file; whether there is more to write for us."""
    now = timezone.now()
    values: dict[str, Any] = {} if page.after else {"state": "done", "finished_at": now, "token": None}
    noted = Export.objects.filter(pk=pk, token=token, state="running").update(
        rows=page.rows, bytes=page.offset + len(page.text), after=page.after, heartbeat_at=now, **values
    )
    return bool(noted and page.after)


def fail(pk: uuid.UUID, token: uuid.UUID, words: str) -> None:
    failed = Export.objects.filter(pk=pk, token=token, state="running")
    failed.update(state="failed", error=words[:300], token=None, finished_at=timezone.now())


def cancel_export(export: Export, by: Operator | None = None) -> bool:
    """Stop writing; False when there was nothing to stop."""
    stopped = Export.objects.filter(pk=export.pk, state__in=WAITING)
    if not stopped.update(state="cancelled", token=None, finished_at=timezone.now()):
        return False
    path_of(export).unlink(missing_ok=True)
    return True


def expire_exports(workspace: Workspace, now: datetime) -> int:
    """Delete files that are older than the workspace keeps them, in the open scope; returns how many."""
    before = now - timedelta(days=workspace.rules.keep_exports_days)
    rows = Export.objects.filter(state="done", finished_at__lt=before).update(state="gone")
    delete_unnamed()
    return rows


def forget_in_exports(texts: Iterable[str]) -> int:
    """Delete every file, in the open scope, since an erased person may be in it; those being written begin anew. Exports
    that ask for one of the texts go altogether. Returns how many exports that changed."""
    words = list(texts)
    named = [
        export.pk
        for export in Export.objects.all()
        if any(is_in(word, text) for word in words for text in (export.name, *export.query.values()))
    ]
    rows = Export.objects.filter(pk__in=named).delete()[0]
    rows += Export.objects.filter(state="done").update(state="gone")
    begun = Export.objects.filter(state="running")
    rows += begun.update(state="due", token=None, rows=0, bytes=0, after="", total=None, started_at=None)
    delete_unnamed()
    return rows


def is_in(word: str, text: str) -> bool:
    """A short id stands in many texts by chance: it has to be all of it."""
    return word == text or (len(word) > SHORT and word in text)


def delete_unnamed() -> None:
    """Delete the files that no export stands for any more, whoever left them."""
    workspace = current_workspace()
    kept = {str(pk) for pk in Export.objects.filter(state__in=["running", "done"]).values_list("pk", flat=True)}
    for path in folder(workspace).glob("*.csv"):
        if path.stem not in kept:
            path.unlink(missing_ok=True)


def export_job(export: Export, now: datetime | None = None) -> dict[str, Any]:
    """Progress as shared/_progress.html draws it: rows per second, and how long what is left will take."""
    seconds = (
        ((export.finished_at or now or timezone.now()) - export.started_at).total_seconds() if export.started_at else 0
    )
    rate = export.rows / seconds if seconds > 0.1 else 0.0
    left = round((export.total - export.rows) / rate) if rate and export.total and export.state == "running" else None
    return {
        "done": export.rows,
        "total": export.total,
        "rate": round(rate) if rate else None,
        "seconds_left": max(0, left) if left is not None else None,
        "active": export.state in WAITING,
    }
