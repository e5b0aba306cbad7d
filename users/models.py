"""Who the end users are, what they did, and the facts kept about each of them."""

from __future__ import annotations

import uuid
from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils import timezone

from users.arrival_models import Arrival, ArrivalHour
from users.attribute_models import Attribute, AttributeTally, ProfileTally
from users.change_models import ProfileChange
from users.device_models import PushDevice
from users.erasure_models import ErasedId, Erasure
from users.export_models import Export
from users.facts_models import Facts, FactsDue, FactsNext, FactsState, FactsStateNext, PersonNews, SpellCount
from users.identity_models import ConsentWord, IdentityLink, IdentityMerge, PeopleVersion
from users.import_models import Import, ImportBatch, ImportRowError
from users.person_model import PersonModel, event_id, person_id, to_person
from workspaces.models import TenantModel, WorkspaceManager

__all__ = [
    "Arrival",
    "ArrivalHour",
    "Attribute",
    "AttributeTally",
    "Consent",
    "ConsentWord",
    "EndUser",
    "ErasedId",
    "Erasure",
    "Event",
    "EventName",
    "Export",
    "Facts",
    "FactsDue",
    "FactsNext",
    "FactsState",
    "FactsStateNext",
    "IdentityLink",
    "IdentityMerge",
    "Import",
    "ImportBatch",
    "ImportRowError",
    "IngestError",
    "PeopleVersion",
    "PersonDay",
    "PersonModel",
    "PersonNews",
    "ProfileChange",
    "ProfileTally",
    "Purchase",
    "PushDevice",
    "SpellCount",
    "Topic",
    "Touched",
    "event_id",
    "person_id",
    "to_person",
]


class EndUserQuerySet(models.QuerySet):
    def counted(self) -> EndUserQuerySet:
        """People who are in the numbers: identified, not excluded, and not merged into somebody."""
        return self.filter(identified=True, excluded=False, merged_into=None)


class EndUserManager(WorkspaceManager.from_queryset(EndUserQuerySet)):  # type: ignore[misc]
    pass


class EndUser(PersonModel):
    """A person the operators' product serves (用户); a visitor (访客) while not identified."""

    id = models.UUIDField(primary_key=True, editable=False)
    external_id = models.CharField(max_length=255)
    identified = models.BooleanField(default=True)
    excluded = models.BooleanField(default=False)
    excluded_reason = models.CharField(max_length=100, blank=True)
    name = models.CharField(max_length=200, blank=True)
    email = models.CharField(max_length=254, blank=True)
    phone = models.CharField(max_length=20, blank=True)
    # Of the devices the one that is written to, which users/devices.py chooses.
    push_token = models.CharField(max_length=400, blank=True)
    city = models.CharField(max_length=100, blank=True)
    source = models.CharField(max_length=100, blank=True)
    referred_by = models.CharField(max_length=255, blank=True)
    locale = models.CharField(max_length=20, blank=True)
    zone = models.CharField(max_length=50, blank=True)
    attributes = models.JSONField(default=dict)
    # When the newest traits were told, by the client's clock: older ones never overwrite them.
    attributes_at = models.DateTimeField(null=True)
    # The same per attribute, in Unix microseconds, so that news in any order ends in the same profile.
    attribute_times = models.JSONField(default=dict)
    # The words beneath attributes that changes were applied to (users/changes.py); NULL where none was ever told.
    bases = models.JSONField(null=True)
    # What was told before counts for nothing.
    forgotten_at = models.DateTimeField(null=True)
    tags = models.JSONField(default=list)
    created_at = models.DateTimeField(default=timezone.now)
    # Who they turned out to be: never somebody who is merged themselves. This row then stays as it was told under its id.
    merged_into = models.UUIDField(null=True)
    # While others are merged into this person, the columns above are everybody's together, and these are what was told
    # under this id alone (users/identity_profiles.py: Own).
    own = models.JSONField(null=True)
    own_created_at = models.DateTimeField(null=True)

    objects: ClassVar[EndUserManager] = EndUserManager()

    class Meta(PersonModel.Meta):
        db_table = "end_user"
        indexes = [
            # By id, and not by what an operator may look for: a plan that finds people by their ids must not be able to
            # choose an index that leads it through all of a workspace for each.
            models.Index(fields=["workspace", "id"], name="end_user_workspace"),
            models.Index(
                fields=["workspace", "merged_into"],
                condition=models.Q(merged_into__isnull=False),
                name="end_user_merged",
            ),
            # Few were brought by somebody; an erasure looks for those it concerns.
            models.Index(
                fields=["workspace", "referred_by"], condition=~models.Q(referred_by=""), name="end_user_referred"
            ),
        ]

    def __str__(self) -> str:
        return self.name or self.external_id


class EventName(TenantModel):
    """An event name the workspace sends, and the roles it plays (事件含义). Grows by itself as events arrive."""

    id = models.AutoField(primary_key=True)
    name = models.CharField(max_length=200)
    is_core = models.BooleanField(default=False)
    is_habit = models.BooleanField(default=False)
    is_order = models.BooleanField(default=False)
    is_refund = models.BooleanField(default=False)
    is_pay = models.BooleanField(default=False)
    is_passive = models.BooleanField(default=False)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta(TenantModel.Meta):
        db_table = "event_name"
        constraints = [models.UniqueConstraint(fields=["workspace", "name"], name="event_name_once")]

    def __str__(self) -> str:
        return self.name


