"""The first step of the night: fold what was touched into days and purchases, then bring every fact up to the day."""

from __future__ import annotations

from datetime import date

from users.differences import compute, refresh_statistics, write_differences
from users.models import Facts
from workspaces.leases import is_held
from workspaces.models import Workspace
from workspaces.sql import execute, run_sql

# The lease of whoever runs a night of the workspace.
NIGHT_LEASE = "night"
# Somebody's core days count for their inviter when they lie within so many days of joining.
JOINING_DAYS = 30


def fold_touched(workspace: Workspace) -> dict[str, int]:
    """Recompute the person-days and purchases of everybody whose events changed, in the open scope.

    Takes the visible touched rows and recomputes those people from raw events, never adding to what is there: late
    commits, repeats and removed events come out right. Days whose events are the same are not looked into. What is folded
    has to reach the facts in the same transaction (`refresh_facts`). Returns people taken and rows changed.
    """
    # Two folds at once could overwrite the newer rows with the older; the second waits and finds less to do.
    execute(
        "select pg_advisory_xact_lock(hashtextextended('fold:' || %(workspace)s, 0))", {"workspace": str(workspace.id)}
    )
    execute("drop table if exists pg_temp.taken", {})
    execute("create temporary table taken (end_user_id uuid primary key) on commit drop", {})
    people = run_sql("users/fold_take")[0]["rows"]
    if not people:
        return {"folded": 0, "changes": 0}
    execute("analyze taken", {})
    sealed = Workspace.objects.values_list("events_from", flat=True).get(pk=workspace.pk)
    compute("fold_changed", "users/fold_changed", zone=workspace.zone, sealed=sealed)
    changed = "(old.end_user_id, old.day) in (select end_user_id, day from fold_changed)"
    gone = "(old.end_user_id, old.day) in (select end_user_id, day from fold_changed where digest is null)"
    # As values, not as a subquery: the planner then leaves out the months that do not matter.
    [keys] = execute("select min(first_key) as first, max(last_key) as last from fold_changed", {})
    compute("fold_events", "users/fold_events", zone=workspace.zone, **keys)
    compute("fresh_days", "users/fold_days")
    changes = write_differences("person_day", "fresh_days", "end_user_id, day", gone, few=True)
    compute("fresh_purchases", "users/fold_purchases", zone=workspace.zone, **keys)
    changes += write_differences("purchase", "fresh_purchases", "end_user_id, at, event_id, kind", changed, few=True)
    refresh_statistics(changes, "person_day", "purchase")
    return {"folded": people, "changes": changes}


def refresh_facts(workspace: Workspace, day: date) -> dict[str, int]:
    """Make the facts those of the end of `day`, also when later events are stored already; in the open scope.

    Folds first, since what was folded tells whose history changed. Returns people folded, people and changes.
    """
    rules = workspace.rules
    folded = fold_touched(workspace)
    compute("known", "users/facts_people", zone=workspace.zone)
    compute("fact_days", "users/facts_days", day=day, habit_window=rules.habit_window)
    compute("fact_habits", "users/facts_habits", day=day, habit_days=rules.habit_days, habit_window=rules.habit_window)
    compute("fact_stale", "users/facts_stale")
    compute("fact_rhythm", "users/facts_rhythm", day=day)
    compute("fact_favourites", "users/facts_favourites", day=day)
    compute("fact_orders", "users/facts_orders", day=day)
    compute("fact_money", "users/facts_money", day=day, window=rules.rfm_window, subsidy_percent=rules.subsidy_percent)
    compute("fact_joined", "users/facts_joined", day=day)
    compute("fact_starts", "users/facts_starts", day=day, reach=max(JOINING_DAYS, rules.effective_days))
    compute(
        "fact_recommendations", "users/facts_recommendations", day=day, recommendation_days=rules.recommendation_days
    )
    compute("fresh_facts", "users/facts", day=day, effective_days=rules.effective_days)
    changes = write_differences("facts", "fresh_facts", "end_user_id")
    refresh_statistics(changes, "facts")
    return {"folded": folded["folded"], "people": Facts.objects.count(), "changes": folded["changes"] + changes}


def is_night(workspace: Workspace) -> bool:
    """Whether a night of the workspace runs now, which may still write of people whom it read before they went."""
    return is_held(workspace, NIGHT_LEASE)
