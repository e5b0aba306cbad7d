"""What a check of a file of users found, beside the file."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("users", "0022_incremental_night")]
    operations = [migrations.AddField("import", "effects", models.JSONField(default=dict))]
