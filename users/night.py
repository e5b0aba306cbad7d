"""The first step of the night: fold what was touched into days and purchases (users/fold.py), then make the facts of
everybody to whom something happened, or of whom a day leaves a window.

What is found is kept beside the published rows (`facts_next`, `facts_state_next`), chunk by chunk; `publish_facts` puts
it in their place in one transaction. Why so: docs/decisions/011-the-night-costs-what-changed.md.
"""

from __future__ import annotations

import json
import uuid
from collections import deque
from datetime import date, timedelta
from functools import partial
from hashlib import sha256
from itertools import pairwise
from typing import Any

from users.ahead import is_read_ahead, read_ahead
from users.chunks import LANES, in_chunk, in_lanes, take_chunk, take_news
from users.differences import column_names, compute, listed, refresh_statistics
from users.fold import fold_touched, forget_next
from users.models import Facts, FactsNext, FactsStateNext, person_id
from users.spells import count_spells, find_spells
from workspaces.leases import is_held
from workspaces.models import Workspace
from workspaces.progress import progress
from workspaces.scoping import current_workspace
from workspaces.sql import execute, read_sql, run_sql

# The lease of whoever runs a night of the workspace.
NIGHT_LEASE = "night"
# Somebody's core days count for their inviter when they lie within so many days of joining.
JOINING_DAYS = 30
# People in a transaction: what a killed night has to do again, in each lane.
FACTS_CHUNK = 10_000
# Before all ids, and after them.
FIRST, LAST = uuid.UUID(int=0), uuid.UUID(int=2**128 - 1)
WINDOWS = (7, 30, 90)
# Facts that change though nothing happens: of two thirds of the people whose facts are others, only these are.
VISITS_IN_WINDOWS = [f"{count}_{days}" for count in ("visits", "active_days") for days in WINDOWS]
# After so many nights that were missed, everybody is counted afresh.
MOST_ROLLED = 31
# What facts rest on, among the rules; with another version of the computation everybody is computed afresh, too.
RULES = ("habit_days", "habit_window", "rfm_window", "subsidy_percent", "effective_days", "recommendation_days")
VERSION = 1
FROM_CHUNK = """(
    select e.* from chunk c
    cross join lateral (
        select * from end_user
        where id = c.end_user_id and workspace_id = (select %(workspace)s::uuid)
            and identified and not excluded and merged_into is null
        offset 0
    ) e
)"""
# People whose ids lie after one and not after another.
Part = tuple[uuid.UUID, uuid.UUID]
ALL_DAYS = """
from chunk c cross join lateral (
    select * from person_day
    where end_user_id = c.end_user_id and workspace_id = (select %(workspace)s::uuid) and day <= %(day)s
    offset 0
) p where %(days)s::date[] is null
"""
# Of counted days that leave a window only what `person_day_by_day` holds, so that their rows need not be read.
DAYS = """
from (
    select end_user_id, day, visits, core, habit, hours, categories, app_version, registered, referred_by
    from person_day
    where workspace_id = %(workspace)s and day = any(%(days)s::date[]) and day > %(published)s::date
    union all
    select end_user_id, day, visits, core, habit, '{}', '{}', '', false, ''
    from person_day
    where workspace_id = %(workspace)s and day = any(%(days)s::date[]) and day <= %(published)s::date
) p
where p.day <= %(day)s
    and p.end_user_id > %(after)s::uuid and p.end_user_id <= %(until)s::uuid
    and p.end_user_id not in (select end_user_id from counted)
"""


def refresh_facts(workspace: Workspace, day: date) -> dict[str, int]:
    """Find the facts of the end of `day`, also when later events are stored already; `publish_facts` makes them so.

    Works in transactions of its own and goes on where it stopped. Folds first, since what was folded tells whose history
    changed. Returns people folded, people in the numbers, and changes.
    """
    folded = fold_touched(workspace)
    published, due, parts = in_chunk(workspace, partial(find_due, workspace, day))
    done = 0
    for people in in_lanes(workspace, [partial(count_afresh, workspace, day, part) for part in parts]):
        done += people
        progress(folded["folded"] + done, folded["folded"] + max(due, done))
    if published is not None and published < day:
        sides = in_chunk(workspace, part_all)
        deque(in_lanes(workspace, [partial(roll_on, workspace, day, published, side) for side in sides]), maxlen=0)
    told = in_chunk(workspace, partial(count_recommendations, workspace, day))
    return {"folded": folded["folded"], "people": told["people"], "changes": folded["changes"] + told["changes"]}


def basis(workspace: Workspace) -> str:
    """What the facts of a workspace rest on beside its rows: another basis makes everybody due."""
    rules = {name: getattr(workspace.rules, name) for name in RULES}
    return digest(VERSION, workspace.zone, rules)


