"""Changes to segments and to who is in them. Rules change by people; members only by a refresh."""

from __future__ import annotations

from collections import Counter
from datetime import date
from typing import Any

from django.db import IntegrityError, connection, transaction
from django.http import Http404
from django.utils import timezone
from django.utils.translation import gettext as _

from segmentation.compiler import compile_definition
from segmentation.definition import Definition, parse, segments_named, tags_named
from segmentation.models import Segment, TagRule
from segmentation.selectors import reading, segments_using, users_of
from segmentation.vocabulary import Vocabulary
from workspaces.errors import Conflict, DomainError
from workspaces.models import Operator, Workspace
from workspaces.scoping import current_workspace
from workspaces.services import audit
from workspaces.sql import execute, joining_sets, run_sql

GOALS = ("scale", "value")
# A rule somebody waits for on a page, and one that the night works off.
PAGE_SECONDS, NIGHT_SECONDS = 10, 300


def create_segment(name: str, definition: Any, goal: str = "value", by: Operator | None = None) -> Segment:
    """Make a segment and, once the workspace has been computed, its members. Raises DomainError naming what is wrong."""
    segment = Segment(name=check_name(name), goal=check_goal(goal), owner=by.pk if by else None)
    segment.definition = check_definition(definition)
    save(segment)
    audit("segment.create", str(segment.pk), by, name=segment.name, definition=segment.definition)
    refresh_now(segment)
    return segment


def update_segment(
    segment: Segment,
    *,
    name: str | None = None,
    definition: Any = None,
    goal: str | None = None,
    by: Operator | None = None,
) -> Segment:
    """Change what is given. A changed rule recomputes the members at once. Raises DomainError, Conflict when archived."""
    hold(segment)
    if segment.archived_at:
        raise Conflict("archived", _("This segment is archived; restore it first."))
    before = segment.definition
    segment.name = segment.name if name is None else check_name(name)
    segment.goal = segment.goal if goal is None else check_goal(goal)
    segment.definition = before if definition is None else check_definition(definition, segment)
    given = {"name": name, "goal": goal, "definition": definition}
    save(segment, *(field for field, value in given.items() if value is not None))
    audit("segment.update", str(segment.pk), by, name=segment.name, before=before, after=segment.definition)
    if segment.definition != before:
        refresh_now(segment)
    return segment


def check_name(name: Any) -> str:
    text = name.strip() if isinstance(name, str) else ""
    if not text or len(text) > 100 or "\x00" in text:
        raise DomainError("invalid", _("A name has 1 to 100 characters."), "name")
    return text


def check_goal(goal: Any) -> str:
    if goal not in GOALS:
        raise DomainError("invalid", _("The goal is scale or value."), "goal")
    return goal


def check_definition(raw: Any, segment: Segment | None = None) -> Definition:
    """The clean definition, seen not to lead back to the segment itself. Raises InvalidDefinition."""
    definition = parse(raw, Vocabulary(current_workspace(), segment))
    if not (segments_named(definition) or tags_named(definition)):
        return definition
    take_turns()
    definition = parse(raw, Vocabulary(current_workspace(), segment))
    if segment is not None and str(segment.pk) in reachable_segments(definition):
        raise DomainError("cyclic_segment", _("Through another segment this rule refers to itself."), "definition")
    return definition


def take_turns() -> None:
    """Until the commit nobody else makes a rule refer to a segment, or takes away one that rules may refer to. References
    stand in JSON: without this, two rules changed at once refer to each other, and one to what is being deleted. Whoever
    holds a segment (`hold`) has done so before."""
    told = {"workspace": str(current_workspace().pk)}
    execute("select pg_advisory_xact_lock(hashtextextended('segments:' || %(workspace)s, 0))", told)


def reachable_segments(definition: Definition) -> set[str]:
    """Ids of all segments that a rule refers to, and those refer to, and so on."""
    rules = {str(pk): rule for pk, rule in Segment.objects.values_list("pk", "definition")}
    ruled = segments_by_tag()
    found: set[str] = set()
    waiting = refers_to(definition, ruled)
    while waiting:
        found |= waiting
        waiting = {name for known in waiting for name in refers_to(rules.get(known) or {}, ruled)} - found
    return found


def refers_to(definition: Definition, ruled: dict[str, str]) -> set[str]:
    """Ids of the segments that a rule asks for, by name or by a tag that one of them gives; {} for a rule without parts."""
    tags = tags_named(definition) if definition and ruled else set()
    return (segments_named(definition) if definition else set()) | {ruled[tag] for tag in tags if tag in ruled}


def segments_by_tag() -> dict[str, str]:
    """The segment's id of every tag that is given by rule."""
    return {tag: str(pk) for tag, pk in TagRule.objects.values_list("tag", "segment")}


def hold(segment: Segment) -> None:
    """Make it the row as it is now, nobody else's to change, or to refer to, until the commit. Raises Http404 when somebody
    deleted it meanwhile."""
    try:
        segment.refresh_from_db(from_queryset=Segment.objects.select_for_update())
    except Segment.DoesNotExist as error:
        raise Http404 from error


def save(segment: Segment, *fields: str) -> None:
    """All of a new one, else only the fields named, of one that is held."""
    segment.updated_at = timezone.now()
    try:
        with transaction.atomic():
            segment.save(update_fields=None if segment._state.adding else [*fields, "updated_at"])
    except IntegrityError as error:
        raise Conflict("taken", _("There is a segment with this name already."), "name") from error


