"""The home page's day: orders, buyers and money as the definitions have them, and the people behind them."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from django.test import Client

from ops_platform import selectors
from ops_platform.people_list import PeopleQuery
from tests import builders
from tests.night.reading import facts, night
from users.models import EndUser
from workspaces.models import Workspace
from workspaces.scoping import workspace_scope

DAY = "2026-08-20"
ORDERS: dict[str, list[tuple[str, str, dict[str, Any]]]] = {
    # Told twice on the day: one order, worth what was said last.
    "corrected": [(f"{DAY} 10:00", "Completed", {"total": 100}), (f"{DAY} 11:00", "Completed", {"total": 90})],
    # Placed a week before, told again on the day: an order of its first day.
    "repeated": [("2026-08-13", "Completed", {"total": 50}), (DAY, "Completed", {"total": 50})],
    # Taken back without an amount, later or on the day: it counts nowhere.
    "returned": [(f"{DAY} 09:00", "Completed", {"total": 30}), ("2026-08-21", "Refunded", {})],
    "too much": [(f"{DAY} 09:00", "Completed", {"total": 100}), (f"{DAY} 12:00", "Refunded", {"total": 150})],
    # A part of an order of the week before comes off on the day.
    "part": [("2026-08-13", "Completed", {"total": 40}), (DAY, "Refunded", {"total": 15})],
}


@pytest.fixture
def shopped(acme: Workspace) -> Workspace:
    for who, rows in ORDERS.items():
        for day, what, properties in rows:
            builders.event(acme, who, f"Order {what}", day, order_id=f"o-{who}", **properties)
    # Two people whose shops number their orders alike.
    for who in ("one", "two"):
        builders.event(acme, who, "Order Completed", DAY, order_id="1", total=1)
    night(acme, "2026-08-21")
    acme.refresh_from_db()
    return acme


def test_a_days_orders_are_those_that_the_facts_count(shopped: Workspace) -> None:
    with workspace_scope(shopped):
        days = {row["day"]: row for row in selectors.day_totals(date(2026, 8, 20))}
        after = {row["day"]: row for row in selectors.day_totals(date(2026, 8, 21))}
    day, before = days[date(2026, 8, 20)], days[date(2026, 8, 13)]
    # As of the day itself nothing was taken back without an amount yet.
    assert (day["orders"], day["buyers"], day["revenue_minor"]) == (4, 4, 9000 + 3000 + 200 - 1500)
    assert (before["orders"], before["buyers"], before["revenue_minor"]) == (2, 2, 9000)
    assert (after[date(2026, 8, 21)]["orders"], after[date(2026, 8, 21)]["revenue_minor"]) == (0, 0)
    everybody = [facts(shopped, who) for who in (*ORDERS, "one", "two")]
    with workspace_scope(shopped):
        sql = "ops_platform/day_orders"
        rows = selectors.run_sql(
            sql, order_days=[date(2026, 8, n) for n in (13, 20, 21)], orders_as_of=date(2026, 8, 21)
        )
    assert sum(row["amount"] for row in rows) == sum(one.revenue_minor for one in everybody)
    assert sum(row["orders"] for row in rows) == sum(one.orders for one in everybody)


def test_the_list_of_who_ordered_is_as_long_as_the_number_of_buyers(shopped: Workspace, as_role: Any) -> None:
    with workspace_scope(shopped):
        found = PeopleQuery(shopped, {"ordered_on": DAY})
        names = set(EndUser.objects.filter(pk__in=found.ids()).values_list("external_id", flat=True))
        assert names == {"corrected", "one", "two"} and found.count == (3, True)
    client: Client = as_role("analyst")
    assert client.get("/w/acme/").status_code == 200
