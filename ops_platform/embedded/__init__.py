"""PostgreSQL and Valkey for a machine that has neither: `make demo` and `make test` run on these.

Read in this order: `places` (where things lie), `postgres` and `valkey` (one server each), `keeper` (the process that
holds both), `servers` (what everybody else uses), `roles` (the four database roles, also for an outside server),
`run` (one command with servers around it). Nothing here imports Django.
"""

from ops_platform.embedded.servers import EmbeddedServers, outside_servers

__all__ = ["EmbeddedServers", "outside_servers"]