def find_due(workspace: Workspace, day: date) -> tuple[date | None, int, list[Part]]:
    """Make those due whose facts have to be made afresh.

    Returns the published day from which all others go on, if any, and how many are still to be counted, in parts.
    """
    held = workspace.hold()
    published, now = held.current_day, basis(workspace)
    pending = f"{day}:{now}"
    if held.computed_by.get("pending") != pending:
        FactsNext.objects.all()._raw_delete("default")
        FactsStateNext.objects.all()._raw_delete("default")
        Workspace.objects.filter(pk=held.pk).update(computed_by=held.computed_by | {"pending": pending})
    take_news("for_facts")
    if published is None or held.computed_by.get("facts") != now or (day - published).days > MOST_ROLLED:
        # Of whom there is news makes no difference then.
        run_sql("users/facts_everybody", day=day)
        published = None
    else:
        take_chunk("select end_user_id from news")
        compute("known", "users/facts_people", FROM_CHUNK, zone=workspace.zone)
        run_sql("users/facts_news", day=day, everybody=workspace.rules.limit_rule == "with_balance")
        reach = max(JOINING_DAYS, workspace.rules.effective_days)
        run_sql("users/facts_newcomers", day=day, published=published, days=days_between(published, day), reach=reach)
    forget_next("select end_user_id from news")
    lasts = run_sql("users/facts_parts", day=day, most=FACTS_CHUNK, lanes=LANES)
    ends = [FIRST, *(row["end_user_id"] for row in lasts[:-1]), LAST]
    return published, lasts[-1]["place"] if lasts else 0, list(pairwise(ends))


