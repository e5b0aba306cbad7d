from django.db import migrations

from workspaces.tables import TenantKey, TenantTable


class Migration(migrations.Migration):
    dependencies = [("users", "0002_events"), ("workspaces", "0002_walls")]
    operations = [
        TenantKey("import_file"),
        TenantTable("end_user"),
        TenantTable("event_name"),
        TenantTable("event"),
        TenantTable("touched"),
        TenantTable("person_day"),
        TenantTable("purchase"),
        TenantTable("facts"),
        TenantTable("consent"),
        TenantTable("ingest_error", readable=False),
        TenantTable("import_file", readable=False),
        TenantTable("import_error", readable=False, foreign_keys={"file_id": "import_file"}),
    ]
