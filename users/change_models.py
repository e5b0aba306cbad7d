"""What messages did to attributes beside setting them: the rows that a profile's counted attributes are made from."""

from __future__ import annotations

import uuid

from django.db import models

from users.person_model import PersonModel, to_person


class ProfileChange(PersonModel):
    """One message's word on one attribute, under the id it was told: a number added, texts appended to a list, or a value
    for an attribute that has none (users/changes.py)."""

    pk = models.CompositePrimaryKey("end_user", "workspace", "change_id")
    end_user = to_person()
    # Made from the message and the attribute, so that a repeat finds itself.
    change_id = models.UUIDField(default=uuid.uuid4)
    attribute = models.TextField()
    kind = models.CharField(max_length=6)
    # The earliest moment that any repeat told.
    at = models.DateTimeField()
    value = models.JSONField()

    class Meta(PersonModel.Meta):
        db_table = "profile_change"
        indexes = [
            models.Index(
                fields=["workspace"],
                condition=models.Q(attribute__in=["referred_by", "referredBy"]),
                name="profile_change_referred",
            )
        ]
        constraints = [
            models.CheckConstraint(condition=models.Q(kind__in=["add", "append", "first"]), name="profile_change_kind")
        ]
