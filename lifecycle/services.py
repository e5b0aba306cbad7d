"""What the night does to everybody's standing: the activity flag, then the stage, each with its changes and counts."""

from __future__ import annotations

from datetime import date
from typing import Any

from lifecycle import stages
from lifecycle.churn import ACTIVITIES
from users.differences import compute, write_differences
from workspaces.models import Workspace


def flag_activity(workspace: Workspace, day: date) -> dict[str, int]:
    """Flag everybody active, slipping or dormant on the day, from the facts of that day.

    Also tells the return rates that value at risk rests on. Returns people, moved (changes of flag) and changes (rows).
    """
    rules = workspace.rules
    compute("fresh_return_rates", "lifecycle/return_rates", day=day)
    changes = write_differences("return_rate", "fresh_return_rates", "day, idle_days", "old.day = %(day)s", day=day)
    changes += _tell_signals(workspace, day)
    compute(
        "fresh_flags",
        "lifecycle/flags",
        day=day,
        zone=workspace.zone,
        rule=rules.limit_rule,
        limit_days=rules.limit_days,
        limit_min=rules.limit_min,
        limit_max=rules.limit_max,
        slipping_percent=rules.slipping_percent,
        balance_attribute=rules.balance_attribute,
        balance_floor=rules.balance_floor,
    )
    compute("fresh_changes", "lifecycle/activity_changes", day=day)
    moved = write_differences(
        "activity_change", "fresh_changes", "end_user_id, day", "old.day = %(day)s", few=True, day=day
    )
    compute("fresh_standing", "lifecycle/standing_activity", day=day)
    # Rows of people who left stay for the stages step, which tells that they did.
    changes += write_differences("standing", "fresh_standing", "end_user_id", "false")
    changes += _count("activity", list(ACTIVITIES), day)
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
    """Put everybody into the stage that matches on the day. Returns moved (changes of stage) and changes (rows)."""
    rules = workspace.rules
    thresholds: dict[str, Any] = {"pay_stage": rules.pay_stage, "habit_days": rules.habit_days}
    compute("fresh_stages", "lifecycle/stages", code=stages.ladder(), **thresholds)
    compute(
        "fresh_changes",
        "lifecycle/stage_changes",
        day=day,
        habit_window=rules.habit_window,
        recommendation_days=rules.recommendation_days,
        **thresholds,
    )
    moved = write_differences(
        "stage_change", "fresh_changes", "end_user_id, day", "old.day = %(day)s", few=True, day=day
    )
    compute("fresh_standing", "lifecycle/standing_stage", day=day)
    changes = write_differences("standing", "fresh_standing", "end_user_id")
    changes += _count("stage", list(stages.all_stages()), day)
    return {"moved": moved, "changes": moved + changes}


def _count(board: str, keys: list[str], day: date) -> int:
    """Keep how many people stand where at the end of the day; returns rows written."""
    compute("fresh_counts", f"lifecycle/{board}_counts", day=day, keys=keys)
    return write_differences(
        "day_count",
        "fresh_counts",
        "day, board, key",
        "old.day = %(day)s and old.board = %(board)s",
        day=day,
        board=board,
    )
