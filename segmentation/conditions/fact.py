"""Any fact of the catalogue: what is computed about a person every night."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from django.utils.dates import WEEKDAYS
from django.utils.translation import gettext_lazy, ngettext, pgettext, pgettext_lazy

from lifecycle.value_facts import VALUE_FACTS
from segmentation.conditions import Condition, Example, Field, Option, Sql, Values, listed
from segmentation.conditions._compare import describe, text_sql
from users.facts import FACTS as DAILY_FACTS
from workspaces.currencies import decimals_of, symbol_of

if TYPE_CHECKING:
    from segmentation.compiler import Query
    from segmentation.vocabulary import Vocabulary

# What is counted of people, and what is expected of buyers.
FACTS = DAILY_FACTS | VALUE_FACTS
WEEK = tuple(Option(str(number), name) for number, name in WEEKDAYS.items())
SIGNS = {"at_least": ">=", "at_most": "<=", "exactly": "="}


def type_of(key: str) -> str:
    """How the fact is compared: number, date, text, boolean or weekday."""
    return "weekday" if FACTS[key].unit == "weekday" else FACTS[key].kind


def fact_names(vocabulary: Vocabulary) -> list[Option]:
    return [Option(fact.key, fact.label, type_of(fact.key)) for fact in FACTS.values()]


class Fact(Condition):
    key = "fact"
    label = gettext_lazy("Metric")
    group = "behaviour"
    position = 20
    fields = (
        Field("fact", gettext_lazy("Metric"), "select", fact_names, default="orders"),
        Field(
            "compare",
            gettext_lazy("Comparison"),
            "select",
            (
                Option("at_least", gettext_lazy("at least"), "number"),
                Option("at_most", gettext_lazy("at most"), "number"),
                Option("exactly", gettext_lazy("exactly"), "number"),
                Option("in_last", pgettext_lazy("fact", "in the last"), "date"),
                Option("not_in_last", pgettext_lazy("fact", "longer ago than"), "date"),
                Option("from", gettext_lazy("on or after"), "date"),
                Option("before", gettext_lazy("before"), "date"),
                Option("is", gettext_lazy("is"), "text"),
                Option("one_of", gettext_lazy("is one of"), "text"),
                Option("on", pgettext_lazy("fact", "is on"), "weekday"),
                Option("contains", gettext_lazy("contains"), "text"),
                Option("yes", pgettext_lazy("fact", "yes"), "boolean"),
                Option("no", pgettext_lazy("fact", "no"), "boolean"),
                Option("known", gettext_lazy("is known"), "number,date,text,boolean,weekday"),
                Option("unknown", gettext_lazy("is not known"), "number,date,text,boolean,weekday"),
            ),
            default="at_least",
            typed_by="fact",
        ),
        Field("number", gettext_lazy("Number"), "number", default=1, when=("compare", tuple(SIGNS))),
        Field(
            "days",
            gettext_lazy("Days"),
            "days",
            default=30,
            after=pgettext_lazy("fact", "days"),
            when=("compare", ("in_last", "not_in_last")),
        ),
        Field("date", gettext_lazy("Day"), "date", when=("compare", ("from", "before"))),
        Field("text", pgettext_lazy("condition", "Text"), "text", when=("compare", ("is", "contains")), suggest="fact"),
        Field("weekdays", gettext_lazy("Weekdays"), "many", WEEK, when=("compare", ("on",))),
        Field("texts", gettext_lazy("Values"), "texts", when=("compare", ("one_of",)), suggest="fact"),
    )
    examples = (
        Example.of("An", "Bo", fact="orders", compare="at_least", number=2),
        Example.of("Di", "Fang", "Guo", fact="orders", compare="at_most", number=0),
        Example.of("An", fact="revenue_minor", compare="at_least", number=300),
        Example.of("An", "Chen", fact="last_order_on", compare="in_last", days=30),
        Example.of("Bo", fact="last_order_on", compare="not_in_last", days=30),
        Example.of("An", "Chen", fact="last_order_on", compare="from", date="2026-08-20"),
        Example.of("Bo", fact="last_order_on", compare="before", date="2026-08-20"),
        Example.of("Di", "Fang", "Guo", fact="last_order_on", compare="unknown"),
        Example.of("An", fact="favourite_category", compare="is", text="美妆"),
        Example.of("An", "Bo", fact="favourite_category", compare="one_of", texts=["美妆", "零食"]),
        Example.of("An", "Chen", fact="favourite_weekday", compare="on", weekdays=["0", "6"]),
        Example.of("An", fact="expected_revenue_minor", compare="at_least", number=300),
        Example.of("An", fact="expected_orders", compare="at_most", number=2.5),
        Example.of("Bo", fact="subsidy_dependent", compare="yes"),
        Example.of("An", fact="subsidy_dependent", compare="no"),
        Example.of("Chen", "Di", "Fang", "Guo", fact="subsidy_dependent", compare="unknown"),
    )

    def compile(self, values: Values, query: Query) -> Sql:
        fact, compare = FACTS[values["fact"]], values["compare"]
        table = query.value() if fact.key in VALUE_FACTS else query.facts()
        column = f"{table}.{fact.key}"  # the key of the catalogue, not what somebody sent
        if compare in ("yes", "no"):
            return f"{column} is {'true' if compare == 'yes' else 'false'}", []
        if compare in SIGNS:
            return f"{column} {SIGNS[compare]} %s", [self.stored(fact.unit, values["number"], query.workspace.currency)]
        if compare in ("in_last", "not_in_last"):
            sign = ">" if compare == "in_last" else "<="
            return f"{column} {sign} %s::date - %s and {column} <= %s::date", [query.day, values["days"], query.day]
        if compare in ("from", "before"):
            return f"{column} {'>=' if compare == 'from' else '<'} %s::date", [values["date"]]
        if compare in ("known", "unknown") and fact.kind != "text":
            return f"{column} is {'not ' if compare == 'known' else ''}null", []
        if compare == "on":
            return f"{column}::text = any(%s)", [values["weekdays"]]
        return text_sql(column, [], compare, values.get("text", values.get("texts")))

    def stored(self, unit: str, number: float, currency: str) -> int | Decimal:
        """The number as the table keeps it: amounts are typed in the currency and kept in minor units."""
        exact = Decimal(str(number)).scaleb(decimals_of(currency) if unit == "minor" else 0)
        return int(exact) if exact == exact.to_integral_value() else exact

    def describe(self, values: Values, vocabulary: Vocabulary) -> str:
        fact, compare = FACTS[values["fact"]], values["compare"]
        if compare == "in_last":
            window = ngettext("in the last %(n)s day", "in the last %(n)s days", values["days"]) % {"n": values["days"]}
            return pgettext("fact", "%(name)s %(window)s") % {"name": fact.label, "window": window}
        if compare == "not_in_last":
            text = ngettext("%(name)s more than %(n)s day ago", "%(name)s more than %(n)s days ago", values["days"])
            return text % {"name": fact.label, "n": values["days"]}
        compare = "one_of" if compare == "on" else compare
        return describe(fact.label, compare, self.say(fact.unit, values, vocabulary.workspace.currency))

    def say(self, unit: str, values: Values, currency: str) -> Any:
        """The compared value with its unit."""
        if "number" in values:
            number = values["number"]
            if unit == "minor":
                return f"{symbol_of(currency)}{number}"
            if unit == "days":
                return ngettext("%(n)s day", "%(n)s days", int(number)) % {"n": number}
            return f"{number}%" if unit == "percent" else number
        if "weekdays" in values:
            return listed([WEEKDAYS[int(number)] for number in values["weekdays"]])
        return listed(values["texts"]) if "texts" in values else values.get("date", values.get("text"))
