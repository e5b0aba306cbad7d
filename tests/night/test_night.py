from datetime import date

import pytest

from ops_platform.nightly import run_night
from tests import builders
from users.models import Facts, person_id
from workspaces.scoping import workspace_scope


def facts(workspace, who):
    with workspace_scope(workspace):
        return Facts.objects.get(end_user_id=person_id(workspace.pk, who))


def test_a_night(acme):
    builders.event(acme, "u1", "Order Completed", day="2026-08-01", total=20)
    builders.event(acme, "u1", "App Opened", day="2026-08-03")
    builders.person(acme, "u2")
    summary = run_night(acme, date(2026, 8, 10))
    print(summary)
    one = facts(acme, "u1")
    print(vars(one))
    assert one.orders == 1 and one.revenue_minor == 2000
    again = run_night(acme, date(2026, 8, 10))
    print(again)
    assert again["changes"] == 0
