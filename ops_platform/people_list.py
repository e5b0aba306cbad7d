"""The list of people: every number of the product opens it with the conditions that made the number."""

from __future__ import annotations

import base64
import json
import uuid
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from ops_platform.people_filters import CONDITIONS
from ops_platform.people_parts import BadValue, Part
from segmentation.tagging import all_tags, ruled_tags
from workspaces.errors import DomainError
from workspaces.models import Workspace
from workspaces.sql import execute, joining_sets, read_sql, run_sql
from workspaces.zones import read_moment

PAGE = 50
# Above any value of these columns.
INTEGERS = {"integer": 2**31, "bigint": 2**63}
COUNTED_UP_TO = 100_000
CHANGED_AT_ONCE = 10_000
# Parameters that say something without a value: not there yet, or left.
EMPTY_TOO = ("from", "to", "rfm_from", "rfm_to", "flag_from", "flag_to")
JOINS = {
    "f": "left join facts f on f.end_user_id = u.id and f.workspace_id = %(workspace)s",
    "s": "left join standing s on s.end_user_id = u.id and s.workspace_id = %(workspace)s",
    "r": "left join rfm_score r on r.end_user_id = u.id and r.workspace_id = %(workspace)s",
    "v": "left join person_value v on v.end_user_id = u.id and v.workspace_id = %(workspace)s",
}


@dataclass(frozen=True)
class Sort:
    """An order of the list. `expression` is never null, so that pages can be cut by value."""

    label: Any
    expression: str
    type: str
    needs: str


SORTS = {
    "seen": Sort(gettext_lazy("Last visit"), "coalesce(f.last_seen_on, '-infinity'::date)", "date", "f"),
    "spend": Sort(gettext_lazy("Spend to date"), "coalesce(f.revenue_minor, 0)", "bigint", "f"),
    "value": Sort(gettext_lazy("Expected spend, 12 months"), "coalesce(v.expected_revenue_minor, -1)", "bigint", "v"),
    "orders": Sort(gettext_lazy("Orders"), "coalesce(f.orders, 0)", "integer", "f"),
    "risk": Sort(gettext_lazy("Value at risk"), "coalesce(s.value_at_risk_minor, 0)", "bigint", "s"),
    "since": Sort(gettext_lazy("Stage since"), "coalesce(s.stage_since, '-infinity'::date)", "date", "s"),
    "joined": Sort(gettext_lazy("Known since"), "u.created_at", "timestamptz", ""),
}


