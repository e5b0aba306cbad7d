"""The people of a batch: who they are by now, those who are new, and which of their ids the batch says are one person."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime
from hashlib import sha1
from itertools import islice
from typing import NamedTuple

import msgspec
from django.db import transaction

from users.erasure_marks import erased_among
from users.ingest.normal import NormalAlias, NormalEvent, NormalProfile, PersonKey, Told
from workspaces.models import Workspace
from workspaces.scoping import workspace_scope
from workspaces.sql import bound_sql, execute, read_sql, run_sql

# A digit as the variant of RFC 9562 leaves it: its two upper bits are 10.
VARIANT = {f"{digit:x}": f"{digit & 3 | 8:x}" for digit in range(16)}


# (end_user, known), in hex, as `IdentityLink` has them, and the earliest that was told of it: (when, kind).
Links = dict[tuple[str, str], tuple[datetime, str]]
# So many people a process remembers in all; beyond, other workspaces are forgotten, and then those met first.
MAX_REMEMBERED = 200_000


class Known(NamedTuple):
    """One id as the database had it: in hex, whom it is merged into, and since when the product knows of both."""

    pk: str
    owner: str | None
    since: datetime


class Memory(msgspec.Struct):
    """Ids met before. They are what they were for as long as the workspace's version of its people stands still."""

    version: int
    people: dict[PersonKey, Known] = {}


_memories: dict[uuid.UUID, Memory] = {}
# What `recall` asks the database, where it was asked as the scope opened; good for one time.
_asked: ContextVar[tuple[int, bool] | None] = ContextVar("asked", default=None)


class Erased(Exception):
    """Some of the people were erased; `ids` in hex. Nobody was made: begin again without what is told of these."""

    def __init__(self, ids: frozenset[str]) -> None:
        super().__init__("erased")
        self.ids = ids


class People(msgspec.Struct):
    """The ids of a batch's people, and into whom those are merged who are merged; ids are hex digits here."""

    ids: dict[PersonKey, str] = {}
    owners: dict[str, str] = {}
    # Whether anybody in the workspace is about to be merged.
    joining: bool = True

    def owner(self, pk: str) -> str:
        """Whose the events of this id are."""
        return self.owners.get(pk, pk)


def hashed(workspace: Workspace) -> Callable[[str], str]:
    """What `person_id` and `event_id` give for "kind:id", in hex and three times as fast: for a batch of one workspace."""
    start = workspace.pk.bytes

    def find(name: str) -> str:
        found = sha1(start + name.encode(), usedforsecurity=False).hexdigest()
        return f"{found[:12]}5{found[13:16]}{VARIANT[found[16]]}{found[17:32]}"

    return find


def keys_of(item: Told) -> Iterator[PersonKey]:
    """Everybody whom an item names."""
    yield item.person
    if isinstance(item, NormalAlias):
        yield item.previous
    elif isinstance(item, NormalProfile) and item.visitor:
        yield PersonKey(item.visitor, identified=False)


def add_people(workspace: Workspace, items: Iterable[Told]) -> People:
    """Make the people who are new; everybody was created when the first thing known of them happened. Raises Erased."""
    memory, joining = recall(workspace)
    met, people = memory.people, People(joining=joining)
    first: dict[PersonKey, datetime] = {}
    for item in items:
        for key in (item.person,) if type(item) is NormalEvent else keys_of(item):
            known = met.get(key)
            if known is not None and known.since <= item.at:
                people.ids[key] = known.pk
                if known.owner:
                    people.owners[known.pk] = known.owner
            elif key not in first or item.at < first[key]:
                first[key] = item.at
    if first:
        found = look_up(workspace, first)
        for key, known in found.items():
            people.ids[key] = known.pk
            if known.owner:
                people.owners[known.pk] = known.owner
        transaction.on_commit(lambda: remember(memory, found))
    return people


@contextmanager
def writing_scope(workspace: Workspace) -> Iterator[None]:
    """A scope to write for people once: what `recall` wants to know is asked in the message that opens it."""
    with workspace_scope(workspace, asking=read_sql("users/people_version")) as told:
        _asked.set(told)  # type: ignore[arg-type]
        try:
            yield
        finally:
            _asked.set(None)


def recall(workspace: Workspace) -> tuple[Memory, bool]:
    """What this process knows of the workspace's people, if nobody was merged, parted or deleted since; and whether anybody
    is about to be merged."""
    if (told := _asked.get()) is None:
        row = run_sql("users/people_version")[0]
        told = row["version"], row["joining"]
    _asked.set(None)
    version, joining = told
    memory = _memories.get(workspace.pk)
    if memory is None or memory.version != version:
        memory = _memories[workspace.pk] = Memory(version)
    return memory, joining


