"""Ingest close to the disk: COPY straight into the month's partition, and one touched row per transaction.

COPY refuses tables with row-level security. The role uop_ingest may insert into partitions, into every column but the
workspace, which is therefore the open one by default: it writes for nobody else and reads nothing.
"""

import uuid

import django.contrib.postgres.fields
from django.db import migrations, models

from workspaces.tables import SCOPE, TenantTable

# All columns that ingest may tell: the workspace is not among them.
TOLD = "end_user_id, client_at, event_id, at, received_at, name_id, message_id, properties, amount_minor, order_id, origin_id"
DEFAULT = f"alter column workspace_id set default {SCOPE.removeprefix('(select ').removesuffix(')')}"
PARTITIONS = f"""
do $$
declare part text;
begin
    for part in select c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace
                where n.nspname = 'parts' and c.relkind = 'r' loop
        execute format('alter table parts.%I {DEFAULT.replace("'", "''")}', part);
        execute format('grant insert ({TOLD}) on parts.%I to uop_ingest', part);
    end loop;
end
$$
"""
ENSURE = f"""
create or replace function ensure_event_month(month date) returns void
language plpgsql security definer set search_path = pg_catalog, public as $$
declare
    part text := 'event_' || to_char(month, 'YYYYMM');
    first date := date_trunc('month', month)::date;
begin
    if to_regclass('parts.' || part) is not null then
        return;
    end if;
    perform pg_advisory_xact_lock(hashtext('event_month'), hashtext(part));
    if to_regclass('parts.' || part) is not null then
        return;
    end if;
    execute format('create table parts.%I (like public.event including defaults including constraints)', part);
    execute format(
        'alter table public.event attach partition parts.%I for values from (%L) to (%L)',
        part, first::text || ' 00:00+00', (first + interval '1 month')::date::text || ' 00:00+00'
    );
    execute format('create index on parts.%I using brin (at)', part);
    execute format('grant insert ({TOLD}) on parts.%I to uop_ingest', part);
end
$$
"""
# The owner is behind the wall as well, which would hide every row from the change of shape.
GATHER = [
    "alter table touched no force row level security",
    "create temporary table waiting on commit drop as"
    " select workspace_id, array_agg(distinct end_user_id) as people from touched group by workspace_id",
    "drop table touched",
]


class Migration(migrations.Migration):
    dependencies = [("users", "0011_retention")]
    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[migrations.RunSQL(GATHER)], state_operations=[migrations.DeleteModel("Touched")]
        ),
        migrations.CreateModel(
            name="Touched",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "workspace", "id", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("id", models.UUIDField(default=uuid.uuid4)),
                ("people", django.contrib.postgres.fields.ArrayField(base_field=models.UUIDField(), size=None)),
                (
                    "workspace",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to="workspaces.workspace",
                    ),
                ),
            ],
            options={"db_table": "touched", "abstract": False, "base_manager_name": "unscoped"},
            managers=[
                ("objects", django.db.models.manager.Manager()),
                ("unscoped", django.db.models.manager.Manager()),
            ],
        ),
        migrations.RunSQL(
            [
                "insert into touched (workspace_id, id, people)"
                " select workspace_id, gen_random_uuid(), people from waiting",
                # Ids do not compress; trying to would cost ingest a tenth of its time.
                "alter table touched alter column people set storage external",
            ]
        ),
        TenantTable("touched"),
        migrations.RunSQL(
            [
                f"alter table event {DEFAULT}",
                "grant usage on schema parts to uop_ingest",
                PARTITIONS,
                ENSURE,
            ]
        ),
    ]
