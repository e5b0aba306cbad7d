"""Where a person came from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy

from segmentation.conditions import Condition, Example, Field, Option, Sql, Values, listed

if TYPE_CHECKING:
    from segmentation.compiler import Query
    from segmentation.vocabulary import Vocabulary


def source_names(vocabulary: Vocabulary) -> list[Option]:
    return [Option(name, name) for name in vocabulary.sources]


class Source(Condition):
    key = "source"
    label = gettext_lazy("Source")
    group = "profile"
    position = 30
    fields = (
        Field("sources", gettext_lazy("Sources"), "texts", source_names, before=pgettext_lazy("source", "came from")),
    )
    examples = (
        Example.of("An", "Di", sources=["小红书"]),
        Example.of("An", "Bo", "Di", sources=["小红书", "地推"]),
        Example.of(sources=["nowhere"]),
    )

    def compile(self, values: Values, query: Query) -> Sql:
        return "p.source = any(%s)", [values["sources"]]

    def describe(self, values: Values, vocabulary: Vocabulary) -> str:
        names = listed(values["sources"])
        if len(values["sources"]) == 1:
            return _("came from %(sources)s") % {"sources": names}
        return _("came from one of %(sources)s") % {"sources": names}
