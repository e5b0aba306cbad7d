"""死忠: really recommends, and does not need to be paid to buy."""

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext_lazy, ngettext

from lifecycle.stages import Stage


def reason(why: Mapping[str, Any]) -> str:
    count = why.get("recommendations", 0)
    return ngettext(
        "%(count)s recommendation that came to use the product in the last %(days)s days",
        "%(count)s recommendations that came to use the product in the last %(days)s days",
        count,
    ) % {"count": count, "days": why.get("recommendation_days")}


STAGE = Stage(
    key="advocate",
    order=20,
    label=gettext_lazy("Advocate"),
    colour="purple",
    sentence=gettext_lazy("Ever in the habit or paying, brought somebody who stayed, and does not live on coupons."),
    condition="(f.ever_habit or (%(pay_stage)s and f.ever_paid)) and f.recommendations >= 1 and f.subsidy_dependent is not true",
    reason=reason,
)
