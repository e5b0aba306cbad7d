"""Leases, in place of advisory locks of a session."""

import django.db.models.deletion
import django.db.models.manager
from django.db import migrations, models

from workspaces.tables import TenantTable

# Whoever looks for work that a dead worker left sees which workspaces have some.
EXPIRED = "(until < clock_timestamp() and (select current_setting('app.leases', true)) = 'expired')"


class Migration(migrations.Migration):
    dependencies = [("workspaces", "0005_erase_from_audit")]
    operations = [
        migrations.CreateModel(
            name="Lease",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "workspace", "name", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("name", models.CharField(max_length=20)),
                ("token", models.UUIDField()),
                ("until", models.DateTimeField()),
                (
                    "workspace",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="+", to="workspaces.workspace"
                    ),
                ),
            ],
            options={"db_table": "lease", "abstract": False, "base_manager_name": "unscoped"},
            managers=[
                ("objects", django.db.models.manager.Manager()),
                ("unscoped", django.db.models.manager.Manager()),
            ],
        ),
        TenantTable("lease", extra=EXPIRED, readable=False),
    ]
