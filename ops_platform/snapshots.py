"""The night's last step: what is kept of a day for good beside the sizes that the steps before it counted.

Space grows with days and groups, and with what changed, never with people times days. Any past day is read back from
these rows and from the change rows (ops_platform/day_reads.py).
"""

from __future__ import annotations

from datetime import date

from users.differences import compute, write_differences
from workspaces.models import Workspace

# A warning is looked at again after so many days; 30 is the false-churn rate of docs/definitions.md.
AUDIT_DAYS = (7, 14, 30)


def keep_snapshot(workspace: Workspace, day: date) -> dict[str, int]:
    """Keep the day's flows, what became of earlier warnings, and who reached a rung of the recall ladder. In the open
    scope, after all other steps. Returns recalled (people on a rung) and changes."""
    rules = workspace.rules
    own_day = "old.day = %(day)s"
    compute("fresh_flows", "ops_platform/day_flows", day=day)
    changes = write_differences("day_flow", "fresh_flows", "day, board, from_key, to_key", own_day, day=day)
    compute("fresh_audits", "ops_platform/day_audits", day=day, after=list(AUDIT_DAYS))
    changes += write_differences("flag_audit", "fresh_audits", "day, activity, after_days", own_day, day=day)
    compute(
        "fresh_recalls",
        "ops_platform/day_recalls",
        day=day,
        rungs=list(rules.recall_days),
        slipping_percent=rules.slipping_percent,
    )
    recalled = write_differences(
        "recall_entry", "fresh_recalls", "end_user_id, idle_from, rung", own_day, few=True, day=day
    )
    return {"recalled": recalled, "changes": changes + recalled}
