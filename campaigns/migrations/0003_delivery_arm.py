from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("campaigns", "0002_walls")]
    operations = [
        migrations.AddField(
            "delivery", "arm", models.CharField(max_length=8, blank=True, default=""), preserve_default=False
        )
    ]
