"""Chunks side by side: what they come to, and what is left when one of them fails."""

from __future__ import annotations

import threading
from datetime import timedelta
from functools import partial

import pytest
from django.db import connection

from ops_platform.nightly import run_night
from tests import builders
from tests.faults.histories import make_history, noon, results
from tests.faults.lab import wait_until
from users.chunks import LANES, in_lanes
from users.night import count_afresh, roll_on
from workspaces.models import Workspace

pytestmark = pytest.mark.django_db(transaction=True)


def live(workspace: Workspace) -> dict[str, tuple[int, str]]:
    """Four nights, before the last two of which some come late."""
    last = noon(1).date()
    for back in (4, 3, 2, 0):
        run_night(workspace, last - timedelta(days=back))
        late = [
            (f"u{n}", "Order Completed", noon(9 + n % 20), f"l-{back}-{n}", {"total": n, "order_id": f"l{back}-{n}"})
            for n in range(0, 40, 3)
        ]
        builders.events(workspace, late)
    return results(workspace)


def test_chunks_side_by_side_come_to_what_they_come_to_one_after_the_other(monkeypatch):
    expected = live(make_history("twin", 40, noon(1)))
    monkeypatch.setattr("users.fold.FOLD_CHUNK", 6)
    monkeypatch.setattr("users.night.FACTS_CHUNK", 6)
    lanes: dict[str, set[int]] = {}

    def noted(work):
        def do(*args):
            lanes.setdefault(work.__name__, set()).add(threading.get_ident())
            return work(*args)

        return do

    for name, work in {"count_afresh": count_afresh, "roll_on": roll_on}.items():
        monkeypatch.setattr(f"users.night.{name}", noted(work))
    assert live(make_history("shop", 40, noon(1))) == expected
    # Of each at least one part was worked off by every lane.
    assert {name: len(threads) >= LANES for name, threads in lanes.items()} == {"count_afresh": True, "roll_on": True}


def test_what_fails_in_a_lane_goes_through_and_nothing_is_begun_after_it(acme):
    begun, open_ones = [], []

    def work(number: int) -> int:
        begun.append(number)
        with connection.cursor() as cursor:
            cursor.execute("select pg_backend_pid()")
            open_ones.append(cursor.fetchone()[0])
        if number == 3:
            raise ValueError("the fourth")
        return number

    answers = in_lanes(acme, [partial(work, number) for number in range(40)])
    assert [next(answers) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(ValueError, match="the fourth"):
        next(answers)
    # Those under way when it failed have ended; a lane may have begun one more in the meantime.
    assert len(begun) < 40

    def closed() -> bool:
        with connection.cursor() as cursor:
            cursor.execute("select count(*) from pg_stat_activity where pid = any(%s)", [open_ones])
            return cursor.fetchone() == (0,)

    wait_until(closed, "a lane left its connection open")
