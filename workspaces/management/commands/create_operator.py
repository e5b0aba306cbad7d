"""`manage.py create_operator EMAIL --workspace SLUG --role owner`: make an operator, or give one a role."""

from __future__ import annotations

import getpass
from typing import Any

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.core.validators import validate_email

from workspaces.models import Operator
from workspaces.permissions import ROLES
from workspaces.scoping import workspace_scope
from workspaces.selectors import workspace_named
from workspaces.services import add_member


class Command(BaseCommand):
    help = __doc__

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("email")
        parser.add_argument("--name", default="")
        parser.add_argument("--password", default="", help="asked for when left out")
        parser.add_argument("--workspace", metavar="SLUG", help="also make them a member")
        parser.add_argument("--role", choices=ROLES, default="owner")

    def handle(self, *args: Any, **options: Any) -> None:
        email = options["email"].strip().lower()
        workspace = workspace_named(options["workspace"]) if options["workspace"] else None
        operator = Operator.objects.filter(email=email).first()
        if operator and options["password"]:
            self.stderr.write(
                f"{email} is known and keeps the password; `manage.py changepassword {email}` sets another."
            )
        operator = operator or self.make(email, options)
        if workspace is not None:
            with workspace_scope(workspace):
                add_member(operator, options["role"])
        self.stdout.write(email)

    def make(self, email: str, options: dict[str, Any]) -> Operator:
        try:
            password = options["password"] or getpass.getpass()
        except EOFError:
            raise CommandError("Nobody is there to ask for a password: give --password.") from None
        try:
            validate_email(email)
            validate_password(password, Operator(email=email, name=options["name"]))
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from error
        return Operator.objects.create_user(email, password, name=options["name"])
