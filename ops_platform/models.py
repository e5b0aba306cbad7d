"""The ledger of the night, and the slots of the schedule."""

from __future__ import annotations

import uuid

from django.db import models
from django.utils import timezone

from workspaces.models import TenantModel


class Night(TenantModel):
    """One nightly run of one workspace for one day."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    day = models.DateField()
    state = models.CharField(max_length=10, default="running")
    trigger = models.CharField(max_length=10, default="schedule")
    started_at = models.DateTimeField(default=timezone.now)
    finished_at = models.DateTimeField(null=True)
    seconds = models.FloatField(null=True)
    error = models.CharField(max_length=500, blank=True)

    class Meta(TenantModel.Meta):
        db_table = "night"
        constraints = [
            models.UniqueConstraint(fields=["workspace", "day"], name="night_once"),
            models.CheckConstraint(condition=models.Q(state__in=["running", "done", "failed"]), name="night_state"),
        ]


class NightStep(TenantModel):
    """One step of a night: seconds, counts, and what went wrong."""

    pk = models.CompositePrimaryKey("workspace", "day", "step")
    day = models.DateField()
    step = models.CharField(max_length=20)
    position = models.SmallIntegerField(default=0)
    state = models.CharField(max_length=10, default="waiting")
    started_at = models.DateTimeField(null=True)
    seconds = models.FloatField(null=True)
    counts = models.JSONField(default=dict)
    error = models.CharField(max_length=500, blank=True)

    class Meta(TenantModel.Meta):
        db_table = "night_step"


class Slot(TenantModel):
    """A moment of the schedule that was taken. The unique key makes two beats harmless."""

    pk = models.CompositePrimaryKey("workspace", "job", "slot")
    job = models.CharField(max_length=30)
    slot = models.DateTimeField()
    taken_at = models.DateTimeField(default=timezone.now)

    class Meta(TenantModel.Meta):
        db_table = "slot"
