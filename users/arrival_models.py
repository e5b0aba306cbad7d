"""What came through the door of ingest lately: for the page that shows it arriving. Never the source of a number."""

from __future__ import annotations

import uuid

from django.contrib.postgres.fields import ArrayField
from django.db import models

from workspaces.models import TenantModel, Workspace


class ArrivalModel(TenantModel):
    """Base of both: no foreign key to check and no second index, because every request writes here."""

    workspace = models.ForeignKey(
        Workspace, on_delete=models.CASCADE, db_constraint=False, db_index=False, related_name="+"
    )

    class Meta(TenantModel.Meta):
        abstract = True


class Arrival(ArrivalModel):
    """Which events one SDK sent in one transaction, by their keys in the event table; a ring of the last few hundred."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    at = models.DateTimeField()
    library = models.CharField(max_length=100, blank=True)
    # Four lists of one length: the id that each event was sent under, and the rest of the event's key, and its name.
    people = ArrayField(models.UUIDField())
    client_times = ArrayField(models.DateTimeField())
    events = ArrayField(models.UUIDField())
    names = ArrayField(models.IntegerField())

    class Meta(ArrivalModel.Meta):
        db_table = "arrival"
        indexes = [models.Index(fields=["workspace", "-at"], name="arrival_recent")]


class ArrivalHour(ArrivalModel):
    """How many items arrived in an hour and what became of them. Several slots, so that writers do not wait for each other."""

    pk = models.CompositePrimaryKey("workspace", "hour", "slot")
    hour = models.DateTimeField()
    slot = models.SmallIntegerField()
    accepted = models.BigIntegerField(default=0)
    duplicate = models.BigIntegerField(default=0)
    rejected = models.BigIntegerField(default=0)

    class Meta(ArrivalModel.Meta):
        db_table = "arrival_hour"
