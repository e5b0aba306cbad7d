"""What each transaction of an import stored, so that it can be taken back; and the states that this needs."""

import uuid

import django.contrib.postgres.fields
import django.db.models.deletion
from django.db import migrations, models

from workspaces.tables import TenantTable

TENANT = {"abstract": False, "base_manager_name": "unscoped"}
MANAGERS = [("objects", django.db.models.manager.Manager()), ("unscoped", django.db.models.manager.Manager())]
STATES = ("new", "due", "running", "paused", "undoing", "done", "failed", "cancelled", "undone")


def array(of, **options):
    return django.contrib.postgres.fields.ArrayField(base_field=of, size=None, **options)


class Migration(migrations.Migration):
    dependencies = [("users", "0012_close_to_the_disk")]
    operations = [
        migrations.AddField("import", "undone", models.IntegerField(default=0)),
        migrations.AddField("import", "undone_people", models.IntegerField(default=0)),
        migrations.RemoveConstraint("import", "import_state"),
        migrations.AddConstraint(
            "import", models.CheckConstraint(condition=models.Q(state__in=STATES), name="import_state")
        ),
        migrations.CreateModel(
            name="ImportBatch",
            fields=[
                ("id", models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ("position", models.IntegerField()),
                ("at", models.DateTimeField()),
                ("people", array(models.UUIDField())),
                ("client_times", array(models.DateTimeField())),
                ("events", array(models.UUIDField())),
                ("new_people", array(models.UUIDField(), default=list)),
                ("changes", models.JSONField(default=list)),
                (
                    "file",
                    models.ForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="users.import",
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
                "db_table": "import_batch",
                "indexes": [models.Index(fields=["workspace", "file", "-at"], name="import_batch_file")],
            }
            | TENANT,
            managers=MANAGERS,
        ),
        # Ids do not compress: not tried, and read in one go.
        migrations.RunSQL(
            [
                "alter table import_batch alter column people set storage external,"
                " alter column client_times set storage external, alter column events set storage external,"
                " alter column new_people set storage external"
            ],
            [migrations.RunSQL.noop],
        ),
        TenantTable("import_batch", readable=False, foreign_keys={"file_id": "import_file"}),
    ]
