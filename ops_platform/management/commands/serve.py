"""`manage.py serve`: the dashboard, a worker and beat on this machine, until Ctrl-C."""

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from ops_platform.serving import Children, start_web, start_workers


class Command(BaseCommand):
    help = __doc__

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--port", type=int, default=8000)

    def handle(self, *args: Any, **options: Any) -> None:
        with Children() as children:
            address = start_web(children, options["port"])
            start_workers(children)
            self.stdout.write(f"{address}  (Ctrl-C stops everything)")
            children.wait()
