"""How often a person did something, in a window of days or ever, with a look at one property if wished."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext, pgettext, pgettext_lazy

from segmentation.conditions import Condition, Example, Field, Option, Sql, Values
from segmentation.conditions._compare import describe, json_sql

if TYPE_CHECKING:
    from segmentation.compiler import Query
    from segmentation.vocabulary import Vocabulary

SIGNS = {"at_least": ">=", "at_most": "<=", "exactly": "="}


def event_names(vocabulary: Vocabulary) -> list[Option]:
    return [Option(name, name) for name in vocabulary.events]


class EventCount(Condition):
    key = "event_count"
    label = gettext_lazy("Did an event")
    group = "behaviour"
    position = 10
    fields = (
        Field(
            "event",
            gettext_lazy("Event"),
            "text",
            event_names,
            before=pgettext_lazy("event count", "did"),
            suggest="event",
        ),
        Field(
            "times",
            gettext_lazy("How often"),
            "select",
            (
                Option("at_least", gettext_lazy("at least")),
                Option("at_most", gettext_lazy("at most")),
                Option("exactly", gettext_lazy("exactly")),
            ),
            default="at_least",
        ),
        Field("count", gettext_lazy("Times"), "count", default=1, after=pgettext_lazy("event count", "times")),
        Field(
            "days",
            gettext_lazy("Days"),
            "days",
            optional=True,
            default=30,
            before=pgettext_lazy("event count", "in the last"),
            after=pgettext_lazy("event count", "days"),
            placeholder=pgettext_lazy("event count", "ever"),
        ),
        Field(
            "property",
            gettext_lazy("Property"),
            "text",
            optional=True,
            before=pgettext_lazy("event count", "where"),
            placeholder=pgettext_lazy("event count", "any property"),
            suggest="property",
        ),
        Field(
            "compare",
            gettext_lazy("Comparison"),
            "select",
            (
                Option("is", gettext_lazy("is")),
                Option("contains", gettext_lazy("contains")),
                Option("at_least", gettext_lazy("at least")),
                Option("at_most", gettext_lazy("at most")),
            ),
            default="is",
            when=("property", ()),
        ),
        Field("text", pgettext_lazy("condition", "Text"), "text", when=("compare", ("is", "contains"))),
        Field("number", gettext_lazy("Number"), "number", when=("compare", ("at_least", "at_most"))),
    )
    examples = (
        Example.of("An", "Bo", "Chen", event="Order Completed", times="at_least", count=1),
        Example.of("An", event="Order Completed", times="at_least", count=2, days=30),
        Example.of("Chen", event="Order Completed", times="exactly", count=1, days=7),
        Example.of("Di", "Fang", "Guo", event="Order Completed", times="at_most", count=0),
        Example.of(
            "An", event="Order Completed", times="at_least", count=1, property="category", compare="is", text="美妆"
        ),
        Example.of(
            "An",
            "Bo",
            event="Order Completed",
            times="at_least",
            count=1,
            property="total",
            compare="at_least",
            number=100,
        ),
        Example.of(
            "Bo", event="Order Completed", times="at_least", count=1, property="sku", compare="contains", text="50%_"
        ),
        Example.of(event="Never Arrived", times="at_least", count=1),
    )

    def compile(self, values: Values, query: Query) -> Sql:
        only, params = "", []
        if "property" in values:
            only, params = json_sql(
                "e.properties", values["property"], values["compare"], values.get("text", values.get("number"))
            )
        counted = query.count_events(values["event"], values.get("days"), only, params)
        return f"{counted} {SIGNS[values['times']]} %s", [values["count"]]

    def describe(self, values: Values, vocabulary: Vocabulary) -> str:
        what = values["event"]
        if "property" in values:
            detail = describe(values["property"], values["compare"], values.get("text", values.get("number")))
            what = _("%(event)s (%(detail)s)") % {"event": what, "detail": detail}
        phrase = self.describe_times(values["times"], values["count"], what)
        if "days" not in values:
            return phrase
        window = ngettext("in the last %(n)s day", "in the last %(n)s days", values["days"]) % {"n": values["days"]}
        return pgettext("window", "%(phrase)s %(window)s") % {"phrase": phrase, "window": window}

    def describe_times(self, times: str, count: int, what: str) -> str:
        if (times, count) == ("at_least", 1):
            return _("did %(what)s") % {"what": what}
        if count == 0 and times != "at_least":
            return _("did not do %(what)s") % {"what": what}
        sentence = {
            "at_least": ngettext("did %(what)s at least %(n)s time", "did %(what)s at least %(n)s times", count),
            "at_most": ngettext("did %(what)s at most %(n)s time", "did %(what)s at most %(n)s times", count),
            "exactly": ngettext("did %(what)s exactly %(n)s time", "did %(what)s exactly %(n)s times", count),
        }[times]
        return sentence % {"what": what, "n": count}
