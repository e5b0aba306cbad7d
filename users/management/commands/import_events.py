"""`manage.py import_events FILE --workspace SLUG --map external_id=2 --map time=3:%Y%m%d --map amount=5`: take in a file.

`--map ROLE=COLUMN[:FORMAT]`, any number of times. Roles: those of users/import_kinds.py for the `--kind` of file; any other
name keeps the column as a property (of users: an attribute) of that name. Columns go by their header, or by
number (from 1) in a file without one. FORMAT of time: iso, epoch or a strptime pattern; of external_id: int (0001 is 1).
Columns that are not mentioned are kept as properties. Prints a summary as JSON; the same file again adds nothing.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from users.csv_files import DELIMITERS, BadFile, Layout, guess_layout
from users.csv_mapping import ISO, Mapping
from users.import_kinds import KINDS, PROPERTY, ROLES, SKIP
from users.import_run import claim, work_through
from users.import_words import sentence
from users.imports import bad_upload, open_file, start_import
from users.models import Import, ImportRowError
from workspaces.errors import DomainError
from workspaces.models import Workspace
from workspaces.scoping import workspace_scope
from workspaces.selectors import workspace_named

COUNTS = ("rows", "accepted", "duplicates", "rejected", "new_people")


class Command(BaseCommand):
    help = __doc__

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument("--workspace", required=True, metavar="SLUG")
        parser.add_argument("--map", action="append", default=[], metavar="ROLE=COLUMN[:FORMAT]")
        parser.add_argument("--skip", action="append", default=[], metavar="COLUMN", help="leave this column out")
        parser.add_argument("--event", default="Order Completed", help="the event's name, where no column tells it")
        parser.add_argument("--delimiter", choices=sorted(DELIMITERS), help="guessed when left out")
        parser.add_argument("--encoding", choices=["utf-8", "gb18030"], help="guessed when left out")
        parser.add_argument("--header", action="store_true", default=None, help="the first row names the columns")
        parser.add_argument("--no-header", action="store_false", dest="header", help="the first row is data")
        parser.add_argument("--sum-items", action="store_true", help="a row is an item; add up the rows of an order")
        parser.add_argument("--kind", choices=sorted(KINDS), default="events", help="what the file is about")
        parser.add_argument("--dry-run", action="store_true", help="count and check; write nothing")

    def handle(self, *args: Any, **options: Any) -> None:
        workspace = workspace_named(options["workspace"])
        path = options["file"].resolve()
        if not path.is_file():
            raise CommandError(f"There is no file {path}.")
        began = time.monotonic()
        try:
            layout = guess_layout(path, options["delimiter"], options["header"], encoding(options["encoding"]))
            mapping = read_mapping(options, layout)
            with workspace_scope(workspace):
                file = open_file(path, path.name, layout=layout)
                start_import(file, mapping, options["dry_run"])
                claimed = claim(file.pk)
        except BadFile as problem:
            raise CommandError(str(bad_upload(problem))) from problem
        except DomainError as problem:
            raise CommandError(f"{problem.path}: {problem.message}") from problem
        assert claimed is not None, "made in this transaction, so nobody else saw it"
        done = work_through(workspace, claimed)
        self.stdout.write(json.dumps(summarise(workspace, done, time.monotonic() - began), ensure_ascii=False))
        if done.state != "done":
            raise CommandError(sentence(done.error) if done.error else done.state)


def encoding(name: str | None) -> str | None:
    return "utf-8-sig" if name == "utf-8" else name


def read_mapping(options: dict[str, Any], layout: Layout) -> Mapping:
    """The mapping that the options spell out. Raises CommandError."""
    others = KINDS[options["kind"]].others
    roles = dict.fromkeys(layout.columns, others) | dict.fromkeys(options["skip"], SKIP)
    formats: dict[str, str] = {}
    for pair in options["map"]:
        role, equals, column = pair.partition("=")
        if not equals:
            raise CommandError(f"--map {pair}: write ROLE=COLUMN.")
        if column not in layout.columns:
            column, _colon, formats[role] = column.partition(":")
        roles[column] = role if role in ROLES else f"{PROPERTY}:{role}"
    if formats.get("external_id") not in (None, "int"):
        raise CommandError("--map external_id=COLUMN:int is the only format of ids.")
    as_numbers = formats.get("external_id") == "int"
    time_format = formats.get("time") or formats.get("registered_at") or ISO
    return Mapping(roles, options["event"], time_format, as_numbers, options["sum_items"], kind=options["kind"])


def summarise(workspace: Workspace, file: Import, seconds: float) -> dict[str, Any]:
    """Counts, the first errors, and how fast it went."""
    with workspace_scope(workspace):
        errors = list(ImportRowError.objects.filter(file=file).order_by("line")[:20])
    summary: dict[str, Any] = {"file": file.name, "state": file.state, "dry_run": file.dry_run}
    summary |= {name: getattr(file, name) for name in COUNTS}
    shown = ("line", "column", "code", "message", "value")
    summary["errors"] = [{name: getattr(error, name) for name in shown} for error in errors]
    return summary | {"seconds": round(seconds, 2)}
