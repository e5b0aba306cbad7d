"""Whose data it is: workspaces, the operators who log in, what they may do, and the keys programs use."""

from __future__ import annotations

import uuid
import zoneinfo
from datetime import date, datetime, timedelta
from hashlib import sha256
from typing import Any, ClassVar

from django.contrib.auth.models import AbstractBaseUser, BaseUserManager
from django.db import models
from django.utils import timezone

from workspaces.rules import Rules
from workspaces.scoping import NoScope, current_workspace


class Workspace(models.Model):
    """One product's data, walled off (项目). The registry that the doors read; it holds no tenant data itself."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    slug = models.SlugField(max_length=50, unique=True)
    name = models.CharField(max_length=100)
    zone = models.CharField(max_length=50, default="Asia/Shanghai")
    currency = models.CharField(max_length=3, default="CNY")
    industry = models.CharField(max_length=20, default="ecommerce")
    # Overrides of the industry preset; read through `rules`.
    settings = models.JSONField(default=dict, blank=True)
    frozen_on = models.DateField(null=True, blank=True)
    # The day whose night is published; every page that shows computed numbers says "as of" this day.
    current_day = models.DateField(null=True, blank=True)
    # Under which rules the published numbers were computed: under others, everybody is computed afresh (users/night.py).
    computed_by = models.JSONField(default=dict, blank=True)
    # Events of days before may be gone; what was made of them is never made again (users/retention.py).
    events_from = models.DateField(null=True, blank=True)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        db_table = "workspace"

    def __str__(self) -> str:
        return self.slug

    def hold(self) -> Workspace:
        """The row as it is now, nobody else's to change until the commit. Rows that refer to it come and go meanwhile: a
        plain "for update" would keep whoever writes one waiting for as long as a night publishes."""
        return Workspace.objects.select_for_update(no_key=True).get(pk=self.pk)

    @property
    def rules(self) -> Rules:
        """Every threshold: the industry's preset with this workspace's own settings on top."""
        return Rules.of(self.industry, self.settings)

    @property
    def tzinfo(self) -> zoneinfo.ZoneInfo:
        return zoneinfo.ZoneInfo(self.zone)

    def today(self, now: datetime | None = None) -> date:
        """The workspace's calendar day; a frozen workspace keeps its own."""
        return self.frozen_on or (now or timezone.now()).astimezone(self.tzinfo).date()

    def yesterday(self) -> date:
        """The last finished day, which the next night is for. A frozen workspace's day is finished."""
        return self.frozen_on or self.today() - timedelta(days=1)


class WorkspaceManager(models.Manager):
    """Sees the open workspace only; raises NoScope when none is open."""

    def get_queryset(self) -> models.QuerySet:
        return super().get_queryset().filter(workspace_id=current_workspace().id)

    def create(self, **values: Any) -> Any:
        values.setdefault("workspace_id", values.pop("workspace", current_workspace()).pk)
        return super().create(**values)


class TenantModel(models.Model):
    """Base of every table that belongs to a workspace. `unscoped` is the greppable escape."""

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="+")

    objects: ClassVar[WorkspaceManager] = WorkspaceManager()
    unscoped: ClassVar[models.Manager] = models.Manager()

    class Meta:
        abstract = True
        base_manager_name = "unscoped"

    def save(self, *args: Any, **kwargs: Any) -> None:
        if self.workspace_id is None:
            self.workspace_id = current_workspace().id
        elif self.workspace_id != current_workspace().id:
            raise NoScope("This row belongs to another workspace than the open one.")
        super().save(*args, **kwargs)


class Lease(TenantModel):
    """Who works at something of which there is one per workspace (workspaces/leases.py). Times are the database's."""

    pk = models.CompositePrimaryKey("workspace", "name")
    name = models.CharField(max_length=20)
    token = models.UUIDField()
    until = models.DateTimeField()

    class Meta(TenantModel.Meta):
        db_table = "lease"


class OperatorManager(BaseUserManager["Operator"]):
    def create_user(self, email: str, password: str | None = None, **values: Any) -> Operator:
        operator = self.model(email=self.normalize_email(email).lower(), **values)
        operator.set_password(password)
        operator.save()
        return operator

    def get_by_natural_key(self, email: str | None) -> Operator:
        return self.get(email=(email or "").lower())


class Operator(AbstractBaseUser):
    """A person who logs in (运营). What they may do is said per workspace, by Membership."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    email = models.EmailField(unique=True)
    name = models.CharField(max_length=100, blank=True)
    is_active = models.BooleanField(default=True)
    language = models.CharField(max_length=10, blank=True)
    created_at = models.DateTimeField(default=timezone.now)

    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"
    objects: ClassVar[OperatorManager] = OperatorManager()

    class Meta:
        db_table = "operator"

    def __str__(self) -> str:
        return self.name or self.email


class Membership(TenantModel):
    """An operator's role in a workspace (成员)."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    operator = models.ForeignKey(Operator, on_delete=models.CASCADE, related_name="+")
    role = models.CharField(max_length=20)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta(TenantModel.Meta):
        db_table = "membership"
        constraints = [
            models.UniqueConstraint(fields=["workspace", "operator"], name="membership_once"),
            models.CheckConstraint(
                condition=models.Q(role__in=["owner", "admin", "operator", "analyst"]), name="membership_role"
            ),
        ]


def usual_burst(events_per_second: int) -> int:
    """What SDKs hold back while they are offline, and the largest batch, come through."""
    return max(2_500, 10 * events_per_second)


class AccessKey(TenantModel):
    """A secret that a program presents: `write` keys send events, `api` keys read and manage. Stored as a hash."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    kind = models.CharField(max_length=10)
    name = models.CharField(max_length=100)
    prefix = models.CharField(max_length=12)
    key_hash = models.CharField(max_length=64)
    role = models.CharField(max_length=20, default="analyst")
    # Of a write key, how much it may send; without a number, whatever it likes.
    events_per_second = models.PositiveIntegerField(null=True, blank=True)
    burst = models.PositiveIntegerField(null=True, blank=True)
    created_at = models.DateTimeField(default=timezone.now)
    last_used_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    class Meta(TenantModel.Meta):
        db_table = "access_key"
        constraints = [
            models.UniqueConstraint(fields=["workspace", "key_hash"], name="access_key_once"),
            models.CheckConstraint(condition=models.Q(kind__in=["write", "api"]), name="access_key_kind"),
            models.CheckConstraint(
                condition=models.Q(events_per_second=None) | models.Q(events_per_second__gte=1, burst__gte=1),
                name="access_key_limit",
            ),
        ]
        indexes = [models.Index(fields=["key_hash"], name="access_key_hash")]

    def events_at_once(self) -> int:
        """How many events may come in one moment where there is a limit."""
        return self.burst or usual_burst(self.events_per_second or 1)

    @staticmethod
    def hash_of(secret: str) -> str:
        """Keys carry 32 random bytes, so a plain hash is enough: there is nothing to guess."""
        return sha256(secret.encode()).hexdigest()


class AuditEntry(TenantModel):
    """Who did what, when. The app role may only add and read."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    operator = models.ForeignKey(Operator, on_delete=models.SET_NULL, null=True, related_name="+", db_constraint=False)
    action = models.CharField(max_length=60)
    target = models.CharField(max_length=200, blank=True)
    detail = models.JSONField(default=dict)
    at = models.DateTimeField(default=timezone.now)

    class Meta(TenantModel.Meta):
        db_table = "audit_entry"
        indexes = [models.Index(fields=["workspace", "-at"], name="audit_entry_recent")]
