"""Membership of another segment, as of its last refresh."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from segmentation.conditions import Condition, Example, Field, Option, Sql, Values
from workspaces.errors import DomainError

if TYPE_CHECKING:
    from segmentation.compiler import Query
    from segmentation.vocabulary import Vocabulary


def segment_names(vocabulary: Vocabulary) -> list[Option]:
    return [Option(key, name) for key, name in vocabulary.usable_segments.items()]


class InSegment(Condition):
    key = "segment"
    label = gettext_lazy("In segment")
    group = "reach"
    position = 10
    fields = (Field("segment", gettext_lazy("Segment"), "select", segment_names),)
    # "Regulars" is the one segment of the small world; the test puts its id in place of the name.
    examples = (Example.of("An", "Chen", segment="Regulars"),)

    def clean(self, values: Values, vocabulary: Vocabulary) -> Values:
        wanted = values.get("segment")
        if vocabulary.segment is not None and wanted == str(vocabulary.segment.pk):
            raise DomainError("cyclic_segment", _("A segment cannot refer to itself."), "segment")
        if isinstance(wanted, str) and wanted and wanted not in vocabulary.usable_segments:
            raise DomainError("unknown_segment", _("There is no such segment."), "segment")
        return super().clean(values, vocabulary)

    def compile(self, values: Values, query: Query) -> Sql:
        return f"{query.members_of(values['segment'])}.end_user_id is not null", []

    def describe(self, values: Values, vocabulary: Vocabulary) -> str:
        return _("in segment “%(name)s”") % {"name": vocabulary.segments.get(values["segment"], values["segment"][:8])}
