#!/usr/bin/env python
"""Django's command line. Without DATABASE_URL it starts the embedded Postgres and Valkey for the command's own duration."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

WITHOUT_SERVERS = {"check", "collectstatic", "compilemessages", "help", "makemessages", "makemigrations", "version"}
AS_OWNER = {"migrate", "sqlmigrate", "showmigrations", "makemigrations"}


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "ops_platform.settings")
    command = sys.argv[1] if len(sys.argv) > 1 else "help"
    if command in AS_OWNER:
        os.environ["DATABASE_ROLE"] = "owner"
    with servers_for(command):
        from django.core.management import execute_from_command_line

        execute_from_command_line(sys.argv)


@contextmanager
def servers_for(command: str) -> Iterator[None]:
    """The embedded servers, unless the environment already names a database or the command needs none."""
    if "DATABASE_URL" in os.environ or command in WITHOUT_SERVERS:
        yield
        return
    from ops_platform.embedded import EmbeddedServers

    folder = Path(__file__).resolve().parent / ".data"
    with EmbeddedServers(os.environ.get("DATA_DIR", folder)) as servers:
        os.environ.update(servers.environment())
        yield


if __name__ == "__main__":
    main()
