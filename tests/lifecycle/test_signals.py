"""Further warning signals: each makes somebody slipping while it holds, says so, and does nothing while it is off."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from django.utils import translation

from lifecycle.churn import sentence
from lifecycle.models import ActivityChange, BalanceMark
from tests import builders
from tests.night.reading import night, one, standing
from users.models import EndUser
from workspaces.models import Workspace
from workspaces.scoping import workspace_scope

DAY = date(2026, 8, 31)


def switch_on(workspace: Workspace, *keys: str) -> None:
    workspace.settings = {f"warn_{key}": True for key in keys}
    workspace.save()


def came(workspace: Workspace, who: str, *ago: int, name: str = "App Opened", **told: object) -> None:
    for days in ago:
        builders.event(workspace, who, name, DAY - timedelta(days=days), **told)


def flagged(workspace: Workspace, *people: str) -> dict[str, list[str]]:
    night(workspace, DAY.isoformat())
    found = {who: standing(workspace, who) for who in people}
    assert all((row.activity == "slipping") == bool(row.signals) for row in found.values())
    return {who: row.signals for who, row in found.items() if row.signals}


def test_active_days_halve_against_at_least_four(acme: Workspace) -> None:
    switch_on(acme, "halved")
    came(acme, "half", 59, 50, 40, 30, 29, 0)  # four days before, two since
    came(acme, "more", 59, 50, 40, 30, 20, 10, 0)
    came(acme, "few", 58, 50, 40, 0)  # three days before
    came(acme, "older", 60, 50, 40, 31, 1, 0)  # the first day lies before both months
    assert flagged(acme, "half", "more", "few", "older") == {"half": ["halved"]}
    told = one(ActivityChange, acme, "half", day=DAY)
    with translation.override("zh-hans"):
        assert sentence(told.why).endswith("；一个月内活跃天数减半")
    acme.settings = {}
    acme.save()
    assert flagged(acme, "half") == {}


def test_a_complaint_counts_after_two_days_until_it_is_resolved(acme: Workspace) -> None:
    switch_on(acme, "complaint")
    for who, ticket in (("open", "t1"), ("answered", "t2"), ("other", "t3")):
        came(acme, who, 5, name="Ticket Opened", ticket_id=ticket)
        came(acme, who, 0)
    came(acme, "answered", 1, name="Ticket Resolved", ticket_id="t2")
    came(acme, "other", 1, name="Ticket Resolved", ticket_id="t9")
    came(acme, "fresh", 1, name="Ticket Opened")
    came(acme, "old", 40, name="Ticket Opened")
    came(acme, "old", 0)
    assert flagged(acme, "open", "answered", "other", "fresh", "old") == {"open": ["complaint"], "other": ["complaint"]}


def test_a_failure_counts_until_the_next_success(acme: Workspace) -> None:
    switch_on(acme, "failed")
    came(acme, "refused", 3, name="Payment Failed")
    came(acme, "refused", 0)
    came(acme, "paid", 3, name="Payment Failed")
    came(acme, "paid", 2, name="Order Completed", total=5)
    came(acme, "crashed", 3, name="App Crashed")
    came(acme, "again", 3, name="App Crashed")
    came(acme, "again", 0)
    assert flagged(acme, "refused", "paid", "crashed", "again") == {"refused": ["failed"], "crashed": ["failed"]}


@pytest.mark.parametrize(("now", "signals"), [(50, ["balance"]), ("50", ["balance"]), (51, []), (None, [])])
def test_a_balance_is_compared_with_the_one_of_thirty_days_ago(
    acme: Workspace, now: object, signals: list[str]
) -> None:
    switch_on(acme, "balance")
    builders.person(acme, "ann", attributes={"balance": 100})
    came(acme, "ann", 30, 0)
    night(acme, (DAY - timedelta(days=30)).isoformat())
    with workspace_scope(acme):
        EndUser.objects.update(attributes={"balance": now})
    night(acme, DAY.isoformat())
    assert standing(acme, "ann").signals == signals
    assert night(acme, DAY.isoformat())["changes"] == 0
    with workspace_scope(acme):
        assert BalanceMark.objects.count() == 2


def test_value_at_risk_of_somebody_here_today_takes_the_rate_of_one_day(acme: Workspace) -> None:
    switch_on(acme, "failed")
    came(acme, "ann", 29, name="Order Completed", total=30)
    came(acme, "ann", 0, name="Payment Failed")
    came(acme, "back", 100, 60)  # two spells that reached a day: one ended
    night(acme, DAY.isoformat())
    row = standing(acme, "ann")
    # Known 30 days, 30.00 spent: 3000 ÷ 30 × 90 × (1 − 1/2).
    assert (row.activity, row.value_at_risk_minor) == ("slipping", 4500)
