"""Short ways to ask what the night wrote."""

from __future__ import annotations

from datetime import date
from typing import Any

from django.db.models import Model

from lifecycle.models import Standing
from ops_platform.nightly import run_night
from users.models import Facts, PersonDay, person_id
from workspaces.models import Workspace
from workspaces.scoping import workspace_scope

# Whose night each part of the pages is. Somebody comes every day.
LOOK = """
select w.current_day,
    (select max(last_seen_on) from facts), (select max(recent_days[array_length(recent_days, 1)]) from facts_state),
    (select max(idle_from) from standing), (select date '1970-01-01' + max(r_value)::integer from rfm_score),
    (select max(day) from day_count),
    (select max(day) from return_rate), (select max(day) from rfm_cuts), (select max(refreshed_on) from segment),
    (select max(day) from stage_change), (select max(day) from night where state = 'done')
from workspace w where id = %s
"""


def night(workspace: Workspace, day: str, only: str = "") -> dict[str, Any]:
    return run_night(workspace, date.fromisoformat(day), only=only)


def one(model: type[Model], workspace: Workspace, who: str, **filters: Any) -> Any:
    """The row of somebody, or None."""
    with workspace_scope(workspace):
        return model.objects.filter(end_user_id=person_id(workspace.pk, who), **filters).first()  # type: ignore[attr-defined]


def facts(workspace: Workspace, who: str) -> Facts:
    return one(Facts, workspace, who)


def standing(workspace: Workspace, who: str) -> Standing:
    return one(Standing, workspace, who)


def days(workspace: Workspace, who: str) -> dict[str, PersonDay]:
    """Somebody's person-days by ISO day."""
    with workspace_scope(workspace):
        rows = PersonDay.objects.filter(end_user_id=person_id(workspace.pk, who)).order_by("day")
        return {row.day.isoformat(): row for row in rows}
