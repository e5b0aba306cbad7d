"""The index by day holds what a window loses when the day leaves it: a night read most pages of the table for that."""

from django.db import migrations, models

# Of rows on pages that vacuum has not seen the table is read all the same; they are those of the last weeks.
SEEN = "alter table person_day set (autovacuum_vacuum_insert_scale_factor = 0.02)"
UNSEEN = "alter table person_day reset (autovacuum_vacuum_insert_scale_factor)"


class Migration(migrations.Migration):
    dependencies = [("users", "0025_quicker_statistics")]
    operations = [
        migrations.AddIndex(
            model_name="personday",
            index=models.Index(
                fields=["workspace", "day"], include=["end_user", "visits", "core", "habit"], name="person_day_by_day"
            ),
        ),
        # Behind it, since nobody can read while an index goes.
        migrations.RemoveIndex(model_name="personday", name="person_day_day"),
        migrations.RunSQL(SEEN, UNSEEN),
    ]
