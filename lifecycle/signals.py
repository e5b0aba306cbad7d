"""Further warning signals: what makes somebody slipping before they stay away. A workspace switches them on one by one.

What each asks for is in lifecycle/sql/signals.sql; the events it reads go by their canonical names.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.utils.translation import gettext_lazy, pgettext

# The key of workspaces.rules (warn_<key>), and how a reason says it.
SIGNALS: dict[str, Any] = {
    "halved": gettext_lazy("active days halved within a month"),
    "complaint": gettext_lazy("a complaint open for more than 48 hours"),
    "failed": gettext_lazy("a failed payment or crash, and no success since"),
    "balance": gettext_lazy("balance halved within a month"),
}


def words(keys: Iterable[str]) -> str:
    """The signals that hold, as part of a reason in the current language; "" for none."""
    return pgettext("signals", ", ").join(str(SIGNALS[key]) for key in keys if key in SIGNALS)
