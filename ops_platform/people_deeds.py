"""A condition of the people list about what they did: an event between two days, and with a property's value if asked."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, time, timedelta

from django.utils.translation import gettext as _

from ops_platform import numbers
from ops_platform.people_parts import BadValue, Part, day_of
from users.models import EventName
from workspaces.models import Workspace

DID = (
    "u.id in (select e.end_user_id from event e where e.workspace_id = %(workspace)s and e.name_id = %(did)s"
    " and e.at >= %(did_start)s and e.at < %(did_stop)s{having})"
)
# So much of a property's value is looked at, wherever people are told apart by it: numbers and lists have to agree.
VALUE_LENGTH = 100
HAVING = f" and left(coalesce(e.properties ->> %(did_property)s, ''), {VALUE_LENGTH}) = %(did_value)s"


def did(value: str, query: Mapping[str, str], workspace: Workspace) -> Part:
    first, last = day_of(query.get("did_from")), day_of(query.get("did_to"))
    name = None if "\0" in value else EventName.objects.filter(name=value).first()
    if name is None:
        raise BadValue(value)
    params = {
        "did": name.pk,
        "did_start": datetime.combine(first, time(), workspace.tzinfo),
        "did_stop": datetime.combine(last + timedelta(days=1), time(), workspace.tzinfo),
    }
    words = {"event": name.name, "first": numbers.day(first), "last": numbers.day(last)}
    text = _("did %(event)s on %(first)s") if first == last else _("did %(event)s between %(first)s and %(last)s")
    text, having = text % words, ""
    if (key := query.get("did_property")) and "\0" not in key + query.get("did_value", ""):
        wanted = query.get("did_value", "")[:VALUE_LENGTH]
        params |= {"did_property": key, "did_value": wanted}
        having, text = HAVING, f"{text} ({key} = {wanted or '—'})"
    keys = ("did", "did_from", "did_to", "did_property", "did_value")
    return Part(DID.format(having=having), params, "", text, keys, wide=True)


# One of their days each, as ops_platform/sql/churn_by.sql picks it.
CAME = """u.id in (
    select c.end_user_id from (
        select distinct on (d.end_user_id) d.end_user_id, d.app_version, coalesce(d.next_day > d.day + 30, true) as lost
        from (
            select end_user_id, day, app_version, lead(day) over (partition by end_user_id order by day) as next_day
            from person_day
            where workspace_id = %(workspace)s and day between %(seen_from)s and %(seen_to)s::date + 30 and visits > 0
        ) d
        where d.day <= %(seen_to)s
        order by d.end_user_id, hashtext(d.end_user_id::text || d.day::text)
    ) c where true{narrowed}
)"""
WITH_VERSION = " and c.app_version = %(seen_version)s"
LOST = " and c.lost"


def came_between(value: str, query: Mapping[str, str], workspace: Workspace) -> Part:
    """People who came on one of the days. Of one of those days each: with `seen_version`, who told that app version ("—":
    none) on it; with `lost`, who did not come again within 30 days of it."""
    first, last = day_of(query.get("seen_from")), day_of(query.get("seen_to"))
    params: dict[str, object] = {"seen_from": first, "seen_to": last}
    text = _("came between %(first)s and %(last)s") % {"first": numbers.day(first), "last": numbers.day(last)}
    narrowed, version = "", query.get("seen_version", "")
    if version and "\0" not in version:
        narrowed += WITH_VERSION
        params["seen_version"] = "" if version == numbers.UNKNOWN else version
        text = _("%(came)s with version %(version)s") % {"came": text, "version": version}
    if query.get("lost") == "1":
        narrowed += LOST
        text = _("%(came)s and not again within 30 days") % {"came": text}
    keys = ("seen_from", "seen_to", "seen_version", "lost")
    return Part(CAME.format(narrowed=narrowed), params, "", text, keys, wide=True)
