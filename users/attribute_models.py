"""Which attributes a workspace's people have: a catalogue that grows by itself (users/attributes.py)."""

from __future__ import annotations

import uuid

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.functions import RandomUUID
from django.db import models

from users.person_model import PersonModel, to_person
from workspaces.models import TenantModel

# What a value can be, as the database function `attribute_kind` calls it.
KINDS = ("text", "number", "boolean", "time", "list", "object")


class Attribute(TenantModel):
    """One attribute that was told of somebody. Its type is that of the first value; other values are conflicts."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, db_default=RandomUUID(), editable=False)
    name = models.CharField(max_length=255)
    kind = models.CharField(max_length=7)
    # When the earliest and the latest word that counts were told, by the sender's clock.
    first_at = models.DateTimeField()
    last_at = models.DateTimeField()
    # Of the people in the numbers, how many have it, and how many of those as another type; NULL until a night counted.
    people = models.IntegerField(null=True)
    conflicts = models.IntegerField(null=True)
    # What most of the others are, and one of their values cut short; kept of nothing personal.
    other_kind = models.CharField(max_length=7, blank=True, default="", db_default="")
    other_value = models.CharField(max_length=60, blank=True, default="", db_default="")
    # Set by operators.
    label = models.CharField(max_length=100, blank=True, default="", db_default="")
    hidden = models.BooleanField(default=False, db_default=False)
    personal = models.BooleanField(default=False, db_default=False)

    class Meta(TenantModel.Meta):
        db_table = "attribute"
        constraints = [
            models.UniqueConstraint(fields=["workspace", "name"], name="attribute_once"),
            models.CheckConstraint(condition=models.Q(kind__in=KINDS), name="attribute_kind"),
        ]

    def __str__(self) -> str:
        return self.label or self.name


class AttributeTally(TenantModel):
    """How many people have an attribute as a type: what the catalogue is made from, kept so that a night adds its own.

    Ranks are Unix microseconds as in the profile, creations those of people of whom no rank is known.
    """

    id = models.BigAutoField(primary_key=True)
    name = models.CharField(max_length=255)
    kind = models.CharField(max_length=7)
    people = models.IntegerField(default=0)
    first_rank = models.BigIntegerField(null=True)
    last_rank = models.BigIntegerField(null=True)
    first_created = models.DateTimeField()
    last_created = models.DateTimeField()

    class Meta(TenantModel.Meta):
        db_table = "attribute_tally"
        constraints = [models.UniqueConstraint(fields=["workspace", "name", "kind"], name="attribute_tally_once")]


class ProfileTally(PersonModel):
    """The tallies that one person is counted in."""

    pk = models.CompositePrimaryKey("end_user", "workspace")
    end_user = to_person()
    tallies = ArrayField(models.BigIntegerField())

    class Meta(PersonModel.Meta):
        db_table = "profile_tally"