def archive_segment(segment: Segment, by: Operator | None = None) -> None:
    """Out of the lists and out of the night; members and history stay. Refused while a segment or a tag depends on it."""
    hold(segment)
    take_turns()
    if used := segments_using(segment):
        names = {"names": "、".join(map(str, used))}
        raise Conflict("in_use", _("Other segments refer to this one: %(names)s.") % names)
    if tags := TagRule.objects.filter(segment=segment):
        raise Conflict("in_use", _("Tags are given by it: %(names)s.") % {"names": "、".join(map(str, tags))})
    if segment.archived_at is None:
        segment.archived_at = timezone.now()
        segment.save(update_fields=["archived_at"])
        audit("segment.archive", str(segment.pk), by, name=segment.name)


def restore_segment(segment: Segment, by: Operator | None = None) -> None:
    """Back from the archive, with fresh members. Raises Conflict when the name was given away meanwhile."""
    hold(segment)
    if segment.archived_at is None:
        return
    segment.archived_at = None
    save(segment, "archived_at")
    audit("segment.restore", str(segment.pk), by, name=segment.name)
    refresh_now(segment)


def delete_segment(segment: Segment, by: Operator | None = None) -> None:
    """For good, with members and history. Raises Conflict when a campaign or another segment refers to it: archive it instead."""
    # Before it is asked who refers to it: the database deletes those with it.
    hold(segment)
    take_turns()
    used = [*map(str, segments_using(segment)), *users_of(segment), *map(str, TagRule.objects.filter(segment=segment))]
    if used:
        names = {"names": "、".join(used)}
        raise Conflict("in_use", _("Still used by: %(names)s. Archive the segment instead.") % names)
    audit("segment.delete", str(segment.pk), by, name=segment.name, definition=segment.definition)
    segment.delete()


def refresh_segments(workspace: Workspace, day: date) -> dict[str, int]:
    """Make the members of every live segment those who match as of the end of `day`. A night's step, in the open scope.

    Returns counts: segments, failed, entered and left by this run, changes (entered + left; 0 when run again).
    Segments that others refer to come first. One that fails keeps its members and says why.
    """
    counts = Counter(segments=0, failed=0, entered=0, left=0)
    for segment in in_order(list(Segment.objects.filter(archived_at=None).order_by("created_at", "pk"))):
        if segment.refreshed_on and segment.refreshed_on > day:
            continue  # an old night run again must not take a segment back in time
        try:
            counts.update(refresh_segment(segment, workspace, day))
        except Segment.DoesNotExist:
            continue  # somebody deleted it meanwhile
        except DomainError as error:
            counts["failed"] += 1
            Segment.objects.filter(pk=segment.pk).update(error=error.message[:300])
        counts["segments"] += 1
    return {**counts, "changes": counts["entered"] + counts["left"]}


def in_order(segments: list[Segment]) -> list[Segment]:
    """Referred-to before referring. Rules have no cycles; one that came about anyway is broken somewhere."""
    by_id = {str(segment.pk): segment for segment in segments}
    ruled = segments_by_tag()
    ordered: dict[str, Segment] = {}

    def visit(key: str, above: frozenset[str]) -> None:
        if key in by_id and key not in ordered and key not in above:
            for other in sorted(refers_to(by_id[key].definition, ruled)):
                visit(other, above | {key})
            ordered[key] = by_id[key]

    for key in by_id:
        visit(key, frozenset())
    return list(ordered.values())


def refresh_segment(segment: Segment, workspace: Workspace, day: date, seconds: int = NIGHT_SECONDS) -> dict[str, int]:
    """Replace the members by the difference. Returns entered and left. Raises DomainError when the rule cannot be run,
    Segment.DoesNotExist when there is no such segment any more."""
    with transaction.atomic():
        # The rule as it is now: it may have been changed since it was read.
        segment.refresh_from_db(from_queryset=Segment.objects.select_for_update())
        match_people(segment.definition, workspace, day, seconds)
        with joining_sets():
            moved = run_sql("segmentation/replace_members", segment=segment.pk, day=day)[0]
        told = run_sql("segmentation/record_day", segment=segment.pk, day=day)[0]
        segment.size, segment.refreshed_on, segment.error = told["size"], day, ""
        segment.save(update_fields=["size", "refreshed_on", "error"])
    return moved


def match_people(definition: Definition, workspace: Workspace, day: date, seconds: int) -> None:
    """Run the rule as the read role; the people who match stay in the temporary table segment_match.

    The table is the read role's own, so that the rule itself never runs with more rights than reading.
    """
    try:
        sql, params = compile_definition(definition, workspace, day)
    except LookupError as error:
        raise DomainError(
            "invalid_rule", _("The rule asks for something that no longer exists. Open it and save it again.")
        ) from error
    matching = "insert into segment_match " + sql
    with reading(seconds), connection.cursor() as cursor:
        cursor.execute(
            "create temporary table if not exists segment_match (end_user_id uuid primary key) on commit drop"
        )
        cursor.execute("grant select on segment_match to uop_app")
        cursor.execute("truncate segment_match")
        cursor.execute(matching, params)
        cursor.execute("analyze segment_match")


def refresh_now(segment: Segment) -> None:
    """Members of a new or changed rule, as of the published day. Before the first night there is none: the night will do it."""
    workspace = current_workspace()
    if workspace.current_day is None:
        return
    try:
        refresh_segment(segment, workspace, workspace.current_day, PAGE_SECONDS)
    except DomainError as error:
        segment.error = error.message[:300]
        segment.save(update_fields=["error"])
