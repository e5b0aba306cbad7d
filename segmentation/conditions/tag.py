"""Tags given by hand, by the API or by a rule."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy

from segmentation.conditions import Condition, Example, Field, Option, Sql, Values, listed

if TYPE_CHECKING:
    from segmentation.compiler import Query
    from segmentation.vocabulary import Vocabulary

OPERATORS = {"any": "?|", "all": "?&"}


def tag_names(vocabulary: Vocabulary) -> list[Option]:
    return [Option(name, name) for name in vocabulary.tags]


class Tag(Condition):
    key = "tag"
    label = gettext_lazy("Tag")
    group = "profile"
    position = 20
    fields = (
        Field(
            "match",
            gettext_lazy("Which"),
            "select",
            (Option("any", gettext_lazy("any of")), Option("all", gettext_lazy("all of"))),
            default="any",
            before=pgettext_lazy("tag", "has"),
        ),
        Field("tags", gettext_lazy("Tags"), "texts", tag_names),
    )
    examples = (
        Example.of("An", "Chen", match="any", tags=["vip"]),
        Example.of("An", "Bo", "Chen", match="any", tags=["vip", "美妆达人"]),
        Example.of("An", match="all", tags=["vip", "美妆达人"]),
        Example.of(match="any", tags=["' or '1'='1"]),
    )

    def compile(self, values: Values, query: Query) -> Sql:
        ruled = query.segments_by_tag(values["tags"])
        if not ruled:
            return f"p.tags {OPERATORS[values['match']]} %s::text[]", [values["tags"]]
        parts = [self.has(tag, ruled.get(tag), query) for tag in values["tags"]]
        word = " or " if values["match"] == "any" else " and "
        return "(" + word.join(parts) + ")", values["tags"]

    @staticmethod
    def has(tag: str, segment: str | None, query: Query) -> str:
        """One tag, given by hand or by being in a segment."""
        if segment is None:
            return "p.tags ? %s"
        return f"(p.tags ? %s or {query.members_of(segment)}.end_user_id is not null)"

    def describe(self, values: Values, vocabulary: Vocabulary) -> str:
        names = listed(values["tags"])
        if len(values["tags"]) == 1:
            return _("tagged %(tags)s") % {"tags": names}
        if values["match"] == "all":
            return _("tagged all of %(tags)s") % {"tags": names}
        return _("tagged any of %(tags)s") % {"tags": names}
