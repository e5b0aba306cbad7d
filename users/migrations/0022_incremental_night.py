"""What a night goes on from, so that it costs what changed: see docs/decisions/011-the-night-costs-what-changed.md.

Who somebody is changes in many places. Triggers tell the night of it, by statement and not by row: whole files of people
are written at once.
"""

import uuid

import django.contrib.postgres.fields
import django.db.models.deletion
import django.db.models.manager
from django.db import migrations, models

from workspaces.tables import TenantTable

WATCHED = "identified, excluded, merged_into, created_at, referred_by, attributes, attribute_times"
# A plan made for one row would be kept for twenty thousand: a loop over all of them for each.
TELL = f"""
create function tell_person_news() returns trigger language plpgsql set enable_nestloop = off as $$
begin
    if tg_op = 'UPDATE' then
        insert into person_news (workspace_id, id, people)
        select n.workspace_id, gen_random_uuid(), array_agg(n.id)
        from fresh n join stale o on o.id = n.id
        where ({", ".join("n." + name.strip() for name in WATCHED.split(","))})
            is distinct from ({", ".join("o." + name.strip() for name in WATCHED.split(","))})
        group by n.workspace_id;
    else
        insert into person_news (workspace_id, id, people)
        select n.workspace_id, gen_random_uuid(), array_agg(n.id) from fresh n group by n.workspace_id;
    end if;
    return null;
end
$$;
create trigger person_added after insert on end_user
    referencing new table as fresh for each statement execute function tell_person_news();
create trigger person_changed after update on end_user
    referencing old table as stale new table as fresh for each statement execute function tell_person_news();
create trigger person_deleted after delete on end_user
    referencing old table as fresh for each statement execute function tell_person_news()
"""
UNTELL = """
drop trigger person_added on end_user; drop trigger person_changed on end_user; drop trigger person_deleted on end_user;
drop function tell_person_news()
"""
STATISTICS = """
create or replace function refresh_statistics(tables text[]) returns void
language plpgsql security definer set search_path = pg_catalog, public as $$
declare
    name text;
begin
    foreach name in array tables loop
        if name not in (
            'event', 'end_user', 'person_day', 'purchase', 'facts', 'facts_next', 'facts_state', 'facts_state_next',
            'facts_due', 'standing', 'activity_change', 'stage_change', 'rfm_score', 'rfm_change', 'profile_tally',
            'attribute_tally'
        ) then
            raise exception 'not a table that may be analysed: %', name;
        end if;
        -- Of events only the columns that plans are made by: sorting samples of their texts took most of the time.
        execute format('analyze public.%I %s', name, case name when 'event'
            then '(workspace_id, end_user_id, client_at, at, name_id, amount_minor, order_id, origin_id)' else '' end);
    end loop;
end
$$
"""
# Rows that change keep their place, so that no index has to be told.
ROOM = [f"alter table {table} set (fillfactor = 75)" for table in ("facts", "facts_state")]
TABLES = (
    "facts_state",
    "facts_next",
    "facts_state_next",
    "facts_due",
    "person_news",
    "spell_count",
    "attribute_tally",
    "profile_tally",
)