class Event(PersonModel):
    """Something an end user did. Partitioned by month of `client_at`; the key is also the promise to store it once."""

    pk = models.CompositePrimaryKey("end_user", "client_at", "event_id")
    end_user = to_person()
    # What the client said, untouched: part of the key, so a resend finds itself.
    client_at = models.DateTimeField()
    event_id = models.UUIDField()
    # When it happened, skew-corrected: what every number counts by.
    at = models.DateTimeField()
    received_at = models.DateTimeField()
    name = models.ForeignKey(
        EventName, on_delete=models.DO_NOTHING, db_constraint=False, db_index=False, related_name="+"
    )
    message_id = models.CharField(max_length=255)
    properties = models.JSONField(default=dict)
    # Read out of properties at ingest, in minor units of the workspace's currency.
    amount_minor = models.BigIntegerField(null=True)
    order_id = models.CharField(max_length=255, null=True)
    # The id it was sent under, when that has been merged into `end_user`: what an undo takes back.
    origin_id = models.UUIDField(null=True)

    class Meta(PersonModel.Meta):
        db_table = "event"
        managed = False


class Touched(PersonModel):
    """People whose events changed since the last night looked: one row per transaction that changed any.

    Append-only for writers, so nobody waits; the night takes rows away. A row per person would cost ingest a third more.
    """

    pk = models.CompositePrimaryKey("workspace", "id")
    id = models.UUIDField(default=uuid.uuid4)
    people = ArrayField(models.UUIDField())
    # Between which keys of theirs events came; NULL where some may have gone, or changed their meaning.
    first_key = models.DateTimeField(null=True)
    last_key = models.DateTimeField(null=True)

    class Meta(PersonModel.Meta):
        db_table = "touched"


class PersonDay(PersonModel):
    """What one person did on one day: the fold of their events, kept for good."""

    pk = models.CompositePrimaryKey("end_user", "workspace", "day")
    end_user = to_person()
    day = models.DateField()
    visits = models.IntegerField(default=0)
    core = models.IntegerField(default=0)
    habit = models.IntegerField(default=0)
    first_at = models.DateTimeField(null=True)
    last_at = models.DateTimeField(null=True)
    # One entry per visit (hour of the local day) and per visit with a category.
    hours = ArrayField(models.SmallIntegerField(), default=list)
    categories = ArrayField(models.TextField(), default=list)
    app_version = models.CharField(max_length=50, blank=True)
    # Registered on this day; and who brought them, as this day's first accepted referral tells.
    registered = models.BooleanField(default=False)
    referred_by = models.CharField(max_length=255, blank=True)
    # A checksum of the events and their roles: a fold looks closer only at days where it differs.
    digest = models.BigIntegerField(null=True)
    # Between which keys its events lie.
    first_key = models.DateTimeField(null=True)
    last_key = models.DateTimeField(null=True)

    class Meta(PersonModel.Meta):
        db_table = "person_day"
        indexes = [
            # With what a window loses when the day leaves it.
            models.Index(
                fields=["workspace", "day"], include=["end_user", "visits", "core", "habit"], name="person_day_by_day"
            ),
            models.Index(
                fields=["workspace", "referred_by"], condition=~models.Q(referred_by=""), name="person_day_referred"
            ),
        ]


class Purchase(PersonModel):
    """An order, refund or pay event, its money read out: small enough to be judged afresh as of any day."""

    pk = models.CompositePrimaryKey("end_user", "workspace", "at", "event_id", "kind")
    end_user = to_person()
    at = models.DateTimeField()
    event_id = models.UUIDField()
    kind = models.CharField(max_length=6)
    day = models.DateField()
    message_id = models.CharField(max_length=255)
    # The order id, or the event's own id where none was sent: then each row is one order.
    order_key = models.CharField(max_length=255)
    amount_minor = models.BigIntegerField(null=True)
    with_coupon = models.BooleanField(default=False)
    targeted = models.BooleanField(default=False)

    class Meta(PersonModel.Meta):
        db_table = "purchase"
        indexes = [models.Index(fields=["workspace", "day"], name="purchase_day")]


class Topic(TenantModel):
    """A kind of message that people may opt out of on a channel, such as promotions (users/consent.py)."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    # What programs call it; never changes.
    key = models.CharField(max_length=40)
    name = models.CharField(max_length=100)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta(TenantModel.Meta):
        db_table = "topic"
        constraints = [models.UniqueConstraint(fields=["workspace", "key"], name="topic_once")]

    def __str__(self) -> str:
        return self.name


class Consent(PersonModel):
    """Whether a person agreed to be written to; the latest word, with its source and time.

    `channel`: the channel, or a topic of it as "channel/topic".
    """

    pk = models.CompositePrimaryKey("end_user", "workspace", "channel")
    end_user = to_person()
    channel = models.CharField(max_length=64)
    opted_in = models.BooleanField()
    source = models.CharField(max_length=100)
    at = models.DateTimeField(default=timezone.now)

    class Meta(PersonModel.Meta):
        db_table = "consent"
        # What joins the consents of a whole segment would else read those of every workspace.
        indexes = [models.Index(fields=["workspace", "channel"], name="consent_workspace")]


class IngestError(TenantModel):
    """The last rejected items, so that a developer can see what went wrong and why."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    code = models.CharField(max_length=60)
    message = models.CharField(max_length=300)
    example = models.TextField()
    library = models.CharField(max_length=100, blank=True)
    at = models.DateTimeField(default=timezone.now)

    class Meta(TenantModel.Meta):
        db_table = "ingest_error"
        indexes = [models.Index(fields=["workspace", "-at"], name="ingest_error_recent")]
