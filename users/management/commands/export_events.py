"""`manage.py export_events --workspace SLUG --csv`: every event of identified people to standard output.

Columns: external_id, event, at (ISO-8601 UTC, microseconds), message_id, properties (JSON). For programs: cells are not
guarded against spreadsheet formulas, unlike the exports of the dashboard.
"""

from __future__ import annotations

import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from workspaces.copying import copy_csv
from workspaces.scoping import workspace_scope
from workspaces.selectors import workspace_named


class Command(BaseCommand):
    help = __doc__

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--workspace", required=True, metavar="SLUG")
        parser.add_argument("--csv", action="store_true", help="CSV, which is also the only form")

    def handle(self, *args: Any, **options: Any) -> None:
        with workspace_scope(workspace_named(options["workspace"])):
            copy_csv("users/export_events", sys.stdout)
