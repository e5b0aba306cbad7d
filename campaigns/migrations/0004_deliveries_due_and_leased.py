from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("campaigns", "0003_delivery_arm")]
    operations = [
        migrations.RemoveIndex("delivery", "delivery_open"),
        migrations.AddIndex(
            "delivery",
            models.Index(
                fields=["workspace", "run", "next_at"],
                condition=models.Q(state__in=["pending", "deferred"]),
                name="delivery_due",
            ),
        ),
        migrations.AddIndex(
            "delivery",
            models.Index(
                fields=["workspace", "lease_until"],
                condition=models.Q(state__in=["claimed", "sending"]),
                name="delivery_leased",
            ),
        ),
    ]
