"""How much a write key may send."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("workspaces", "0002_walls")]
    operations = [
        # Nullable and without a default: no row is rewritten.
        migrations.AddField("accesskey", "events_per_second", models.PositiveIntegerField(blank=True, null=True)),
        migrations.AddField("accesskey", "burst", models.PositiveIntegerField(blank=True, null=True)),
        migrations.AddConstraint(
            "accesskey",
            models.CheckConstraint(
                condition=models.Q(("events_per_second", None))
                | models.Q(("burst__gte", 1), ("events_per_second__gte", 1)),
                name="access_key_limit",
            ),
        ),
    ]
