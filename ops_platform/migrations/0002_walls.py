from django.db import migrations

from workspaces.tables import TenantTable


class Migration(migrations.Migration):
    dependencies = [("ops_platform", "0001_tables"), ("workspaces", "0002_walls")]
    operations = [TenantTable(table, readable=False) for table in ("night", "night_step", "slot")]
