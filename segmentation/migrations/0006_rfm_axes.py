"""R, F and M are whatever facts a workspace chooses; a value that is a day becomes its number since 1970."""

from django.db import migrations, models

AS_NUMBER = """
alter table rfm_score alter column r_value type bigint using r_value - date '1970-01-01';
alter table rfm_score alter column f_value type bigint;
"""
AS_DATE = """
alter table rfm_score alter column r_value type date using date '1970-01-01' + r_value::integer;
alter table rfm_score alter column f_value type integer;
"""


class Migration(migrations.Migration):
    dependencies = [("segmentation", "0005_room_for_scores")]
    operations = [
        migrations.RenameField("rfmscore", "last_order_on", "r_value"),
        migrations.RenameField("rfmscore", "f_orders", "f_value"),
        migrations.RenameField("rfmscore", "m_minor", "m_value"),
        migrations.RunSQL(
            AS_NUMBER,
            AS_DATE,
            state_operations=[
                migrations.AlterField("rfmscore", "r_value", models.BigIntegerField()),
                migrations.AlterField("rfmscore", "f_value", models.BigIntegerField()),
            ],
        ),
        migrations.AddField("rfmcuts", "axes", models.JSONField(default=list)),
    ]
