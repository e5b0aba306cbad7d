"""The ledger of the night, and the slots of the schedule."""

from __future__ import annotations

import uuid

from django.db import models
from django.utils import timezone

from workspaces.models import TenantModel


class Night(TenantModel):
    """One nightly run of one workspace for one day; run again, it is the same row.

    `running` without a lease (users/night.py) means that its worker was killed: the next one goes on with it.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    day = models.DateField()
    state = models.CharField(max_length=10, default="running")
    trigger = models.CharField(max_length=10, default="schedule")
    started_at = models.DateTimeField(default=timezone.now)
    finished_at = models.DateTimeField(null=True)
    seconds = models.FloatField(null=True)
    error = models.CharField(max_length=500, blank=True)
    # How often it was begun anew; going on after a kill is not counted.
    runs = models.IntegerField(default=0)

    class Meta(TenantModel.Meta):
        db_table = "night"
        constraints = [
            models.UniqueConstraint(fields=["workspace", "day"], name="night_once"),
            models.CheckConstraint(condition=models.Q(state__in=["running", "done", "failed"]), name="night_state"),
        ]


class NightStep(TenantModel):
    """One step of a night: how far it is, how long it took, what it counted, and what went wrong."""

    pk = models.CompositePrimaryKey("workspace", "day", "step")
    day = models.DateField()
    step = models.CharField(max_length=20)
    position = models.SmallIntegerField(default=0)
    state = models.CharField(max_length=10, default="waiting")
    started_at = models.DateTimeField(null=True)
    seconds = models.FloatField(null=True)
    counts = models.JSONField(default=dict)
    error = models.CharField(max_length=500, blank=True)
    # More than one: the workers before were killed in it.
    attempts = models.SmallIntegerField(default=0)
    # Rows worked off, of how many; both 0 for a step that cannot tell.
    done = models.BigIntegerField(default=0)
    total = models.BigIntegerField(default=0)

    class Meta(TenantModel.Meta):
        db_table = "night_step"


class Alert(TenantModel):
    """Something about a night that operators should hear of, told once: it is late or failed, or a count jumped.

    `key` of a jump is board:key as in `day_count`, or "people" for everybody; `before` and `now` are people.
    """

    pk = models.CompositePrimaryKey("workspace", "day", "kind", "key")
    day = models.DateField()
    kind = models.CharField(max_length=10)
    key = models.CharField(max_length=50, blank=True)
    before = models.IntegerField(default=0)
    now = models.IntegerField(default=0)
    created_at = models.DateTimeField(default=timezone.now)
    mailed_at = models.DateTimeField(null=True)

    class Meta(TenantModel.Meta):
        db_table = "night_alert"


class Slot(TenantModel):
    """A moment of the schedule that was taken. The unique key makes two beats harmless."""

    pk = models.CompositePrimaryKey("workspace", "job", "slot")
    job = models.CharField(max_length=30)
    slot = models.DateTimeField()
    taken_at = models.DateTimeField(default=timezone.now)

    class Meta(TenantModel.Meta):
        db_table = "slot"
