"""Idle spells: how many visits of a day were followed by so many days without one, kept so that a night adds its own.

A person counts when they are in the numbers. Whoever is seen has one open spell, so a count that lost somebody shows, and is
made again from all days.
"""

from __future__ import annotations

from datetime import date

from users.ahead import coming_facts
from users.differences import compute
from workspaces.scoping import current_workspace
from workspaces.sql import execute, run_sql

CHECK = """
select (select coalesce(sum(people), 0) from spell_count where workspace_id = %(workspace)s and length = -1)
    = (select count(*) from facts where workspace_id = %(workspace)s and last_seen_on is not null) as right
"""
LATE = """select end_user_id from facts_state
where workspace_id = %(workspace)s and spells_counted
    and end_user_id = any(array(select end_user_id from fold_changed where day <= %(published)s))"""
DUE = """select end_user_id from facts_state
where workspace_id = %(workspace)s and spells_counted
    and end_user_id = any(array(select end_user_id from facts_due where workspace_id = %(workspace)s and due_on <= %(day)s))"""
COUNTED = """select end_user_id from facts_next
where workspace_id = %(workspace)s and not gone
    and end_user_id = any(array(select end_user_id from facts_due where workspace_id = %(workspace)s and due_on <= %(day)s))"""
SEEN = "select end_user_id from facts where workspace_id = %(workspace)s and last_seen_on is not null"
# Two who add wait for each other until they commit, and never in a circle.
ADD = """insert into spell_count as old (workspace_id, day, length, people)
select %(workspace)s, day, length, sum(people) from {moves} group by day, length order by day, length
on conflict (workspace_id, day, length) do update set people = old.people + excluded.people"""
COUNTED_AGAIN = """update facts_state set spells_counted = true
where workspace_id = %(workspace)s and not spells_counted and end_user_id = any(array(select end_user_id from spelling))"""
# One open spell, of length -1, for everybody who is seen, as both will be.
CHECK = """
select (
    select coalesce(sum(people), 0)
    from (
        select people from spell_count where workspace_id = %(workspace)s and length = -1
        union all select people from spell_moves where length = -1
    ) open
) = (select count(*) from {facts} where workspace_id = %(workspace)s and last_seen_on is not null) as holds
"""


def find_late(published: date | None) -> None:
    """Find the spells of whom days change that are counted already, while those days are still what they were."""
    own = {"workspace": current_workspace().pk, "published": published}
    _spelling(LATE, **own)
    compute("fresh_spells", "users/spells", day=published, sign=-1)
    execute(
        "update facts_state set spells_counted = false"
        " where workspace_id = %(workspace)s and end_user_id = any(array(select end_user_id from spelling))",
        own,
    )


def take_out_late() -> None:
    """Take out what was found, as the last thing before the commit: other lanes wait for rows of the count until then."""
    _add("fresh_spells")


def find_spells(day: date, published: date | None) -> list[str]:
    """How the count moves from the published day to another, while the facts of that day are still to be published.

    Returns the temporary tables it is in: the moves, whose spells are counted afresh, and whether the count will be right.
    """
    own = {"workspace": current_workspace().pk, "day": day, "published": published}
    execute("drop table if exists pg_temp.spell_moves, pg_temp.spells_checked", {})
    execute("create temporary table spell_moves (day date, length integer, people integer) on commit drop", {})
    if published is None:
        _spelling("select end_user_id from facts where false")
    else:
        if _spelling(DUE, **own):
            _move(published, -1)
        if _spelling(COUNTED, **own):
            _move(day, 1)
        run_sql("users/spells_roll", day=day, published=published)
    check = CHECK.format(facts=coming_facts(["end_user_id", "last_seen_on"]))
    execute(f"create temporary table spells_checked on commit drop as {check}", own)
    return ["spell_moves", "spelling", "spells_checked"]


def count_spells(day: date) -> None:
    """Make the moves that were found, once the facts of the day are published. A count that lost somebody is made again, from
    the days of everybody in the numbers."""
    own = {"workspace": current_workspace().pk}
    if execute("select holds from spells_checked", {})[0]["holds"]:
        _add("spell_moves")
        execute(COUNTED_AGAIN, own)
        return
    execute("delete from spell_count where workspace_id = %(workspace)s", own)
    if _spelling(SEEN, **own):
        compute("fresh_spells", "users/spells", day=day, sign=1)
        _add("fresh_spells")
        execute(COUNTED_AGAIN, own)


def _move(day: date, sign: int) -> None:
    compute("fresh_spells", "users/spells", day=day, sign=sign)
    execute("insert into spell_moves select day, length, people from fresh_spells", {})


def _add(moves: str) -> None:
    execute(ADD.format(moves=moves), {"workspace": current_workspace().pk})


def _spelling(select: str, **params: object) -> int:
    execute("drop table if exists pg_temp.spelling", {})
    execute(f"create temporary table spelling on commit drop as {select}", params)
    execute("analyze spelling", {})
    return execute("select count(*) as n from spelling", {})[0]["n"]
