"""The people of a segment as a file: its members, or who entered or left on a day."""

from __future__ import annotations

from django.http import QueryDict
from django.utils.translation import gettext_lazy

from segmentation import listing, selectors
from segmentation.models import Segment, SegmentChange, SegmentMember
from users.export_kinds import Kind, Query, Rows, keep
from workspaces.models import Workspace


def find(query: Query) -> Segment:
    """Raises LookupError."""
    segment = Segment.objects.filter(pk=selectors.as_id(query.get("segment", "")) or None).first()
    if segment is None:
        raise LookupError(query.get("segment"))
    return segment


def shown(query: Query) -> listing.Shown:
    asked = QueryDict(mutable=True)
    asked.update(query)
    return listing.shown(asked)


def name(workspace: Workspace, query: Query) -> str:
    kind, day = shown(query)
    return find(query).name if day is None else f"{find(query).name} {kind} {day}"


def count(workspace: Workspace, query: Query) -> int:
    kind, day = shown(query)
    if day is None:
        return SegmentMember.objects.filter(segment=find(query)).count()
    return SegmentChange.objects.filter(segment=find(query), day=day, entered=kind == "entered").count()


def page(workspace: Workspace, query: Query, after: str, limit: int) -> tuple[Rows, str]:
    found = listing.people(find(query), shown(query), after, limit)
    return [listing.person_row(person) for person in found.people], found.next


MEMBERS = Kind(
    key="members",
    label=gettext_lazy("People of a segment"),
    action="users.view",
    read=keep("segment", "show", "on"),
    header=listing.PEOPLE_HEADER,
    name=name,
    count=count,
    page=page,
)
