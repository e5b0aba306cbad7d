"""Since when a workspace has all of its events."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("workspaces", "0003_key_limits")]
    operations = [migrations.AddField("workspace", "events_from", models.DateField(blank=True, null=True))]
