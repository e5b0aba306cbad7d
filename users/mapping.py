"""事件含义: which of the names a workspace sends are core action, habit event, order, refund, pay event, passive."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from django.utils.translation import gettext as _

from users.ingest.normal import Refused, clean_name
from users.models import EventName
from workspaces.errors import DomainError
from workspaces.models import Operator
from workspaces.rules import NONE, PRESETS, ROLES
from workspaces.scoping import current_workspace
from workspaces.services import audit
from workspaces.sql import run_sql


def set_roles(
    roles: Mapping[str, Sequence[str]], by: Operator | None = None, *, of: Collection[str] | None = None
) -> int:
    """Make the given names, and no others, play each given role; returns how many names changed. `of`: names other than
    these keep what they have.

    Roles that are not mentioned stay. Names that have not arrived yet are remembered. Everybody who did an event whose
    meaning changed is touched, so that the next night counts it anew. Raises DomainError naming the role or the name.
    """
    wanted = {role: set(map(checked_name, names)) for role, names in roles.items()}
    for role in wanted:
        if role not in ROLES:
            raise DomainError("unknown_role", _("There is no such role: %(role)s.") % {"role": role}, role)
    only = None if of is None else set(map(checked_name, of))
    ensure_names(set().union(*wanted.values()) if wanted else set())
    changed = []
    rows = list(EventName.objects.select_for_update().order_by("pk"))
    fallback = falls_back(rows)
    for row in rows:
        before = {role: getattr(row, f"is_{role}") for role in wanted}
        after = {role: row.name in names for role, names in wanted.items()}
        if before != after and (only is None or row.name in only):
            EventName.objects.filter(pk=row.pk).update(**{f"is_{role}": value for role, value in after.items()})
            for role, value in after.items():
                setattr(row, f"is_{role}", value)
            changed.append(row.pk)
    if changed:
        # Where a role falls back to "any visit", or stops to, every event changes its meaning and not only these names.
        touched = changed if falls_back(rows) == fallback else [row.pk for row in rows]
        run_sql("users/touch_by_name", names=touched)
        audit("mapping.change", "", by, roles={role: sorted(names) for role, names in wanted.items()})
    return len(changed)


def falls_back(rows: Sequence[EventName]) -> tuple[bool, bool]:
    """Whether no core action is mapped, and no habit event: then any visit counts, or the core action."""
    return not any(row.is_core for row in rows), not any(row.is_habit for row in rows)


def checked_name(name: Any) -> str:
    try:
        return clean_name(name)
    except Refused as problem:
        raise DomainError(problem.code, problem.message, str(name)[:50]) from problem


def ensure_names(names: set[str]) -> None:
    workspace = current_workspace()
    rows = [EventName(workspace=workspace, name=name) for name in sorted(names)]
    EventName.objects.bulk_create(rows, ignore_conflicts=True)


def apply_preset(industry: str, by: Operator | None = None) -> int:
    """Give the roles of an industry's preset; returns how many names changed."""
    return set_roles(PRESETS.get(industry, NONE).roles, by)


def roles_now() -> dict[str, list[str]]:
    """Names by role, as they stand."""
    return {
        role: list(EventName.objects.filter(**{f"is_{role}": True}).order_by("name").values_list("name", flat=True))
        for role in ROLES
    }
