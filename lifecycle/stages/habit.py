"""习惯: the habit event on enough days of the current window."""

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from lifecycle.stages import Stage
from workspaces.rules import Rules


def reason(why: Mapping[str, Any]) -> str:
    return _("%(done)s habit days in the last %(window)s days; %(needed)s make a habit") % {
        "done": why.get("habit_days"),
        "window": why.get("habit_window"),
        "needed": why.get("habit_needed"),
    }


def meaning(rules: Rules) -> str:
    return _("Did the habit event on at least %(days)s different days within %(window)s days.") % {
        "days": rules.habit_days,
        "window": rules.habit_window,
    }


STAGE = Stage(
    key="habit",
    order=40,
    label=gettext_lazy("Habit"),
    sentence=meaning,
    condition="f.habit_days >= %(habit_days)s",
    reason=reason,
)
