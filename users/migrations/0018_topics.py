"""Topics that people may opt out of; words on them are kept as those on channels, under "channel/topic"."""

import uuid

import django.db.models.deletion
import django.db.models.manager
import django.utils.timezone
from django.db import migrations, models

from workspaces.tables import TenantTable

TENANT = {"abstract": False, "base_manager_name": "unscoped"}
MANAGERS = [("objects", django.db.models.manager.Manager()), ("unscoped", django.db.models.manager.Manager())]


class Migration(migrations.Migration):
    dependencies = [("users", "0017_attributes")]
    operations = [
        # Longer varchars are a matter of the catalogue: no row is rewritten.
        migrations.AlterField("consent", "channel", models.CharField(max_length=64)),
        migrations.AlterField("consentword", "channel", models.CharField(max_length=64)),
        migrations.CreateModel(
            name="Topic",
            fields=[
                ("id", models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ("key", models.CharField(max_length=40)),
                ("name", models.CharField(max_length=100)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
                (
                    "workspace",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="+", to="workspaces.workspace"
                    ),
                ),
            ],
            options={
                "db_table": "topic",
                "constraints": [models.UniqueConstraint(fields=("workspace", "key"), name="topic_once")],
            }
            | TENANT,
            managers=MANAGERS,
        ),
        TenantTable("topic", readable=False),
    ]
