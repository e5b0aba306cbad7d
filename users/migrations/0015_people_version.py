"""People that ingest met a moment ago need not be looked up again, as long as nobody was merged, parted or deleted.

And the people of a workspace are indexed by id: with an index by external id PostgreSQL, while it had no statistics of a
young table, went through all of a workspace for each person it looked up.
"""

import django.db.models.deletion
from django.db import migrations, models

from workspaces.tables import SCOPE, TenantTable

# For each statement, not for each row: imports take people back by the hundred thousand.
COUNT = f"""
create function people_changed() returns trigger language plpgsql as $$
begin
    insert into people_version (workspace_id, version) select {SCOPE}, 1 where {SCOPE} is not null
    on conflict (workspace_id) do update set version = people_version.version + 1;
    return null;
end
$$;
create trigger people_merged after update of merged_into on end_user for each statement execute function people_changed();
create trigger people_deleted after delete on end_user for each statement execute function people_changed()
"""


class Migration(migrations.Migration):
    dependencies = [("users", "0014_imports_of_every_kind")]
    operations = [
        migrations.CreateModel(
            name="PeopleVersion",
            fields=[
                (
                    "workspace",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="+",
                        serialize=False,
                        to="workspaces.workspace",
                    ),
                ),
                ("version", models.BigIntegerField(default=0)),
            ],
            options={"db_table": "people_version", "abstract": False, "base_manager_name": "unscoped"},
            managers=[
                ("objects", django.db.models.manager.Manager()),
                ("unscoped", django.db.models.manager.Manager()),
            ],
        ),
        TenantTable("people_version", readable=False),
        migrations.RunSQL(
            [COUNT],
            [
                "drop trigger people_merged on end_user; drop trigger people_deleted on end_user; drop function people_changed()"
            ],
        ),
        migrations.RemoveIndex(model_name="enduser", name="end_user_external"),
        migrations.AddIndex(
            model_name="enduser", index=models.Index(fields=["workspace", "id"], name="end_user_workspace")
        ),
    ]
