"""Erasing people: the requests, which are the to-do list, and the marks that keep erased ids out."""

from __future__ import annotations

import uuid

from django.db import models
from django.utils import timezone

from workspaces.models import TenantModel


class Erasure(TenantModel):
    """One request to erase a person (删除用户数据). The row is the job; when it is done it says nothing of whom it was about."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    state = models.CharField(max_length=10, default="due")
    # Until it is done: who, and every text that leads to them (users/erasure.py: About).
    person_id = models.UUIDField(null=True)
    about = models.JSONField(null=True)
    # The steps that are done of this pass, of two.
    step = models.SmallIntegerField(default=0)
    settles_at = models.DateTimeField(null=True)
    rows = models.IntegerField(default=0)
    asked_by = models.UUIDField(null=True)
    asked_at = models.DateTimeField(default=timezone.now)
    finished_at = models.DateTimeField(null=True)

    class Meta(TenantModel.Meta):
        db_table = "erasure"
        constraints = [
            models.UniqueConstraint(fields=["workspace", "person_id"], name="erasure_once"),
            models.CheckConstraint(
                condition=models.Q(state__in=["due", "first", "settling", "second", "done"]), name="erasure_state"
            ),
            models.CheckConstraint(
                condition=~models.Q(state="done") | models.Q(person_id=None, about=None), name="erasure_says_nothing"
            ),
        ]
        indexes = [models.Index(fields=["workspace", "-asked_at"], name="erasure_recent")]


class ErasedId(TenantModel):
    """An id that is not taken in any more, as a keyed hash: it can be recognised, and not turned back."""

    pk = models.CompositePrimaryKey("workspace", "mark")
    mark = models.UUIDField()
    erased_at = models.DateTimeField(default=timezone.now)
    # Messages that came for it since, and were not kept.
    dropped = models.BigIntegerField(default=0)

    class Meta(TenantModel.Meta):
        db_table = "erased_id"
