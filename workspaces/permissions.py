"""The one permission table. Views and API operations name an action, never a role. `docs/permissions.md` shows it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

ANALYST, OPERATOR, ADMIN, OWNER = "analyst", "operator", "admin", "owner"
ROLES = (ANALYST, OPERATOR, ADMIN, OWNER)

_from = {role: frozenset(ROLES[i:]) for i, role in enumerate(ROLES)}
ACTIONS: dict[str, frozenset[str]] = {
    # reading
    "home.view": _from[ANALYST],
    "users.view": _from[ANALYST],
    "events.view": _from[ANALYST],
    "tiers.view": _from[ANALYST],
    "segments.view": _from[ANALYST],
    "campaigns.view": _from[ANALYST],
    "imports.view": _from[ANALYST],
    "nights.view": _from[ANALYST],
    "settings.view": _from[ANALYST],
    "connect.view": _from[ANALYST],
    # an operator's work
    "users.edit": _from[OPERATOR],
    "costs.edit": _from[OPERATOR],
    "segments.edit": _from[OPERATOR],
    "campaigns.edit": _from[OPERATOR],
    "campaigns.send": _from[OPERATOR],
    "imports.run": _from[OPERATOR],
    "exports.run": _from[OPERATOR],
    # what is held about one person, and its end
    "users.export": _from[ADMIN],
    "users.erase": _from[ADMIN],
    # how the workspace is set up
    "nights.run": _from[ADMIN],
    "mapping.edit": _from[ADMIN],
    "settings.edit": _from[ADMIN],
    "channels.edit": _from[ADMIN],
    "keys.manage": _from[ADMIN],
    "connect.test": _from[ADMIN],
    "members.manage": _from[OWNER],
    "audit.view": _from[ADMIN],
    "inbox.view": _from[ANALYST],
}

View = TypeVar("View", bound=Callable)


def roles_up_to(role: str) -> tuple[str, ...]:
    """The roles that may do no more than this one; none of them for "", which is nobody's."""
    return ROLES[: ROLES.index(role) + 1] if role else ()


def allowed(role: str, action: str) -> bool:
    """Whether the role may do the action. Unknown actions are a programming error and raise KeyError."""
    return role in ACTIONS[action]


def action(name: str, *, by_hand: bool = False) -> Callable[[View], View]:
    """Name the action a workspace view performs. `by_hand`: the view does network I/O and opens its own scopes."""
    if name not in ACTIONS:
        raise KeyError(name)

    def mark(view: View) -> View:
        view.action = name  # type: ignore[attr-defined]
        view.scope_by_hand = by_hand  # type: ignore[attr-defined]
        return view

    return mark
