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
