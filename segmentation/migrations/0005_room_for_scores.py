from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("segmentation", "0004_tag_rules")]
    # Rows that change keep their place, so that no index has to be told.
    operations = [
        migrations.RunSQL(["alter table rfm_score set (fillfactor = 75)"], migrations.RunSQL.noop),
    ]
