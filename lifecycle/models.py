"""Where each end user is in the lifecycle, how active they are, and every change with its reason."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models

from lifecycle.value_models import PersonValue, SourceCost, SourceMonth, ValueModel
from users.models import PersonModel, to_person
from workspaces.models import TenantModel

__all__ = [
    "ActivityChange",
    "DayCount",
    "PersonValue",
    "ReturnRate",
    "SourceCost",
    "SourceMonth",
    "StageChange",
    "Standing",
    "ValueModel",
]


class Standing(PersonModel):
    """The current stage and activity flag of one end user. Dates, not "days since": an unchanged person stays unchanged."""

    pk = models.CompositePrimaryKey("end_user", "workspace")
    end_user = to_person()
    stage = models.CharField(max_length=10)
    stage_since = models.DateField()
    # Came back from churned with the change that began this stage (回流).
    returned = models.BooleanField(default=False)
    activity = models.CharField(max_length=10)
    activity_since = models.DateField()
    # The day idle time counts from, and the limit in days that applies to this person.
    idle_from = models.DateField()
    limit_days = models.DecimalField(max_digits=8, decimal_places=2)
    # fixed, personal, default (too few active days for a rhythm) or balance.
    limit_kind = models.CharField(max_length=10)
    # Further warning signals that hold (lifecycle/signals.py), of those that the workspace switched on.
    signals = ArrayField(models.CharField(max_length=20), default=list)
    value_at_risk_minor = models.BigIntegerField(null=True)
    # The first day on which the flag, or what is at risk, is another one though nothing happens.
    due_on = models.DateField(null=True)

    class Meta(PersonModel.Meta):
        db_table = "standing"
        indexes = [
            # None by what is at risk, which is another sum every day: all indexes would be told of everybody who is slipping.
            models.Index(fields=["workspace", "stage", "stage_since"], name="standing_stage"),
        ]


class StageChange(PersonModel):
    """One change of stage on one day: history as it was told. `from_stage` is empty for joiners, `to_stage` for leavers."""

    pk = models.CompositePrimaryKey("end_user", "workspace", "day")
    end_user = to_person()
    day = models.DateField()
    from_stage = models.CharField(max_length=10, blank=True)
    to_stage = models.CharField(max_length=10, blank=True)
    returned = models.BooleanField(default=False)
    why = models.JSONField(default=dict)

    class Meta(PersonModel.Meta):
        db_table = "stage_change"
        indexes = [models.Index(fields=["workspace", "day"], name="stage_change_day")]


class ActivityChange(PersonModel):
    """One change of the activity flag on one day, with the numbers that decided it."""

    pk = models.CompositePrimaryKey("end_user", "workspace", "day")
    end_user = to_person()
    day = models.DateField()
    from_activity = models.CharField(max_length=10, blank=True)
    to_activity = models.CharField(max_length=10, blank=True)
    why = models.JSONField(default=dict)

    class Meta(PersonModel.Meta):
        db_table = "activity_change"
        indexes = [models.Index(fields=["workspace", "day"], name="activity_change_day")]


class BalanceMark(PersonModel):
    """Somebody's balance since a day, a row where it changed: attributes have no history, and a halved balance needs one."""

    pk = models.CompositePrimaryKey("end_user", "workspace", "day")
    end_user = to_person()
    day = models.DateField()
    balance = models.DecimalField(max_digits=40, decimal_places=6, null=True)

    class Meta(PersonModel.Meta):
        db_table = "balance_mark"


class DayCount(TenantModel):
    """How many people stood where at the end of a day, kept for good; money is what docs/definitions.md says per board.

    board: stage, activity, rfm (groups), cells (R and F scores, "53") or bits (value classes).
    """

    pk = models.CompositePrimaryKey("workspace", "day", "board", "key")
    day = models.DateField()
    board = models.CharField(max_length=10)
    key = models.CharField(max_length=30)
    people = models.IntegerField()
    money_minor = models.BigIntegerField(default=0)

    class Meta(TenantModel.Meta):
        db_table = "day_count"


class ReturnRate(TenantModel):
    """回访率 as of a day: of the idle spells that reached N days, the share that ended in a visit."""

    pk = models.CompositePrimaryKey("workspace", "day", "idle_days")
    day = models.DateField()
    idle_days = models.SmallIntegerField()
    spells = models.IntegerField()
    returned = models.IntegerField()

    class Meta(TenantModel.Meta):
        db_table = "return_rate"


class DayFlow(TenantModel):
    """How many people went from where to where on a day, on a board of DayCount; an empty key is "joined" or "left"."""

    pk = models.CompositePrimaryKey("workspace", "day", "board", "from_key", "to_key")
    day = models.DateField()
    board = models.CharField(max_length=10)
    from_key = models.CharField(max_length=30, blank=True)
    to_key = models.CharField(max_length=30, blank=True)
    people = models.IntegerField()

    class Meta(TenantModel.Meta):
        db_table = "day_flow"


class FlagAudit(TenantModel):
    """What became of a warning: of the people who got a flag `after_days` before a day, how many were seen since."""

    pk = models.CompositePrimaryKey("workspace", "day", "activity", "after_days")
    day = models.DateField()
    activity = models.CharField(max_length=10)
    after_days = models.SmallIntegerField()
    flagged = models.IntegerField()
    seen_again = models.IntegerField()

    class Meta(TenantModel.Meta):
        db_table = "flag_audit"


class RecallEntry(PersonModel):
    """Somebody reached a rung of the recall ladder: so many days away, counted from `idle_from`, told on `day`."""

    pk = models.CompositePrimaryKey("end_user", "workspace", "idle_from", "rung")
    end_user = to_person()
    # The absence this belongs to: each rung is reached once in it.
    idle_from = models.DateField()
    rung = models.SmallIntegerField()
    day = models.DateField()

    class Meta(PersonModel.Meta):
        db_table = "recall_entry"
        indexes = [models.Index(fields=["workspace", "day"], name="recall_entry_day")]
