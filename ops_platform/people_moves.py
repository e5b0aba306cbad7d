"""Conditions of the people list about movement: who changed stage, RFM group or activity flag, and when."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from ops_platform import names, numbers
from ops_platform.models import RulesChange
from ops_platform.people_parts import BadValue, Build, Part, day_of, keys_of, whole
from ops_platform.people_past import on, stayed
from workspaces.models import Workspace


def moved_between(kind: str, table: str, first: str, last: str, parameters: tuple[str, str]) -> Build:
    """People whose stage (or group) after their last change by `on` is one, and before their first change after `since`
    another. Without `since`: the changes of the day `on` alone. An empty key is "not there yet" or "left"."""

    def part(value: str, query: Mapping[str, str], workspace: Workspace) -> Part:
        until = day_of(query.get("on") or str(workspace.current_day or ""))
        since = day_of(query["since"]) if query.get("since") else None
        ends = {side: query[name] for side, name in zip(("from", "to"), parameters, strict=True) if name in query}
        if any(key and key not in names.KINDS[kind] and key != "none" for key in ends.values()):
            raise BadValue(value)
        if len(ends) == 2 and ends["from"] == ends["to"] and ends["from"] not in ("", "none"):
            return stayed(kind, ends["to"], since or until - timedelta(days=1), until, (*parameters, "on", "since"))
        params: dict[str, Any] = {f"{kind}_on": until}
        if since is None or until - since == timedelta(days=1):  # of one day everybody has one change at most
            window, picks = f"c.day = %({kind}_on)s and", {"from": f"c.{first}", "to": f"c.{last}"}
        else:
            params[f"{kind}_since"] = since
            window = f"c.day <= %({kind}_on)s and c.day > %({kind}_since)s group by c.end_user_id having"
            picks = {
                "from": f"(array_agg(c.{first} order by c.day))[1]",
                "to": f"(array_agg(c.{last} order by c.day desc))[1]",
            }
        conditions = [f"{picks['from']} <> {picks['to']}"]
        for side in ends:
            conditions.append(f"{picks[side]} = %({kind}_{side})s")
            params[f"{kind}_{side}"] = "" if ends[side] == "none" else ends[side]
        sql = (
            f"u.id in (select c.end_user_id from {table} c where c.workspace_id = %(workspace)s"
            f" and {window} {' and '.join(conditions)})"
        )
        return Part(sql, params, "", move_words(kind, ends, since, until), (*parameters, "on", "since"))

    return part


def move_words(kind: str, ends: Mapping[str, str], since: date | None, until: date) -> str:
    name = {side: str(names.label(kind, key)) if key and key != "none" else _("nothing") for side, key in ends.items()}
    days = {"since": numbers.day(since), "on": numbers.day(until)}
    when = _("between %(since)s and %(on)s") % days if since else on(until)
    if len(name) == 2:
        return _("moved from %(from)s to %(to)s %(when)s") % {**name, "when": when}
    if "to" in name:
        return _("became %(to)s %(when)s") % {**name, "when": when}
    return _("left %(from)s %(when)s") % {**name, "when": when}


MOVES = {
    "up": (
        "array_position(%(ladder)s, c.to_stage::text) > array_position(%(ladder)s, c.from_stage::text)",
        gettext_lazy("climbed %(when)s"),
    ),
    "down": (
        "array_position(%(ladder)s, c.to_stage::text) < array_position(%(ladder)s, c.from_stage::text)",
        gettext_lazy("fell back %(when)s"),
    ),
    # Who was churned when first told of did not churn that day.
    "churned": ("c.to_stage = 'churned' and c.from_stage <> ''", gettext_lazy("churned %(when)s")),
    "returned": ("c.from_stage = 'churned' and c.to_stage <> ''", gettext_lazy("returned %(when)s")),
}


def moved(value: str, query: Mapping[str, str], workspace: Workspace) -> Part:
    """People who went up or down the stages, churned or returned on the day `on`; churned is no step of the ladder."""
    if value not in MOVES:
        raise BadValue(value)
    day = day_of(query.get("on") or str(workspace.current_day or ""))
    condition, words = MOVES[value]
    sql = (
        "u.id in (select c.end_user_id from stage_change c"
        f" where c.workspace_id = %(workspace)s and c.day = %(moved_on)s and {condition})"
    )
    ladder = [key for key in names.STAGES if key != "churned"]
    text = str(words) % {"when": on(day)}
    return Part(sql, {"moved_on": day, "ladder": ladder}, "", text, ("moved", "on"))


def seen_since(query: Mapping[str, str], day: str, text: str) -> tuple[str, str]:
    """With `again`: only those who came back after the day in the column `day`. (SQL, words)"""
    if query.get("again") != "1":
        return "", text
    sql = (
        " and exists (select from facts a where a.end_user_id = c.end_user_id"
        f" and a.workspace_id = %(workspace)s and a.last_seen_on > {day})"
    )
    return sql, _("%(what)s and came back since") % {"what": text}


def flagged_on(value: str, query: Mapping[str, str], workspace: Workspace) -> Part:
    """People whose flag became this on the day `on`; who was told of for the first time did not become it."""
    keys_of(value, names.ACTIVITIES)
    day = day_of(query.get("on") or str(workspace.current_day or ""))
    text = _("became %(to)s %(when)s") % {"to": names.label("activity", value), "when": on(day)}
    again, text = seen_since(query, "c.day", text)
    sql = (
        "u.id in (select c.end_user_id from activity_change c where c.workspace_id = %(workspace)s"
        f" and c.day = %(flag_on)s and c.to_activity = %(flag)s and c.from_activity <> ''{again})"
    )
    return Part(sql, {"flag": value, "flag_on": day}, "", text, ("flag", "on", "again"))


def recalled(value: str, query: Mapping[str, str], workspace: Workspace) -> Part:
    """People who reached a rung of the recall ladder on the day `on`, or on one after `since` up to it."""
    rung, day = whole(value, 1, 3650), day_of(query.get("on") or str(workspace.current_day or ""))
    since = day_of(query["since"]) if query.get("since") else day - timedelta(days=1)
    when = _("between %(since)s and %(on)s") % {"since": numbers.day(since), "on": numbers.day(day)}
    words = {"days": rung, "when": when if query.get("since") else on(day)}
    again, text = seen_since(query, "c.day", _("%(days)s days away %(when)s") % words)
    sql = (
        "u.id in (select c.end_user_id from recall_entry c where c.workspace_id = %(workspace)s and c.rung = %(rung)s"
        f" and c.day > %(recall_since)s and c.day <= %(recall_on)s{again})"
    )
    params = {"rung": rung, "recall_since": since, "recall_on": day}
    return Part(sql, params, "", text, ("recall", "on", "since", "again"))


def moved_by_rules(value: str, query: Mapping[str, str], workspace: Workspace) -> Part:
    """People whom a change of settings moves (or moved): `<change>:<board>:<from>:<to>`, where "any" is any and "none" is
    not there."""
    pk, board, was, now = (value.split(":") + [""] * 4)[:4]
    if board not in BOARDS or any(key not in names.KINDS[board] and key not in ("any", "none") for key in (was, now)):
        raise BadValue(value)
    try:
        change = RulesChange.objects.filter(pk=uuid.UUID(pk)).first()
    except ValueError as error:
        raise BadValue(value) from error
    if change is None:
        raise BadValue(value)
    params: dict[str, Any] = {"rules_change": change.pk, "rules_board": board}
    sql = "u.id in (select c.end_user_id from rules_move c where c.workspace_id = %(workspace)s"
    sql += " and c.change_id = %(rules_change)s and c.board = %(rules_board)s"
    for side, key in (("from", was), ("to", now)):
        if key != "any":
            sql += f" and c.{side}_key = %(rules_{side})s"
            params[f"rules_{side}"] = "" if key == "none" else key
    return Part(f"{sql})", params, "", rules_words(change, board, was, now), ("rules",))


BOARDS = ("stage", "activity", "rfm", "bits")


def rules_words(change: RulesChange, board: str, was: str, now: str) -> str:
    if was == now == "any":
        return _("moved by a change of settings") if change.state == "applied" else _("would be moved by new settings")
    ends = {
        side: {"any": _("anything"), "none": _("nothing")}.get(key) or str(names.label(board, key))
        for side, key in (("from", was), ("to", now))
    }
    if change.state == "applied":
        return _("moved from %(from)s to %(to)s by a change of settings") % ends
    return _("would move from %(from)s to %(to)s by new settings") % ends
