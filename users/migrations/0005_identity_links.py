import django.db.models.deletion
from django.db import migrations, models

from workspaces.tables import TenantTable


class Migration(migrations.Migration):
    dependencies = [("users", "0004_registration_day_and_rfm_window"), ("workspaces", "0002_walls")]
    operations = [
        migrations.AddField("enduser", "attribute_times", models.JSONField(default=dict)),
        migrations.CreateModel(
            name="IdentityLink",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "end_user",
                        "workspace",
                        "known_id",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("known_id", models.UUIDField()),
                ("at", models.DateTimeField()),
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
            options={"db_table": "identity_link", "abstract": False, "base_manager_name": "unscoped"},
            managers=[
                ("objects", django.db.models.manager.Manager()),
                ("unscoped", django.db.models.manager.Manager()),
            ],
        ),
        TenantTable("identity_link"),
    ]
