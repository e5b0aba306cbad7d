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
HAVING = " and coalesce(e.properties ->> %(did_property)s, '') = %(did_value)s"


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
        params |= {"did_property": key, "did_value": query.get("did_value", "")}
        having, text = HAVING, f"{text} ({key} = {query.get('did_value') or '—'})"
    return Part(DID.format(having=having), params, "", text, ("did", "did_from", "did_to", "did_property", "did_value"))


CAME = (
    "u.id in (select d.end_user_id from person_day d where d.workspace_id = %(workspace)s"
    " and d.day between %(seen_from)s and %(seen_to)s and d.visits > 0)"
)
CAME_WITH = """u.id in (
    select c.end_user_id from (
        select distinct on (d.end_user_id) d.end_user_id, d.app_version from person_day d
        where d.workspace_id = %(workspace)s and d.day between %(seen_from)s and %(seen_to)s and d.visits > 0
        order by d.end_user_id, d.app_version = '', d.day desc
    ) c where c.app_version = %(seen_version)s
)"""


def came_between(value: str, query: Mapping[str, str], workspace: Workspace) -> Part:
    """People who came on one of the days; with `seen_version`, those whose last visit then told that app version ("—": none)."""
    first, last = day_of(query.get("seen_from")), day_of(query.get("seen_to"))
    params = {"seen_from": first, "seen_to": last}
    words = {"first": numbers.day(first), "last": numbers.day(last)}
    keys = ("seen_from", "seen_to", "seen_version")
    version = query.get("seen_version")
    if not version or "\0" in version:
        return Part(CAME, params, "", _("came between %(first)s and %(last)s") % words, keys)
    text = _("came between %(first)s and %(last)s, last with version %(version)s") % {**words, "version": version}
    params_with: dict[str, object] = {**params, "seen_version": "" if version == numbers.UNKNOWN else version}
    return Part(CAME_WITH, params_with, "", text, keys)