def forget_people() -> None:
    _memories.clear()


def remember(memory: Memory, found: dict[PersonKey, Known]) -> None:
    """Keep what a transaction that is committed by now has found and made."""
    memory.people.update(found)
    if sum(len(one.people) for one in list(_memories.values())) <= MAX_REMEMBERED:
        return
    for workspace, other in list(_memories.items()):
        if other is not memory:
            _memories.pop(workspace, None)
    if len(memory.people) > MAX_REMEMBERED:
        memory.people = dict(islice(memory.people.items(), MAX_REMEMBERED // 2, None))


def look_up(workspace: Workspace, first: dict[PersonKey, datetime]) -> dict[PersonKey, Known]:
    """Find people, make those who are new, and move creations back; `first`: what is the first that was told of each.

    Raises Erased."""
    find, keys = hashed(workspace), list(first)
    ids = {key: find(f"{'user' if key.identified else 'anonymous'}:{key.external_id}") for key in keys}
    rows = run_sql(
        "users/people_to_write",
        ids=array(ids.values()),
        times=array(at.isoformat() for at in first.values()),
    )
    if new := [keys[row["n"] - 1] for row in rows if not row["known"]]:
        if erased := erased_among(ids[key] for key in new):
            raise Erased(erased)
        run_sql(
            "users/add_people",
            ids=array(ids[key] for key in new),
            external_ids=[key.external_id for key in new],
            identified=[key.identified for key in new],
            times=array(first[key].isoformat() for key in new),
        )
    found = {}
    own: dict[str, datetime] = {}
    shared: list[tuple[str, datetime]] = []
    for row in rows:
        key = keys[row["n"] - 1]
        at, owner = first[key], row["merged_into"].hex if row["merged_into"] else None
        found[key] = Known(ids[key], owner, min(at, row["since"] or at))
        if row["earlier"]:
            own[ids[key]] = at
        if owner and row["owner_earlier"]:
            shared.append((owner, at))
    if own or shared:
        make_earlier(own, shared)
    return found


def make_earlier(own: dict[str, datetime], shared: list[tuple[str, datetime]]) -> None:
    """Move creations back: `own` of the ids themselves, `shared` of those whom an earlier id is merged into."""
    times = dict(own)
    for owner, at in shared:
        times[owner] = min(at, times.get(owner, at))
    run_sql(
        "users/earlier_people",
        ids=array(times),
        times=array(at.isoformat() for at in times.values()),
        own_times=array(own[pk].isoformat() if pk in own else "NULL" for pk in times),
    )


def touch(people: Collection[object], first: str | None = None, last: str | None = None) -> None:
    """Let the next night count these people anew; ids as uuids or hex digits.

    `first`, `last`: where events only came, the client's times between which they lie, which the night then looks at alone.
    """
    if people:
        execute(touch_sql(people, first, last), None)


def touch_sql(people: Collection[object], first: str | None, last: str | None) -> str:
    return bound_sql("users/touch", people=array(people), first=first, last=last)


def links_in(items: Iterable[Told], ids: dict[PersonKey, str]) -> Links:
    """Which ids the items say are one person."""
    links: Links = {}
    for item in items:
        if isinstance(item, NormalProfile) and item.visitor:
            pair = make_pair(PersonKey(item.visitor, identified=False), item.person, ids)
        elif isinstance(item, NormalAlias):
            pair = make_pair(item.previous, item.person, ids)
        else:
            continue
        if pair and ((pair[0], pair[1]) not in links or item.at < links[pair[0], pair[1]][0]):
            links[pair[0], pair[1]] = (item.at, pair[2])
    return links


def tell_links(links: Links) -> None:
    """Keep which ids are one person. The minute's tick merges them: nothing here waits for a broker."""
    if links:
        run_sql(
            "users/tell_links",
            people=array(person for person, _known in links),
            known=array(known for _person, known in links),
            times=array(at.isoformat() for at, _kind in links.values()),
            kinds=array(kind for _at, kind in links.values()),
        )


def make_pair(previous: PersonKey, person: PersonKey, ids: dict[PersonKey, str]) -> tuple[str, str, str] | None:
    """(end_user, known, kind) of a link; None when both are the same. A login has the visitor first, however told."""
    if previous == person:
        return None
    if previous.identified == person.identified:
        return ids[previous], ids[person], "alias"
    if previous.identified:
        previous, person = person, previous
    return ids[previous], ids[person], "login"


def array(values: Iterable[object]) -> str:
    """PostgreSQL's text form of an array of ids or times."""
    return "{" + ",".join(map(str, values)) + "}"
