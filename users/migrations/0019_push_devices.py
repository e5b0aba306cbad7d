"""Devices that take pushes: a token of an app, and who used it last."""

import django.db.models.deletion
import django.db.models.manager
from django.db import migrations, models

from workspaces.tables import TenantTable

TENANT = {"abstract": False, "base_manager_name": "unscoped"}
MANAGERS = [("objects", django.db.models.manager.Manager()), ("unscoped", django.db.models.manager.Manager())]
UNCHECKED = {"db_constraint": False, "db_index": False, "on_delete": django.db.models.deletion.DO_NOTHING}


class Migration(migrations.Migration):
    dependencies = [("users", "0018_topics")]
    operations = [
        migrations.CreateModel(
            name="PushDevice",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "workspace", "token", "app", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("token", models.CharField(max_length=400)),
                ("app", models.CharField(max_length=100)),
                ("end_user", models.ForeignKey(related_name="+", to="users.enduser", **UNCHECKED)),
                ("platform", models.CharField(blank=True, max_length=100)),
                ("seen_at", models.DateTimeField()),
                ("dead_at", models.DateTimeField(null=True)),
                ("workspace", models.ForeignKey(related_name="+", to="workspaces.workspace", **UNCHECKED)),
            ],
            options={
                "db_table": "push_device",
                "indexes": [models.Index(fields=["workspace", "end_user"], name="push_device_person")],
            }
            | TENANT,
            managers=MANAGERS,
        ),
        TenantTable("push_device", readable=False),
    ]
