"""使用: did the core action at least once, ever."""

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from lifecycle.stages import Stage


def reason(why: Mapping[str, Any]) -> str:
    days = why.get("core_days", 0)
    used = ngettext("Core action on %(days)s day so far", "Core action on %(days)s days so far", days) % {"days": days}
    return _("%(used)s; %(done)s of %(needed)s habit days in the last %(window)s days") % {
        "used": used,
        "done": why.get("habit_days"),
        "needed": why.get("habit_needed"),
        "window": why.get("habit_window"),
    }


STAGE = Stage(
    key="use",
    order=50,
    label=gettext_lazy("Using"),
    sentence=lambda rules: _("Has done the core action at least once."),
    condition="f.core_days > 0",
    reason=reason,
)
