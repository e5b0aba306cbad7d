from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("campaigns", "0004_deliveries_due_and_leased")]
    operations = [migrations.AddField("delivery", "origin_id", models.UUIDField(null=True))]
