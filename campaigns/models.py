"""Whom we write to: campaigns, their runs, one delivery row per person, and what came back."""

from __future__ import annotations

import uuid

from django.db import models
from django.utils import timezone

from users.models import PersonModel, to_person
from workspaces.models import TenantModel

# pending → claimed → sending → sent | failed | unknown | deferred → claimed …; suppressed at the freeze or before sending;
# control is final from the start.
OPEN_STATES = ("pending", "claimed", "sending", "deferred")
FINAL_STATES = ("sent", "failed", "suppressed", "unknown", "control")


class Campaign(TenantModel):
    """One message to one segment, now or at a time (触达计划)."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    name = models.CharField(max_length=100)
    channel = models.CharField(max_length=20, default="email")
    segment = models.ForeignKey(
        "segmentation.Segment", on_delete=models.DO_NOTHING, null=True, db_constraint=False, related_name="+"
    )
    # The key of the topic it is about (users/consent.py): whoever opted out of that is left out. "": no topic.
    topic = models.CharField(max_length=40, blank=True, default="", db_default="")
    # The content fields the channel declares: subject, body, title, url, template code …
    content = models.JSONField(default=dict)
    state = models.CharField(max_length=10, default="draft")
    scheduled_at = models.DateTimeField(null=True)
    control_percent = models.DecimalField(max_digits=5, decimal_places=2, default=10)
    conversion_event = models.CharField(max_length=200, blank=True)
    conversion_days = models.SmallIntegerField(default=7)
    salt = models.CharField(max_length=32, default="")
    created_by = models.UUIDField(null=True)
    created_at = models.DateTimeField(default=timezone.now)
    updated_at = models.DateTimeField(default=timezone.now)
    # Told about the past by an import or the demo, not sent by us.
    recorded = models.BooleanField(default=False)

    class Meta(TenantModel.Meta):
        db_table = "campaign"
        constraints = [
            models.CheckConstraint(
                condition=models.Q(state__in=["draft", "scheduled", "running", "paused", "finished", "cancelled"]),
                name="campaign_state",
            ),
            models.CheckConstraint(
                condition=models.Q(control_percent__gte=0, control_percent__lte=99), name="campaign_control_percent"
            ),
            models.CheckConstraint(
                condition=models.Q(conversion_days__gte=1, conversion_days__lte=30), name="campaign_conversion_days"
            ),
        ]

    def __str__(self) -> str:
        return self.name


class Run(TenantModel):
    """One execution of a campaign: the audience is frozen here, before the first message leaves."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    campaign = models.ForeignKey(Campaign, on_delete=models.CASCADE, db_constraint=False, related_name="+")
    due_at = models.DateTimeField()
    state = models.CharField(max_length=10, default="due")
    # Content and settings as they were when the audience was frozen.
    content = models.JSONField(default=dict)
    frozen_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    # Everyone in the segment, and the assigned arms, counted at the freeze.
    matched = models.IntegerField(default=0)
    eligible = models.IntegerField(default=0)
    treated = models.IntegerField(default=0)
    control = models.IntegerField(default=0)
    error = models.CharField(max_length=300, blank=True)

    class Meta(TenantModel.Meta):
        db_table = "run"
        constraints = [
            models.UniqueConstraint(fields=["workspace", "campaign", "due_at"], name="run_once"),
            models.CheckConstraint(
                condition=models.Q(state__in=["due", "running", "paused", "finished", "cancelled"]), name="run_state"
            ),
        ]


