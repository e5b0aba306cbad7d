from django.db import migrations

from workspaces.tables import TenantKey, TenantTable


class Migration(migrations.Migration):
    dependencies = [("campaigns", "0001_tables"), ("segmentation", "0002_walls"), ("workspaces", "0002_walls")]
    operations = [
        TenantKey("campaign"),
        TenantKey("run"),
        TenantTable("campaign", foreign_keys={"segment_id": "segment"}),
        TenantTable("run", foreign_keys={"campaign_id": "campaign"}),
        TenantTable("delivery"),
        TenantTable("feedback"),
        TenantTable("link", readable=False, foreign_keys={"run_id": "run"}),
        TenantTable("suppression"),
        TenantTable("channel_account", readable=False),
    ]
