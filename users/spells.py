"""Idle spells: how many visits of a day were followed by so many days without one, kept so that a night adds its own.

A person counts when they are in the numbers. Whoever is seen has one open spell, so a count that lost somebody shows, and is
made again from all days.
"""

from __future__ import annotations

from datetime import date

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
select workspace_id, day, length, people from fresh_spells order by day, length
on conflict (workspace_id, day, length) do update set people = old.people + excluded.people"""
COUNTED_AGAIN = """update facts_state set spells_counted = true
where workspace_id = %(workspace)s and not spells_counted and end_user_id = any(array(select end_user_id from spelling))"""


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
    execute(ADD, {})


def count_spells(day: date, published: date | None) -> None:
    """Bring the count from the published day to another, before the facts of that day are published."""
    own = {"workspace": current_workspace().pk, "day": day, "published": published}
    if published is None:
        return
    if _spelling(DUE, **own):
        _add(published, -1)
    if _spelling(COUNTED, **own):
        _add(day, 1)
        execute(COUNTED_AGAIN, own)
    run_sql("users/spells_roll", day=day, published=published)


def mend_spells(day: date) -> None:
    """After publishing: a count that lost somebody is made again, from the days of everybody in the numbers."""
    own = {"workspace": current_workspace().pk}
    if not execute(CHECK, own)[0]["right"]:
        execute("delete from spell_count where workspace_id = %(workspace)s", own)
        if _spelling(SEEN, **own):
            _add(day, 1)
            execute(COUNTED_AGAIN, own)


def _add(day: date, sign: int) -> None:
    compute("fresh_spells", "users/spells", day=day, sign=sign)
    execute(ADD, {})


def _spelling(select: str, **params: object) -> int:
    execute("drop table if exists pg_temp.spelling", {})
    execute(f"create temporary table spelling on commit drop as {select}", params)
    execute("analyze spelling", {})
    return execute("select count(*) as n from spelling", {})[0]["n"]
