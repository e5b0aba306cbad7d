"""`night --workspace SLUG --day YYYY-MM-DD`: bring one workspace's numbers up to the end of a day."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from datetime import date
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from ops_platform.nightly import STEPS, run_night
from workspaces.errors import DomainError
from workspaces.models import Workspace


class Command(BaseCommand):
    help = "Run the night of one workspace for one day. Running it again changes nothing."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--workspace", required=True, metavar="SLUG")
        parser.add_argument(
            "--day", type=date.fromisoformat, metavar="YYYY-MM-DD", help="default: the last finished day"
        )
        parser.add_argument("--step", default="", choices=[step.key for step in STEPS], help="run this step only")
        parser.add_argument("--json", action="store_true", help="print the summary as JSON")

    def handle(self, *, workspace: str, day: date | None, step: str, **options: Any) -> None:
        found = Workspace.objects.filter(slug=workspace).first()
        if found is None:
            raise CommandError(f"There is no workspace {workspace!r}.")
        try:
            summary = run_night(found, day or found.yesterday(), only=step)
        except DomainError as error:
            raise CommandError(error.message) from error
        if options["json"]:
            self.stdout.write(json.dumps(summary))
        else:
            self.write_table(summary)

    def write_table(self, summary: dict[str, Any]) -> None:
        for step in summary["steps"]:
            counts = ", ".join(f"{name} {count}" for name, count in step["counts"].items())
            self.stdout.write(f"{step['step']:<12}{step['seconds']:>9.3f} s  {counts}")
        self.stdout.write(
            f"{summary['workspace']} {summary['day']}: {summary['changes']} changes in {summary['seconds']} s"
        )
