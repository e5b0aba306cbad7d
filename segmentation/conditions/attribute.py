"""What was told about a person: a column such as the city, or any key of their attributes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy

from segmentation.conditions import Condition, Example, Field, Option, Sql, Values, listed
from segmentation.conditions._compare import as_list, as_number, describe, text_sql, typed_sql
from workspaces.errors import DomainError

if TYPE_CHECKING:
    from segmentation.compiler import Query
    from segmentation.vocabulary import Vocabulary

# Attributes that have a column of their own; the text in SQL comes from here, never from a definition.
COLUMNS: dict[str, tuple[str, Any]] = {
    "city": ("p.city", pgettext_lazy("attribute", "City")),
    "name": ("p.name", pgettext_lazy("attribute", "Name")),
    "email": ("p.email", pgettext_lazy("attribute", "Email address")),
    "phone": ("p.phone", pgettext_lazy("attribute", "Phone number")),
    "external_id": ("p.external_id", pgettext_lazy("attribute", "User ID")),
    "referred_by": ("p.referred_by", pgettext_lazy("attribute", "Referred by")),
    "locale": ("p.locale", pgettext_lazy("attribute", "Language")),
    "zone": ("p.zone", pgettext_lazy("attribute", "Time zone")),
}


# What is compared as what; an attribute whose type nobody counted yet may be compared in any way.
SCALAR, ANY = "text,number,time", "text,number,boolean,time,list,object"


def attribute_names(vocabulary: Vocabulary) -> list[Option]:
    own = [Option(key, label, "text") for key, (_column, label) in COLUMNS.items()]
    told = vocabulary.attributes.values()
    return own + [Option(one.name, str(one), one.kind) for one in told if one.name not in COLUMNS]


class Attribute(Condition):
    key = "attribute"
    label = gettext_lazy("Attribute")
    group = "profile"
    position = 10
    fields = (
        Field("name", gettext_lazy("Attribute"), "pick", attribute_names, default="city"),
        Field(
            "compare",
            gettext_lazy("Comparison"),
            "select",
            (
                Option("is", gettext_lazy("is"), SCALAR),
                Option("is_not", gettext_lazy("is not"), SCALAR),
                Option("one_of", gettext_lazy("is one of"), "text,number"),
                Option("contains", gettext_lazy("contains"), "text,list"),
                Option("at_least", gettext_lazy("at least"), "number"),
                Option("at_most", gettext_lazy("at most"), "number"),
                Option("before", gettext_lazy("before"), "time"),
                Option("from", gettext_lazy("on or after"), "time"),
                Option("yes", pgettext_lazy("fact", "yes"), "boolean"),
                Option("no", pgettext_lazy("fact", "no"), "boolean"),
                Option("known", gettext_lazy("is known"), ANY),
                Option("unknown", gettext_lazy("is not known"), ANY),
            ),
            default="is",
            typed_by="name",
        ),
        Field(
            "text",
            pgettext_lazy("condition", "Text"),
            "text",
            when=("compare", ("is", "is_not", "contains")),
            suggest="value",
        ),
        Field("texts", gettext_lazy("Values"), "texts", when=("compare", ("one_of",)), suggest="value"),
        Field("number", gettext_lazy("Number"), "number", when=("compare", ("at_least", "at_most"))),
        Field("date", gettext_lazy("Day"), "date", when=("compare", ("before", "from"))),
    )
    examples = (
        Example.of("An", "Bo", name="city", compare="is", text="上海"),
        Example.of("Chen", "Di", "Fang", "Guo", name="city", compare="is_not", text="上海"),
        Example.of("An", "Bo", "Chen", name="city", compare="one_of", texts=["上海", "北京"]),
        Example.of("Di", name="email", compare="contains", text="_"),
        Example.of("An", "Bo", name="level", compare="at_least", number=2),
        Example.of("Chen", name="level", compare="at_most", number=1.5),
        Example.of("An", name="member_until", compare="from", date="2026-09-01"),
        Example.of("Bo", name="member_until", compare="before", date="2026-09-01"),
        Example.of("An", "Bo", "Chen", "Di", name="level", compare="known"),
        Example.of("Fang", "Guo", name="level", compare="unknown"),
        Example.of("Di", name="level", compare="is", text="'; drop table end_user; --"),
    )

    def clean(self, values: Values, vocabulary: Vocabulary) -> Values:
        cleaned = super().clean(values, vocabulary)
        # A name nobody has is a slip of the pen; under "not" it would silently mean everybody.
        if not vocabulary.has_attribute(cleaned["name"]):
            raise DomainError(
                "unknown_field", _("No user has an attribute “%(name)s”.") % {"name": cleaned["name"]}, "name"
            )
        attribute = vocabulary.attributes.get(cleaned["name"])
        if attribute and attribute.kind == "number":
            for name in ("text", "texts"):
                if any(as_number(text) is None for text in as_list(cleaned.get(name))):
                    raise DomainError("invalid_value", _("Enter a number."), name)
        return cleaned

    def compile(self, values: Values, query: Query) -> Sql:
        value = self.value_of(values)
        if values["name"] in COLUMNS:
            return text_sql(COLUMNS[values["name"]][0], [], values["compare"], value)
        kind = query.attribute_kind(values["name"])
        return typed_sql("p.attributes", values["name"], kind, values["compare"], value)

    def describe(self, values: Values, vocabulary: Vocabulary) -> str:
        name = COLUMNS[values["name"]][1] if values["name"] in COLUMNS else vocabulary.attribute_label(values["name"])
        value = self.value_of(values)
        return describe(name, values["compare"], listed(value) if isinstance(value, list) else value)

    @staticmethod
    def value_of(values: Values) -> Any:
        return next((values[name] for name in ("text", "texts", "number", "date") if name in values), None)
