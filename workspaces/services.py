"""Changes to workspaces, members and keys. Each leaves an audit entry in the same transaction."""

from __future__ import annotations

import re
import secrets
from datetime import date
from typing import Any

from django.contrib.auth.hashers import make_password
from django.core import signing
from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from workspaces.errors import Conflict, DomainError
from workspaces.models import AccessKey, AuditEntry, Membership, Operator, Workspace, usual_burst
from workspaces.permissions import OWNER, ROLES, allowed, roles_up_to
from workspaces.rule_checks import check_setting
from workspaces.rules import PRESET_SETS, PRESETS, Rules
from workspaces.scoping import current_key, current_workspace, workspace_scope
from workspaces.sql import execute
from workspaces.zones import known_zones

INVITATION = signing.TimestampSigner(salt="workspaces.invitation")
INVITATION_SECONDS = 7 * 86400


def audit(action: str, target: str = "", operator: Operator | None = None, **detail: Any) -> None:
    """Add one line to the workspace's audit trail; where a program asked, with its key's name. `detail` must be JSON; never
    put secrets in it."""
    if key := current_key.get():
        detail = {"key": key, **detail}
    AuditEntry.objects.create(action=action, target=target[:200], operator=operator, detail=detail)


def forget_in_audit(texts: list[str]) -> int:
    """Blank the ids and addresses of an erased person in the audit trail: all of it that is ever changed. Returns how many
    entries."""
    return execute("select erase_from_audit(%(words)s) as entries", {"words": texts})[0]["entries"]


def create_workspace(
    slug: str,
    name: str,
    zone: str = "Asia/Shanghai",
    currency: str = "CNY",
    industry: str = "ecommerce",
    frozen_on: date | None = None,
    settings: dict[str, Any] | None = None,
) -> Workspace:
    """Make a workspace. Raises DomainError naming the field that is wrong, Conflict when the slug is taken."""
    if not re.fullmatch(r"[a-z0-9](?:[a-z0-9-]{0,48}[a-z0-9])?", slug):
        raise DomainError("invalid", _("A slug is lower-case letters, digits and hyphens."), "slug")
    if zone not in known_zones():
        raise DomainError("invalid", _("This time zone is not known."), "zone")
    if not re.fullmatch(r"[A-Z]{3}", currency):
        raise DomainError("invalid", _("A currency is three capital letters, such as CNY."), "currency")
    if industry not in PRESETS:
        raise DomainError("invalid", _("Choose one of: %(names)s.") % {"names": ", ".join(PRESETS)}, "industry")
    try:
        with transaction.atomic():
            return Workspace.objects.create(
                slug=slug,
                name=name.strip() or slug,
                zone=zone,
                currency=currency,
                industry=industry,
                frozen_on=frozen_on,
                settings=settings or {},
            )
    except IntegrityError as error:
        raise Conflict("taken", _("There is a workspace with this slug already."), "slug") from error


def create_key(kind: str, name: str, role: str = "analyst", by: Operator | None = None) -> tuple[AccessKey, str]:
    """A new key and its secret, which is shown this once and stored only as a hash.

    Raises DomainError for an API key that could do more than whoever makes it.
    """
    check_role(role)
    if kind == "api" and by is not None:
        # Held until the commit: whoever loses the role in this moment loses the key with it (`revoke_keys_beyond`).
        maker = Membership.objects.select_for_update().filter(operator=by).first()
        if maker is None or role not in roles_up_to(maker.role):
            raise DomainError("too_much", _("A key may do no more than whoever makes it."), "role")
    secret = f"{'wk' if kind == 'write' else 'ak'}_{secrets.token_urlsafe(32)}"
    key = AccessKey.objects.create(
        kind=kind, name=name.strip() or kind, role=role, prefix=secret[:10], key_hash=AccessKey.hash_of(secret)
    )
    audit("key.create", str(key.pk), by, kind=kind, name=key.name, role=role)
    return key, secret


def limit_key(key: AccessKey, events_per_second: int | None, burst: int | None, by: Operator | None = None) -> None:
    """Let a write key send so many events per second, and so many at once; None for any number. Holds within seconds.

    Raises DomainError for an API key.
    """
    if key.kind != "write":
        raise DomainError("invalid", _("Only write keys send events."))
    if events_per_second is None:
        burst = None
    elif burst is None:
        burst = usual_burst(events_per_second)
    if (key.events_per_second, key.burst) == (events_per_second, burst):
        return
    AccessKey.objects.filter(pk=key.pk).update(events_per_second=events_per_second, burst=burst)
    audit("key.limit", str(key.pk), by, name=key.name, events_per_second=events_per_second, burst=burst)


def revoke_key(key: AccessKey, by: Operator | None = None) -> None:
    """From the next request on the key opens nothing. Revoking twice changes nothing."""
    if AccessKey.objects.filter(pk=key.pk, revoked_at=None).update(revoked_at=timezone.now()):
        audit("key.revoke", str(key.pk), by, name=key.name)


def revoke_keys_beyond(operator: Operator, role: str, by: Operator | None = None) -> list[str]:
    """Revoke the API keys by which somebody could do more than their role lets them by now, all of them without one: who
    made a key has seen its secret. Returns their names. Keys made on the command line are nobody's; write keys are public.
    """
    made = set(AuditEntry.objects.filter(action="key.create", operator=operator).values_list("target", flat=True))
    live = AccessKey.objects.filter(kind="api", revoked_at=None).exclude(role__in=roles_up_to(role))
    beyond = [key for key in live.order_by("created_at") if str(key.pk) in made]
    for key in beyond:
        revoke_key(key, by)
    return [key.name for key in beyond]


