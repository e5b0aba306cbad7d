"""Reads for the pages and the API of segments: live counts, members, who came and went, size over time."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from typing import Any

from django.db import OperationalError, connection, transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils.translation import gettext as _

from lifecycle.models import Standing
from segmentation.compiler import Query
from segmentation.conditions.reachable import CHANNELS
from segmentation.definition import segments_named
from segmentation.models import Segment, SegmentChange, SegmentDay, SegmentMember
from users.models import EndUser, Facts
from users.services import sqlstate
from workspaces.errors import DomainError
from workspaces.models import Workspace
from workspaces.scoping import read_role
from workspaces.sql import joining_sets

LIVE_SECONDS = 5
SAMPLE = 10
QUERY_CANCELED = "57014"

People = list[EndUser]


@dataclass(frozen=True)
class LiveCount:
    """How many match now, of how many, how many of them each channel reaches, and a few of them."""

    people: int
    base: int
    reach: dict[str, int]
    sample: People

    @property
    def share(self) -> float | None:
        return self.people / self.base if self.base else None


@contextmanager
def reading(seconds: int) -> Iterator[None]:
    """The read role with a time limit, joining by hash. Raises DomainError `too_expensive`; afterwards all is as it was."""
    with connection.cursor() as cursor:
        cursor.execute("select current_setting('statement_timeout')")
        before = cursor.fetchone()[0]
        try:
            # The savepoint is for the refused query: read_role can only step back from a healthy transaction.
            with read_role(), transaction.atomic(), joining_sets():
                cursor.execute("set local statement_timeout = %s", [seconds * 1000])
                yield
                cursor.execute("select set_config('statement_timeout', %s, true)", [before])
        except OperationalError as error:
            if sqlstate(error) != QUERY_CANCELED:
                raise
            message = _(
                "This rule takes longer than %(n)s seconds to count. Make the windows shorter or use fewer event conditions."
            )
            raise DomainError("too_expensive", message % {"n": seconds}) from error


def count_live(definition: dict[str, Any], workspace: Workspace, *, sample: int = SAMPLE) -> LiveCount:
    """Count a clean definition as of now, in the open scope, as the read role. Raises DomainError `too_expensive`."""
    query = Query(workspace, workspace.today())
    where = query.compile(definition)
    reach = [query.compile({"kind": "reachable", "channel": channel.key}) for channel in CHANNELS]
    columns = ["p.id", *(f"({sql}) is true as reached_{i}" for i, (sql, _params) in enumerate(reach))]
    matching, params = query.select(", ".join(columns), where, [value for _sql, values in reach for value in values])
    counts = ", ".join(f"count(*) filter (where reached_{i})" for i in range(len(reach)))
    sql = (
        f"with matching as materialized ({matching}) select"
        " (select count(*) from end_user p"
        " where p.workspace_id = %s and p.identified and not p.excluded and p.merged_into is null),"
        f" array(select id::text from matching limit %s), count(*), {counts} from matching"
    )
    with reading(LIVE_SECONDS), connection.cursor() as cursor:
        cursor.execute(sql, [*params, workspace.pk, sample])
        base, ids, people, *reached = cursor.fetchone()
    return LiveCount(
        people,
        base,
        dict(zip((channel.key for channel in CHANNELS), reached, strict=True)),
        list(EndUser.objects.filter(pk__in=ids).order_by("external_id")) if ids else [],
    )


def list_segments(q: str = "", *, archived: bool = False) -> QuerySet[Segment]:
    """The open workspace's segments by name; `q` is looked for in the name."""
    segments = Segment.objects.filter(archived_at__isnull=not archived).order_by("name")
    return segments.filter(name__icontains=q) if q else segments


def latest_days(segments: list[Segment]) -> dict[uuid.UUID, SegmentDay]:
    """Per segment the row of its last refresh: size, entered and left."""
    ids = [segment.pk for segment in segments]
    rows = SegmentDay.objects.filter(segment__in=ids).order_by("segment_id", "-day").distinct("segment_id")
    return {row.segment_id: row for row in rows}


def count_moved(day: date | None) -> int:
    """How many segments in use somebody entered or left on a day."""
    moved = SegmentDay.objects.filter(Q(entered__gt=0) | Q(left__gt=0), day=day)
    return Segment.objects.filter(archived_at=None, pk__in=moved.values("segment")).count()


def size_history(segment: Segment, days: int = 90) -> list[SegmentDay]:
    """The last rows of size and flow, oldest first."""
    return list(SegmentDay.objects.filter(segment=segment).order_by("-day")[:days])[::-1]


@dataclass(frozen=True)
class Page:
    """People of one page, each with `.entered_on`, `.facts` and `.standing` (None: never computed); `next` is "" at the end."""

    people: People
    next: str


def members(segment: Segment, after: str = "", limit: int = 50) -> Page:
    """Members in the order of their ids, from behind the id `after`."""
    return page_of(SegmentMember.objects.filter(segment=segment), after, limit, "entered_on")


def moved(segment: Segment, day: date, entered: bool, after: str = "", limit: int = 50) -> Page:
    """Who entered the segment on a day, or left it."""
    changes = SegmentChange.objects.filter(segment=segment, day=day, entered=entered)
    return page_of(changes, after, limit, "day")


def page_of(rows: QuerySet, after: str, limit: int, day_column: str) -> Page:
    """A page of the people whom `rows` name, without those not counted. An `after` that is no id means the beginning."""
    # Left out before the page is cut: a page of fifty that have been excluded since would be an empty one.
    rows = rows.filter(Exists(EndUser.objects.counted().filter(pk=OuterRef("end_user_id"))))
    if after := as_id(after):
        rows = rows.filter(end_user_id__gt=after)
    found = list(rows.order_by("end_user_id").values_list("end_user_id", day_column)[: limit + 1])
    days = dict(found[:limit])
    people = list(EndUser.objects.filter(pk__in=list(days)).order_by("pk"))
    facts = {row.end_user_id: row for row in Facts.objects.filter(end_user_id__in=list(days))}
    standings = {row.end_user_id: row for row in Standing.objects.filter(end_user_id__in=list(days))}
    for person in people:
        person.entered_on = days[person.pk]  # type: ignore[attr-defined]
        person.facts = facts.get(person.pk)  # type: ignore[attr-defined]
        person.standing = standings.get(person.pk)  # type: ignore[attr-defined]
    return Page(people, str(found[limit - 1][0]) if len(found) > limit else "")


def as_id(text: str) -> str:
    """The id in a text that somebody may have typed; "" when it is none."""
    try:
        return str(uuid.UUID(text))
    except ValueError:
        return ""


def users_of(segment: Segment) -> list[str]:
    """What would break without the segment: names of campaigns and others that point at it, found by their foreign keys.

    The apps on the right may not be imported here, but Django knows who points at a model.
    """
    names: list[str] = []
    for relation in Segment._meta.get_fields(include_hidden=True):
        model = getattr(relation, "related_model", None)
        if relation.auto_created and model is not None and model._meta.app_label != "segmentation":
            names += map(str, model.objects.filter(**{relation.field.name: segment.pk})[:5])  # type: ignore[union-attr]
    return names


def segments_using(segment: Segment) -> list[Segment]:
    """Live segments whose rule refers to this one."""
    others = Segment.objects.filter(archived_at=None).exclude(pk=segment.pk)
    return [other for other in others if str(segment.pk) in segments_named(other.definition)]
