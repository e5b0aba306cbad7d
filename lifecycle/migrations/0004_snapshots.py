"""What is kept of every day: flows, what became of warnings, rungs of the recall ladder; and warning signals."""

import django.contrib.postgres.fields
import django.db.models.deletion
import django.db.models.manager
from django.db import migrations, models

from workspaces.tables import TenantTable

# A number, or a text that is just a number; anything else is none.
NUMBER_IN = r"""
create function number_in(value jsonb) returns numeric language sql immutable parallel safe as $$
    select case
        when jsonb_typeof(value) = 'number' then (value #>> '{}')::numeric
        when jsonb_typeof(value) = 'string'
            and value #>> '{}' ~ '^[ \t\n\r]*[+-]?([0-9]{1,30}([.][0-9]{0,30})?|[.][0-9]{1,30})([eE][+-]?[0-9]{1,2})?[ \t\n\r]*$'
            then (value #>> '{}')::numeric
    end
$$
"""


UNCHECKED = {"db_constraint": False, "db_index": False, "on_delete": django.db.models.deletion.DO_NOTHING}
PERSON = [
    ("end_user", models.ForeignKey(related_name="+", to="users.enduser", **UNCHECKED)),
    ("workspace", models.ForeignKey(related_name="+", to="workspaces.workspace", **UNCHECKED)),
]
TENANT = [
    (
        "workspace",
        models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name="+", to="workspaces.workspace"),
    )
]


def table(name: str, db_table: str, key: tuple[str, ...], fields: list, indexes: tuple = ()) -> migrations.CreateModel:
    pk = models.CompositePrimaryKey(*key, blank=True, editable=False, primary_key=True, serialize=False)
    options = {"db_table": db_table, "abstract": False, "base_manager_name": "unscoped"}
    managers = [
        ("objects", django.db.models.manager.Manager()),
        ("unscoped", django.db.models.manager.Manager()),
    ]
    if indexes:
        options["indexes"] = list(indexes)
    return migrations.CreateModel(name=name, fields=[("pk", pk), *fields], options=options, managers=managers)


class Migration(migrations.Migration):
    dependencies = [
        ("lifecycle", "0003_value"),
        ("users", "0019_push_devices"),
        ("workspaces", "0005_erase_from_audit"),
    ]

    operations = [
        migrations.RunSQL(NUMBER_IN, "drop function number_in(jsonb)"),
        table(
            "BalanceMark",
            "balance_mark",
            ("end_user", "workspace", "day"),
            [
                ("day", models.DateField()),
                ("balance", models.DecimalField(decimal_places=6, max_digits=40, null=True)),
                *PERSON,
            ],
        ),
        table(
            "DayFlow",
            "day_flow",
            ("workspace", "day", "board", "from_key", "to_key"),
            [
                ("day", models.DateField()),
                ("board", models.CharField(max_length=10)),
                ("from_key", models.CharField(blank=True, max_length=30)),
                ("to_key", models.CharField(blank=True, max_length=30)),
                ("people", models.IntegerField()),
                *TENANT,
            ],
        ),
        table(
            "FlagAudit",
            "flag_audit",
            ("workspace", "day", "activity", "after_days"),
            [
                ("day", models.DateField()),
                ("activity", models.CharField(max_length=10)),
                ("after_days", models.SmallIntegerField()),
                ("flagged", models.IntegerField()),
                ("seen_again", models.IntegerField()),
                *TENANT,
            ],
        ),
        table(
            "RecallEntry",
            "recall_entry",
            ("end_user", "workspace", "idle_from", "rung"),
            [
                ("idle_from", models.DateField()),
                ("rung", models.SmallIntegerField()),
                ("day", models.DateField()),
                *PERSON,
            ],
            (models.Index(fields=["workspace", "day"], name="recall_entry_day"),),
        ),
        migrations.RemoveIndex(model_name="standing", name="standing_stage"),
        migrations.AddField(
            model_name="standing",
            name="signals",
            field=django.contrib.postgres.fields.ArrayField(
                base_field=models.CharField(max_length=20), default=list, size=None
            ),
        ),
        migrations.AddIndex(
            model_name="standing",
            index=models.Index(fields=["workspace", "stage", "stage_since"], name="standing_stage"),
        ),
        migrations.AddIndex(
            model_name="standing",
            index=models.Index(
                fields=["workspace", "-value_at_risk_minor", "end_user"],
                condition=models.Q(("activity", "slipping")),
                name="standing_at_risk",
            ),
        ),
        *(TenantTable(name) for name in ("day_flow", "flag_audit", "recall_entry", "balance_mark")),
    ]
