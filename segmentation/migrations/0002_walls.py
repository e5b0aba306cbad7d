from django.db import migrations

from workspaces.tables import TenantKey, TenantTable

SEGMENT = {"segment_id": "segment"}


class Migration(migrations.Migration):
    dependencies = [("segmentation", "0001_tables"), ("workspaces", "0002_walls")]
    operations = [
        TenantKey("segment"),
        TenantTable("rfm_score"),
        TenantTable("rfm_change"),
        TenantTable("rfm_cuts"),
        TenantTable("segment"),
        TenantTable("segment_member"),
        TenantTable("segment_change"),
        TenantTable("segment_day", foreign_keys=SEGMENT),
    ]
