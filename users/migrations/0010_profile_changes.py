"""Attributes that are counted up, appended to or forgotten: the changes, and the words beneath them."""

import uuid

import django.db.models.deletion
from django.db import migrations, models

from workspaces.tables import TenantTable

TENANT = {"abstract": False, "base_manager_name": "unscoped"}
MANAGERS = [("objects", django.db.models.manager.Manager()), ("unscoped", django.db.models.manager.Manager())]


def to(model):
    return models.ForeignKey(
        db_constraint=False,
        db_index=False,
        on_delete=django.db.models.deletion.DO_NOTHING,
        related_name="+",
        to=model,
    )


class Migration(migrations.Migration):
    dependencies = [("users", "0009_arrivals"), ("workspaces", "0002_walls")]
    operations = [
        migrations.CreateModel(
            name="ProfileChange",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "end_user",
                        "workspace",
                        "change_id",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("change_id", models.UUIDField(default=uuid.uuid4)),
                ("attribute", models.TextField()),
                ("kind", models.CharField(max_length=6)),
                ("at", models.DateTimeField()),
                ("value", models.JSONField()),
                ("end_user", to("users.enduser")),
                ("workspace", to("workspaces.workspace")),
            ],
            options={
                "db_table": "profile_change",
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(kind__in=["add", "append", "first"]), name="profile_change_kind"
                    )
                ],
            }
            | TENANT,
            managers=MANAGERS,
        ),
        # Nullable and without a default: no row is rewritten.
        migrations.AddField("enduser", "bases", models.JSONField(null=True)),
        migrations.AddField("enduser", "forgotten_at", models.DateTimeField(null=True)),
        TenantTable("profile_change", readable=False),
    ]
