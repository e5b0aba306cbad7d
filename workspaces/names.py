"""Names that a workspace may change: of stages, RFM groups and value classes. What is stored are always the keys."""

from __future__ import annotations

from typing import Any

from django.utils.functional import lazy

from workspaces.scoping import NoScope, current_workspace


def _name_of(kind: str, key: str, label: Any) -> str:
    try:
        own = current_workspace().settings.get("names")
    except NoScope:
        own = None
    return str((own or {}).get(f"{kind}.{key}") or label)


_lazily = lazy(_name_of, str)
# {"rfm.champions": label}: every name that can be changed, and the usual one.
USUAL: dict[str, Any] = {}


def named(kind: str, key: str, label: Any) -> Any:
    """The label of a key as the open workspace calls it, read when it is shown; `label` where it has no name of its own."""
    USUAL[f"{kind}.{key}"] = label
    return _lazily(kind, key, label)
