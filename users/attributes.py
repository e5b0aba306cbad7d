"""The catalogue of attributes: noted within a minute of arriving, counted every night, named and typed by operators.

Nothing of it happens on the way in. A value of another type than the first is kept as it was sent; it counts as a
conflict, and conditions on the attribute do not see it.
"""

from __future__ import annotations

import uuid
from datetime import date, datetime, timedelta
from functools import partial
from typing import Any

from django.db.models import F, QuerySet
from django.utils.translation import gettext as _

from users.attribute_models import KINDS, Attribute
from users.chunks import in_chunk, take_chunk, take_news
from users.differences import compute, write_differences
from users.erasure_about import About
from workspaces.errors import DomainError
from workspaces.models import Operator, Workspace
from workspaces.scoping import current_workspace, set_local
from workspaces.services import audit
from workspaces.sql import execute, run_sql

# An app that makes names up ("seen_4711") fills no page and no menu: of such, those most people have are listed.
MOST = 2_000
# What may leave the catalogue for others, nobody having said anything about it: as users/sql/attributes_fresh.sql has it.
RARE = "old.people <= 1 and old.label = '' and not old.hidden and old.personal = (lower(old.name) ~ %(personal)s)"
# Names that most likely hold something about a person that need not be shown twice; operators may say otherwise.
PERSONAL = (
    "e_?mail|phone|mobile|name$|address|birth|token|passw|secret|id_?card|passport|姓名|手机|电话|邮箱|地址|生日|身份证"
)
# The minute's look reaches this far back, so that a tick that was lost costs nothing.
RECENT = timedelta(minutes=10)
# People in a transaction.
CHUNK = 20_000
# So many conflicts that show no value yet get one in a night.
MOST_EXAMPLES = 50
NEVER = """
select id as end_user_id from end_user
where workspace_id = %(workspace)s and id > %(after)s::uuid order by id limit %(most)s
"""
# People whose events lie in the ring of arrivals since a moment, by the id that remains.
ARRIVED = """
and p.id in (
    select coalesce(u.merged_into, u.id)
    from arrival a, unnest(a.people) as told (id), end_user u
    where a.workspace_id = %(workspace)s and a.at > %(since)s and u.workspace_id = %(workspace)s and u.id = told.id
)
"""
SORTS = {
    "conflicts": (F("conflicts").desc(nulls_last=True), F("people").desc(nulls_last=True), "name"),
    "people": (F("people").desc(nulls_last=True), "name"),
    "name": ("name",),
    "recent": ("-last_at", "name"),
}


def note_attributes(workspace: Workspace, now: datetime) -> dict[str, int]:
    """Add attributes that nobody had before of people whose events arrived lately, in the open scope. Counts nobody."""
    look(ARRIVED, since=now - RECENT)
    return {"attributes": run_sql("users/add_attributes")[0]["rows"]}


def count_attributes(workspace: Workspace, day: date) -> dict[str, int]:
    """Bring the catalogue up to what profiles hold now; a night's step, in transactions of its own.

    Only people of whom something was told are looked at: everybody's tallies are kept. The first time that is everybody,
    chunk by chunk. Attributes have no history, so `day` does not matter.
    """
    while in_chunk(workspace, partial(count_more, workspace)):
        pass
    return in_chunk(workspace, write_catalogue)


def count_more(workspace: Workspace) -> bool:
    """Count the next people who were never looked at, or else those of whom there is news; whether there may be more."""
    lock_catalogue()
    held = workspace.hold()
    after = held.computed_by.get("attributes", str(uuid.UUID(int=0)))
    if after == "all":
        take_news("for_attributes")
        count_people("select end_user_id from news")
        return False
    found = count_people(NEVER, after=after, most=CHUNK)
    Workspace.objects.filter(pk=held.pk).update(computed_by=held.computed_by | {"attributes": found or "all"})
    return True


def count_people(select: str, **params: Any) -> str | None:
    """Count some people where they belong; returns the last of their ids, None when there was nobody."""
    take_chunk(select, workspace=current_workspace().pk, **params)
    compute("attributes_told", "users/attributes_told")
    run_sql("users/attributes_tell")
    compute("attributes_counted", "users/attributes_counted")
    run_sql("users/attributes_move")
    return execute("select max(end_user_id::text) as last from chunk", {})[0]["last"]


def write_catalogue() -> dict[str, int]:
    lock_catalogue()
    compute("attributes_found", "users/attributes_tallied")
    compute("attributes_fresh", "users/attributes_fresh", personal=PERSONAL, most=MOST, counted=True)
    changes = write_differences("attribute", "attributes_fresh", "name", RARE, personal=PERSONAL)
    for row in Attribute.objects.filter(conflicts__gt=0, other_value="", personal=False)[:MOST_EXAMPLES]:
        found = run_sql("users/attributes_example", name=row.name, kind=row.other_kind)
        if found and found[0]["value"]:
            changes += Attribute.objects.filter(pk=row.pk).update(other_value=found[0]["value"])
    return {"attributes": Attribute.objects.count(), "changes": changes}


def erase_tallies(about: About) -> int:
    """Erased people are counted no longer, in the open scope."""
    lock_catalogue()
    return run_sql("users/erase_tallies", ids=list(map(str, about.ids)))[0]["rows"]


def lock_catalogue() -> None:
    """One at a time: two could add the same names in a different order."""
    lock = {"key": f"attributes:{current_workspace().pk}"}
    execute("select pg_advisory_xact_lock(hashtextextended(%(key)s, 0))", lock)


def look(narrowed: str = "", **params: Any) -> None:
    """Fill the temporary table `attributes_fresh` with what some people's profiles hold."""
    lock_catalogue()
    # Workers would hand every pair over to be counted here, which takes half as long again.
    set_local("max_parallel_workers_per_gather", "0")
    compute("attributes_found", "users/attributes_found", narrowed, **params)
    compute("attributes_fresh", "users/attributes_fresh", personal=PERSONAL, most=MOST, counted=False)


def list_attributes(words: str = "", *, hidden: bool = False, sort: str = "conflicts") -> QuerySet[Attribute]:
    """The catalogue, those with conflicts first; `words` are looked for in name and label."""
    found = Attribute.objects.filter(hidden=hidden).order_by(*SORTS.get(sort, SORTS["conflicts"]))
    return found.filter(name__icontains=words) | found.filter(label__icontains=words) if words else found


def edit_attribute(attribute: Attribute, values: dict[str, Any], by: Operator | None = None) -> None:
    """Set label, kind, hidden or personal, those given. Raises DomainError naming the field.

    Another type makes other values conflicts: they are counted by the next night, and read by conditions at once.
    """
    label, kind = " ".join(str(values.get("label", attribute.label)).split()), values.get("kind", attribute.kind)
    if len(label) > 100 or "\0" in label:
        raise DomainError("invalid", _("At most %(n)s characters.") % {"n": 100}, "label")
    if kind not in KINDS:
        raise DomainError("invalid", _("Choose one of: %(names)s.") % {"names": ", ".join(KINDS)}, "kind")
    fresh: dict[str, Any] = {"label": label, "kind": kind}
    fresh |= {name: bool(values.get(name, getattr(attribute, name))) for name in ("hidden", "personal")}
    changed = {name: value for name, value in fresh.items() if value != getattr(attribute, name)}
    if not changed:
        return
    if "kind" in changed:
        fresh |= {"conflicts": None, "other_kind": "", "other_value": ""}
    if fresh["personal"]:
        fresh["other_value"] = ""
    Attribute.objects.filter(pk=attribute.pk).update(**fresh)
    audit("attribute.change", attribute.name, by, **changed)
