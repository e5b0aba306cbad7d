"""Files taken in: their progress, the lines that were refused, and what has to be known to take an import back."""

from __future__ import annotations

import uuid

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils import timezone

from workspaces.models import TenantModel

STATES = ("new", "due", "running", "paused", "undoing", "done", "failed", "cancelled", "undone")


class Import(TenantModel):
    """One CSV taken in: its mapping, its progress, and what could not be read."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    name = models.CharField(max_length=200)
    path = models.CharField(max_length=300)
    kind = models.CharField(max_length=10, default="events")
    mapping = models.JSONField(default=dict)
    dry_run = models.BooleanField(default=False)
    state = models.CharField(max_length=10, default="new")
    total_bytes = models.BigIntegerField(default=0)
    done_bytes = models.BigIntegerField(default=0)
    rows = models.IntegerField(default=0)
    accepted = models.IntegerField(default=0)
    duplicates = models.IntegerField(default=0)
    rejected = models.IntegerField(default=0)
    new_people = models.IntegerField(default=0)
    # What a check of a file of users found (users/import_effects.py: Found).
    effects = models.JSONField(default=dict)
    undo_started_at = models.DateTimeField(null=True)
    # Events (or rows about people) and people that were taken back again.
    undone = models.IntegerField(default=0)
    undone_people = models.IntegerField(default=0)
    error = models.CharField(max_length=300, blank=True)
    created_by = models.UUIDField(null=True)
    created_at = models.DateTimeField(default=timezone.now)
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    heartbeat_at = models.DateTimeField(null=True)

    class Meta(TenantModel.Meta):
        db_table = "import_file"
        constraints = [models.CheckConstraint(condition=models.Q(state__in=STATES), name="import_state")]


class ImportRowError(TenantModel):
    """A line of an import that was refused, with the reason: the error file is made of these."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    file = models.ForeignKey(Import, on_delete=models.CASCADE, related_name="+", db_constraint=False)
    line = models.IntegerField()
    column = models.CharField(max_length=200, blank=True)
    code = models.CharField(max_length=60)
    message = models.CharField(max_length=300)
    value = models.CharField(max_length=200, blank=True)

    class Meta(TenantModel.Meta):
        db_table = "import_error"


class ImportBatch(TenantModel):
    """What one transaction of an import stored that was not there before: a row of long lists, so that it costs little.

    It names people by the ids that the file has, whoever they turn out to be; so merging need not change it.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    file = models.ForeignKey(Import, on_delete=models.CASCADE, related_name="+", db_constraint=False)
    position = models.IntegerField()
    at = models.DateTimeField()
    # Rows about people that changed something; events tell their number by the lists.
    rows = models.IntegerField(default=0)
    # Three lists of one length: the keys of the events.
    people = ArrayField(models.UUIDField())
    client_times = ArrayField(models.DateTimeField())
    events = ArrayField(models.UUIDField())
    new_people = ArrayField(models.UUIDField(), default=list)
    # What the batch changed of people (users/import_ledger.py: Change).
    changes = models.JSONField(default=list)

    class Meta(TenantModel.Meta):
        db_table = "import_batch"
        indexes = [models.Index(fields=["workspace", "file", "-at"], name="import_batch_file")]
