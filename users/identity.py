"""Merging identities: the ids that links say are one person become one, and stop being it when an operator says so.

The links are the truth (users/identity_rules.py tells from them who everybody is); those that are pending are the to-do
list. Everything else, rows, profiles and consents, is made to follow, in one transaction per batch; twice is harmless.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial

from django.db import transaction
from django.db.models import Q
from django.http import Http404
from django.utils import timezone
from django.utils.translation import gettext as _

from users.identity_consent import settle_consents
from users.identity_profiles import settle_profiles
from users.identity_rules import Answer, Link, who_is_who
from users.ingest.people import array, touch
from users.models import EndUser, IdentityLink, IdentityMerge
from users.person_tables import find_strays, move_rows
from users.services import in_scope
from users.traits import region_of
from workspaces.errors import Conflict, DomainError
from workspaces.models import Operator, Workspace
from workspaces.scoping import current_workspace, set_local
from workspaces.services import audit
from workspaces.sql import execute, run_sql

BATCH = 2_000
UNDO_DAYS = 30
SHOWN_LINKS = 10
# By then whoever began to write before a merge ended has written.
ON_THE_WAY = timedelta(minutes=2)
LOCKS = """
select pg_advisory_xact_lock(hashtextextended('identity:' || %(workspace)s, 0));
select pg_advisory_xact_lock(hashtextextended('fold:' || %(workspace)s, 0))
"""
MOVING = """
create temporary table if not exists moving (id uuid, now_id uuid, to_id uuid, primary key (id, now_id)) on commit drop;
delete from moving;
insert into moving select * from unnest(%(ids)s::uuid[], %(now)s::uuid[], %(to)s::uuid[]);
analyze moving
"""


@dataclass
class Work:
    """What a batch is about: ids to look at, ids whose rows may be under themselves still, and rows left behind with
    somebody their id was merged into before."""

    seeds: set[uuid.UUID] = field(default_factory=set)
    strays: set[uuid.UUID] = field(default_factory=set)
    behind: set[tuple[uuid.UUID, uuid.UUID]] = field(default_factory=set)
    by: Operator | None = None


@dataclass(frozen=True)
class Settled:
    merged: int = 0
    parted: int = 0
    moved: int = 0


def merge_pending(workspace: Workspace, *, strays: bool = True) -> dict[str, int]:
    """Merge what the links say and nobody merged yet, a transaction per batch; returns {merged, parted, changes}.

    `strays`: look as well for what was written under an id while it was being merged. The night does.
    """
    counts = {"merged": 0, "parted": 0, "changes": 0}
    more = True
    while more:
        more, done = in_scope(workspace, partial(merge_batch, workspace, strays))
        strays = False
        counts["merged"] += done.merged
        counts["parted"] += done.parted
        counts["changes"] += done.merged + done.parted + done.moved
    return counts


def merge_batch(workspace: Workspace, strays: bool) -> tuple[bool, Settled]:
    """(whether more is pending, what was done) for one batch, in the open scope."""
    lock(workspace)
    pending = IdentityLink.objects.filter(pending=True).order_by("end_user_id", "known_id")
    links = list(pending.values_list("end_user_id", "known_id", "at")[:BATCH])
    work = Work(seeds={pk for link in links for pk in link[:2]})
    if strays:
        # Everybody who was touched against everybody: without statistics the planner would loop over all for each.
        set_local("enable_nestloop", "off")
        add_strays(work)
    if not work.seeds:
        return False, Settled()
    done = settle(workspace, work)
    # Told of an earlier moment since it was read, a link stays pending.
    run_sql(
        "users/links_merged",
        people=array(link[0] for link in links),
        known=array(link[1] for link in links),
        times=array(link[2].isoformat() for link in links),
    )
    return len(links) == BATCH, done


def lock(workspace: Workspace) -> None:
    """One merge of a workspace at a time, and none while a night folds the events that it would move."""
    execute(LOCKS, {"workspace": str(workspace.pk)})


def add_strays(work: Work) -> None:
    """What was on its way while ids were merged or parted: found under its own id, or with the person of before."""
    work.strays = {row["id"] for row in run_sql("users/identity_strays")} | find_strays()
    ended = IdentityMerge.objects.filter(swept=False, ended_at__isnull=False)
    work.behind = set(ended.values_list("end_user_id", "into_id"))
    # Whoever began to write while one stood may write still: those are looked at once more.
    ended.filter(ended_at__lt=timezone.now() - ON_THE_WAY).update(swept=True)
    work.seeds |= work.strays | {pk for pair in work.behind for pk in pair}


def settle(workspace: Workspace, work: Work) -> Settled:
    """Make everything about the ids in question what their links say. The caller holds the lock."""
    # The night forbids these, because it works on everybody; here it is a few, found by their keys.
    set_local("enable_nestloop", "on")
    people, links = load_circles(work.seeds)
    answer = who_is_who({pk: person.identified for pk, person in people.items()}, links)
    owners = answer.owners
    before = {pk: person.merged_into or pk for pk, person in people.items()}
    changed = {pk for pk in people if before[pk] != owners[pk]}
    moving = {(pk, before[pk], owners[pk]) for pk in changed}
    moving |= {(pk, pk, owners[pk]) for pk in work.strays & people.keys() if owners[pk] != pk}
    moving |= {(pk, was, owners[pk]) for pk, was in work.behind if pk in people and owners[pk] != was}
    moved = move(moving) if moving else 0
    if moving:
        settle_consents(people, owners)
        write_log(people, before, answer, changed, work.by)
        settle_profiles(people, owners, work.strays & people.keys(), region_of(workspace.currency))
    parted = sum(owners[pk] == pk for pk in changed)
    return Settled(len(changed) - parted, parted, moved)


def load_circles(seeds: Iterable[uuid.UUID]) -> tuple[dict[uuid.UUID, EndUser], list[Link]]:
    """Everybody whom the seeds can change or be changed by, held until the transaction ends, and the links that decide."""
    seen: set[uuid.UUID] = set()
    links: set[Link] = set()
    reached = set(seeds)
    while fresh := reached - seen:
        seen |= fresh
        found = run_sql("users/identity_links", ids=[str(pk) for pk in fresh])
        told = {Link(row["end_user_id"], row["known_id"], row["at"], row["refused"]) for row in found}
        links |= told
        around = EndUser.objects.filter(Q(pk__in=fresh, merged_into__isnull=False) | Q(merged_into__in=fresh))
        reached |= {pk for link in told for pk in link.pair}
        reached |= {pk for pair in around.values_list("pk", "merged_into") for pk in pair}
    people = EndUser.objects.select_for_update().filter(pk__in=seen).order_by("pk")
    return {person.pk: person for person in people}, list(links)


def move(moving: set[tuple[uuid.UUID, uuid.UUID, uuid.UUID]]) -> int:
    """Move rows (id they came under, whose they are, whose they are to be); returns how many. Touches all of them."""
    rows = sorted(moving)
    names = ("ids", "now", "to")
    execute(MOVING, {name: array(values) for name, values in zip(names, zip(*rows, strict=True), strict=True)})
    touch({pk for row in rows for pk in row[1:]})
    return move_rows()


def write_log(
    people: dict[uuid.UUID, EndUser],
    before: dict[uuid.UUID, uuid.UUID],
    answer: Answer,
    changed: set[uuid.UUID],
    by: Operator | None,
) -> None:
    """End what holds no longer, and tell what holds from now on, and why."""
    now, workspace = timezone.now(), current_workspace()
    IdentityMerge.objects.filter(end_user__in=changed, ended_at=None).update(ended_at=now)
    IdentityMerge.objects.bulk_create(
        [
            IdentityMerge(
                workspace=workspace,
                end_user_id=pk,
                into_id=answer.owners[pk],
                at=now,
                why=[words(people, link) for link in answer.why[pk][:SHOWN_LINKS]],
                merged_by=by.pk if by else None,
            )
            for pk in sorted(changed)
            if answer.owners[pk] != pk
        ]
    )


def words(people: dict[uuid.UUID, EndUser], link: Link) -> dict[str, str]:
    previous, person = people[link.previous], people[link.person]
    kind = "alias" if previous.identified == person.identified else "login"
    return {"previous": previous.external_id, "person": person.external_id, "at": link.at.isoformat(), "kind": kind}


def merge_people(previous: EndUser, person: EndUser, by: Operator | None = None) -> None:
    """Say by hand that two ids are one person, in the open scope; also when that was taken back before.

    Raises DomainError for one and the same id, and Conflict when the visitor logged in as somebody else before.
    """
    workspace = current_workspace()
    if previous.pk == person.pk:
        raise DomainError("invalid", _("Name two different ids."), "previous")
    lock(workspace)
    require_ids(previous, person)
    # Whoever answers with the error commits: nothing of what cannot be stays behind.
    with transaction.atomic():
        join(previous, person, by)
    audit("people.merge", previous.external_id, by, into=person.external_id)


def require_ids(*people: EndUser) -> None:
    """Raises Http404 for somebody who was erased, or removed, while one waited for the lock: nothing is noted of them then."""
    if EndUser.objects.filter(pk__in=[person.pk for person in people]).count() < len(people):
        raise Http404


def join(previous: EndUser, person: EndUser, by: Operator | None) -> None:
    """Link two ids and settle what follows from it. Raises Conflict when that makes them no one person."""
    workspace = current_workspace()
    kind = "alias" if previous.identified == person.identified else "login"
    first, second = (person, previous) if kind == "login" and previous.identified else (previous, person)
    links = IdentityLink.objects.filter(
        Q(end_user=first.pk, known_id=second.pk) | Q(end_user=second.pk, known_id=first.pk)
    )
    links.update(refused_at=None)
    if not links.filter(end_user=first.pk).exists():
        IdentityLink.objects.create(
            workspace=workspace, end_user_id=first.pk, known_id=second.pk, at=timezone.now(), kind=kind, pending=False
        )
    settle(workspace, Work(seeds={first.pk, second.pk}, by=by))
    owners = {row.merged_into or row.pk for row in EndUser.objects.filter(pk__in=[first.pk, second.pk])}
    if len(owners) > 1:
        raise Conflict("other_login", _("This visitor logged in as somebody else first. Undo that merge before."))


def undo_merge(person: EndUser, by: Operator | None = None) -> None:
    """Let a merged id stand for itself again, in the open scope: its links are refused for good.

    Back go its events, deliveries and consents, those that came under it since the merge as well, and its profile as told
    under it. Raises DomainError when it is not merged, or for longer than UNDO_DAYS.
    """
    workspace = current_workspace()
    lock(workspace)
    require_ids(person)
    log = IdentityMerge.objects.filter(end_user=person.pk, ended_at=None).first()
    if log is None:
        raise DomainError("not_merged", _("This id is not merged with another."))
    if not can_undo(log):
        raise DomainError("too_late", _("A merge can be undone for %(days)s days.") % {"days": UNDO_DAYS})
    links = IdentityLink.objects.filter(Q(end_user=person.pk) | Q(known_id=person.pk, kind="alias"), refused_at=None)
    links.update(refused_at=timezone.now())
    settle(workspace, Work(seeds={person.pk}, by=by))
    IdentityMerge.objects.filter(end_user=person.pk, id=log.id).update(undone_by=by.pk if by else None)
    audit("people.unmerge", person.external_id, by, into=str(log.into_id))


def can_undo(log: IdentityMerge, now: datetime | None = None) -> bool:
    return log.ended_at is None and log.at > (now or timezone.now()) - timedelta(days=UNDO_DAYS)


def person_behind(person: EndUser | None) -> EndUser | None:
    """The person an id has become: itself, or who it is merged into."""
    if person is None or person.merged_into is None:
        return person
    return EndUser.objects.filter(pk=person.merged_into).first()


def remaining(ids: Iterable[uuid.UUID]) -> list[uuid.UUID]:
    """The people whom ids stand for, each once; ids that nobody has are left out."""
    rows = EndUser.objects.filter(pk__in=list(ids)).values_list("pk", "merged_into")
    return list(dict.fromkeys(merged_into or pk for pk, merged_into in rows))


def ids_of(person: EndUser) -> list[EndUser]:
    """Every id of a person, the one that remains first."""
    return [person, *EndUser.objects.filter(merged_into=person.pk).order_by("-identified", "external_id")]
