"""What is at risk is another sum every day: an index on it made each night tell all indexes of everybody who is slipping."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("lifecycle", "0005_incremental_night")]
    operations = [migrations.RemoveIndex(model_name="standing", name="standing_at_risk")]
