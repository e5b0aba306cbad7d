"""How far a step is, how often it was begun, and what operators are told about nights."""

import django.db.models.deletion
import django.db.models.manager
import django.utils.timezone
from django.db import migrations, models

from workspaces.tables import TenantTable


class Migration(migrations.Migration):
    dependencies = [("ops_platform", "0002_walls"), ("workspaces", "0006_leases")]
    operations = [
        migrations.AddField("night", "runs", models.IntegerField(default=0)),
        migrations.AddField("nightstep", "attempts", models.SmallIntegerField(default=0)),
        migrations.AddField("nightstep", "done", models.BigIntegerField(default=0)),
        migrations.AddField("nightstep", "total", models.BigIntegerField(default=0)),
        migrations.CreateModel(
            name="Alert",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "workspace", "day", "kind", "key", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("day", models.DateField()),
                ("kind", models.CharField(max_length=10)),
                ("key", models.CharField(blank=True, max_length=50)),
                ("before", models.IntegerField(default=0)),
                ("now", models.IntegerField(default=0)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("mailed_at", models.DateTimeField(null=True)),
                (
                    "workspace",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="+", to="workspaces.workspace"
                    ),
                ),
            ],
            options={"db_table": "night_alert", "abstract": False, "base_manager_name": "unscoped"},
            managers=[
                ("objects", django.db.models.manager.Manager()),
                ("unscoped", django.db.models.manager.Manager()),
            ],
        ),
        TenantTable("night_alert", readable=False),
    ]
