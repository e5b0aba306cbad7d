"""The catalogue of attributes: noted within a minute of arriving, counted every night, named and typed by operators.

Nothing of it happens on the way in. A value of another type than the first is kept as it was sent; it counts as a
conflict, and conditions on the attribute do not see it.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

from django.db.models import F, QuerySet
from django.utils.translation import gettext as _

from users.attribute_models import KINDS, Attribute
from users.differences import compute, write_differences
from users.night import in_chunk
from workspaces.errors import DomainError
from workspaces.models import Operator, Workspace
from workspaces.scoping import current_workspace, set_local
from workspaces.services import audit
from workspaces.sql import execute, run_sql

# An app that makes names up ("seen_4711") fills no page and no menu: of such, those most people have are listed.
MOST = 2_000
# Names that most likely hold something about a person that need not be shown twice; operators may say otherwise.
PERSONAL = (
    "e_?mail|phone|mobile|name$|address|birth|token|passw|secret|id_?card|passport|姓名|手机|电话|邮箱|地址|生日|身份证"
)
# The minute's look reaches this far back, so that a tick that was lost costs nothing.
RECENT = timedelta(minutes=10)
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
    """Bring the catalogue up to what everybody's profile holds now; a night's step, in a transaction of its own.

    One pass over all profiles: attributes have no history, so `day` does not matter.
    """
    return in_chunk(workspace, count_all)


def count_all() -> dict[str, int]:
    look()
    changes = write_differences("attribute", "attributes_fresh", "name", "false")
    return {"attributes": Attribute.objects.count(), "changes": changes}


def look(narrowed: str = "", **params: Any) -> None:
    """Fill the temporary table `attributes_fresh`. One at a time: two could add the same names in a different order."""
    lock = {"key": f"attributes:{current_workspace().pk}"}
    execute("select pg_advisory_xact_lock(hashtextextended(%(key)s, 0))", lock)
    # Workers would hand every pair over to be counted here, which takes half as long again.
    set_local("max_parallel_workers_per_gather", "0")
    compute("attributes_found", "users/attributes_found", narrowed, **params)
    compute("attributes_fresh", "users/attributes_fresh", personal=PERSONAL, most=MOST)


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
