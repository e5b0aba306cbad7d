"""From raw events to person-days and purchases, of those to whom something happened, chunk by chunk."""

from __future__ import annotations

import uuid
from datetime import date
from functools import partial

from users.chunks import in_chunk, in_lanes
from users.differences import compute, refresh_statistics, write_differences
from users.spells import find_late, take_out_late
from workspaces.models import Workspace
from workspaces.progress import progress
from workspaces.scoping import current_workspace
from workspaces.sql import execute, run_sql

# People in a transaction: what a killed night has to do again, in each lane.
FOLD_CHUNK = 10_000
# Whose events are read: all of those who are taken, or those of days on which some came.
EVERY_DAY = """
    select end_user_id, '-infinity'::timestamptz as first_key, 'infinity'::timestamptz as last_key, null::date[] as days
    from taken
"""
SEEN_DAYS = """
    select end_user_id, min(first_key) as first_key, max(last_key) as last_key, array_agg(day) as days
    from fold_seen group by end_user_id
"""


def fold_touched(workspace: Workspace) -> dict[str, int]:
    """Recompute the person-days and purchases of everybody whose events changed, a transaction per chunk of people.

    Takes the visible touched rows and recomputes those people's days from raw events, never adding to what is there: late
    commits, repeats and removed events come out right. Days whose events are the same are not looked into.
    Returns people taken and rows changed.
    """
    packs = in_chunk(
        workspace,
        # Before the first night all months are read in any case.
        lambda: run_sql(
            "users/fold_pack", most=FOLD_CHUNK, zone=workspace.zone, by_time=published_day(workspace) is not None
        ),
    )
    counts = {"folded": 0, "changes": 0}
    everybody = sum(pack["people"] for pack in packs)
    for people, changes in in_lanes(workspace, [partial(fold_pack, workspace, pack["id"]) for pack in packs]):
        counts["folded"] += people
        counts["changes"] += changes
        # Whoever is folded is counted next.
        progress(counts["folded"], 2 * everybody)
    return counts


def fold_pack(workspace: Workspace, pack: uuid.UUID) -> tuple[int, int]:
    """Fold the people of one packed row, in the open scope; returns (people, rows changed)."""
    # Beside other packs, of other people: whoever packs somebody again waits until the row of their pack is gone. Who moves
    # events, or seals days, holds this lock alone.
    lock = {"workspace": str(workspace.id)}
    execute("select pg_advisory_xact_lock_shared(hashtextextended('fold:' || %(workspace)s, 0))", lock)
    execute("drop table if exists pg_temp.taken", {})
    execute("create temporary table taken (end_user_id uuid primary key) on commit drop", {})
    taken = run_sql("users/fold_take", pack=pack)
    if not taken or not taken[0]["people"]:
        return 0, 0
    execute("analyze taken", {})
    published = published_day(workspace)
    # Before the first night everything is new: looking for the days in question would read it all once more.
    find_changed(workspace, taken[0]["first"] if published else None, taken[0]["last"])
    find_late(published)
    # By key: the tables are large, and what changed is little of them.
    theirs = "old.end_user_id = any(array(select end_user_id from fold_changed)) and (old.end_user_id, old.day) in"
    changed = f"{theirs} (select end_user_id, day from fold_changed)"
    gone = f"{theirs} (select end_user_id, day from fold_changed where digest is null)"
    compute("fresh_days", "users/fold_days")
    days = write_differences("person_day", "fresh_days", "end_user_id, day", gone, few=True)
    compute("fresh_purchases", "users/fold_purchases")
    purchases = write_differences("purchase", "fresh_purchases", "end_user_id, at, event_id, kind", changed, few=True)
    run_sql("users/fold_due", published=published)
    forget_next("select end_user_id from fold_changed")
    refresh_statistics(days, "person_day")
    refresh_statistics(purchases, "purchase")
    take_out_late()
    return taken[0]["people"], days + purchases


def find_changed(workspace: Workspace, first: str | None, last: str | None) -> None:
    """Fill the temporary tables `fold_events` and `fold_changed`.

    With keys events only came, between them: other days of theirs are left alone. Events are read once, and of most days
    all of them; those of a day that did not change fall out when it is compared.
    """
    sealed = Workspace.objects.values_list("events_from", flat=True).get(pk=workspace.pk)
    if first is None:
        compute("fold_seen", "users/fold_stored")
        keys = {"first": "-infinity", "last": "infinity"}
    else:
        compute("fold_seen", "users/fold_seen", zone=workspace.zone, first=first, last=last)
        # As values, not as a subquery: the planner then leaves out the months that do not matter.
        [keys] = execute("select min(first_key)::text as first, max(last_key)::text as last from fold_seen", {})
    compute("fold_events", "users/fold_events", EVERY_DAY if first is None else SEEN_DAYS, zone=workspace.zone, **keys)
    compute("fold_changed", "users/fold_changed", sealed=sealed)


def published_day(workspace: Workspace) -> date | None:
    return Workspace.objects.values_list("current_day", flat=True).get(pk=workspace.pk)


def forget_next(people: str) -> None:
    """Rows to be published of people of whom there is news by now: they are made again. `people`: SQL of ours."""
    for table in ("facts_next", "facts_state_next"):
        execute(
            f"delete from {table} where workspace_id = %(workspace)s and end_user_id = any(array({people}))",
            {"workspace": current_workspace().pk},
        )