class Delivery(PersonModel):
    """One message to one person in one run. The row is the job: whoever changes its state did the work."""

    pk = models.CompositePrimaryKey("end_user", "workspace", "run")
    end_user = to_person()
    run = models.ForeignKey(Run, on_delete=models.CASCADE, db_constraint=False, db_index=False, related_name="+")
    # Named in links, Message-ID and provider references; random, so it says nothing about the person.
    delivery_id = models.UUIDField(default=uuid.uuid4)
    channel = models.CharField(max_length=20)
    address = models.CharField(max_length=400, blank=True)
    # Drawn when the audience is frozen: treated, control, or empty for those who could not be reached then.
    arm = models.CharField(max_length=8, blank=True)
    state = models.CharField(max_length=10, default="pending")
    # Why it was not sent: no_address, opted_out, topic_opted_out, no_consent, suppressed, excluded, same_person, control,
    # cancelled, template_error, refused, gave_up, no_answer, sender_died, erased; while it waits: deferred, channel_down.
    reason = models.CharField(max_length=40, blank=True)
    detail = models.CharField(max_length=300, blank=True)
    # 0–9999, from the campaign's salt: the same person always falls the same way.
    bucket = models.SmallIntegerField(default=0)
    attempts = models.SmallIntegerField(default=0)
    lease_token = models.UUIDField(null=True)
    lease_until = models.DateTimeField(null=True)
    # When it may be claimed; set while it waits, by the database's clock.
    next_at = models.DateTimeField(null=True)
    provider_ref = models.CharField(max_length=200, blank=True)
    sent_at = models.DateTimeField(null=True)
    opened_at = models.DateTimeField(null=True)
    clicked_at = models.DateTimeField(null=True)
    unsubscribed_at = models.DateTimeField(null=True)
    converted_at = models.DateTimeField(null=True)
    revenue_minor = models.BigIntegerField(default=0)
    # The id it was frozen for, when that has been merged into `end_user`: what an undo takes back.
    origin_id = models.UUIDField(null=True)

    class Meta(PersonModel.Meta):
        db_table = "delivery"
        constraints = [
            models.UniqueConstraint(fields=["workspace", "delivery_id"], name="delivery_id_once"),
            models.CheckConstraint(condition=models.Q(state__in=[*OPEN_STATES, *FINAL_STATES]), name="delivery_state"),
        ]
        indexes = [
            models.Index(fields=["workspace", "run", "state"], name="delivery_run_state"),
            models.Index(
                fields=["workspace", "run", "next_at"],
                condition=models.Q(state__in=["pending", "deferred"]),
                name="delivery_due",
            ),
            models.Index(
                fields=["workspace", "lease_until"],
                condition=models.Q(state__in=["claimed", "sending"]),
                name="delivery_leased",
            ),
        ]


class Feedback(PersonModel):
    """What came back about a delivery: open, click, unsubscribe, bounce, complaint."""

    pk = models.CompositePrimaryKey("end_user", "workspace", "delivery_id", "kind", "reference")
    end_user = to_person()
    delivery_id = models.UUIDField()
    run = models.ForeignKey(Run, on_delete=models.CASCADE, db_constraint=False, db_index=False, related_name="+")
    kind = models.CharField(max_length=12)
    reference = models.CharField(max_length=200, blank=True)
    at = models.DateTimeField(default=timezone.now)

    class Meta(PersonModel.Meta):
        db_table = "feedback"


class Link(TenantModel):
    """A target a run's messages link to. Redirects go to these and nowhere else."""

    pk = models.CompositePrimaryKey("workspace", "run", "number")
    run = models.ForeignKey(Run, on_delete=models.CASCADE, db_constraint=False, related_name="+")
    number = models.SmallIntegerField()
    url = models.TextField()

    class Meta(TenantModel.Meta):
        db_table = "link"


class Suppression(TenantModel):
    """An address we must not write to any more: it bounced, or somebody complained (停发名单). Of people who were erased
    only a keyed hash is kept (users/erasure_marks.py)."""

    pk = models.CompositePrimaryKey("workspace", "channel", "address")
    channel = models.CharField(max_length=20)
    address = models.CharField(max_length=400)
    reason = models.CharField(max_length=40)
    at = models.DateTimeField(default=timezone.now)

    class Meta(TenantModel.Meta):
        db_table = "suppression"


class ChannelAccount(TenantModel):
    """How this workspace sends on a channel. Secret fields are encrypted (campaigns/secrets.py)."""

    pk = models.CompositePrimaryKey("workspace", "channel")
    channel = models.CharField(max_length=20)
    config = models.JSONField(default=dict)
    in_flight = models.SmallIntegerField(default=1)
    updated_at = models.DateTimeField(default=timezone.now)

    class Meta(TenantModel.Meta):
        db_table = "channel_account"
