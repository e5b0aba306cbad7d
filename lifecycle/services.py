"""What the night does to everybody's standing: the activity flag, then the stage, each with its changes and counts."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from lifecycle import stages
from lifecycle.churn import ACTIVITIES
from users.differences import compute, refresh_statistics, write_differences
from users.night import VISITS_IN_WINDOWS, digest, goes_on
from workspaces.models import Workspace
from workspaces.scoping import current_workspace
from workspaces.sql import execute

# Whose flag, or stage, is decided: everybody, or those of whom something changed and those whose day has come. No flag
# rests on counts in a window, and stages mostly on that of habit days alone; a signal that does is told apart.
EVERYBODY = """
select end_user_id from facts where workspace_id = %(workspace)s
union select end_user_id from standing where workspace_id = %(workspace)s
union select end_user_id from {table} where workspace_id = %(workspace)s
"""
FLAGS = """
select end_user_id from changed_people where differs_by not in (1, 2)
union select end_user_id from standing where workspace_id = %(workspace)s and due_on <= %(until)s
union select end_user_id from activity_change where workspace_id = %(workspace)s and day = %(day)s
"""
# Whose warning signals are others than those that stand.
SIGNALS = """
union
select end_user_id
from fresh_signals x
full join (
    select end_user_id, signals from standing where workspace_id = %(workspace)s and signals <> '{{}}'
) s using (end_user_id)
where x.signals is distinct from s.signals
"""
STAGES = """
select end_user_id from changed_people where {moved}
union select end_user_id from activity_change where workspace_id = %(workspace)s and day = %(day)s
union select end_user_id from stage_change where workspace_id = %(workspace)s and day = %(day)s
"""
# Whoever stays in a flag, or a stage, that no word of this day is about needs no further look.
STAYED = """
delete from deciding d using {fresh} n
where n.end_user_id = d.end_user_id and n.{column} = n.stood and d.end_user_id not in (
    select end_user_id from {table} where workspace_id = %(workspace)s and day = %(day)s
)
"""
# What somebody is, and what the last change told before the day made them. Changes of the day itself are not looked at, so a
# second run comes to the same; a night that goes on from the one before takes what somebody stood in, unless one was told.
MOVED = """
select
    n.*, d.end_user_id as id, coalesce(n.{column}, '') as now,
    coalesce(case
        when %(going_on)s and n.end_user_id is not null and d.end_user_id not in (
            select end_user_id from {table} where workspace_id = %(workspace)s and day = %(day)s
        )
            then n.stood
        else (
            select b.told
            from (
                select to_{column} as told, day from {table}
                where end_user_id = d.end_user_id and workspace_id = (select %(workspace)s::uuid) and day < %(day)s
                offset 0 -- by person: the index by day would be read from its end
            ) b
            order by b.day desc limit 1
        )
    end, '') as before
