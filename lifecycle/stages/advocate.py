"""死忠: really recommends, and does not need to be paid to buy."""

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from lifecycle.stages import Stage
from workspaces.rules import Rules


def reason(why: Mapping[str, Any]) -> str:
    count = why.get("recommendations", 0)
    return ngettext(
        "%(count)s recommendation that came to use the product in the last %(days)s days",
        "%(count)s recommendations that came to use the product in the last %(days)s days",
        count,
    ) % {"count": count, "days": why.get("recommendation_days")}


def meaning(rules: Rules) -> str:
    return _(
        "Reached habit or paying, and brought at least one friend in the last %(days)s days who really uses the product;"
        " does not depend on coupons."
    ) % {"days": rules.recommendation_days}


STAGE = Stage(
    key="advocate",
    order=20,
    label=gettext_lazy("Advocate"),
    sentence=meaning,
    condition="(f.ever_habit or (%(pay_stage)s and f.ever_paid)) and f.recommendations >= 1 and f.subsidy_dependent is not true",
    reason=reason,
)
