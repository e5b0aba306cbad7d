"""Lists on their way into files; requests to erase people, and the marks that keep erased ids out."""

import uuid

import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models

from workspaces.tables import TenantTable

TENANT = {"abstract": False, "base_manager_name": "unscoped"}
MANAGERS = [("objects", django.db.models.manager.Manager()), ("unscoped", django.db.models.manager.Manager())]
NOW = django.utils.timezone.now


def own_id():
    return models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)


def workspace():
    return models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name="+", to="workspaces.workspace")


class Migration(migrations.Migration):
    dependencies = [("users", "0015_people_version"), ("workspaces", "0005_erase_from_audit")]
    operations = [
        migrations.CreateModel(
            name="ErasedId",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "workspace", "mark", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("mark", models.UUIDField()),
                ("erased_at", models.DateTimeField(default=NOW)),
                ("dropped", models.BigIntegerField(default=0)),
                ("workspace", workspace()),
            ],
            options={"db_table": "erased_id"} | TENANT,
            managers=MANAGERS,
        ),
        migrations.CreateModel(
            name="Erasure",
            fields=[
                ("id", own_id()),
                ("state", models.CharField(default="due", max_length=10)),
                ("person_id", models.UUIDField(null=True)),
                ("about", models.JSONField(null=True)),
                ("step", models.SmallIntegerField(default=0)),
                ("settles_at", models.DateTimeField(null=True)),
                ("rows", models.IntegerField(default=0)),
                ("asked_by", models.UUIDField(null=True)),
                ("asked_at", models.DateTimeField(default=NOW)),
                ("finished_at", models.DateTimeField(null=True)),
                ("workspace", workspace()),
            ],
            options={
                "db_table": "erasure",
                "indexes": [models.Index(fields=["workspace", "-asked_at"], name="erasure_recent")],
                "constraints": [
                    models.UniqueConstraint(fields=["workspace", "person_id"], name="erasure_once"),
                    models.CheckConstraint(
                        condition=models.Q(state__in=["due", "first", "settling", "second", "done"]),
                        name="erasure_state",
                    ),
                    models.CheckConstraint(
                        condition=~models.Q(state="done") | models.Q(person_id=None, about=None),
                        name="erasure_says_nothing",
                    ),
                ],
            }
            | TENANT,
            managers=MANAGERS,
        ),
        migrations.CreateModel(
            name="Export",
            fields=[
                ("id", own_id()),
                ("kind", models.CharField(max_length=20)),
                ("query", models.JSONField(default=dict)),
                ("name", models.CharField(max_length=200)),
                ("same", models.CharField(max_length=64)),
                ("state", models.CharField(default="due", max_length=10)),
                ("total", models.IntegerField(null=True)),
                ("rows", models.IntegerField(default=0)),
                ("bytes", models.BigIntegerField(default=0)),
                ("after", models.TextField(blank=True)),
                ("token", models.UUIDField(null=True)),
                ("heartbeat_at", models.DateTimeField(null=True)),
                ("error", models.CharField(blank=True, max_length=300)),
                ("asked_by", models.UUIDField(null=True)),
                ("asked_at", models.DateTimeField(default=NOW)),
                ("started_at", models.DateTimeField(null=True)),
                ("finished_at", models.DateTimeField(null=True)),
                ("workspace", workspace()),
            ],
            options={
                "db_table": "export",
                "indexes": [models.Index(fields=["workspace", "-asked_at"], name="export_recent")],
                "constraints": [
                    models.UniqueConstraint(
                        fields=["workspace", "same"],
                        condition=models.Q(state__in=["due", "running"]),
                        name="export_once_at_a_time",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(state__in=["due", "running", "done", "failed", "cancelled", "gone"]),
                        name="export_state",
                    ),
                ],
            }
            | TENANT,
            managers=MANAGERS,
        ),
        migrations.AddIndex(
            "enduser",
            models.Index(
                fields=["workspace", "referred_by"], condition=~models.Q(referred_by=""), name="end_user_referred"
            ),
        ),
        migrations.AddIndex(
            "personday",
            models.Index(
                fields=["workspace", "referred_by"], condition=~models.Q(referred_by=""), name="person_day_referred"
            ),
        ),
        migrations.AddIndex(
            "profilechange",
            models.Index(
                fields=["workspace"],
                condition=models.Q(attribute__in=["referred_by", "referredBy"]),
                name="profile_change_referred",
            ),
        ),
        TenantTable("erased_id", readable=False),
        TenantTable("erasure", readable=False),
        TenantTable("export", readable=False),
    ]
