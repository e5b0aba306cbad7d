"""RFM scores, and segments with who is in them, who entered and who left."""

from __future__ import annotations

import uuid

from django.db import models
from django.utils import timezone

from users.models import PersonModel, to_person
from workspaces.models import TenantModel


class RfmScore(PersonModel):
    """One person's place on the board as of the current day. A value that is a day is kept as its number since 1970, so
    that whoever did nothing keeps the same row (segmentation/rfm_axes.py)."""

    pk = models.CompositePrimaryKey("end_user", "workspace")
    end_user = to_person()
    r_value = models.BigIntegerField()
    f_value = models.BigIntegerField()
    m_value = models.BigIntegerField()
    r_score = models.SmallIntegerField()
    f_score = models.SmallIntegerField()
    m_score = models.SmallIntegerField()
    group = models.CharField(max_length=20, db_column="rfm_group")
    # "111" … "000": R, F, M high or low against the mean.
    bits = models.CharField(max_length=3, db_column="rfm_bits")

    class Meta(PersonModel.Meta):
        db_table = "rfm_score"
        indexes = [models.Index(fields=["workspace"], name="rfm_score_workspace")]


class RfmChange(PersonModel):
    """A move from one RFM group to another on one day; empty `from` joined the population, empty `to` left it."""

    pk = models.CompositePrimaryKey("end_user", "workspace", "day")
    end_user = to_person()
    day = models.DateField()
    from_group = models.CharField(max_length=20, blank=True)
    to_group = models.CharField(max_length=20, blank=True)

    class Meta(PersonModel.Meta):
        db_table = "rfm_change"
        indexes = [models.Index(fields=["workspace", "day"], name="rfm_change_day")]


class RfmCuts(TenantModel):
    """The cut points and means one day's scores were made with, so that any score can be explained."""

    pk = models.CompositePrimaryKey("workspace", "day")
    day = models.DateField()
    population = models.IntegerField()
    # {"r": [4 numbers], "f": […], "m": […]}, in days ago or the unit of the axis; means likewise.
    cuts = models.JSONField(default=dict)
    means = models.JSONField(default=dict)
    # The facts that R, F and M were (segmentation/rfm_axes.py).
    axes = models.JSONField(default=list)

    class Meta(TenantModel.Meta):
        db_table = "rfm_cuts"


class Segment(TenantModel):
    """People who match a rule, changing with it (分群)."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    name = models.CharField(max_length=100)
    # {"all": [...]} / {"any": [...]} / {"not": node} / {"kind": condition key, ...fields}
    definition = models.JSONField(default=dict)
    # 规模 or 价值: what the segment is worked for.
    goal = models.CharField(max_length=10, default="value")
    owner = models.UUIDField(null=True)
    size = models.IntegerField(null=True)
    refreshed_on = models.DateField(null=True)
    error = models.CharField(max_length=300, blank=True)
    created_at = models.DateTimeField(default=timezone.now)
    updated_at = models.DateTimeField(default=timezone.now)
    archived_at = models.DateTimeField(null=True)

    class Meta(TenantModel.Meta):
        db_table = "segment"
        constraints = [
            models.UniqueConstraint(
                fields=["workspace", "name"], condition=models.Q(archived_at=None), name="segment_name"
            ),
            models.CheckConstraint(condition=models.Q(goal__in=["scale", "value"]), name="segment_goal"),
        ]

    def __str__(self) -> str:
        return self.name


class SegmentMember(PersonModel):
    """Membership as of the last refresh."""

    pk = models.CompositePrimaryKey("end_user", "workspace", "segment")
    end_user = to_person()
    segment = models.ForeignKey(
        Segment, on_delete=models.CASCADE, db_constraint=False, db_index=False, related_name="+"
    )
    entered_on = models.DateField()

    class Meta(PersonModel.Meta):
        db_table = "segment_member"
        indexes = [models.Index(fields=["workspace", "segment", "end_user"], name="segment_member_page")]


class TagRule(TenantModel):
    """A tag that everybody in a segment has (segmentation/tagging.py)."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    tag = models.CharField(max_length=50)
    segment = models.ForeignKey(Segment, on_delete=models.CASCADE, db_constraint=False, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)

    class Meta(TenantModel.Meta):
        db_table = "tag_rule"
        constraints = [models.UniqueConstraint(fields=["workspace", "tag"], name="tag_rule_once")]

    def __str__(self) -> str:
        return self.tag


class SegmentChange(PersonModel):
    """Entering or leaving a segment on a day."""

    pk = models.CompositePrimaryKey("end_user", "workspace", "segment", "day")
    end_user = to_person()
    segment = models.ForeignKey(
        Segment, on_delete=models.CASCADE, db_constraint=False, db_index=False, related_name="+"
    )
    day = models.DateField()
    entered = models.BooleanField()

    class Meta(PersonModel.Meta):
        db_table = "segment_change"
        indexes = [models.Index(fields=["workspace", "segment", "day"], name="segment_change_day")]


class SegmentDay(TenantModel):
    """A segment's size and flow on a day."""

    pk = models.CompositePrimaryKey("workspace", "segment", "day")
    segment = models.ForeignKey(Segment, on_delete=models.CASCADE, db_constraint=False, related_name="+")
    day = models.DateField()
    size = models.IntegerField()
    entered = models.IntegerField()
    left = models.IntegerField()

    class Meta(TenantModel.Meta):
        db_table = "segment_day"
