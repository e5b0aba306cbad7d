from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("campaigns", "0005_delivery_origin")]
    operations = [
        migrations.AddField("campaign", "topic", models.CharField(blank=True, db_default="", default="", max_length=40))
    ]
