"""The tenant walls, walked: every table in the catalogue, every model, and the roles themselves."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from django.apps import apps
from django.db import DatabaseError, connection, transaction

from users.models import EndUser, person_id
from workspaces.models import TenantModel, WorkspaceManager
from workspaces.scoping import NoScope, read_role, workspace_scope

# Unique without the workspace, on purpose: random ids, and ids that are a hash of the workspace and the external id.
# The event's key starts with such a person id; event_name.id is a surrogate nobody can insert by hand.
UNIQUE_WITHOUT_WORKSPACE = {"event_pkey", "event_name_pkey", "attribute_tally_pkey"}

CATALOGUE = """
with tenant as (
    select c.oid, c.relname, c.relrowsecurity, c.relforcerowsecurity
    from pg_class c
    join pg_namespace n on n.oid = c.relnamespace and n.nspname = 'public'
    join pg_attribute a on a.attrelid = c.oid and a.attname = 'workspace_id' and not a.attisdropped
    where c.relkind in ('r', 'p')
)
select 'no forced row-level security', relname from tenant where not (relrowsecurity and relforcerowsecurity)
union all
select 'not exactly one policy for everything', relname from tenant t
where 1 <> (select count(*) from pg_policy p where p.polrelid = t.oid)
   or not exists (
       select 1 from pg_policy p
       where p.polrelid = t.oid and p.polcmd = '*' and p.polqual is not null and p.polwithcheck is not null)
union all
select 'role is privileged', rolname from pg_roles
where rolname in ('uop_app', 'uop_read', 'uop_ingest')
  and (rolsuper or rolbypassrls or rolcreaterole or rolcreatedb or rolreplication)
union all
select 'runtime role owns a table', c.relname from pg_class c join pg_roles r on r.oid = c.relowner
where r.rolname in ('uop_app', 'uop_read', 'uop_ingest') and c.relkind in ('r', 'p', 'v', 'm')
union all
select 'runtime role may become', b.rolname from pg_auth_members m
join pg_roles a on a.oid = m.member and a.rolname in ('uop_app', 'uop_read', 'uop_ingest') join pg_roles b on b.oid = m.roleid
where b.rolsuper or b.rolbypassrls or exists (select 1 from pg_class c where c.relowner = b.oid)
union all
select 'view without security_invoker', c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace
where n.nspname = 'public' and c.relkind = 'v' and has_table_privilege('uop_app', c.oid, 'select')
  and not coalesce(c.reloptions::text ~ 'security_invoker=(true|on)', false)
  and not exists (select 1 from pg_depend d where d.objid = c.oid and d.deptype = 'e')
union all
select 'materialised view', c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace
where n.nspname = 'public' and c.relkind = 'm'
union all
select 'security definer', p.proname from pg_proc p join pg_namespace n on n.oid = p.pronamespace
where n.nspname = 'public' and p.prosecdef
  and p.proname not in ('drop_empty_event_month', 'ensure_event_month', 'erase_from_audit', 'refresh_statistics')
union all
select 'foreign key without workspace', con.conname from pg_constraint con
where con.contype = 'f' and con.conrelid in (select oid from tenant) and con.confrelid in (select oid from tenant)
  and not exists (
      select 1 from pg_attribute a
      where a.attrelid = con.conrelid and a.attname = 'workspace_id' and a.attnum = any (con.conkey))
union all
select 'unique without workspace', x.relname from pg_index i join pg_class x on x.oid = i.indexrelid
where i.indisunique and i.indrelid in (select oid from tenant)
  and not exists (
      select 1 from pg_attribute a
      where a.attrelid = i.indrelid and a.attname = 'workspace_id' and a.attnum = any (i.indkey::int2[]))
union all
select 'dangerous grant', c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace
where n.nspname = 'public' and c.relkind in ('r', 'p')
  and (has_table_privilege('uop_app', c.oid, 'truncate') or has_table_privilege('uop_app', c.oid, 'trigger')
       or has_table_privilege('uop_app', c.oid, 'references') or has_table_privilege('uop_read', c.oid, 'insert')
       or has_table_privilege('uop_read', c.oid, 'update') or has_table_privilege('uop_read', c.oid, 'delete'))
union all
select 'partitions within reach', 'parts' where has_schema_privilege('uop_app', 'parts', 'usage')
union all
select 'ingest may more than copy', c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace
where n.nspname in ('public', 'parts') and c.relkind in ('r', 'p')
  and (has_any_column_privilege('uop_ingest', c.oid, 'select') or has_any_column_privilege('uop_ingest', c.oid, 'update')
       or has_table_privilege('uop_ingest', c.oid, 'delete') or has_table_privilege('uop_ingest', c.oid, 'truncate')
       or case when n.nspname = 'parts' then has_column_privilege('uop_ingest', c.oid, 'workspace_id', 'insert')
               else has_any_column_privilege('uop_ingest', c.oid, 'insert') end)
