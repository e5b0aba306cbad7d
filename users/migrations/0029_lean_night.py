"""A night compares its rows with the published ones once, and tells with each how far they differ."""

from django.db import migrations, models

# A night that is under way begins its chunks anew. What it keeps until it publishes can be made again from what is logged:
# after a crash the tables are empty, and whoever goes on finds nobody done.
LEAN = [
    "truncate facts_next, facts_state_next",
    *(f"alter table {t} set unlogged" for t in ("facts_next", "facts_state_next")),
]
LOGGED = [f"alter table {t} set logged" for t in ("facts_next", "facts_state_next")]


class Migration(migrations.Migration):
    dependencies = [("users", "0028_bounded_money")]
    operations = [
        migrations.RunSQL(LEAN, LOGGED),
        migrations.AddField("factsnext", "differs_by", models.SmallIntegerField(default=3)),
        migrations.AddField("factsnext", "joins", models.SmallIntegerField(default=0)),
    ]
