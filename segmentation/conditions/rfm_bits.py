"""The value class a buyer is in: R, F and M each high or low against the mean."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from segmentation.conditions import Condition, Example, Option, Sql, Values
from segmentation.conditions._tiers import describe_tier, tier_sql, which
from segmentation.rfm import VALUE_CLASSES

if TYPE_CHECKING:
    from segmentation.compiler import Query
    from segmentation.vocabulary import Vocabulary

CLASSES = tuple(Option(bits, label) for bits, label in VALUE_CLASSES.items())


class RfmBits(Condition):
    key = "rfm_bits"
    label = gettext_lazy("Value class")
    group = "tiers"
    position = 40
    fields = (which("classes", CLASSES, ("111",)),)
    examples = (
        Example.of("An", classes=["111"]),
        Example.of("Bo", "Chen", classes=["011", "100"]),
        Example.of(classes=["000"]),
    )

    def compile(self, values: Values, query: Query) -> Sql:
        return tier_sql(f"{query.rfm()}.rfm_bits", values["classes"], None, query)

    def describe(self, values: Values, vocabulary: Vocabulary) -> str:
        predicates = {option.key: _("in value class “%(name)s”") % {"name": option.label} for option in CLASSES}
        return describe_tier(CLASSES, predicates, values["classes"])
