"""Deliveries and what came back about them follow the person, once they are final: a message on its way stays where its
sender looks for it, and the night fetches it later."""

from __future__ import annotations

import uuid

from campaigns.models import FINAL_STATES
from workspaces.sql import run_sql


def move_deliveries() -> int:
    """Move those of the ids in the temporary table `moving`; returns how many deliveries."""
    moved = run_sql("campaigns/move_deliveries", final=list(FINAL_STATES))
    if moved:
        run_sql("campaigns/move_feedback", deliveries=[str(row["delivery_id"]) for row in moved])
    return len(moved)


def find_strays() -> set[uuid.UUID]:
    """Merged ids that still have deliveries which could be moved by now."""
    return {row["end_user_id"] for row in run_sql("campaigns/stray_deliveries", final=list(FINAL_STATES))}
