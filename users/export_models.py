"""Lists on their way into files."""

from __future__ import annotations

import uuid

from django.db import models
from django.utils import timezone

from workspaces.models import TenantModel


class Export(TenantModel):
    """One list written into a CSV (导出). The row is the job and says how far it got."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    # What kind of list (users/export_kinds.py), which one, and what it is called.
    kind = models.CharField(max_length=20)
    query = models.JSONField(default=dict)
    name = models.CharField(max_length=200)
    # The same list asked for again: of those that wait or run there is one.
    same = models.CharField(max_length=64)
    state = models.CharField(max_length=10, default="due")
    total = models.IntegerField(null=True)
    rows = models.IntegerField(default=0)
    bytes = models.BigIntegerField(default=0)
    # Behind which row the next page begins.
    after = models.TextField(blank=True)
    # Whoever holds it writes; another token means that somebody took over.
    token = models.UUIDField(null=True)
    heartbeat_at = models.DateTimeField(null=True)
    error = models.CharField(max_length=300, blank=True)
    asked_by = models.UUIDField(null=True)
    asked_at = models.DateTimeField(default=timezone.now)
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)

    class Meta(TenantModel.Meta):
        db_table = "export"
        constraints = [
            models.UniqueConstraint(
                fields=["workspace", "same"],
                condition=models.Q(state__in=["due", "running"]),
                name="export_once_at_a_time",
            ),
            models.CheckConstraint(
                condition=models.Q(state__in=["due", "running", "done", "failed", "cancelled", "gone"]),
                name="export_state",
            ),
        ]
        indexes = [models.Index(fields=["workspace", "-asked_at"], name="export_recent")]
