"""The lifecycle stage a person is in, and if wished since when."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.utils.translation import gettext_lazy, pgettext_lazy

from lifecycle.stages import upward
from segmentation.conditions import Condition, Example, Option, Sql, Values
from segmentation.conditions._tiers import SINCE, describe_tier, tier_sql, which

if TYPE_CHECKING:
    from segmentation.compiler import Query
    from segmentation.vocabulary import Vocabulary

STAGES = tuple(Option(stage.key, stage.label) for stage in upward())
# How a colleague says that somebody is in one of them.
PREDICATES = {
    "contact": pgettext_lazy("predicate", "only in contact so far"),
    "use": pgettext_lazy("predicate", "using the product"),
    "habit": pgettext_lazy("predicate", "has the habit"),
    "paying": pgettext_lazy("predicate", "paying"),
    "advocate": pgettext_lazy("predicate", "an advocate"),
    "churned": pgettext_lazy("predicate", "churned"),
}


class Stage(Condition):
    key = "stage"
    label = gettext_lazy("Lifecycle stage")
    group = "tiers"
    position = 10
    fields = (which("stages", STAGES, ("paying",)), SINCE)
    examples = (
        Example.of("An", stages=["paying"]),
        Example.of("An", "Bo", stages=["habit", "paying"]),
        Example.of("Chen", stages=["use", "churned"], days=7),
    )

    def compile(self, values: Values, query: Query) -> Sql:
        return tier_sql(f"{query.standing()}.stage", values["stages"], values.get("days"), query)

    def describe(self, values: Values, vocabulary: Vocabulary) -> str:
        return describe_tier(STAGES, PREDICATES, values["stages"], values.get("days"))
