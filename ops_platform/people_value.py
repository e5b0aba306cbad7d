"""Conditions of the people list about value: what is expected of people, how the model was tested on them, and when they
registered."""

from __future__ import annotations

from collections.abc import Mapping

from django.utils.translation import gettext as _

from lifecycle.value import CLASSES
from ops_platform import numbers
from ops_platform.people_parts import BadValue, Part, day_of, whole
from workspaces.models import Workspace

MOST_MINOR = 10**15


def worth_between(value: str, query: Mapping[str, str], workspace: Workspace) -> Part:
    """From the first amount to below the second, in minor units; either may be missing."""
    least, below = (whole(query[key], 0, MOST_MINOR) if query.get(key) else None for key in ("value_from", "value_to"))
    if least is None and below is None:
        raise BadValue(value)
    money = {"least": numbers.money(least, workspace), "below": numbers.money(below, workspace)}
    if below is None:
        text = _("expected to spend at least %(least)s in 12 months")
    elif least is None:
        text = _("expected to spend less than %(below)s in 12 months")
    else:
        text = _("expected to spend from %(least)s to below %(below)s in 12 months")
    sql = (
        "v.expected_revenue_minor >= coalesce(%(value_from)s, 0)"
        " and v.expected_revenue_minor < coalesce(%(value_to)s, 9223372036854775807)"
    )
    return Part(sql, {"value_from": least, "value_to": below}, "v", text % money, ("value_from", "value_to"))


def alive_between(value: str, query: Mapping[str, str], workspace: Workspace) -> Part:
    """From the first per cent to below the second; a hundred belongs to the last range."""
    least, below = whole(query.get("alive_from") or "0", 0, 100), whole(query.get("alive_to") or "100", 0, 100)
    text = _("whose chance to buy again is %(least)s–%(below)s %%") % {"least": least, "below": below}
    sql = "v.alive_percent >= %(alive_from)s and (v.alive_percent < %(alive_to)s or %(alive_to)s = 100)"
    return Part(sql, {"alive_from": least, "alive_to": below}, "v", text, ("alive_from", "alive_to"))


def brought_tested(value: str, query: Mapping[str, str], workspace: Workspace) -> Part:
    """One class of the back-test: people with so many repeat order days before it; the last class is that and more."""
    repeats = whole(value, 0, CLASSES)
    sign, text = (">=", _("%(n)s or more")) if repeats == CLASSES else ("=", "%(n)s")
    words = _("with %(n)s repeat orders before the back-test") % {"n": text % {"n": repeats}}
    return Part(f"v.tested_repeats {sign} %(tested)s", {"tested": repeats}, "v", words, ("tested",))


def registered_between(value: str, query: Mapping[str, str], workspace: Workspace) -> Part:
    first = day_of(query.get("registered_from") or "1970-01-01")
    last = day_of(query.get("registered_to") or workspace.today().isoformat())
    text = (
        _("registered between %(first)s and %(last)s")
        if query.get("registered_from")
        else _("registered up to %(last)s")
    )
    text %= {"first": numbers.day(first), "last": numbers.day(last)}
    params = {"registered_from": first, "registered_to": last}
    sql = "f.registered_on between %(registered_from)s and %(registered_to)s"
    return Part(sql, params, "f", text, ("registered_from", "registered_to"))
