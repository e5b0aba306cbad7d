"""Merging identities: who was merged into whom, what was told under each id, and where an event came from."""

import uuid

import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models

from workspaces.tables import TenantTable

TENANT = {"abstract": False, "base_manager_name": "unscoped"}
MANAGERS = [("objects", django.db.models.manager.Manager()), ("unscoped", django.db.models.manager.Manager())]
# Links of before were all told by an identify, and nobody has merged them yet.
KINDS = models.Q(kind__in=["login", "alias"])


def key(*names):
    return models.CompositePrimaryKey(*names, blank=True, editable=False, primary_key=True, serialize=False)


def to(model):
    return models.ForeignKey(
        db_constraint=False,
        db_index=False,
        on_delete=django.db.models.deletion.DO_NOTHING,
        related_name="+",
        to=model,
    )


class Migration(migrations.Migration):
    dependencies = [("users", "0007_fresh_statistics"), ("workspaces", "0002_walls")]
    operations = [
        migrations.CreateModel(
            name="ConsentWord",
            fields=[
                ("pk", key("end_user", "workspace", "channel")),
                ("channel", models.CharField(max_length=20)),
                ("opted_in", models.BooleanField()),
                ("source", models.CharField(max_length=100)),
                ("at", models.DateTimeField()),
                ("as_one", models.BooleanField(default=False)),
                ("end_user", to("users.enduser")),
                ("workspace", to("workspaces.workspace")),
            ],
            options={"db_table": "consent_word"} | TENANT,
            managers=MANAGERS,
        ),
        migrations.CreateModel(
            name="IdentityMerge",
            fields=[
                ("pk", key("end_user", "workspace", "id")),
                ("id", models.UUIDField(default=uuid.uuid4)),
                ("into_id", models.UUIDField()),
                ("at", models.DateTimeField(default=django.utils.timezone.now)),
                ("why", models.JSONField(default=list)),
                ("merged_by", models.UUIDField(null=True)),
                ("ended_at", models.DateTimeField(null=True)),
                ("undone_by", models.UUIDField(null=True)),
                ("swept", models.BooleanField(default=False)),
                ("end_user", to("users.enduser")),
                ("workspace", to("workspaces.workspace")),
            ],
            options={"db_table": "identity_merge"} | TENANT,
            managers=MANAGERS,
        ),
        migrations.AddField("enduser", "merged_into", models.UUIDField(null=True)),
        migrations.AddField("enduser", "own", models.JSONField(null=True)),
        migrations.AddField("enduser", "own_created_at", models.DateTimeField(null=True)),
        migrations.AddField("identitylink", "kind", models.CharField(default="login", max_length=5)),
        migrations.AddField("identitylink", "pending", models.BooleanField(default=True)),
        migrations.AddField("identitylink", "refused_at", models.DateTimeField(null=True)),
        migrations.AddIndex(
            "enduser",
            models.Index(
                condition=models.Q(merged_into__isnull=False),
                fields=["workspace", "merged_into"],
                name="end_user_merged",
            ),
        ),
        migrations.AddIndex("identitylink", models.Index(fields=["workspace", "known_id"], name="identity_link_known")),
        migrations.AddIndex(
            "identitylink",
            models.Index(condition=models.Q(pending=True), fields=["workspace"], name="identity_link_pending"),
        ),
        migrations.AddConstraint("identitylink", models.CheckConstraint(condition=KINDS, name="identity_link_kind")),
        migrations.AddIndex("identitymerge", models.Index(fields=["workspace", "into_id"], name="identity_merge_into")),
        migrations.AddIndex(
            "identitymerge",
            models.Index(
                condition=models.Q(ended_at__isnull=False, swept=False),
                fields=["workspace"],
                name="identity_merge_unswept",
            ),
        ),
        # Nullable and without a default: no partition is rewritten.
        migrations.RunSQL(["alter table event add column origin_id uuid"], ["alter table event drop column origin_id"]),
        TenantTable("consent_word", readable=False),
        TenantTable("identity_merge", readable=False),
    ]
