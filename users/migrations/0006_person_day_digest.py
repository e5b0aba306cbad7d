from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("users", "0005_identity_links")]
    operations = [migrations.AddField(model_name="personday", name="digest", field=models.BigIntegerField(null=True))]
