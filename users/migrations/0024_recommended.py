"""Who has recommended somebody: few among many, whom each night asks for."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("users", "0023_what_checks_find")]
    operations = [
        migrations.AddIndex(
            model_name="facts",
            index=models.Index(
                fields=["workspace"], condition=models.Q(("recommendations__gt", 0)), name="facts_recommended"
            ),
        ),
    ]
