"""`manage.py create_workspace SLUG`: make a workspace with its industry's event roles; prints its keys as JSON, this once."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction

from users.mapping import apply_preset
from workspaces.errors import DomainError
from workspaces.rules import PRESETS
from workspaces.scoping import workspace_scope
from workspaces.services import create_key, create_workspace


class Command(BaseCommand):
    help = __doc__

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("slug")
        parser.add_argument("--name", default="")
        parser.add_argument("--zone", default="Asia/Shanghai")
        parser.add_argument("--currency", default="CNY")
        parser.add_argument("--industry", default="ecommerce", choices=sorted(PRESETS))
        parser.add_argument("--frozen-on", type=date.fromisoformat, metavar="YYYY-MM-DD", help="history: its today is this day")
        parser.add_argument("--pay-stage", action="store_true", help="switch the pay stage on where the preset has it off")

    def handle(self, *args: Any, **options: Any) -> None:
        names = ("slug", "name", "zone", "currency", "industry", "frozen_on")
        settings = {"pay_stage": True} if options["pay_stage"] else {}
        try:
            with transaction.atomic():
                workspace = create_workspace(**{name: options[name] for name in names}, settings=settings)
                with workspace_scope(workspace):
                    apply_preset(workspace.industry)
                    write_key = create_key("write", "first")[1]
                    api_key = create_key("api", "first", role="admin")[1]
        except DomainError as error:
            raise CommandError(f"{error.path}: {error.message}" if error.path else error.message) from error
        self.stdout.write(json.dumps({"slug": workspace.slug, "write_key": write_key, "api_key": api_key}))