def part_all() -> list[Part]:
    """Everybody, in as many parts as there are lanes, unless they are few. Ids are spread evenly."""
    parts = LANES if Facts.objects.order_by()[FACTS_CHUNK : FACTS_CHUNK + 1].exists() else 1
    ends = [FIRST, *(uuid.UUID(int=LAST.int * n // parts) for n in range(1, parts + 1))]
    return list(pairwise(ends))


def days_between(after: date, until: date) -> list[date]:
    """The days after one, up to and including the other."""
    return [after + timedelta(days=n) for n in range(1, (until - after).days + 1)]


def leaving(published: date, day: date, windows: list[int]) -> list[date]:
    """The days that one of the windows loses, or gains, when the night moves on from one day to the other."""
    days = set(days_between(published, day))
    for window in windows:
        days |= set(days_between(published - timedelta(window), min(published, day - timedelta(window))))
    return sorted(days)


def count_afresh(workspace: Workspace, day: date, part: Part) -> int:
    """Make the rows of those of a part who are due from all that is kept of them; returns how many."""
    execute("drop table if exists pg_temp.chunk", {})
    compute("chunk", "users/facts_chunk", day=day, after=part[0], until=part[1])
    people = execute("select count(*) as people from chunk", {})[0]["people"]
    if not people:
        return 0
    compute("known", "users/facts_people", FROM_CHUNK, zone=workspace.zone)
    run_sql("users/facts_coming", day=day)
    compute("fact_history", "users/facts_history", ALL_DAYS, day=day, published=None, days=None)
    compute("fact_before", "users/facts_before", "false")
    compute("fact_buyers", "users/facts_buyers", days=None)
    make_facts(workspace, day, None)
    return people


def roll_on(workspace: Workspace, day: date, published: date, part: Part) -> None:
    """Make the rows of those of a part of whom only days passed: fresh ones come, and others leave their windows."""
    rules = workspace.rules
    days = leaving(published, day, [*WINDOWS, rules.habit_window])
    money_days = leaving(published, day, [365, *([rules.rfm_window] if rules.rfm_window else [])])
    ids: dict[str, Any] = {"after": part[0], "until": part[1]}
    compute("counted", "users/facts_counted", day=day)
    compute("fact_history", "users/facts_history", DAYS, day=day, published=published, days=days, **ids)
    compute("chunk", "users/facts_rolling", days=money_days, **ids)
    compute("fact_before", "users/facts_before", "true")
    compute("known", "users/facts_known_before")
    # Only those of whom there is something to go on from: visitors have days, too.
    take_chunk("select end_user_id from fact_before")
    compute("fact_buyers", "users/facts_buyers", days=money_days)
    make_facts(workspace, day, published)


def make_facts(workspace: Workspace, day: date, published: date | None) -> None:
    """Facts and state of the people in `chunk`, from the temporary tables, into the rows that are to be published."""
    rules = workspace.rules
    span: dict[str, Any] = {"day": day, "published": published}
    compute("fact_days", "users/facts_days", habit_window=rules.habit_window, **span)
    compute("fact_habit_days", "users/facts_habit_days", habit_window=rules.habit_window, **span)
    compute("fact_habits", "users/facts_habits", habit_days=rules.habit_days, habit_window=rules.habit_window)
    compute("fact_rhythm", "users/facts_rhythm")
    compute("fact_favourites", "users/facts_favourites")
    compute("fact_purchases", "users/facts_purchases", day=day)
    compute("fact_orders", "users/facts_orders")
    compute("fact_money", "users/facts_money", day=day, window=rules.rfm_window, subsidy_percent=rules.subsidy_percent)
    compute("fact_joined", "users/facts_joined", day=day)
    compute("fact_starts", "users/facts_starts", reach=max(JOINING_DAYS, rules.effective_days))
    name_inviters(workspace)
    keep_facts(rules.effective_days, goes_on=published is not None)
    keep_state(goes_on=published is not None)


def name_inviters(workspace: Workspace) -> None:
    """The temporary table `fact_inviter`: which id goes with each inviter's external id. SQL has no uuid5."""
    names = [row["inviter"] for row in execute("select distinct inviter from fact_joined where inviter <> ''", {})]
    ids = [str(person_id(workspace.pk, name)) for name in names]
    execute("drop table if exists pg_temp.fact_inviter", {})
    execute(
        "create temporary table fact_inviter on commit drop as"
        " select * from unnest(%(names)s::text[], %(ids)s::uuid[]) as t (name, id)",
        {"names": names, "ids": ids},
    )


def keep_facts(effective_days: int, *, goes_on: bool) -> None:
    """Keep rows to be published, and how far they differ from the published ones; of whoever goes on from those, only where
    they do. Recommendations rest on other people's rows: until they are counted, those published stand."""
    names = [name for name in fact_columns() if name not in ("end_user_id", "recommendations")]
    beyond = [name for name in names if name not in (*VISITS_IN_WINDOWS, "habit_days")]

    def other(columns: list[str]) -> str:
        return f"({listed('o', columns)}) is distinct from ({listed('n', columns)})"

    published = (
        "join fact_before o on o.end_user_id = n.end_user_id"
        if goes_on
        else "left join lateral (select * from facts where end_user_id = n.end_user_id"
        " and workspace_id = (select %(workspace)s::uuid) offset 0) o on true"
    )
    execute(
        f"insert into facts_next (workspace_id, end_user_id, {', '.join(names)}, gone, recommendations, joins, differs_by)"
        f" select n.workspace_id, n.end_user_id, {listed('n', names)}, n.gone, coalesce(o.recommendations, 0),"
        " (o.end_user_id is null)::integer - n.gone::integer, d.differs_by"
        f" from ({read_sql('users/facts')}) n {published} cross join lateral (select case"
        " when (o.end_user_id is null) <> n.gone then 3 when n.gone then 0"
        f" when {other(beyond)} then 3 when {other(['habit_days'])} then 2 when {other(VISITS_IN_WINDOWS)} then 1"
        f" else 0 end as differs_by) d where {'d.differs_by > 0' if goes_on else 'true'}"
        " order by n.end_user_id on conflict (end_user_id, workspace_id) do nothing",
        {"workspace": current_workspace().pk, "effective_days": effective_days},
    )


def keep_state(*, goes_on: bool) -> None:
    """Keep what the night after goes on from; of whoever goes on from a published row, where it differs."""
    columns = column_names("facts_state_next", "public")
    values = [column for column in columns if column not in ("workspace_id", "end_user_id")]
    source = f"({read_sql('users/facts_state')}) n"
    if goes_on:
        source += (
            " join fact_before o on o.end_user_id = n.end_user_id"
            f" where ({listed('o', values)}) is distinct from ({listed('n', values)})"
        )
    execute(
        f"insert into facts_state_next ({', '.join(columns)}) select {listed('n', columns)} from {source}"
        " order by n.end_user_id on conflict (end_user_id, workspace_id) do nothing",
        {"workspace": current_workspace().pk},
    )


def count_recommendations(workspace: Workspace, day: date) -> dict[str, int]:
    """The last of the facts, which rests on other people's; returns people in the numbers, and rows that will change."""
    own = {"workspace": workspace.pk}
    days: dict[str, Any] = {"day": day, "recommendation_days": workspace.rules.recommendation_days}
    compute("fact_recommendations", "users/facts_recommendations", **days)
    names = [name for name in fact_columns() if name != "recommendations"]
    execute(
        "update facts_next n set recommendations = r.recommendations, differs_by = 3 from fact_recommendations r"
        " where n.end_user_id = r.end_user_id and n.workspace_id = %(workspace)s",
        own,
    )
    execute(
        f"insert into facts_next (workspace_id, {', '.join(names)}, recommendations, gone, joins, differs_by)"
        f" select f.workspace_id, {listed('f', names)}, r.recommendations, false, 0, 3"
        " from fact_recommendations r cross join lateral ("
        " select * from facts where end_user_id = r.end_user_id and workspace_id = (select %(workspace)s::uuid) offset 0) f"
        " on conflict (end_user_id, workspace_id) do nothing",
        own,
    )
    [found] = execute(
        "select count(*) filter (where differs_by > 0) as changes, coalesce(sum(joins), 0) as more"
        " from facts_next where workspace_id = %(workspace)s",
        own,
    )
    return {"changes": found["changes"], "people": Facts.objects.count() + int(found["more"])}


def fact_columns() -> list[str]:
    return [str(field.column) for field in Facts._meta.concrete_fields if field.column != "workspace_id"]


def publish_facts(workspace: Workspace, day: date, *, alone: bool = False) -> None:
    """Put the rows that were found for the day in the place of those that are published, in the open scope.

    Leaves whose they are in the temporary table `changed_people`, for those who go on from there. `alone`: nobody goes on
    from there now, so that those people stay due.
    """
    held = workspace.hold()
    if held.computed_by.get("pending") != f"{day}:{basis(workspace)}":
        raise RuntimeError("These facts were found for another day.")
    compute("changed_people", "users/facts_changed")
    if not is_read_ahead("spells"):
        find_spells(day, held.current_day)
    own, gone = {"workspace": workspace.pk}, "select end_user_id from changed_people where joins = -1"
    for table in ("facts", "facts_state"):
        execute(f"delete from {table} where workspace_id = %(workspace)s and end_user_id = any(array({gone}))", own)
    names = ["workspace_id", *fact_columns()]
    execute(upsert("facts", names, "facts_next", "not gone and differs_by > 0"), own)
    state = column_names("facts_state_next", "public")
    values = [column for column in state if column not in ("workspace_id", "end_user_id")]
    differing = f" where ({listed('old', values)}) is distinct from ({listed('excluded', values)})"
    execute(upsert("facts_state", state, "facts_state_next", "true") + differing, own)
    # Whoever became due after their part was worked off stays due: the next night counts them.
    execute(
        "delete from facts_due d where workspace_id = %(workspace)s and due_on <= %(day)s and exists ("
        " select from facts_next n where n.end_user_id = d.end_user_id and n.workspace_id = %(workspace)s)",
        own | {"day": day},
    )
    if alone:
        execute(
            "insert into facts_due (workspace_id, end_user_id, due_on)"
            " select %(workspace)s, end_user_id, %(day)s from changed_people on conflict do nothing",
            own | {"day": day},
        )
    FactsNext.objects.all()._raw_delete("default")
    FactsStateNext.objects.all()._raw_delete("default")
    Workspace.objects.filter(pk=held.pk).update(computed_by=held.computed_by | {"facts": basis(workspace)})
    read_ahead("spells")
    count_spells(day)
    refresh_statistics(execute("select count(*) as n from changed_people", {})[0]["n"], "facts", "facts_state")


def goes_on(workspace: Workspace, name: str, basis: str) -> bool:
    """Whether what was decided under `name` still holds for all but `changed_people`: in the transaction that published
    those, and when it was decided on the same basis. Remembers the basis for the next time."""
    found = execute("select to_regclass('pg_temp.changed_people') is not null as known", {})[0]["known"]
    held = workspace.hold()
    same = held.computed_by.get(name) == basis
    if not same:
        Workspace.objects.filter(pk=held.pk).update(computed_by=held.computed_by | {name: basis})
    return found and same


def digest(*parts: Any) -> str:
    """A short text that is another one when any of the parts is."""
    return sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()[:16]


def decide_for_all() -> None:
    """Forget whose facts changed, for steps that run alone."""
    execute("drop table if exists pg_temp.changed_people", {})


def upsert(table: str, columns: list[str], source: str, which: str) -> str:
    values = [column for column in columns if column not in ("workspace_id", "end_user_id")]
    return (
        f"insert into {table} as old ({', '.join(columns)}) select {', '.join(columns)} from {source}"
        f" where workspace_id = %(workspace)s and {which}"
        f" on conflict (end_user_id, workspace_id) do update set"
        f" {', '.join(f'{column} = excluded.{column}' for column in values)}"
    )


def is_night(workspace: Workspace) -> bool:
    """Whether a night of the workspace runs now, which may still write of people whom it read before they went."""
    return is_held(workspace, NIGHT_LEASE)