@dataclass
class PeopleQuery:
    """What an address asks for. Unknown parameters and values that say nothing are left out."""

    workspace: Workspace
    query: Mapping[str, str]
    parts: list[Part] = field(default_factory=list)

    def __post_init__(self) -> None:
        done: set[str] = set()
        for key, build in CONDITIONS.items():
            if key in self.query and key not in done and (self.query[key] or key in EMPTY_TOO):
                try:
                    part = build(self.query[key], self.query, self.workspace)
                except BadValue:
                    continue
                self.parts.append(part)
                done.update(part.keys)

    @property
    def sort(self) -> str:
        return self.query["sort"] if self.query.get("sort") in SORTS else "seen"

    @property
    def population(self) -> str:
        """Who is listed at all: people who are in the numbers, or the excluded, or visitors."""
        return {
            "excluded": "u.excluded and u.merged_into is null",
            "visitors": "not u.identified and u.merged_into is null",
        }.get(self.query.get("who", ""), "u.identified and not u.excluded and u.merged_into is null")

    def pieces(self, needs: str = "") -> tuple[str, str, dict[str, Any]]:
        """(joins, where, params) of the conditions."""
        needed = needs + "".join(part.needs for part in self.parts)
        joins = " ".join(sql for alias, sql in JOINS.items() if alias in needed)
        where = " and ".join(["u.workspace_id = %(workspace)s", self.population, *(part.sql for part in self.parts)])
        params: dict[str, Any] = {"workspace": self.workspace.id}
        for part in self.parts:
            params |= part.params
        return joins, where, params

    def run(self, sql: str, params: dict[str, Any]) -> list[dict[str, Any]]:
        """Rows of a statement that looks for those who match."""
        with joining_sets() if any(part.wide for part in self.parts) else nullcontext():
            return execute(sql, params)

    @cached_property
    def count(self) -> tuple[int, bool]:
        """(people, exact): counted up to a hundred thousand, beyond that "more than"."""
        joins, where, params = self.pieces()
        sql = f"select count(*) as n from (select 1 from end_user u {joins} where {where} limit {COUNTED_UP_TO + 1}) c"
        found = self.run(sql, params)[0]["n"]
        return min(found, COUNTED_UP_TO), found <= COUNTED_UP_TO

    def ids(self) -> list[str]:
        """Everybody who matches, for what is done to all of them at once. Raises DomainError when they are too many."""
        joins, where, params = self.pieces()
        rows = self.run(f"select u.id from end_user u {joins} where {where} limit {CHANGED_AT_ONCE + 1}", params)
        if len(rows) > CHANGED_AT_ONCE:
            raise DomainError("too_many", _("At most %(n)s at once.") % {"n": CHANGED_AT_ONCE})
        return [row["id"] for row in rows]

    def page(self) -> Page:
        """Fifty people after (or before) the cursor, with all that the table shows.

        Few are found first and then put in order. Among very many, whoever is next in order soon matches; the planner, which
        does not know how many match, would look through a million people in order for a handful too.
        """
        sort, (count, few) = SORTS[self.sort], self.count
        if not count:
            return Page([], "", "")
        joins, where, params = self.pieces("" if few else sort.needs)
        if few:
            where = (
                f"u.id in (with found as materialized (select u.id from end_user u {joins} where {where}) table found)"
            )
            joins = JOINS.get(sort.needs, "")
        backwards, token = ("before" in self.query), self.query.get("before") or self.query.get("after")
        cursor = read_cursor(token, sort.type)
        if cursor:
            sign = ">" if backwards else "<"
            where += f" and ({sort.expression}, u.id) {sign} (%(cursor)s::{sort.type}, %(cursor_id)s::uuid)"
            params |= {"cursor": cursor[0], "cursor_id": cursor[1]}
        way = "asc" if backwards else "desc"
        sql = read_sql("ops_platform/people_page").format(
            joins=joins, where=where, sort=sort.expression, way=way, limit=PAGE + 1
        )
        found = self.run(sql, params)
        more = len(found) > PAGE
        found = found[:PAGE][:: -1 if backwards else 1]
        told = {row["id"]: row for row in run_sql("ops_platform/people", ids=[str(row["id"]) for row in found])}
        rows = [told[row["id"]] for row in found if row["id"] in told]  # the others were erased in between
        ruled = ruled_tags(row["id"] for row in rows)
        for row in rows:
            row["tags"] = all_tags(json.loads(row["tags"]), ruled.get(row["id"], ()))  # raw SQL gives JSON as text
        return Page(
            rows,
            write_cursor(found[-1]) if found and (more or backwards) else "",
            write_cursor(found[0]) if found and cursor and (more or not backwards) else "",
        )


@dataclass(frozen=True)
class Page:
    rows: list[dict[str, Any]]
    after: str
    before: str


def write_cursor(row: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(f"{row['sort_key']}|{row['id']}".encode()).decode().rstrip("=")


def read_cursor(token: str | None, kind: str) -> tuple[str, str] | None:
    """(sort value, id) of a page's edge; None when the token is none of ours, or of another order than one by such a type."""
    try:
        value, person = base64.urlsafe_b64decode((token or "") + "==").decode().rsplit("|", 1)
        return read_sort_key(value, kind), str(uuid.UUID(person))
    except ValueError:
        return None


def read_sort_key(text: str, kind: str) -> str:
    """A value of this type, as PostgreSQL writes it. Raises ValueError."""
    if kind == "date":
        return text if text == "-infinity" else date.fromisoformat(text).isoformat()
    if kind == "timestamptz":
        if at := read_moment(text):
            return at.isoformat()
    # Of thousands of digits Python makes no number.
    elif len(text) <= 20 and abs(int(text)) < INTEGERS[kind]:
        return str(int(text))
    raise ValueError(text)
