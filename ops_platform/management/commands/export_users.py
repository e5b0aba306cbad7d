"""`manage.py export_users --workspace SLUG --csv`: everybody who is counted, with stage, activity, RFM and facts.

`--profiles` writes who they are instead (external_id, created_at, excluded, attributes): together with `export_events`
that is all the numbers are computed from.
"""

from __future__ import annotations

import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from workspaces.copying import copy_csv
from workspaces.scoping import workspace_scope
from workspaces.selectors import workspace_named


class Command(BaseCommand):
    help = __doc__

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--workspace", required=True, metavar="SLUG")
        parser.add_argument("--csv", action="store_true", help="CSV, which is also the only form")
        parser.add_argument("--profiles", action="store_true", help="who they are instead of what was computed")

    def handle(self, *args: Any, **options: Any) -> None:
        workspace = workspace_named(options["workspace"])
        with workspace_scope(workspace):
            if options["profiles"]:
                copy_csv("ops_platform/export_profiles", sys.stdout)
            elif workspace.current_day is None:
                raise CommandError(
                    f"{workspace.slug} has had no night yet: run `manage.py night --workspace {workspace.slug}`."
                )
            else:
                copy_csv("ops_platform/export_users", sys.stdout, day=workspace.current_day)
