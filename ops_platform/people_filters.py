"""The conditions of the people list: one parameter of the address each.

A condition is a WHERE fragment over fixed aliases (u end_user, f facts, s standing, r rfm_score, v person_value), the
tables it needs, and the words that describe it. Values are always bound, never written into SQL.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Mapping
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from campaigns.suppressions import hashing
from ops_platform import names, numbers
from ops_platform.people_attributes import with_attribute
from ops_platform.people_deeds import came_between, did
from ops_platform.people_moves import flagged_on, moved, moved_between, moved_by_rules, recalled
from ops_platform.people_parts import BadValue, Build, Part, day_of, keys_of, whole
from ops_platform.people_past import BOARDS, MEMBERS, past_day, stood_on
from ops_platform.people_steps import lasted, stepped, took_step, walked
from ops_platform.people_value import alive_between, brought_tested, registered_between, worth_between
from segmentation.conditions import get_condition
from segmentation.models import Segment, TagRule
from segmentation.rfm_gap import points_case
from segmentation.vocabulary import Vocabulary
from users.erasure_marks import address_mark_sql, pads
from users.models import Import
from workspaces.models import Workspace
from workspaces.sql import read_sql


def one_of(kind: str, column: str, needs: str, condition: str, field: str) -> Build:
    """A condition "is one of these keys", in the words that the same condition of a segment has; `as_of` asks for a past day."""

    def part(value: str, query: Mapping[str, str], workspace: Workspace) -> Part:
        keys = keys_of(value, names.KINDS[kind])
        text = get_condition(condition).describe({field: keys}, Vocabulary(workspace))
        if kind in BOARDS and (day := past_day(query, workspace)):
            return stood_on(kind, keys, day, text)
        return Part(f"{column} = any(%({kind}_keys)s)", {f"{kind}_keys": keys}, needs, text, (kind,))

    return part


def search(value: str, query: Mapping[str, str], workspace: Workspace) -> Part:
    words = value.strip()[:100]
    if not words or "\x00" in words:
        raise BadValue(value)
    pattern = words.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    params = {"q": words, "q_start": f"{pattern}%", "q_any": f"%{pattern}%"}
    sql = "(u.external_id like %(q_start)s or u.name ilike %(q_any)s or u.email ilike %(q_start)s or u.phone like %(q_any)s"
    # Or by an id that was merged into theirs.
    sql += (
        " or u.id in (select a.merged_into from end_user a where a.workspace_id = %(workspace)s"
        " and a.external_id like %(q_start)s and a.merged_into is not null))"
    )
    return Part(sql, params, "", _("“%(words)s” in name, id, email or phone") % {"words": words}, ("q",))


def in_segment(value: str, query: Mapping[str, str], workspace: Workspace) -> Part:
    try:
        segment = Segment.objects.filter(pk=uuid.UUID(value)).first()
    except ValueError as error:
        raise BadValue(value) from error
    if segment is None:
        raise BadValue(value)
    if day := past_day(query, workspace):
        text = _("in “%(name)s” on %(day)s") % {"name": segment.name, "day": numbers.day(day)}
        return Part(MEMBERS, {"segment": segment.pk, "as_of": day}, "", text, ("segment", "as_of"), wide=True)
    sql = (
        "exists (select from segment_member m where m.end_user_id = u.id"
        " and m.workspace_id = %(workspace)s and m.segment_id = %(segment)s)"
    )
    return Part(sql, {"segment": segment.pk}, "", _("in “%(name)s”") % {"name": segment.name}, ("segment",))


NEW_IN_FILE = """u.id in (
    select coalesce(e.merged_into, e.id)
    from import_batch b
    cross join lateral unnest(b.new_people) as n (id)
    join end_user e on e.id = n.id and e.workspace_id = %(workspace)s
    where b.workspace_id = %(workspace)s and b.file_id = %(import)s and b.at >= %(import_since)s
)"""


def new_in_file(value: str, query: Mapping[str, str], workspace: Workspace) -> Part:
    """Whom the latest run of an import made known, for as long as it can be taken back."""
    try:
        file = Import.objects.filter(pk=uuid.UUID(value)).first()
    except ValueError as error:
        raise BadValue(value) from error
    if file is None or file.started_at is None:
        raise BadValue(value)
    params = {"import": file.pk, "import_since": file.started_at}
    return Part(NEW_IN_FILE, params, "", _("new with the file “%(name)s”") % {"name": file.name}, ("import",))


def plain(column: str, parameter: str, words: Callable[[str], str]) -> Build:
    def part(value: str, query: Mapping[str, str], workspace: Workspace) -> Part:
        if "\x00" in value:
            raise BadValue(value)
        return Part(f"{column} = %({parameter})s", {parameter: value}, "", words(value), (parameter,))

    return part


def came_from(value: str, query: Mapping[str, str], workspace: Workspace) -> Part:
    """ "—" asks for those of whom it is not known; no value asks nothing, as an empty input of the form does."""
    if "\x00" in value:
        raise BadValue(value)
    source = "" if value == numbers.UNKNOWN else value
    text = _("from %(source)s") % {"source": source or _("an unknown source")}
    return Part("u.source = %(source)s", {"source": source}, "", text, ("source",))


def tagged(value: str, query: Mapping[str, str], workspace: Workspace) -> Part:
    if "\x00" in value:
        raise BadValue(value)
    sql, params = "u.tags @> %(tag)s::jsonb", {"tag": json.dumps([value])}
    if rule := TagRule.objects.filter(tag=value).first():
        sql = (
            f"({sql} or exists (select from segment_member m where m.end_user_id = u.id"
            " and m.workspace_id = %(workspace)s and m.segment_id = %(tag_segment)s))"
        )
        params["tag_segment"] = str(rule.segment_id)
    return Part(sql, params, "", _("tagged “%(tag)s”") % {"tag": value}, ("tag",))


def scored(column: str, parameter: str) -> Build:
    def part(value: str, query: Mapping[str, str], workspace: Workspace) -> Part:
        score = whole(value, 1, 5)
        return Part(
            f"r.{column} = %({parameter})s", {parameter: score}, "r", f"{parameter.upper()} {score}", (parameter,)
        )

    return part


ADDRESSES = {"email": "u.email", "sms": "u.phone", "push": "u.push_token"}


def reachable(value: str, query: Mapping[str, str], workspace: Workspace) -> Part:
    if value not in ADDRESSES:
        raise BadValue(value)
    # The same as segmentation/conditions/reachable.py and the table of RFM groups.
    address = ADDRESSES[value]
    sql = (
        f"{address} <> '' and coalesce((select c.opted_in from consent c where c.end_user_id = u.id"
        " and c.workspace_id = %(workspace)s and c.channel = %(reach)s), not %(reach_consent)s)"
        " and not exists (select from suppression x where x.workspace_id = %(workspace)s"
        f" and x.channel = %(reach)s and x.address = lower({address}))"
    )
    params: dict[str, Any] = {"reach": value, "reach_consent": workspace.rules.consent_required}
    if hashing(value)["hashed"]:
        params |= pads()
        sql += (
            " and not exists (select from suppression x where x.workspace_id = %(workspace)s"
            f" and x.channel = %(reach)s and x.address = {address_mark_sql(address)})"
        )
    return Part(
        sql,
        params,
        "",
        _("reachable by %(channel)s") % {"channel": names.label("channel", value)},
        ("reach",),
    )


def ordered_times(value: str, query: Mapping[str, str], workspace: Workspace) -> Part:
    orders = whole(value)
    text = ngettext("with exactly %(n)s order", "with exactly %(n)s orders", orders) % {"n": orders}
    return Part("coalesce(f.orders, 0) = %(orders)s", {"orders": orders}, "f", text, ("orders",))


BEGINNING = "1970-01-01"


def first_ordered(value: str, query: Mapping[str, str], workspace: Workspace) -> Part:
    """Without a last day: up to today; without a first: from the beginning."""
    begun = query.get("first_order_from")
    first = day_of(begun or BEGINNING)
    last = day_of(query.get("first_order_to") or workspace.today().isoformat())
    text = _("first ordered between %(first)s and %(last)s") if begun else _("first ordered up to %(last)s")
    text %= {"first": numbers.day(first), "last": numbers.day(last)}
    params = {"first_order_from": first, "first_order_to": last}
    sql = "f.first_order_on between %(first_order_from)s and %(first_order_to)s"
    return Part(sql, params, "f", text, ("first_order_from", "first_order_to"))


def on_day(parameter: str, sql: str, needs: str, words: Any) -> Build:
    def part(value: str, query: Mapping[str, str], workspace: Workspace) -> Part:
        day = day_of(value)
        return Part(sql, {parameter: day}, needs, str(words) % {"day": numbers.day(day)}, (parameter,))

    return part


def in_stage_for(value: str, query: Mapping[str, str], workspace: Workspace) -> Part:
    """So many days in the stage they are in: "7-13", or "365-" without an end."""
    least, dash, most = value.partition("-")
    if not dash:
        raise BadValue(value)
    first, last = whole(least), whole(most) if most else 100_000
    day = workspace.current_day or workspace.today()
    sql = "s.stage_since between %(stayed_day)s::date - %(stayed_most)s and %(stayed_day)s::date - %(stayed_least)s"
    params = {"stayed_day": day, "stayed_least": first, "stayed_most": last}
    words = (
        _("in their stage for %(first)s to %(last)s days") if most else _("in their stage for %(first)s days or more")
    )
    return Part(sql, params, "s", words % {"first": first, "last": last}, ("stayed",))


def points_from_target(value: str, query: Mapping[str, str], workspace: Workspace) -> Part:
    """People so many points away from the target group; 0 is in it."""
    points, best = whole(value, 0, 8), workspace.rules.rfm_best_group
    target = names.label("bits" if best in names.VALUE_CLASSES else "rfm", best)
    text = ngettext("%(n)s point from “%(target)s”", "%(n)s points from “%(target)s”", points)
    sql = f"({points_case(best)}) = %(gap)s"
    return Part(sql, {"gap": points}, "r", text % {"n": points, "target": target}, ("gap",))


def flag(parameter: str, sql: str, needs: str, words: Any) -> Build:
    def part(value: str, query: Mapping[str, str], workspace: Workspace) -> Part:
        if value != "1":
            raise BadValue(value)
        return Part(sql, {}, needs, str(words), (parameter,))

    return part


SEEN = (
    "exists (select from person_day d where d.end_user_id = u.id and d.workspace_id = %(workspace)s"
    " and d.day = %(seen_on)s and d.visits > 0)"
)


def ordered(value: str, query: Mapping[str, str], workspace: Workspace) -> Part:
    """Whose orders the day's are, as its totals count them: those that were not taken back, of the day of their first row."""
    day = day_of(value)
    sql = f"u.id in (select o.end_user_id from ({read_sql('ops_platform/day_orders')}) o where o.orders = 1)"
    params = {"order_days": [day], "orders_as_of": max(day, workspace.current_day or day)}
    return Part(sql, params, "", _("ordered on %(day)s") % {"day": numbers.day(day)}, ("ordered_on",), wide=True)


