"""Tags by rule: a tag that everybody in a segment has, for as long as they are in it.

Nothing is written for it: who has such a tag is who is a member, as the last refresh told. A tag may be given by hand
and by a rule at once; each is taken away where it was given.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from typing import Any

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from segmentation.definition import tags_named
from segmentation.models import Segment, SegmentMember, TagRule
from segmentation.services import hold, reachable_segments, take_turns
from users.profiles import clean_tag
from workspaces.errors import Conflict, DomainError
from workspaces.models import Operator
from workspaces.services import audit
from workspaces.sql import run_sql

MOST_RULES = 200


def bind_tag(tag: str, segment: Segment, by: Operator | None = None) -> TagRule:
    """Give a tag to whoever is in a segment. Raises DomainError naming the field, Conflict when the tag has a rule."""
    tag = clean_tag(tag)
    hold(segment)
    take_turns()
    if segment.archived_at:
        raise Conflict("archived", _("This segment is archived; restore it first."), "segment")
    if TagRule.objects.count() >= MOST_RULES:
        raise DomainError("too_many", _("At most %(n)s tags by rule.") % {"n": MOST_RULES}, "tag")
    chain = Segment.objects.filter(pk__in=[segment.pk, *reachable_segments(segment.definition)])
    if any(tag in tags_named(one.definition) for one in chain):
        raise DomainError("cyclic_segment", _("The rule of this segment asks for this very tag."), "segment")
    try:
        with transaction.atomic():
            rule = TagRule.objects.create(tag=tag, segment=segment)
    except IntegrityError as error:
        raise Conflict("taken", _("This tag has a rule already.")) from error
    audit("tag.bind", tag, by, segment=segment.name)
    return rule


def unbind_tag(rule: TagRule, by: Operator | None = None) -> None:
    """Take the rule away, and with it the tag from whoever had it by the rule alone."""
    audit("tag.unbind", rule.tag, by, segment=rule.segment.name)
    rule.delete()


def list_tags() -> list[dict[str, Any]]:
    """Every tag in use or with a rule: {tag, people (by hand), rule (None: none)}, by name."""
    people = {row["name"]: row["people"] for row in run_sql("segmentation/tag_names", most=None)}
    rules = {rule.tag: rule for rule in TagRule.objects.select_related("segment")}
    names = sorted(people.keys() | rules.keys())
    return [{"tag": name, "people": people.get(name, 0), "rule": rules.get(name)} for name in names]


def ruled_tags(people: Iterable[uuid.UUID]) -> dict[uuid.UUID, list[str]]:
    """The tags that rules give to people, by name."""
    rules: dict[uuid.UUID, list[str]] = {}
    for rule in TagRule.objects.order_by("tag"):
        rules.setdefault(rule.segment_id, []).append(rule.tag)
    found: dict[uuid.UUID, list[str]] = {}
    if rules:
        members = SegmentMember.objects.filter(end_user__in=list(people), segment__in=rules)
        for person, segment in members.values_list("end_user", "segment"):
            found[person] = sorted([*found.get(person, []), *rules[segment]])
    return found


def all_tags(given: Iterable[str], ruled: Iterable[str]) -> list[str]:
    """Tags by hand, in the order they were given, then those by rule."""
    return list(dict.fromkeys([*given, *ruled]))
