"""Conditions of the people list about a past day: who stood where at its end, read back from the change rows.

Only what changed since is read: whoever has not moved since stands where they stood, and whoever has stood where their
first move after that day began.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from django.utils.translation import gettext as _

from ops_platform import names, numbers
from ops_platform.people_parts import Part, day_of
from workspaces.models import Workspace

# Kind: the table and column of today, the table of changes and the column they begin with, and who has not moved since.
SINCE = "x.{kind}_since <= %({day})s"
UNCHANGED = (
    "not exists (select from {changes} k where k.end_user_id = x.end_user_id"
    " and k.workspace_id = %(workspace)s and k.day > %({day})s)"
)
BOARDS = {
    "stage": ("standing", "stage", "stage_change", "from_stage", SINCE),
    "activity": ("standing", "activity", "activity_change", "from_activity", SINCE),
    "rfm": ("rfm_score", "rfm_group", "rfm_change", "from_group", UNCHANGED),
}
STOOD = """u.id in (
    select x.end_user_id from {now} x
    where x.workspace_id = %(workspace)s and x.{column} = any(%({keys})s) and {unmoved}
    union all
    select c.end_user_id from (
        select distinct on (end_user_id) end_user_id, {first} from {changes}
        where workspace_id = %(workspace)s and day > %({day})s order by end_user_id, day
    ) c where c.{first} = any(%({keys})s)
)"""
MEMBERS = """u.id in (
    select m.end_user_id from segment_member m
    where m.workspace_id = %(workspace)s and m.segment_id = %(segment)s and m.entered_on <= %(as_of)s
    union all
    select c.end_user_id from (
        select distinct on (end_user_id) end_user_id, entered from segment_change
        where workspace_id = %(workspace)s and segment_id = %(segment)s and day > %(as_of)s order by end_user_id, day
    ) c where not c.entered
)"""


def past_day(query: Mapping[str, str], workspace: Workspace) -> date | None:
    """The day `as_of` where it lies before the published one; None asks for today. Raises BadValue."""
    if not query.get("as_of"):
        return None
    day = day_of(query["as_of"])
    return day if workspace.current_day and day < workspace.current_day else None


def stood(kind: str, keys: list[str], day: date, name: str) -> tuple[str, dict[str, Any]]:
    """(SQL over the alias u, parameters) of who stood in one of the groups at the end of a day; `name` tells its parameters
    from those of another condition."""
    now, column, changes, first, unmoved = BOARDS[kind]
    params = {f"{name}_keys": keys, f"{name}_day": day}
    unmoved = unmoved.format(kind=kind, changes=changes, day=f"{name}_day")
    sql = STOOD.format(
        now=now, column=column, changes=changes, first=first, unmoved=unmoved, keys=f"{name}_keys", day=f"{name}_day"
    )
    return sql, params


def stood_on(kind: str, keys: list[str], day: date, text: str) -> Part:
    """The condition "is one of these" as of a past day."""
    sql, params = stood(kind, keys, day, f"{kind}_past")
    return Part(sql, params, "", f"{text} {on(day)}", (kind, "as_of"), wide=True)


def stayed(kind: str, key: str, since: date, until: date, parameters: tuple[str, ...]) -> Part:
    """Who stood in a group at the end of both days, whatever they did between."""
    sql, params = stood(kind, [key], until, f"{kind}_after")
    if since != until:
        before, more = stood(kind, [key], since, f"{kind}_before")
        sql, params = f"{before} and {sql}", params | more
    days = {"since": numbers.day(since), "on": numbers.day(until)}
    words = {"name": names.label(kind, key), "when": _("between %(since)s and %(on)s") % days}
    text = _("stayed in %(name)s %(when)s") % words
    return Part(sql, params, "", text, parameters, wide=True)


def on(day: date) -> str:
    return _("on %(on)s") % {"on": numbers.day(day)}
