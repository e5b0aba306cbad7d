"""Tags that everybody in a segment has."""

import uuid

import django.db.models.deletion
import django.db.models.manager
import django.utils.timezone
from django.db import migrations, models

from workspaces.tables import TenantTable

TENANT = {"abstract": False, "base_manager_name": "unscoped"}
MANAGERS = [("objects", django.db.models.manager.Manager()), ("unscoped", django.db.models.manager.Manager())]


class Migration(migrations.Migration):
    dependencies = [("segmentation", "0003_pages_of_members"), ("workspaces", "0002_walls")]
    operations = [
        migrations.CreateModel(
            name="TagRule",
            fields=[
                ("id", models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ("tag", models.CharField(max_length=50)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
                (
                    "segment",
                    models.ForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="segmentation.segment",
                    ),
                ),
                (
                    "workspace",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="+", to="workspaces.workspace"
                    ),
                ),
            ],
            options={
                "db_table": "tag_rule",
                "constraints": [models.UniqueConstraint(fields=("workspace", "tag"), name="tag_rule_once")],
            }
            | TENANT,
            managers=MANAGERS,
        ),
        TenantTable("tag_rule", foreign_keys={"segment_id": "segment"}),
    ]
