from django.db import migrations

from workspaces.tables import TenantTable

OWN_MEMBERSHIP = "operator_id = (select nullif(current_setting('app.operator_id', true), '')::uuid)"
PRESENTED_KEY = "key_hash = (select nullif(current_setting('app.key_hash', true), ''))"


class Migration(migrations.Migration):
    dependencies = [("workspaces", "0001_tables")]
    operations = [
        TenantTable("membership", extra=OWN_MEMBERSHIP, readable=False),
        TenantTable("access_key", extra=PRESENTED_KEY, readable=False),
        TenantTable("audit_entry", grants="select, insert", readable=False),
    ]
