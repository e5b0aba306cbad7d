"""The index by day holds what a window loses when the day leaves it: a night read most pages of the table for that."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("users", "0025_quicker_statistics")]
    operations = [
        migrations.RemoveIndex(model_name="personday", name="person_day_day"),
        migrations.AddIndex(
            model_name="personday",
            index=models.Index(
                fields=["workspace", "day"], include=["end_user", "visits", "core", "habit"], name="person_day_day"
            ),
        ),
    ]
