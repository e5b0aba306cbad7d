from django.db import migrations

from workspaces.tables import TenantTable

TABLES = ["standing", "stage_change", "activity_change", "day_count", "return_rate"]


class Migration(migrations.Migration):
    dependencies = [("lifecycle", "0001_tables"), ("workspaces", "0002_walls")]
    operations = [TenantTable(table) for table in TABLES]
