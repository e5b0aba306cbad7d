"""A rung of the recall ladder: so many days away, reached in the last days; never below somebody's own slipping point."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.utils.translation import gettext_lazy, ngettext, pgettext, pgettext_lazy

from segmentation.conditions import Condition, Example, Field, Sql, Values

if TYPE_CHECKING:
    from segmentation.compiler import Query
    from segmentation.vocabulary import Vocabulary


class Recall(Condition):
    key = "recall"
    label = gettext_lazy("Recall ladder")
    group = "tiers"
    position = 30
    fields = (
        Field(
            "rung",
            gettext_lazy("Days away"),
            "days",
            default=7,
            before=pgettext_lazy("recall", "away for"),
            after=pgettext_lazy("recall", "days"),
        ),
        Field(
            "days",
            gettext_lazy("Reached within, in days"),
            "days",
            default=1,
            before=pgettext_lazy("recall", "reached in the last"),
            after=pgettext_lazy("recall", "days"),
        ),
    )
    examples = (
        Example.of("An", "Bo", "Chen", "Di", "Fang", rung=30, days=1),
        Example.of("An", "Bo", "Chen", "Di", "Fang", rung=20, days=11),
        Example.of(rung=20, days=10),
        # 15 days are less than 60 % of everybody's limit of 30.
        Example.of(rung=15, days=100),
    )

    def compile(self, values: Values, query: Query) -> Sql:
        standing = query.standing()
        idle = f"%s::date - {standing}.idle_from"
        rung, percent = values["rung"], query.workspace.rules.slipping_percent
        sql = f"{idle} >= %s and {idle} < %s and {standing}.limit_days * %s <= %s"
        return sql, [query.day, rung, query.day, rung + values["days"], percent, rung * 100]

    def describe(self, values: Values, vocabulary: Vocabulary) -> str:
        reached = ngettext("reached %(n)s day away", "reached %(n)s days away", values["rung"]) % {"n": values["rung"]}
        if values["days"] == 1:
            return pgettext("recall", "%(reached)s that very day") % {"reached": reached}
        window = ngettext("in the last %(n)s day", "in the last %(n)s days", values["days"]) % {"n": values["days"]}
        return pgettext("recall", "%(reached)s %(window)s") % {"reached": reached, "window": window}
