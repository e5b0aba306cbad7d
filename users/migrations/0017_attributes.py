"""The catalogue of attributes, and what the type of a value is: said once, in the database, for all who ask."""

import uuid

import django.contrib.postgres.functions
import django.db.models.deletion
import django.db.models.manager
from django.db import migrations, models

from workspaces.tables import TenantTable

TENANT = {"abstract": False, "base_manager_name": "unscoped"}
MANAGERS = [("objects", django.db.models.manager.Manager()), ("unscoped", django.db.models.manager.Manager())]
KINDS = ["text", "number", "boolean", "time", "list", "object"]
# A text that begins like an ISO day, alone or with a time behind it, is a time.
KIND = r"""
create function attribute_kind(value jsonb) returns text language sql immutable parallel safe as $$
    select case jsonb_typeof(value)
        when 'string' then
            case when value #>> '{}' ~ '^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])($|[T ][0-9]{2}:[0-9]{2})'
            then 'time' else 'text' end
        when 'array' then 'list'
        when 'null' then null
        else jsonb_typeof(value)
    end
$$
"""
# Every time is a text as well.
FITS = """
create function attribute_fits(value jsonb, kind text) returns boolean language sql immutable parallel safe as $$
    select attribute_kind(value) = kind or (kind = 'text' and jsonb_typeof(value) = 'string')
$$
"""


class Migration(migrations.Migration):
    dependencies = [("users", "0016_exports_and_erasures"), ("workspaces", "0002_walls")]
    operations = [
        migrations.CreateModel(
            name="Attribute",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        db_default=django.contrib.postgres.functions.RandomUUID(),
                        default=uuid.uuid4,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("name", models.CharField(max_length=255)),
                ("kind", models.CharField(max_length=7)),
                ("first_at", models.DateTimeField()),
                ("last_at", models.DateTimeField()),
                ("people", models.IntegerField(null=True)),
                ("conflicts", models.IntegerField(null=True)),
                ("other_kind", models.CharField(blank=True, db_default="", default="", max_length=7)),
                ("other_value", models.CharField(blank=True, db_default="", default="", max_length=60)),
                ("label", models.CharField(blank=True, db_default="", default="", max_length=100)),
                ("hidden", models.BooleanField(db_default=False, default=False)),
                ("personal", models.BooleanField(db_default=False, default=False)),
                (
                    "workspace",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="+", to="workspaces.workspace"
                    ),
                ),
            ],
            options={
                "db_table": "attribute",
                "constraints": [
                    models.UniqueConstraint(fields=("workspace", "name"), name="attribute_once"),
                    models.CheckConstraint(condition=models.Q(("kind__in", KINDS)), name="attribute_kind"),
                ],
            }
            | TENANT,
            managers=MANAGERS,
        ),
        TenantTable("attribute"),
        migrations.RunSQL([KIND, FITS], ["drop function attribute_fits", "drop function attribute_kind"]),
    ]
