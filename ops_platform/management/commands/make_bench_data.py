"""`manage.py make_bench_data`: a workspace of made-up people and events, as large as asked for, to measure with.

`--add-day` adds the day after the last to one that is there, with late events, repeats, refunds and merged ids.
"""

from __future__ import annotations

import os
import time
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from ops_platform.bench_data.load import Size, add_day, load, make_workspace
from workspaces.errors import DomainError
from workspaces.models import Workspace


class Command(BaseCommand):
    help = __doc__

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--workspace", default="bench", help="its slug")
        parser.add_argument("--users", type=int, default=Size.users)
        parser.add_argument("--events", type=int, default=Size.events, help="events in --days days")
        parser.add_argument("--days", type=int, default=Size.days)
        parser.add_argument("--history", type=int, default=Size.history, help="so many times --days, and --events")
        parser.add_argument("--seed", type=int, default=Size.seed)
        parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
        parser.add_argument("--add-day", action="store_true", help="one more day; tell the same size as before")

    def handle(self, *args: Any, **options: Any) -> None:
        size = Size(**{name: options[name] for name in ("users", "events", "days", "history", "seed")})
        try:
            if options["add_day"]:
                self.add_day(options["workspace"], size)
            else:
                self.load(options["workspace"], size, options["processes"])
        except (DomainError, ValueError) as problem:
            raise CommandError(str(problem)) from problem

    def load(self, slug: str, size: Size, processes: int) -> None:
        began = time.monotonic()
        if size.users < 1 or size.days < 1 or size.history < 1:
            raise CommandError("--users, --days and --history are at least 1.")
        workspace = make_workspace(slug, size)
        load(workspace, size, processes, self.stdout.write)
        self.stdout.write(
            f"{size.users:,} people, {size.events * size.history:,} events in {time.monotonic() - began:.0f} s"
        )

    def add_day(self, slug: str, size: Size) -> None:
        workspace = Workspace.objects.filter(slug=slug).first()
        if workspace is None:
            raise CommandError(f"There is no workspace {slug}.")
        counts = add_day(workspace, size)
        self.stdout.write(f"{workspace.today()}: " + ", ".join(f"{count:,} {what}" for what, count in counts.items()))
