"""The ledger of the night, the slots of the schedule, and changes of settings with the people they move."""

from __future__ import annotations

import uuid

from django.db import models
from django.utils import timezone

from users.models import PersonModel, to_person
from workspaces.models import Operator, TenantModel


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


class RulesChange(TenantModel):
    """A change of settings that moves people: previewed first, then applied or let go (改设置)."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    # {setting: value}; with an industry, its preset is taken before.
    changes = models.JSONField(default=dict)
    industry = models.CharField(max_length=20, blank=True)
    # What the workspace had: {"industry": …, "settings": …, "day": the published day}. Only on top of this it is applied.
    base = models.JSONField(default=dict)
    # due → previewing → ready → wanted → applying → applied; failed from either.
    state = models.CharField(max_length=10, default="due")
    step = models.CharField(max_length=20, blank=True)
    # {board: [[from, to, people], …]} for stage, activity, rfm and bits.
    moves = models.JSONField(default=dict)
    # {board: {key: people}} before the change.
    sizes = models.JSONField(default=dict)
    # Seconds that the last such change, or a night for everybody, took for the same steps; what preview and apply took.
    expected_seconds = models.FloatField(null=True)
    preview_seconds = models.FloatField(null=True)
    apply_seconds = models.FloatField(null=True)
    error = models.CharField(max_length=500, blank=True)
    operator = models.ForeignKey(Operator, on_delete=models.SET_NULL, null=True, related_name="+", db_constraint=False)
    created_at = models.DateTimeField(default=timezone.now)
    started_at = models.DateTimeField(null=True)

    class Meta(TenantModel.Meta):
        db_table = "rules_change"
        constraints = [
            models.CheckConstraint(
                condition=models.Q(state__in=["due", "previewing", "ready", "wanted", "applying", "applied", "failed"]),
                name="rules_change_state",
            ),
        ]
        indexes = [models.Index(fields=["workspace", "-created_at"], name="rules_change_recent")]


class RulesMove(PersonModel):
    """Whom the newest change of settings moves: from one stage, flag, group or class to another. "" is none."""

    pk = models.CompositePrimaryKey("end_user", "workspace", "change", "board")
    end_user = to_person()
    change = models.ForeignKey(
        RulesChange, on_delete=models.CASCADE, db_constraint=False, db_index=False, related_name="+"
    )
    board = models.CharField(max_length=10)
    from_key = models.CharField(max_length=20, blank=True)
    to_key = models.CharField(max_length=20, blank=True)

    class Meta(PersonModel.Meta):
        db_table = "rules_move"
        indexes = [models.Index(fields=["workspace", "change", "board"], name="rules_move_board")]