from deciding d
left join {fresh} n on n.end_user_id = d.end_user_id
"""
# Who was decided about and stands nowhere: they left.
LEFT = """
select d.end_user_id from deciding d
where not exists (select from fresh_standing s where s.end_user_id = d.end_user_id)
"""


def flag_activity(workspace: Workspace, day: date) -> dict[str, int]:
    """Flag people active, slipping or dormant on the day, from the facts of that day.

    Also tells the return rates that value at risk rests on. Returns people, moved (changes of flag) and changes (rows).
    """
    rules = workspace.rules
    compute("fresh_return_rates", "lifecycle/return_rates", day=day)
    changes = write_differences("return_rate", "fresh_return_rates", "day, idle_days", "old.day = %(day)s", day=day)
    changes += _tell_signals(workspace, day)
    values: dict[str, Any] = {
        "zone": workspace.zone,
        "rule": rules.limit_rule,
        "limit_days": rules.limit_days,
        "limit_min": rules.limit_min,
        "limit_max": rules.limit_max,
        "slipping_percent": rules.slipping_percent,
        "balance_attribute": rules.balance_attribute,
        "balance_floor": rules.balance_floor,
    }
    some = FLAGS + (SIGNALS if rules.signals_on else "")
    basis = digest(values, rules.signals_on)
    going_on = goes_on(workspace, "activity", basis)
    _choose(some if going_on else EVERYBODY, "activity_change", day)
    compute("fresh_flags", "lifecycle/flags", day=day, **values)
    if going_on:
        _leave_out("fresh_flags", "activity", "activity_change", day)
    moves = MOVED.format(column="activity", table="activity_change", fresh="fresh_flags")
    compute("fresh_changes", "lifecycle/activity_changes", moves, day=day, going_on=going_on)
    moved = write_differences(
        "activity_change", "fresh_changes", "end_user_id, day", "old.day = %(day)s", few=True, day=day
    )
    # Before it is looked up by person: in a workspace that the statistics have not met every index looks as good.
    refresh_statistics(moved, "activity_change")
    compute("fresh_standing", "lifecycle/standing_activity", day=day)
    written = _write_standing()
    refresh_statistics(written, "standing")
    # Who goes on from there decides stages next, and counts then.
    changes += written + (0 if going_on else _count(day))
    return {"moved": moved, "changes": moved + changes}


def _tell_signals(workspace: Workspace, day: date) -> int:
    """Keep balances where their halving is a signal, and the signals that hold in fresh_signals; returns rows written."""
    rules, written = workspace.rules, 0
    if rules.warn_balance:
        compute("fresh_balances", "lifecycle/balances", day=day, attribute=rules.balance_attribute)
        written = write_differences(
            "balance_mark", "fresh_balances", "end_user_id, day", "old.day = %(day)s", few=True, day=day
        )
    compute("fresh_signals", "lifecycle/signals", day=day, zone=workspace.zone, on=rules.signals_on)
    return written


def assign_stages(workspace: Workspace, day: date) -> dict[str, int]:
    """Put people into the stage that matches on the day. Returns moved (changes of stage) and changes (rows)."""
    rules = workspace.rules
    thresholds: dict[str, Any] = {"pay_stage": rules.pay_stage, "habit_days": rules.habit_days}
    basis = digest(stages.ladder(), thresholds, rules.habit_window, rules.recommendation_days)
    going_on = goes_on(workspace, "stages", basis)
    by_visits = any(f"f.{count}" in stages.ladder() for count in VISITS_IN_WINDOWS)
    some = STAGES.replace("{moved}", "true" if by_visits else "differs_by <> 1")
    _choose(some if going_on else EVERYBODY, "stage_change", day)
    compute("fresh_stages", "lifecycle/stages", code=stages.ladder(), **thresholds)
    if going_on:
        _leave_out("fresh_stages", "stage", "stage_change", day)
    moves = MOVED.format(column="stage", table="stage_change", fresh="fresh_stages")
    compute(
        "fresh_changes",
        "lifecycle/stage_changes",
        moves,
        day=day,
        going_on=going_on,
        habit_window=rules.habit_window,
        recommendation_days=rules.recommendation_days,
        **thresholds,
    )
    moved = write_differences(
        "stage_change", "fresh_changes", "end_user_id, day", "old.day = %(day)s", few=True, day=day
    )
    refresh_statistics(moved, "stage_change")
    compute("fresh_standing", "lifecycle/standing_stage", day=day)
    changes = _write_standing() + _count(day)
    return {"moved": moved, "changes": moved + changes}


def _leave_out(fresh: str, column: str, table: str, day: date) -> None:
    """Take those who stay where they stood out of `deciding`."""
    execute(STAYED.format(fresh=fresh, column=column, table=table), {"workspace": current_workspace().pk, "day": day})
    execute("analyze deciding", {})


def _write_standing() -> int:
    """Write the rows of fresh_standing where they differ, and take away those of people who left; returns how many."""
    left = [row["end_user_id"] for row in execute(LEFT, {})]
    gone = "old.end_user_id = any(%(left)s::uuid[])"
    return write_differences("standing", "fresh_standing", "end_user_id", gone, few=True, left=left)


def _choose(select: str, table: str, day: date) -> None:
    """The temporary table `deciding`: whose flag or stage is decided."""
    # When the day is told again, return rates may be others, and with them the value at risk of who is due tomorrow.
    again = current_workspace().current_day == day
    until = day + timedelta(days=1) if again else day
    execute("drop table if exists pg_temp.deciding", {})
    execute(
        # In the order of the keys by which they are looked up: neighbours are on one page.
        f"create temporary table deciding on commit drop as {select.format(table=table)} order by end_user_id",
        {"workspace": current_workspace().pk, "day": day, "until": until},
    )
    execute("analyze deciding", {})


def _count(day: date) -> int:
    """Keep how many people stand where at the end of the day; returns rows written."""
    keys: dict[str, Any] = {"activities": list(ACTIVITIES), "stages": list(stages.all_stages())}
    compute("fresh_counts", "lifecycle/standing_counts", day=day, **keys)
    boards = "old.day = %(day)s and old.board in ('activity', 'stage')"
    return write_differences("day_count", "fresh_counts", "day, board, key", boards, day=day)