order by 1, 2
"""


def rows_of(sql: str) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetchall()


def tenant_models() -> list[type[TenantModel]]:
    return [model for model in apps.get_models() if issubclass(model, TenantModel)]


def uuid_primary_keys() -> set[str]:
    """Indexes of primary keys that are one random or deterministic uuid."""
    return {
        f"{model._meta.db_table}_pkey"
        for model in tenant_models()
        if not hasattr(model._meta.pk, "fields") and model._meta.pk.get_internal_type() == "UUIDField"
    }


def test_the_catalogue_shows_no_gap_in_the_wall(db: None) -> None:
    allowed = UNIQUE_WITHOUT_WORKSPACE | uuid_primary_keys()
    gaps = [row for row in rows_of(CATALOGUE) if not (row[0] == "unique without workspace" and row[1] in allowed)]
    assert gaps == []


def test_the_catalogue_check_finds_a_planted_gap(db: None) -> None:
    with connection.cursor() as cursor:
        cursor.execute("set local role uop_owner")
        cursor.execute("create table planted (workspace_id uuid, name text unique)")
        cursor.execute("set local role uop_app")
    found = {row[0] for row in rows_of(CATALOGUE) if row[1].startswith("planted")}
    assert {"no forced row-level security", "unique without workspace"} <= found


def test_the_suite_runs_as_the_app_role(db: None) -> None:
    assert rows_of("select current_user") == [("uop_app",)]


@pytest.mark.parametrize("model", tenant_models(), ids=lambda model: model.__name__)
def test_a_model_raises_without_a_scope_and_filters_within_one(model: Any, world: Any) -> None:
    assert isinstance(model.objects, WorkspaceManager)
    with pytest.raises(NoScope):
        model.objects.all()
    assert list(model.unscoped.all()[:1]) == []  # the database shows nothing either
    with workspace_scope(world.acme):
        assert str(world.acme.pk).replace("-", "") in str(model.objects.all().query).replace("-", "")


def test_row_level_security_hides_and_refuses_foreign_rows(world: Any) -> None:
    with workspace_scope(world.other):
        theirs = EndUser.objects.create(id=person_id(world.other.pk, "x"), external_id="x")
    with workspace_scope(world.acme):
        assert not EndUser.unscoped.filter(pk=theirs.pk).exists()
        assert EndUser.unscoped.filter(pk=theirs.pk).update(name="taken") == 0
        assert EndUser.unscoped.filter(pk=theirs.pk).delete()[0] == 0
        with pytest.raises(DatabaseError), transaction.atomic():
            EndUser.unscoped.bulk_create([EndUser(id=uuid.uuid4(), workspace=world.other, external_id="y")])
    with workspace_scope(world.other):
        assert EndUser.objects.get().name == ""


def test_the_scope_ends_with_its_block_also_when_it_fails(world: Any) -> None:
    with pytest.raises(ZeroDivisionError), workspace_scope(world.acme):
        raise ZeroDivisionError
    with pytest.raises(NoScope):
        EndUser.objects.count()
    with workspace_scope(world.acme):
        EndUser.objects.create(id=person_id(world.acme.pk, "a"), external_id="a")
        with workspace_scope(world.other):
            assert EndUser.objects.count() == 0
        assert EndUser.objects.count() == 1
    assert EndUser.unscoped.count() == 0


def test_an_sql_error_is_told_as_it_was_and_the_outer_scope_goes_on(world: Any) -> None:
    with workspace_scope(world.acme):
        for inner in (lambda: workspace_scope(world.other), read_role):
            with pytest.raises(DatabaseError, match="no_such_table"), inner():
                rows_of("select * from no_such_table")
            assert rows_of("select current_user") == [("uop_app",)]
            assert rows_of("select current_setting('app.workspace_id')") == [(str(world.acme.pk),)]


def test_the_read_role_reads_its_workspace_and_writes_nothing(world: Any) -> None:
    with workspace_scope(world.acme):
        EndUser.objects.create(id=person_id(world.acme.pk, "a"), external_id="a")
        with read_role():
            assert rows_of("select current_user") == [("uop_read",)]
            assert EndUser.unscoped.count() == 1
            for sql in ("delete from end_user", "select * from operator", "select * from access_key"):
                with pytest.raises(DatabaseError), transaction.atomic():
                    rows_of(sql)
        assert rows_of("select current_user") == [("uop_app",)]


def test_a_row_cannot_be_saved_into_another_workspace(world: Any) -> None:
    with workspace_scope(world.acme), pytest.raises(NoScope):
        EndUser(id=uuid.uuid4(), workspace=world.other, external_id="z").save()


def test_an_erasure_changes_the_audit_trail_of_its_own_workspace_only(world: Any) -> None:
    from workspaces.models import AuditEntry
    from workspaces.services import audit, forget_in_audit

    for workspace in (world.acme, world.other):
        with workspace_scope(workspace):
            audit("people.exclude", "canary", None, people=2, first=["canary", "another"])
            audit("people.exclude", "another", None, people=2, first=["canary", "another"])
            audit("segment.create", "canary", None, name="canary")
    with workspace_scope(world.acme):
        assert forget_in_audit(["canary"]) == 2 and forget_in_audit(["canary"]) == 0
        about = AuditEntry.objects.filter(action="people.exclude").order_by("target")
        assert [(entry.target, entry.detail) for entry in about] == [
            ("", {}),
            ("another", {"people": 2, "first": ["", "another"]}),
        ]
        assert AuditEntry.objects.get(action="segment.create").target == "canary", "what is named by operators"
    with workspace_scope(world.other):
        assert AuditEntry.objects.filter(target="canary").count() == 2


def test_the_audit_trail_cannot_be_rewritten(world: Any) -> None:
    from workspaces.models import AuditEntry

    with workspace_scope(world.acme):
        assert AuditEntry.objects.exists()
        for change in (lambda: AuditEntry.objects.update(action="nothing"), lambda: rows_of("delete from audit_entry")):
            with pytest.raises(DatabaseError), transaction.atomic():
                change()
