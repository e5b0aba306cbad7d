"""Migration operation that puts a table behind the tenant wall: row-level security, grants, composite foreign keys."""

from __future__ import annotations

from typing import Any

from django.db import migrations

SCOPE = "(select nullif(current_setting('app.workspace_id', true), '')::uuid)"


def policy(table: str, using: str, check: str | None = None) -> list[str]:
    return [
        f"alter table {table} enable row level security",
        f"alter table {table} force row level security",
        f"create policy workspace on {table} using ({using}) with check ({check or using})",
    ]


class TenantTable(migrations.RunSQL):
    """Wall off one table that carries `workspace_id`.

    `grants`: what the app role may do. `readable`: whether compiled segment SQL may read it. `extra`: a second way in,
    OR-ed into USING only (a presented credential). `foreign_keys`: {column: table}, made composite with the workspace,
    because foreign key checks bypass row-level security.
    """

    def __init__(
        self,
        table: str,
        *,
        grants: str = "select, insert, update, delete",
        readable: bool = True,
        extra: str = "",
        foreign_keys: dict[str, str] | None = None,
    ) -> None:
        own = f"workspace_id = {SCOPE}"
        statements: list[Any] = policy(table, f"{own} or {extra}" if extra else own, own)
        statements += [
            f"revoke all on {table} from uop_app",
            f"grant {grants} on {table} to uop_app",
            *([f"grant select on {table} to uop_read"] if readable else []),
        ]
        for column, target in (foreign_keys or {}).items():
            statements.append(
                f"alter table {table} add constraint {table}_{column}_workspace_fk foreign key (workspace_id, {column})"
                f" references {target} (workspace_id, id) on delete cascade deferrable initially deferred"
            )
        super().__init__(statements, reverse_sql=[f"drop policy workspace on {table}"])


class TenantKey(migrations.RunSQL):
    """A unique (workspace_id, id), which composite foreign keys point at."""

    def __init__(self, table: str) -> None:
        name = f"{table}_workspace_id_key"
        super().__init__(
            [f"alter table {table} add constraint {name} unique (workspace_id, id)"],
            reverse_sql=[f"alter table {table} drop constraint {name}"],
        )
