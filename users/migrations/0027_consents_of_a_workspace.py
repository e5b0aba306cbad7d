"""Consents of a workspace can be read without those of all others."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("users", "0026_days_that_leave")]
    operations = [
        migrations.AddIndex("consent", models.Index(fields=["workspace", "channel"], name="consent_workspace")),
    ]
