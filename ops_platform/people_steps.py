"""Conditions of the people list about the way up: which stages somebody walked through, and what they did before a step."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

from django.utils.translation import gettext as _

from ops_platform import names, numbers
from ops_platform.people_parts import BadValue, Part, day_of, whole
from users.models import EventName
from workspaces.models import Workspace

# What somebody did in so many days before the day of a step, that day left out.
BEFORE_DAYS = 7
WALKED = """u.id in (
    select c.end_user_id from stage_change c
    where c.workspace_id = %(workspace)s and c.day > %(path_since)s and c.day <= %(path_on)s
    group by c.end_user_id
    having (array_agg(c.from_stage order by c.day))[1] || '>' || string_agg(c.to_stage, '>' order by c.day) = %(path)s
)"""
# Everybody who took the step in the days, and the last day on which they did.
LAST_STEP = """(
        select c.end_user_id, max(c.day) as day from stage_change c
        where c.workspace_id = %(workspace)s and c.day > %(step_since)s and c.day <= %(step_on)s
            and c.from_stage = %(step_from)s and c.to_stage = %(step_to)s
        group by c.end_user_id
    )"""
# As ops_platform/sql/step_deeds.sql counts them: before their last such step, and only of those who came in these days.
STEPPED = f"""u.id in (
    select m.end_user_id
    from {LAST_STEP} m
    cross join lateral (
        select bool_or(o.name_id = %(step_event)s) as did, bool_or(not n.is_passive) as came
        from (
            select name_id, at from event
            where end_user_id = m.end_user_id and workspace_id = %(workspace)s
                and client_at between %(step_first)s and %(step_last)s
            offset 0
        ) o
        join event_name n on n.id = o.name_id and n.workspace_id = %(workspace)s
        where o.at >= (m.day - %(step_days)s)::timestamp at time zone %(step_zone)s
            and o.at < m.day::timestamp at time zone %(step_zone)s
    ) e
    where e.did and e.came
)"""

LASTED = f"""u.id in (
    select m.end_user_id
    from {LAST_STEP} m
    cross join lateral (
        select array_agg(t.name_id order by t.at, t.name_id desc) as ids
        from (
            select o.name_id, max(o.at) as at
            from (
                select name_id, at from event
                where end_user_id = m.end_user_id and workspace_id = %(workspace)s
                    and client_at between %(step_first)s and %(step_last)s
                    and client_at between m.day - (%(step_days)s + 2) and m.day + 2
                offset 0
            ) o
            where o.at >= (m.day - %(step_days)s)::timestamp at time zone %(step_zone)s
                and o.at < m.day::timestamp at time zone %(step_zone)s
            group by o.name_id
            order by max(o.at) desc, o.name_id
            limit 3
        ) t
    ) e
    where e.ids = %(step_lasts)s
)"""


def span(query: Mapping[str, str], workspace: Workspace) -> tuple[date, date]:
    """The days `since` (left out) and `on`. Raises BadValue."""
    return day_of(query.get("since")), day_of(query.get("on") or str(workspace.current_day or ""))


def between(since: date, until: date) -> str:
    return _("between %(since)s and %(on)s") % {"since": numbers.day(since), "on": numbers.day(until)}


def event_months(since: date, until: date) -> dict[str, date]:
    """Between which days clients told what lies before steps: bounds of the parts of the event table to be read."""
    slack = timedelta(days=BEFORE_DAYS + 2)
    return {"step_first": since - slack, "step_last": until + slack}


def path_words(path: str) -> str:
    """The stages of a path, as "Contact → Using → Habit"; joining and leaving by their names."""
    keys = path.split(">")
    first = [str(names.label("stage", keys[0])) if keys[0] else _("Joined")]
    return " → ".join(first + [str(names.label("stage", key)) if key else _("Left") for key in keys[1:]])


def walked(value: str, query: Mapping[str, str], workspace: Workspace) -> Part:
    """People who walked exactly these stages in the days: "use>habit>churned"."""
    if any(key and key not in names.STAGES for key in value.split(">")):
        raise BadValue(value)
    since, until = span(query, workspace)
    text = _("went %(path)s %(when)s") % {"path": path_words(value), "when": between(since, until)}
    params = {"path": value, "path_since": since, "path_on": until}
    return Part(WALKED, params, "", text, ("path", "since", "on"))


def stepped(value: str, query: Mapping[str, str], workspace: Workspace) -> Part:
    """People who took the step `from` → `to` in the days and did this event in the week before it."""
    name = None if "\0" in value else EventName.objects.filter(name=value).first()
    if name is None:
        raise BadValue(value)
    params, words = step_of(query, workspace)
    text = _("did %(event)s in the %(days)s days before going %(path)s %(when)s") % (words | {"event": name.name})
    params["step_event"] = name.pk
    return Part(STEPPED, params, "", text, ("preceded", "from", "to", "since", "on"))


def lasted(value: str, query: Mapping[str, str], workspace: Workspace) -> Part:
    """People who took the step, and the last events that they did in the week before: up to three ids of names, oldest first."""
    ids = [whole(part, most=2**31 - 1) for part in value.split(",", 3)]
    names_of = dict(EventName.objects.filter(pk__in=ids).values_list("pk", "name"))
    if len(names_of) < len(ids) or len(ids) > 3:
        raise BadValue(value)
    params, words = step_of(query, workspace)
    told = {"events": " → ".join(names_of[pk] for pk in ids)}
    text = _("did %(events)s last in the %(days)s days before going %(path)s %(when)s") % (words | told)
    params["step_lasts"] = ids
    return Part(LASTED, params, "", text, ("lasts", "from", "to", "since", "on"))


def step_of(query: Mapping[str, str], workspace: Workspace) -> tuple[dict[str, Any], dict[str, Any]]:
    """(parameters, words) of the step `from` → `to` in the days. Raises BadValue."""
    since, until = span(query, workspace)
    ends = [query.get("from", ""), query.get("to", "")]
    if any(key not in names.STAGES for key in ends):
        raise BadValue(ends)
    params = {
        "step_since": since,
        "step_on": until,
        "step_from": ends[0],
        "step_to": ends[1],
        "step_days": BEFORE_DAYS,
        "step_zone": workspace.zone,
        **event_months(since, until),
    }
    return params, {"days": BEFORE_DAYS, "path": path_words(">".join(ends)), "when": between(since, until)}


STEPS = """u.id in (
    select c.end_user_id from stage_change c
    where c.workspace_id = %(workspace)s and c.day > %(taken_since)s and c.day <= %(taken_on)s
        and c.from_stage = %(taken_from)s and c.to_stage = %(taken_to)s
)"""


def took_step(value: str, query: Mapping[str, str], workspace: Workspace) -> Part:
    """People who took a step in the days, wherever they went after: "use>habit"."""
    source, _sign, target = value.partition(">")
    if source not in names.STAGES or target not in names.STAGES:
        raise BadValue(value)
    since, until = span(query, workspace)
    params = {"taken_since": since, "taken_on": until, "taken_from": source, "taken_to": target}
    text = _("took the step %(path)s %(when)s") % {"path": path_words(value), "when": between(since, until)}
    return Part(STEPS, params, "", text, ("step", "since", "on"))