def add_member(operator: Operator, role: str, by: Operator | None = None) -> Membership:
    """Give the operator a role in the open workspace; an existing member's role is changed."""
    check_role(role)
    membership, new = Membership.objects.get_or_create(operator=operator, defaults={"role": role})
    if new:
        audit("member.add", operator.email, by, role=role)
    else:
        change_role(membership, role, by)
    return membership


def change_role(membership: Membership, role: str, by: Operator | None = None) -> list[str]:
    """Another role for a member; nothing for whoever is none any more. The last owner stays one. Returns the names of the
    API keys that went with the old role."""
    check_role(role)
    if role != OWNER:
        require_another_owner(membership)
    revoked: list[str] = []
    if Membership.objects.filter(pk=membership.pk).exclude(role=role).update(role=role):
        audit("member.role", membership.operator.email, by, role=role)
        revoked = revoke_keys_beyond(membership.operator, role, by)
    membership.role = role
    return revoked


def check_role(role: str) -> None:
    if role not in ROLES:
        raise DomainError("invalid", _("This role does not exist."), "role")


def remove_member(membership: Membership, by: Operator | None = None) -> list[str]:
    """Take the membership away, and the API keys that the member made; returns the names of those. The last owner cannot be
    removed."""
    require_another_owner(membership)
    if not Membership.objects.filter(pk=membership.pk).delete()[0]:
        return []
    audit("member.remove", membership.operator.email, by)
    return revoke_keys_beyond(membership.operator, "", by)


def require_another_owner(membership: Membership) -> None:
    """Raises Conflict where this is the only owner. Owners are held in one order until the commit: two of them who demote
    each other at once take turns."""
    owners = Membership.objects.select_for_update().filter(role=OWNER).order_by("pk")
    if [owner.pk for owner in owners] == [membership.pk]:
        raise Conflict("last_owner", _("A workspace keeps at least one owner."))


def invitation_token(email: str, role: str, by: Operator) -> str:
    """A signed token for the invitation link, good for seven days, and for as long as who invites may do so."""
    email = email.strip().lower()
    return INVITATION.sign_object([str(current_workspace().pk), email, role, times_joined(email), str(by.pk)])


def times_joined(email: str) -> int:
    """How often this address became a member of the open workspace. An invitation carries the number, so that it is used
    up by joining: whoever is removed later does not come back by the same link."""
    return AuditEntry.objects.filter(action="member.add", target=email[:200]).count()


def read_invitation(token: str) -> tuple[Workspace, str, str]:
    """(workspace, email, role) of an invitation. Raises DomainError when forged, expired, used up, or made by somebody who
    may invite nobody any more: an owner who has to go would come back by a link made before."""
    refusal = DomainError("bad_invitation", _("This invitation is not valid or has expired."))
    try:
        workspace_id, email, role, joined, by = INVITATION.unsign_object(token, max_age=INVITATION_SECONDS)
        workspace = Workspace.objects.get(pk=workspace_id)
    except (signing.BadSignature, ValueError, Workspace.DoesNotExist) as error:
        raise refusal from error
    with workspace_scope(workspace):
        member = Membership.objects.filter(operator__email=email).exists()
        inviter = Membership.objects.filter(operator=by).first()
        invited = inviter is not None and allowed(inviter.role, "members.manage") and times_joined(email) == joined
        if not (member or invited):
            raise refusal
    return workspace, email, role


def accept_invitation(token: str, password: str, name: str = "") -> Operator:
    """Join the workspace; makes the operator when the address is new. Accepting twice, also at once, changes nothing."""
    workspace, email, role = read_invitation(token)
    with workspace_scope(workspace):
        new = {"name": name.strip(), "password": lambda: make_password(password)}
        operator = Operator.objects.get_or_create(email=email, defaults=new)[0]
        if not Membership.objects.filter(operator=operator).exists():
            add_member(operator, role, operator)
    return operator


def checked_settings(workspace: Workspace, changes: dict[str, Any], industry: str = "") -> tuple[str, dict[str, Any]]:
    """(industry, settings) as they would be with the changes; nothing is stored.

    `industry`: take its preset, which takes away what was set by hand of the things a preset sets. Raises DomainError
    naming the setting that is not valid.
    """
    if industry and industry not in PRESETS:
        raise DomainError("invalid", _("Choose one of: %(names)s.") % {"names": ", ".join(PRESETS)}, "industry")
    for key, value in changes.items():
        check_setting(key, value)
    kept = {key: value for key, value in workspace.settings.items() if not (industry and key in PRESET_SETS)}
    settings = kept | changes
    rules = Rules.of(industry or workspace.industry, settings)
    if rules.limit_min > rules.limit_max:
        raise DomainError("invalid", _("The smallest limit is above the largest."), "limit_min")
    if rules.habit_days > rules.habit_window:
        raise DomainError("invalid", _("More habit days than the window has days."), "habit_days")
    if rules.rfm_method == "fixed" and set(rules.rfm_cuts) != set("rfm"):
        raise DomainError("invalid", _("Fixed cut points are needed here."), "rfm_cuts")
    return industry or workspace.industry, settings


def change_settings(changes: dict[str, Any], by: Operator | None = None) -> Workspace:
    """Store thresholds that differ from the preset. Raises DomainError naming the one that is not valid.

    The numbers follow with the next night: what moves people goes through ops_platform/rules_change.py, which shows first
    whom, and decides everybody anew.
    """
    workspace = current_workspace().hold()
    before = {key: workspace.settings.get(key) for key in changes}
    _industry, workspace.settings = checked_settings(workspace, changes)
    workspace.save(update_fields=["settings"])
    audit("settings.change", "", by, before=before, after=changes)
    return workspace
