"""What is at risk, and what is expected, is another sum every day: with an index on it each night told all indexes of
everybody. Lists by it sort instead."""

from django.db import migrations, models

# All rows change each night, and find room on their own page: no index has to be told.
ROOM = "alter table person_value set (fillfactor = 45)"
FULL = "alter table person_value reset (fillfactor)"


class Migration(migrations.Migration):
    dependencies = [("lifecycle", "0005_incremental_night")]
    operations = [
        migrations.RemoveIndex(model_name="standing", name="standing_at_risk"),
        migrations.AddIndex("personvalue", models.Index(fields=["workspace"], name="person_value_workspace")),
        migrations.RemoveIndex(model_name="personvalue", name="person_value_best"),
        migrations.RunSQL(ROOM, FULL),
    ]
