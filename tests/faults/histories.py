"""Workspaces with the same history in each, and what nights made of it, to be compared whatever the ids are."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from typing import Any

from django.db import connection

from segmentation.services import create_segment
from tests import builders
from users.models import EndUser, person_id
from workspaces.models import Workspace
from workspaces.scoping import workspace_scope
from workspaces.services import create_workspace

# What nights write and pages read. Ids and moments of writing are left out.
RESULTS = (
    "person_day", "purchase", "facts", "standing", "stage_change", "activity_change", "return_rate", "rfm_score",
    "rfm_change", "rfm_cuts", "day_count", "segment_member", "segment_change", "segment_day",
)  # fmt: skip
ROWS = """
select regexp_replace((to_jsonb(t) - 'digest')::text, '"[a-z_]*_?id": "[0-9a-f-]{{36}}",? ?', '', 'g'), p.external_id
from {table} t left join end_user p on p.id = nullif(to_jsonb(t) ->> 'end_user_id', '')::uuid
where t.workspace_id = %s
"""
BUYERS = {"all": [{"kind": "fact", "fact": "orders", "compare": "at_least", "number": 1}]}


def make_history(slug: str, people: int, last_day: datetime, seed: int = 11) -> Workspace:
    """A workspace of UTC with so many people, who did some things in the sixty days up to the last; always the same."""
    workspace = create_workspace(slug, slug, zone="UTC", currency="CNY", industry="ecommerce")
    chance, rows = random.Random(seed), []
    for number in range(people):
        first = chance.randrange(60)
        for at in sorted({first, *(chance.randrange(first, 60) for _ in range(chance.choice((0, 1, 2, 5))))}):
            moment = last_day - timedelta(days=59 - at, minutes=chance.randrange(600))
            kind = chance.choice(
                ("App Opened", "Product Viewed", "Order Completed", "Order Completed", "Order Refunded")
            )
            told = {"total": chance.randrange(1, 500), "order_id": f"{number}-{at}"} if "Order" in kind else {}
            rows.append((f"u{number}", kind, moment, f"m{len(rows)}", told))
    with workspace_scope(workspace):
        EndUser.objects.bulk_create(
            (
                EndUser(
                    id=person_id(workspace.pk, f"u{number}"), workspace=workspace, external_id=f"u{number}",
                    created_at=last_day - timedelta(days=60),
                )
                for number in range(people)
            ),
            batch_size=5_000,
        )  # fmt: skip
        create_segment("Buyers", BUYERS)
    builders.events(workspace, rows)
    return workspace


def noon(days_ago: int) -> datetime:
    return datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0) - timedelta(days=days_ago)


def results(workspace: Workspace) -> dict[str, Any]:
    """Per table how many rows there are, and a hash of them all."""
    found = {}
    with workspace_scope(workspace), connection.cursor() as cursor:
        for table in RESULTS:
            cursor.execute(ROWS.format(table=table), [workspace.pk])
            rows = sorted(map(repr, cursor.fetchall()))
            found[table] = (len(rows), blake2b("\n".join(rows).encode()).hexdigest()[:16])
    return found


MISCOUNTED = """
with told as (
    select end_user_id, (at at time zone 'UTC')::date as day, count(*) filter (where n.name = 'Order Completed') as orders
    from event e join event_name n on n.id = e.name_id where e.workspace_id = %(shop)s group by 1, 2
)
select count(*) from told full join (
    select end_user_id, day, core from person_day where workspace_id = %(shop)s
) d using (end_user_id, day)
where told.orders is distinct from d.core
"""


def miscounted(workspace: Workspace) -> int:
    """Person-days whose core actions are not those of their events, by SQL of the observer's own."""
    with workspace_scope(workspace), connection.cursor() as cursor:
        cursor.execute(MISCOUNTED, {"shop": str(workspace.pk)})
        return cursor.fetchone()[0]
