"""The activity flag: active, slipping or dormant, and if wished since when."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.utils.translation import gettext_lazy, pgettext_lazy

from lifecycle.churn import ACTIVITIES
from segmentation.conditions import Condition, Example, Option, Sql, Values
from segmentation.conditions._tiers import SINCE, describe_tier, tier_sql, which

if TYPE_CHECKING:
    from segmentation.compiler import Query
    from segmentation.vocabulary import Vocabulary

FLAGS = tuple(Option(activity.key, activity.label) for activity in ACTIVITIES.values())
PREDICATES = {
    "active": pgettext_lazy("predicate", "active"),
    "slipping": pgettext_lazy("predicate", "slipping"),
    "dormant": pgettext_lazy("predicate", "dormant"),
}


class Activity(Condition):
    key = "activity"
    label = gettext_lazy("Activity")
    group = "tiers"
    position = 20
    fields = (which("flags", FLAGS, ("slipping",)), SINCE)
    examples = (
        Example.of("Bo", flags=["slipping"]),
        Example.of("Bo", "Chen", flags=["slipping", "dormant"]),
        Example.of("Chen", flags=["slipping", "dormant"], days=7),
    )

    def compile(self, values: Values, query: Query) -> Sql:
        return tier_sql(f"{query.standing()}.activity", values["flags"], values.get("days"), query)

    def describe(self, values: Values, vocabulary: Vocabulary) -> str:
        return describe_tier(FLAGS, PREDICATES, values["flags"], values.get("days"))
