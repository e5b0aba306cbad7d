"""The group on the RFM board that a buyer is in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from segmentation.conditions import Condition, Example, Option, Sql, Values
from segmentation.conditions._tiers import describe_tier, tier_sql, which
from segmentation.rfm import GROUPS

if TYPE_CHECKING:
    from segmentation.compiler import Query
    from segmentation.vocabulary import Vocabulary

BOARD = tuple(Option(group.key, group.label) for group in GROUPS.values())


class RfmGroup(Condition):
    key = "rfm_group"
    label = gettext_lazy("RFM group")
    group = "tiers"
    position = 30
    fields = (which("groups", BOARD, ("champions",)),)
    examples = (
        Example.of("An", groups=["champions"]),
        Example.of("An", "Bo", groups=["champions", "at_risk"]),
        Example.of(groups=["returned"]),
    )

    def compile(self, values: Values, query: Query) -> Sql:
        return tier_sql(f"{query.rfm()}.rfm_group", values["groups"], None, query)

    def describe(self, values: Values, vocabulary: Vocabulary) -> str:
        predicates = {option.key: _("in RFM group %(name)s") % {"name": option.label} for option in BOARD}
        return describe_tier(BOARD, predicates, values["groups"])