CONDITIONS: dict[str, Build] = {
    "q": search,
    "stage": one_of("stage", "s.stage", "s", "stage", "stages"),
    "activity": one_of("activity", "s.activity", "s", "activity", "flags"),
    "rfm": one_of("rfm", "r.rfm_group", "r", "rfm_group", "groups"),
    "bits": one_of("bits", "r.rfm_bits", "r", "rfm_bits", "classes"),
    "r": scored("r_score", "r"),
    "f": scored("f_score", "f"),
    "m": scored("m_score", "m"),
    "segment": in_segment,
    "import": new_in_file,
    "source": came_from,
    "city": plain("u.city", "city", lambda value: _("in %(city)s") % {"city": value}),
    "tag": tagged,
    "attribute": with_attribute,
    "reach": reachable,
    "preceded": stepped,
    "lasts": lasted,
    "from": moved_between("stage", "stage_change", "from_stage", "to_stage", ("from", "to")),
    "to": moved_between("stage", "stage_change", "from_stage", "to_stage", ("from", "to")),
    "rfm_from": moved_between("rfm", "rfm_change", "from_group", "to_group", ("rfm_from", "rfm_to")),
    "rfm_to": moved_between("rfm", "rfm_change", "from_group", "to_group", ("rfm_from", "rfm_to")),
    "flag_from": moved_between("activity", "activity_change", "from_activity", "to_activity", ("flag_from", "flag_to")),
    "flag_to": moved_between("activity", "activity_change", "from_activity", "to_activity", ("flag_from", "flag_to")),
    "moved": moved,
    "rules": moved_by_rules,
    "flag": flagged_on,
    "orders": ordered_times,
    "first_order_from": first_ordered,
    "first_order_to": first_ordered,
    **dict.fromkeys(("registered_from", "registered_to"), registered_between),
    **dict.fromkeys(("value_from", "value_to"), worth_between),
    **dict.fromkeys(("alive_from", "alive_to"), alive_between),
    "tested": brought_tested,
    "effective": flag("effective", "f.effective", "f", gettext_lazy("became effective newcomers")),
    "seen_on": on_day("seen_on", SEEN, "", gettext_lazy("came on %(day)s")),
    "ordered_on": ordered,
    "joined_on": on_day("joined_on", "f.first_seen_on = %(joined_on)s", "f", gettext_lazy("first seen on %(day)s")),
    "gap": points_from_target,
    "recall": recalled,
    "stayed": in_stage_for,
    "path": walked,
    "step": took_step,
    "did": did,
    "seen_from": came_between,
    "returned": flag("returned", "s.returned", "s", gettext_lazy("came back from churned")),
    "buyers": flag("buyers", "f.orders > 0", "f", gettext_lazy("have ordered")),
}
