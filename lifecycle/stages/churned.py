"""流失: somebody who was in the habit, paying or an advocate, and has stayed away past their own limit."""

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from lifecycle.churn import sentence
from lifecycle.stages import Stage


def reason(why: Mapping[str, Any]) -> str:
    # An advocate is one of the two others by definition, so "ever habit or paying" is everybody who can churn.
    before = _("Had the habit") if why.get("ever_habit") else _("Had paid")
    return _("%(before)s; %(idle)s") % {"before": before, "idle": sentence(why)}


STAGE = Stage(
    key="churned",
    order=10,
    label=gettext_lazy("Churned"),
    sentence=lambda rules: _("Had reached habit or beyond, and has been away longer than their limit."),
    condition="a.activity = 'dormant' and (f.ever_habit or (%(pay_stage)s and f.ever_paid))",
    reason=reason,
)
