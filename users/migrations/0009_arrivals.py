"""What arrived lately, for the page that shows it: a short ring of keys, and counts per hour."""

import uuid

import django.contrib.postgres.fields
import django.db.models.deletion
from django.db import migrations, models

from workspaces.tables import TenantTable

TENANT = {"abstract": False, "base_manager_name": "unscoped"}
MANAGERS = [("objects", django.db.models.manager.Manager()), ("unscoped", django.db.models.manager.Manager())]


def workspace():
    return models.ForeignKey(
        db_constraint=False,
        db_index=False,
        on_delete=django.db.models.deletion.CASCADE,
        related_name="+",
        to="workspaces.workspace",
    )


def array(of):
    return django.contrib.postgres.fields.ArrayField(base_field=of, size=None)


class Migration(migrations.Migration):
    dependencies = [("users", "0008_identity"), ("workspaces", "0002_walls")]
    operations = [
        migrations.CreateModel(
            name="Arrival",
            fields=[
                ("id", models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ("at", models.DateTimeField()),
                ("library", models.CharField(blank=True, max_length=100)),
                ("people", array(models.UUIDField())),
                ("client_times", array(models.DateTimeField())),
                ("events", array(models.UUIDField())),
                ("names", array(models.IntegerField())),
                ("workspace", workspace()),
            ],
            options={
                "db_table": "arrival",
                "indexes": [models.Index(fields=["workspace", "-at"], name="arrival_recent")],
            }
            | TENANT,
            managers=MANAGERS,
        ),
        migrations.CreateModel(
            name="ArrivalHour",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "workspace", "hour", "slot", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("hour", models.DateTimeField()),
                ("slot", models.SmallIntegerField()),
                ("accepted", models.BigIntegerField(default=0)),
                ("duplicate", models.BigIntegerField(default=0)),
                ("rejected", models.BigIntegerField(default=0)),
                ("workspace", workspace()),
            ],
            options={"db_table": "arrival_hour"} | TENANT,
            managers=MANAGERS,
        ),
        TenantTable("arrival", readable=False),
        TenantTable("arrival_hour", readable=False),
    ]
