"""Which ids are one person: what was told, what was made of it, and what was said under each id."""

from __future__ import annotations

import uuid

from django.db import models
from django.utils import timezone

from users.person_model import PersonModel, to_person
from workspaces.models import TenantModel, Workspace


class PeopleVersion(TenantModel):
    """Counts every time that ids are merged or parted, or people deleted: what a process remembers of people holds until
    then. A trigger on end_user does it, so that nobody has to think of it."""

    workspace = models.OneToOneField(Workspace, on_delete=models.CASCADE, primary_key=True, related_name="+")
    version = models.BigIntegerField(default=0)

    class Meta(TenantModel.Meta):
        db_table = "people_version"


class IdentityLink(PersonModel):
    """Two ids that a message said are one person. The links are the truth, and those pending are what is to be merged.

    `login`: a visitor (end_user) and the user (known_id) they turned out to be. `alias`: two ids of one kind, of which
    end_user is who they were before.
    """

    pk = models.CompositePrimaryKey("end_user", "workspace", "known_id")
    end_user = to_person()
    known_id = models.UUIDField()
    # The earliest moment that any message told, so that repeats and their order do not matter.
    at = models.DateTimeField()
    kind = models.CharField(max_length=5, default="login")
    pending = models.BooleanField(default=True)
    # An operator took it back: it joins nobody again, however often it is told.
    refused_at = models.DateTimeField(null=True)

    class Meta(PersonModel.Meta):
        db_table = "identity_link"
        indexes = [
            models.Index(fields=["workspace", "known_id"], name="identity_link_known"),
            models.Index(fields=["workspace"], condition=models.Q(pending=True), name="identity_link_pending"),
        ]
        constraints = [
            models.CheckConstraint(condition=models.Q(kind__in=["login", "alias"]), name="identity_link_kind")
        ]


class IdentityMerge(PersonModel):
    """The log: this person was merged into another, why, and until when. One that has not ended is how it stands."""

    pk = models.CompositePrimaryKey("end_user", "workspace", "id")
    end_user = to_person()
    id = models.UUIDField(default=uuid.uuid4)
    into_id = models.UUIDField()
    at = models.DateTimeField(default=timezone.now)
    # The links that decided it: [{"previous", "person", "at", "kind"}], by external id.
    why = models.JSONField(default=list)
    # The operator who merged them by hand; none when messages did.
    merged_by = models.UUIDField(null=True)
    ended_at = models.DateTimeField(null=True)
    # Set only where an operator ended it; else a message told of somebody who fits better.
    undone_by = models.UUIDField(null=True)
    # Events that were on their way while it ended have been looked for.
    swept = models.BooleanField(default=False)

    class Meta(PersonModel.Meta):
        db_table = "identity_merge"
        indexes = [
            models.Index(fields=["workspace", "into_id"], name="identity_merge_into"),
            models.Index(
                fields=["workspace"],
                condition=models.Q(ended_at__isnull=False, swept=False),
                name="identity_merge_unswept",
            ),
        ]


class ConsentWord(PersonModel):
    """What was said under one id of a person who has several: `consent` is then what they come to together."""

    pk = models.CompositePrimaryKey("end_user", "workspace", "channel")
    end_user = to_person()
    channel = models.CharField(max_length=64)
    opted_in = models.BooleanField()
    source = models.CharField(max_length=100)
    at = models.DateTimeField()
    # Said when the ids were known to be one person: it counts for all of them.
    as_one = models.BooleanField(default=False)

    class Meta(PersonModel.Meta):
        db_table = "consent_word"
