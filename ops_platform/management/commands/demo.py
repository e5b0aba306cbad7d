"""`manage.py demo [--serve]`: do the main job on two workspaces, say what came of it, and serve the dashboard."""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
import time
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser

from campaigns.local_servers import LocalInbox
from ops_platform.demo import cdnow, shop, touches
from ops_platform.demo.steps import Steps
from ops_platform.demo.summary import lines
from ops_platform.serving import Children, free_port, start_web, start_workers
from workspaces.models import Operator, Workspace
from workspaces.scoping import workspace_scope
from workspaces.services import add_member

EMAIL = "demo@example.com"


class Command(BaseCommand):
    help = __doc__

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--serve", action="store_true", help="serve the dashboard until Ctrl-C")
        parser.add_argument("--port", type=int, default=8000)

    def handle(self, *args: Any, **options: Any) -> None:
        began = time.monotonic()
        steps = Steps(self.stdout.write)
        port = options["port"] if options["serve"] else free_port()
        # Links in messages must lead to the server that this run starts.
        settings.BASE_URL = f"http://127.0.0.1:{port}"
        with steps("migrate"):
            migrate()
        with LocalInbox(settings.DATA_DIR / "inbox") as inbox, Children() as children:
            with steps("start the web server"):
                address = start_web(children, port)
            self.fill(steps, address, inbox)
            password = self.operator()
            for line in lines(inbox):
                self.stdout.write(line)
            self.stdout.write(f"\n  {time.monotonic() - began:.0f} s in all")
            if options["serve"]:
                start_workers(children)
                self.stdout.write(f"\n  {address}\n  {EMAIL}\n  {password}\n\n  Ctrl-C stops everything.\n")
                self.stdout.flush()
                children.wait()

    def fill(self, steps: Steps, address: str, inbox: LocalInbox) -> None:
        """Each workspace once: what was begun and not finished is begun anew."""
        for slug, day, build in ((cdnow.SLUG, cdnow.DAY, cdnow.build), (shop.SLUG, shop.LAST_DAY, shop.build)):
            workspace = Workspace.objects.filter(slug=slug).first()
            if workspace is not None and workspace.current_day == day:
                self.stdout.write(f"     –     workspace {slug} is there already")
                if slug == shop.SLUG:
                    touches.connect(workspace, inbox)
                continue
            if workspace is not None:
                workspace.slug = f"{slug}-{secrets.token_hex(3)}"
                workspace.save(update_fields=["slug"])
            build(steps, address, inbox)

    def operator(self) -> str:
        """The demo's login: one password per data folder, made up once."""
        kept = settings.DATA_DIR / "demo_password"
        if not kept.exists():
            kept.write_text(secrets.token_urlsafe(9))
            os.chmod(kept, 0o600)
        password = kept.read_text()
        operator = Operator.objects.filter(email=EMAIL).first() or Operator.objects.create_user(
            EMAIL, password, name="小林"
        )
        if not operator.check_password(password):
            operator.set_password(password)
            operator.save(update_fields=["password"])
        for workspace in Workspace.objects.filter(slug__in=[cdnow.SLUG, shop.SLUG]):
            with workspace_scope(workspace):
                add_member(operator, "owner", operator)
        return password


def migrate() -> None:
    """In a process of its own: migrations log in as the owner role."""
    subprocess.run([sys.executable, settings.BASE_DIR / "manage.py", "migrate", "--verbosity", "0"], check=True)
