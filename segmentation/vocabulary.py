"""What a workspace knows: the events, attributes, tags, sources and segments that a rule can name."""

from __future__ import annotations

from datetime import timedelta
from functools import cached_property
from typing import Any

from django.db.models import Count

from segmentation.conditions.attribute import COLUMNS
from segmentation.models import Segment, TagRule
from users.attributes import list_attributes
from users.facts import FACTS
from users.models import Attribute, EndUser, EventName, Facts
from workspaces.models import Workspace
from workspaces.sql import run_sql

MOST_SUGGESTED = 200
MOST_ATTRIBUTES = 500


class Vocabulary:
    """Looks things up once each, when first asked, in the open scope. Make one per request; it never outlives the scope.

    `segment` is the one being edited: it may not refer to itself.
    """

    def __init__(self, workspace: Workspace, segment: Segment | None = None) -> None:
        self.workspace, self.segment = workspace, segment

    @cached_property
    def events(self) -> dict[str, int]:
        """Every event name that has arrived, by alphabet, with its id."""
        return dict(EventName.objects.order_by("name").values_list("name", "id"))

    @cached_property
    def attributes(self) -> dict[str, Attribute]:
        """The catalogue by name, those most people have first; before it was ever counted, what some thousands have."""
        listed = list(list_attributes(sort="people")[:MOST_ATTRIBUTES])
        if not listed:
            names = [row["name"] for row in run_sql("segmentation/attribute_names", most=MOST_SUGGESTED)]
            listed = [Attribute(name=name, kind="") for name in names]
        return {attribute.name: attribute for attribute in listed}

    def attribute_label(self, name: str) -> str:
        return str(self.attributes.get(name, name))

    def has_attribute(self, name: str) -> bool:
        """Whether it has a column of its own, or anybody has it."""
        if name in COLUMNS or name in self.attributes or Attribute.objects.filter(name=name).exists():
            return True
        return EndUser.objects.filter(attributes__has_key=name).exists()

    @cached_property
    def sources(self) -> list[str]:
        """Where people came from, the largest first."""
        people = EndUser.objects.counted().exclude(source="").values("source").annotate(n=Count("id"))
        return list(people.order_by("-n").values_list("source", flat=True)[:MOST_SUGGESTED])

    @cached_property
    def tags(self) -> list[str]:
        """Tags in use, the most frequent first, and before them those given by rules."""
        by_hand = [row["name"] for row in run_sql("segmentation/tag_names", most=MOST_SUGGESTED)]
        return list(dict.fromkeys([*TagRule.objects.order_by("tag").values_list("tag", flat=True), *by_hand]))

    @cached_property
    def segments(self) -> dict[str, str]:
        """Names of the segments by id, archived ones included so that an old rule can still be read."""
        return {str(pk): name for pk, name in Segment.objects.order_by("name").values_list("pk", "name")}

    @cached_property
    def usable_segments(self) -> dict[str, str]:
        """Names of the segments that a rule may refer to."""
        live = Segment.objects.filter(archived_at=None).order_by("name").values_list("pk", "name")
        return {str(pk): name for pk, name in live if self.segment is None or pk != self.segment.pk}

    def attribute_values(self, name: str) -> list[str]:
        """The most frequent values of an attribute among some thousands of people."""
        if name in COLUMNS:
            rows: Any = EndUser.objects.counted().exclude(**{name: ""}).values(name).annotate(n=Count("id"))
            return list(rows.order_by("-n").values_list(name, flat=True)[:50])
        return [row["value"] for row in run_sql("segmentation/attribute_values", name=name, most=50)]

    def event_properties(self, event: str) -> list[str]:
        """Property names of a sample of the events of a name in the last thirteen months."""
        if (name_id := self.events.get(event)) is None:
            return []
        stop = self.workspace.today() + timedelta(days=1)
        sampled = {"name_id": name_id, "start": stop - timedelta(days=400), "stop": stop, "most": 50}
        return [row["name"] for row in run_sql("segmentation/event_properties", **sampled)]

    def fact_values(self, key: str) -> list[str]:
        """The most frequent values of a text fact."""
        if key not in FACTS or FACTS[key].kind != "text":
            return []
        rows: Any = Facts.objects.exclude(**{key: ""}).values(key).annotate(n=Count("end_user_id"))
        return list(rows.order_by("-n", key).values_list(key, flat=True)[:50])
