from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("lifecycle", "0004_snapshots")]
    operations = [
        migrations.AddField(model_name="standing", name="due_on", field=models.DateField(null=True)),
        # Rows that change keep their place, so that no index has to be told.
        migrations.RunSQL(["alter table standing set (fillfactor = 75)"], migrations.RunSQL.noop),
    ]
