"""The books of ingest: what clients were told against what is stored, in SQL of the observer's own."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

# Stored twice, beside what was never sent; people whose first moment is not that of their first event; people with
# events of whom the night was not told; and how many more items were counted as accepted than there are events.
DOUBLES = "select count(*) - count(distinct message_id) from event where workspace_id = %(shop)s"
WRONG_STARTS = """
select count(*) from end_user p join (
    select end_user_id, min(at) as first_at from event where workspace_id = %(shop)s group by 1
) e on e.end_user_id = p.id where p.created_at <> e.first_at
"""
UNTOUCHED = """
select count(distinct end_user_id) from event e where workspace_id = %(shop)s
and end_user_id not in (select unnest(people) from touched where workspace_id = %(shop)s)
"""
MISCOUNTED = """
select (select coalesce(sum(accepted), 0) from arrival_hour where workspace_id = %(shop)s)
    - (select count(*) from event where workspace_id = %(shop)s)
"""
CLEAN = {"lost": 0, "strange": 0, "double": 0, "wrong_starts": 0, "untouched": 0, "miscounted": 0}


def books(cluster: Any, shop: Any, acked: Collection[str], sent: Collection[str] | None = None) -> dict[str, int]:
    """Everything must be 0 (CLEAN). `acked`: ids answered with 200; `sent`: ids that were sent at all."""
    with cluster.look() as cursor:

        def ask(sql: str) -> int:
            cursor.execute(sql, {"shop": str(shop.id)})
            return int(cursor.fetchone()[0])

        cursor.execute("select message_id from event where workspace_id = %s", [str(shop.id)])
        stored = {row[0] for row in cursor.fetchall()}
        return {
            "lost": len(set(acked) - stored),
            "strange": len(stored - set(acked if sent is None else sent)),
            "double": ask(DOUBLES),
            "wrong_starts": ask(WRONG_STARTS),
            "untouched": ask(UNTOUCHED),
            "miscounted": ask(MISCOUNTED),
        }


# Whole tables of a workspace, ids made readable, without the times at which things arrived.
STATE = {
    "event": """
        select p.external_id, p.identified, e.client_at, e.at, n.name, e.message_id, e.properties::text, e.amount_minor,
            e.order_id, e.origin_id
        from event e join end_user p on p.id = e.end_user_id join event_name n on n.id = e.name_id
        where e.workspace_id = %(shop)s
    """,
    "end_user": """
        select external_id, identified, name, email, phone, push_token, city, source, referred_by, locale, zone,
            attributes::text, attributes_at, attribute_times::text, tags::text, created_at, merged_into, own::text
        from end_user where workspace_id = %(shop)s
    """,
    "identity_link": """
        select p.external_id, p.identified, k.external_id, k.identified, l.at, l.kind, l.pending
        from identity_link l join end_user p on p.id = l.end_user_id join end_user k on k.id = l.known_id
        where l.workspace_id = %(shop)s
    """,
    "event_name": "select name from event_name where workspace_id = %(shop)s",
    "touched": """
        select distinct p.external_id, p.identified from touched t join end_user p on p.id = any(t.people)
        where t.workspace_id = %(shop)s
    """,
}


def state(cluster: Any, shop: Any) -> dict[str, list[Any]]:
    """What ingest has made of a workspace, table by table, in an order of its own."""
    found = {}
    with cluster.look() as cursor:
        for table, sql in STATE.items():
            cursor.execute(sql, {"shop": str(shop.id)})
            found[table] = sorted(cursor.fetchall(), key=repr)
    return found