class Migration(migrations.Migration):
    dependencies = [
        ("users", "0021_tokens_told_as_traits"),
        ("workspaces", "0007_incremental_night"),
    ]

    operations = [
        migrations.AddField(
            model_name="personday",
            name="first_key",
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name="personday",
            name="last_key",
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name="touched",
            name="first_key",
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name="touched",
            name="last_key",
            field=models.DateTimeField(null=True),
        ),
        migrations.CreateModel(
            name="FactsDue",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "end_user", "workspace", "due_on", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("due_on", models.DateField()),
                (
                    "end_user",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to="users.enduser",
                    ),
                ),
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
            options={
                "db_table": "facts_due",
                "abstract": False,
                "base_manager_name": "unscoped",
            },
            managers=[
                ("objects", django.db.models.manager.Manager()),
                ("unscoped", django.db.models.manager.Manager()),
            ],
        ),
        migrations.CreateModel(
            name="FactsNext",
            fields=[
                ("first_seen_on", models.DateField(null=True)),
                ("last_seen_on", models.DateField(null=True)),
                ("registered_on", models.DateField(null=True)),
                ("visits_7", models.IntegerField(default=0)),
                ("visits_30", models.IntegerField(default=0)),
                ("visits_90", models.IntegerField(default=0)),
                ("visits", models.IntegerField(default=0)),
                ("active_days_7", models.IntegerField(default=0)),
                ("active_days_30", models.IntegerField(default=0)),
                ("active_days_90", models.IntegerField(default=0)),
                ("active_days", models.IntegerField(default=0)),
                ("core_days", models.IntegerField(default=0)),
                ("first_core_on", models.DateField(null=True)),
                ("last_core_on", models.DateField(null=True)),
                ("habit_days", models.IntegerField(default=0)),
                ("ever_habit", models.BooleanField(default=False)),
                ("ever_paid", models.BooleanField(default=False)),
                ("orders", models.IntegerField(default=0)),
                ("revenue_minor", models.BigIntegerField(default=0)),
                ("revenue_365_minor", models.BigIntegerField(default=0)),
                ("window_orders", models.IntegerField(default=0)),
                ("window_revenue_minor", models.BigIntegerField(default=0)),
                ("first_order_on", models.DateField(null=True)),
                ("last_order_on", models.DateField(null=True)),
                ("average_order_minor", models.BigIntegerField(null=True)),
                ("coupon_percent", models.DecimalField(decimal_places=2, max_digits=5, null=True)),
                ("subsidy_dependent", models.BooleanField(null=True)),
                ("gap_median", models.DecimalField(decimal_places=2, max_digits=8, null=True)),
                ("gap_p90", models.DecimalField(decimal_places=2, max_digits=8, null=True)),
                ("recommendations", models.IntegerField(default=0)),
                ("favourite_category", models.CharField(blank=True, max_length=200)),
                ("favourite_hour", models.SmallIntegerField(null=True)),
                ("favourite_weekday", models.SmallIntegerField(null=True)),
                ("app_version", models.CharField(blank=True, max_length=50)),
                ("effective", models.BooleanField(default=False)),
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "end_user", "workspace", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("gone", models.BooleanField(default=False)),
                (
                    "end_user",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to="users.enduser",
                    ),
                ),
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
            options={
                "db_table": "facts_next",
                "abstract": False,
                "base_manager_name": "unscoped",
            },
            managers=[
                ("objects", django.db.models.manager.Manager()),
                ("unscoped", django.db.models.manager.Manager()),
            ],
        ),
        migrations.CreateModel(
            name="FactsStateNext",
            fields=[
                ("created_on", models.DateField()),
                ("told_on", models.DateField(null=True)),
                ("told_inviter", models.TextField(null=True)),
                (
                    "recent_days",
                    django.contrib.postgres.fields.ArrayField(base_field=models.DateField(), default=list, size=None),
                ),
                (
                    "hours",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.BigIntegerField(), default=list, size=None
                    ),
                ),
                (
                    "weekdays",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.BigIntegerField(), default=list, size=None
                    ),
                ),
                (
                    "categories",
                    django.contrib.postgres.fields.ArrayField(base_field=models.TextField(), default=list, size=None),
                ),
                (
                    "category_tallies",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.BigIntegerField(), default=list, size=None
                    ),
                ),
                ("inviter_id", models.UUIDField(null=True)),
                ("recommended_on", models.DateField(null=True)),
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "end_user", "workspace", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                (
                    "end_user",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to="users.enduser",
                    ),
                ),
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
            options={
                "db_table": "facts_state_next",
                "abstract": False,
                "base_manager_name": "unscoped",
            },
            managers=[
                ("objects", django.db.models.manager.Manager()),
                ("unscoped", django.db.models.manager.Manager()),
            ],
        ),
        migrations.CreateModel(
            name="PersonNews",
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
            options={
                "db_table": "person_news",
                "abstract": False,
                "base_manager_name": "unscoped",
            },
            managers=[
                ("objects", django.db.models.manager.Manager()),
                ("unscoped", django.db.models.manager.Manager()),
            ],
        ),
        migrations.CreateModel(
            name="SpellCount",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "workspace", "day", "length", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("day", models.DateField()),
                ("length", models.SmallIntegerField()),
                ("people", models.IntegerField()),
                (
                    "workspace",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="+", to="workspaces.workspace"
                    ),
                ),
            ],
            options={
                "db_table": "spell_count",
                "abstract": False,
                "base_manager_name": "unscoped",
            },
            managers=[
                ("objects", django.db.models.manager.Manager()),
                ("unscoped", django.db.models.manager.Manager()),
            ],
        ),
        migrations.CreateModel(
            name="FactsState",
            fields=[
                ("created_on", models.DateField()),
                ("told_on", models.DateField(null=True)),
                ("told_inviter", models.TextField(null=True)),
                (
                    "recent_days",
                    django.contrib.postgres.fields.ArrayField(base_field=models.DateField(), default=list, size=None),
                ),
                (
                    "hours",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.BigIntegerField(), default=list, size=None
                    ),
                ),
                (
                    "weekdays",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.BigIntegerField(), default=list, size=None
                    ),
                ),
                (
                    "categories",
                    django.contrib.postgres.fields.ArrayField(base_field=models.TextField(), default=list, size=None),
                ),
                (
                    "category_tallies",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.BigIntegerField(), default=list, size=None
                    ),
                ),
                ("inviter_id", models.UUIDField(null=True)),
                ("recommended_on", models.DateField(null=True)),
                ("spells_counted", models.BooleanField(default=True, db_default=True)),
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "end_user", "workspace", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                (
                    "end_user",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to="users.enduser",
                    ),
                ),
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
            options={
                "db_table": "facts_state",
                "abstract": False,
                "base_manager_name": "unscoped",
                "indexes": [
                    models.Index(
                        condition=models.Q(("recommended_on__isnull", False)),
                        fields=["workspace", "recommended_on"],
                        name="facts_state_recommended",
                    )
                ],
            },
            managers=[
                ("objects", django.db.models.manager.Manager()),
                ("unscoped", django.db.models.manager.Manager()),
            ],
        ),
        migrations.AddField(
            model_name="personnews",
            name="for_attributes",
            field=models.BooleanField(db_default=True, default=True),
        ),
        migrations.AddField(
            model_name="personnews",
            name="for_facts",
            field=models.BooleanField(db_default=True, default=True),
        ),
        migrations.CreateModel(
            name="ProfileTally",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "end_user", "workspace", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("tallies", django.contrib.postgres.fields.ArrayField(base_field=models.BigIntegerField(), size=None)),
                (
                    "end_user",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to="users.enduser",
                    ),
                ),
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
            options={
                "db_table": "profile_tally",
                "abstract": False,
                "base_manager_name": "unscoped",
            },
            managers=[
                ("objects", django.db.models.manager.Manager()),
                ("unscoped", django.db.models.manager.Manager()),
            ],
        ),
        migrations.CreateModel(
            name="AttributeTally",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("name", models.CharField(max_length=255)),
                ("kind", models.CharField(max_length=7)),
                ("people", models.IntegerField(default=0)),
                ("first_rank", models.BigIntegerField(null=True)),
                ("last_rank", models.BigIntegerField(null=True)),
                ("first_created", models.DateTimeField()),
                ("last_created", models.DateTimeField()),
                (
                    "workspace",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="+", to="workspaces.workspace"
                    ),
                ),
            ],
            options={
                "db_table": "attribute_tally",
                "abstract": False,
                "base_manager_name": "unscoped",
                "constraints": [
                    models.UniqueConstraint(fields=("workspace", "name", "kind"), name="attribute_tally_once")
                ],
            },
            managers=[
                ("objects", django.db.models.manager.Manager()),
                ("unscoped", django.db.models.manager.Manager()),
            ],
        ),
        *(TenantTable(table, readable=False) for table in TABLES),
        migrations.RunSQL([TELL], [UNTELL]),
        migrations.RunSQL([STATISTICS], migrations.RunSQL.noop),
        migrations.RunSQL(ROOM, migrations.RunSQL.noop),
    ]
