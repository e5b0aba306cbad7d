"""`manage.py create_workspace SLUG --name … --zone … --currency … --industry … --frozen-on DAY`: make a workspace.

Prints JSON with its slug, a `write_key` for sending events and an `api_key` (role admin). Both are shown this once. Here and
not in `workspaces`, because the industry also says what event names mean.
"""

from __future__ import annotations

import json
from datetime import date
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction

from users.mapping import apply_preset, set_roles
from workspaces.errors import DomainError
from workspaces.rules import PAY, PRESETS
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
        parser.add_argument("--frozen-on", type=date.fromisoformat, metavar="YYYY-MM-DD", help="its today, for history")
        parser.add_argument("--pay-stage", action="store_true", help="use the stage paying, whatever the industry says")

    def handle(self, *args: Any, **options: Any) -> None:
        fields = {name: options[name] for name in ("slug", "name", "zone", "currency", "industry", "frozen_on")}
        settings = {"pay_stage": True} if options["pay_stage"] else {}
        try:
            with transaction.atomic():
                workspace = create_workspace(**fields, settings=settings)
                with workspace_scope(workspace):
                    apply_preset(workspace.industry)
                    if options["pay_stage"] and not PRESETS[workspace.industry].roles["pay"]:
                        set_roles({"pay": PAY})
                    write_key = create_key("write", "command line")[1]
                    api_key = create_key("api", "command line", role="admin")[1]
        except DomainError as problem:
            raise CommandError(f"{problem.path}: {problem.message}") from problem
        made = {"slug": workspace.slug, "id": str(workspace.pk), "write_key": write_key, "api_key": api_key}
        self.stdout.write(json.dumps(made))
