"""付费: paid for what the free product does not give. Off where paying is the core action itself."""

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from lifecycle.stages import Stage


def reason(why: Mapping[str, Any]) -> str:
    return _("Paid, and more was paid than refunded")


STAGE = Stage(
    key="paying",
    order=30,
    label=gettext_lazy("Paying"),
    sentence=lambda rules: _("Paid for something the free product does not give."),
    condition="%(pay_stage)s and f.ever_paid",
    reason=reason,
)
