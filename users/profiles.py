"""What operators change about people by hand: tags, and who is left out of every number. Each leaves an audit entry."""

from __future__ import annotations

import uuid
from collections.abc import Iterable

from django.db.models import F, Func, IntegerField
from django.utils.translation import gettext as _

from users.models import EndUser
from workspaces.errors import DomainError
from workspaces.models import Operator
from workspaces.services import audit
from workspaces.sql import run_sql

LONGEST_TAG = 50
MOST_TAGS = 100


def clean_tag(tag: str) -> str:
    """The tag as it is kept. Raises DomainError when there is nothing of it, or too much."""
    tag = " ".join(tag.replace("\x00", "").split())
    if not tag or len(tag) > LONGEST_TAG:
        raise DomainError("invalid", _("A tag has 1 to %(n)s characters.") % {"n": LONGEST_TAG}, "tag")
    return tag


def add_tag(people: Iterable[uuid.UUID], tag: str, by: Operator | None = None) -> int:
    """Tag people in the open workspace; returns how many did not have the tag.

    Raises DomainError for a bad tag, and when it would be too many for somebody: then nobody is tagged.
    """
    people, tag = list(people), clean_tag(tag)
    length = Func(F("tags"), function="jsonb_array_length", output_field=IntegerField())
    full = EndUser.objects.filter(pk__in=people).exclude(tags__contains=[tag]).alias(n=length).filter(n__gte=MOST_TAGS)
    if who := full.first():
        names = {"who": who.external_id, "n": MOST_TAGS}
        raise DomainError("too_many", _("%(who)s has %(n)s tags already; nobody was tagged.") % names, "tag")
    return change_tag(people, tag, by, add=True)


def remove_tag(people: Iterable[uuid.UUID], tag: str, by: Operator | None = None) -> int:
    """Take a tag off people; returns how many had it."""
    return change_tag(people, clean_tag(tag), by, add=False)


def change_tag(people: Iterable[uuid.UUID], tag: str, by: Operator | None, *, add: bool) -> int:
    done = run_sql("users/change_tag", people=[str(pk) for pk in people], tag=tag, add=add)[0]["rows"]
    if done:
        audit("people.tag" if add else "people.untag", tag, by, people=done)
    return done


def exclude(people: Iterable[uuid.UUID], reason: str, by: Operator | None = None) -> int:
    """Leave people (staff, test accounts, fake orders) out of every number from the next night on; returns how many were in."""
    reason = " ".join(reason.replace("\x00", "").split())[:100]
    chosen = EndUser.objects.filter(pk__in=list(people), excluded=False)
    names = list(chosen.values_list("external_id", flat=True)[:20])
    done = chosen.update(excluded=True, excluded_reason=reason)
    if done:
        audit("people.exclude", names[0], by, people=done, reason=reason, first=names)
    return done


def include(people: Iterable[uuid.UUID], by: Operator | None = None) -> int:
    """Count people again from the next night on; returns how many had been excluded."""
    chosen = EndUser.objects.filter(pk__in=list(people), excluded=True)
    names = list(chosen.values_list("external_id", flat=True)[:20])
    done = chosen.update(excluded=False, excluded_reason="")
    if done:
        audit("people.include", names[0], by, people=done, first=names)
    return done
