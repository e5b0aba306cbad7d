"""Command line: `python -m ops_platform.embedded run -- COMMAND…`, `setup-roles`, `clean`."""

import argparse
import os
import sys
from pathlib import Path

from ops_platform.embedded import roles
from ops_platform.embedded.keeper import keep
from ops_platform.embedded.run import run
from ops_platform.embedded.servers import EmbeddedServers, clean, default_data_dir, outside_servers


def main() -> int:
    """Do what the arguments say and return the exit code."""
    arguments = _arguments()
    if arguments.action == "keep":
        keep(arguments.home, durable=not arguments.fast)
    elif arguments.action == "setup-roles":
        roles.main()
    elif arguments.action == "clean":
        clean(arguments.data_dir)
    elif outside_servers():
        if not os.environ.get("EMBEDDED"):
            _prepare_if_allowed()
        return run(arguments.command, {})
    else:
        with EmbeddedServers(arguments.data_dir, durable=not arguments.fast) as servers:
            return run(arguments.command, servers.environment())
    return 0


def _prepare_if_allowed() -> None:
    """Set up the roles on the outside server; a login without that right goes on, since they may be there already."""
    try:
        roles.main()
    except RuntimeError as error:
        print(f"warning: {error}", file=sys.stderr)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m ops_platform.embedded")
    actions = parser.add_subparsers(dest="action", required=True)
    data_dir = default_data_dir()
    starter = actions.add_parser("run", help="run a command with PostgreSQL and Valkey around it")
    starter.add_argument("--data-dir", type=Path, default=data_dir)
    starter.add_argument("--fast", action="store_true", help="no crash safety: for tests")
    starter.add_argument("command", nargs="+", help="what to run, after --")
    actions.add_parser("setup-roles", help="create the database roles on the server of DATABASE_URL")
    cleaner = actions.add_parser("clean", help="delete the data folder and what it points to")
    cleaner.add_argument("--data-dir", type=Path, default=data_dir)
    keeper = actions.add_parser("keep", help="(internal) hold the servers while somebody uses them")
    keeper.add_argument("home", type=Path)
    keeper.add_argument("--fast", action="store_true")
    return parser.parse_args()


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (RuntimeError, OSError) as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit(130)
