"""A definition becomes one parameterised query over the people of one workspace.

Composable: conditions, and callers who want more than ids, add joins and expressions to the same `Query`. Only this
module and the conditions write SQL text; what people typed travels in the parameters, in the order of the `%s`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any

from segmentation.conditions import Sql, get_condition
from segmentation.models import TagRule
from users.models import Attribute, EventName
from workspaces.models import Workspace

# One row per person each; scanned only when a condition asks for them.
TABLES = {"f": "facts", "s": "standing", "r": "rfm_score", "v": "person_value"}


@dataclass(frozen=True, slots=True)
class Window:
    """Moments from `start` (None: the beginning) to before `end`, both at midnight of the workspace's zone."""

    start: datetime | None
    end: datetime


class Query:
    """A query over `end_user p` being built: what has to be joined, and which events have to be counted."""

    def __init__(self, workspace: Workspace, day: date) -> None:
        self.workspace, self.day = workspace, day
        self._tables: dict[str, str] = {}
        self._joins: dict[tuple[str, str, str], Sql] = {}
        self._counters: dict[str, Sql] = {}
        self._counted: dict[str, int | None] = {}
        self._earliest: list[datetime | None] = []
        self._kinds: dict[str, str] = {}

    def facts(self) -> str:
        """Alias of the person's facts; null columns for people without any."""
        return self._table("f")

    def standing(self) -> str:
        """Alias of the person's stage and activity flag."""
        return self._table("s")

    def rfm(self) -> str:
        """Alias of the person's RFM scores; null columns outside the RFM population."""
        return self._table("r")

    def value(self) -> str:
        """Alias of what is expected of the person; null columns for people of whom nothing is."""
        return self._table("v")

    def _table(self, alias: str) -> str:
        self._tables[alias] = TABLES[alias]
        return alias

    def window(self, days: int | None) -> Window:
        """The last `days` days ending with the query's day; all of history up to it when None."""
        start = None if days is None else self._midnight(self.day - timedelta(days=days - 1))
        return Window(start, self._midnight(self.day + timedelta(days=1)))

    def _midnight(self, day: date) -> datetime:
        return datetime.combine(day, time.min, self.workspace.tzinfo)

    def join(self, sql: str, params: Iterable[Any], on: str = "{alias}.end_user_id = p.id") -> str:
        """Left join a subquery with at most one row per person; the same one asked for twice is joined once."""
        params = list(params)
        key = (sql, repr(params), on)
        if key not in self._joins:
            alias = f"j{len(self._joins) + 1}"
            self._joins[key] = (f"left join ({sql}) {alias} on {on.format(alias=alias)}", params)
        return f"j{list(self._joins).index(key) + 1}"

    def members_of(self, segment: str) -> str:
        """Alias of the person's membership of a segment, as of its last refresh; null columns for people outside."""
        members = "select m.end_user_id from segment_member m where m.workspace_id = %s and m.segment_id = %s"
        return self.join(members, [self.workspace.pk, segment])

    def segments_by_tag(self, tags: Iterable[str]) -> dict[str, str]:
        """Of those tags that a rule gives, the segment whose members have it."""
        return {tag: str(pk) for tag, pk in TagRule.objects.filter(tag__in=tags).values_list("tag", "segment")}

    def attribute_kind(self, name: str) -> str:
        """The type of an attribute as the catalogue has it; "" when it is not listed there."""
        if name not in self._kinds:
            self._kinds[name] = Attribute.objects.filter(name=name).values_list("kind", flat=True).first() or ""
        return self._kinds[name]

    def count_events(self, name: str, days: int | None, only: str = "", params: Iterable[Any] = ()) -> str:
        """An expression: how many events of this name each person did in the window. `only` filters on `e`, the event.

        All counts of a query come out of one scan of the events.
        """
        if name not in self._counted:
            known = EventName.objects.filter(name=name).values_list("id", flat=True).first()
            self._counted[name] = known
        name_id, window = self._counted[name], self.window(days)
        if name_id is None:
            return "0"
        self._earliest.append(window.start)
        condition, values = "e.name_id = %s", list[Any]([name_id])
        if window.start:
            condition, values = f"{condition} and e.at >= %s", [*values, window.start]
        if only:
            condition, values = f"{condition} and ({only})", [*values, *params]
        key = repr((condition, values))
        self._counters.setdefault(key, (condition, values))
        return f"coalesce(ev.n{list(self._counters).index(key) + 1}, 0)"

    def compile(self, node: dict[str, Any]) -> Sql:
        """A boolean expression for a clean definition.

        Null counts as "no", so "not champions" holds for people who were never scored.
        """
        if "not" in node:
            sql, params = self.compile(node["not"])
            return f"(({sql}) is not true)", params
        for mode, word in (("all", " and "), ("any", " or ")):
            if mode in node:
                parts = [self.compile(child) for child in node[mode]]
                return "(" + word.join(sql for sql, _ in parts) + ")", [
                    value for _, params in parts for value in params
                ]
        values = {name: value for name, value in node.items() if name != "kind"}
        sql, params = get_condition(node["kind"]).compile(values, self)
        return f"({sql})", list(params)

    def select(self, columns: str, where: Sql, column_params: Iterable[Any] = ()) -> Sql:
        """`select columns from` the counted people who match. Call after everything is compiled."""
        joins, params = self._joined()
        condition, where_params = where
        sql = (
            f"select {columns} from end_user p {' '.join(joins)}"
            f" where p.workspace_id = %s and p.identified and not p.excluded and p.merged_into is null and {condition}"
        )
        return sql, [*column_params, *params, self.workspace.pk, *where_params]

    def _joined(self) -> tuple[list[str], list[Any]]:
        joins, params = [], []
        for alias, table in self._tables.items():
            joins.append(f"left join {table} {alias} on {alias}.workspace_id = %s and {alias}.end_user_id = p.id")
            params.append(self.workspace.pk)
        for join, join_params in self._joins.values():
            joins.append(join)
            params += join_params
        if self._counters:
            join, join_params = self._counting()
            joins.append(join)
            params += join_params
        return joins, params

    def _counting(self) -> Sql:
        """One aggregate over the events that any counter wants, from the earliest day that any window reaches."""
        columns = [
            f"count(*) filter (where {condition}) as n{i}"
            for i, (condition, _) in enumerate(self._counters.values(), 1)
        ]
        params = [value for _, values in self._counters.values() for value in values]
        ids = sorted({name_id for name_id in self._counted.values() if name_id is not None})
        condition = "e.workspace_id = %s and e.name_id = any(%s) and e.at < %s"
        params += [self.workspace.pk, ids, self.window(None).end]
        if None not in self._earliest:
            condition += " and e.at >= %s"
            params.append(min(start for start in self._earliest if start))
        sql = f"select e.end_user_id, {', '.join(columns)} from event e where {condition} group by e.end_user_id"
        return f"left join ({sql}) ev on ev.end_user_id = p.id", params


def compile_definition(definition: dict[str, Any], workspace: Workspace, day: date) -> Sql:
    """(sql, params) that selects `end_user_id` of everybody who matches as of the end of `day`. `definition` must be clean."""
    query = Query(workspace, day)
    where = query.compile(definition)
    return query.select("p.id as end_user_id", where)
