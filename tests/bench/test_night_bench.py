"""The benchmark of the night at a small size: all ways of computing one agree, and a number that is off is seen."""

from __future__ import annotations

from typing import Any

import pytest

from benchmarks.night import measure
from ops_platform.bench_data.load import Size
from ops_platform.nightly import run_night
from users.models import Facts
from workspaces.models import Workspace
from workspaces.scoping import workspace_scope

pytestmark = pytest.mark.django_db(transaction=True)


def night(workspace: Workspace) -> tuple[dict[str, Any], float]:
    return run_night(workspace, workspace.today()), 0.0


def test_all_agree_person_by_person_on_three_nights():
    told: list[str] = []
    times = measure(Size(users=2_000, events=40_000, days=60), 3, set(), told.append, 1, night)
    missing = [line for line in told if line.startswith("NOT COMPARED")]
    assert {name: len(seconds) for name, seconds in times.seconds.items()} == dict.fromkeys(
        {"ours", "memory", "duckdb", "polars", "sql"} - {line.split()[3].rstrip(":") for line in missing}, 3
    )
    if missing:
        pytest.skip("; ".join(missing))


def test_one_wrong_number_of_one_person_is_seen():
    def wrong(workspace: Workspace) -> tuple[dict[str, Any], float]:
        told = night(workspace)
        with workspace_scope(workspace):
            somebody = Facts.objects.filter(visits__gt=3).first()
            Facts.objects.filter(pk=somebody.pk).update(habit_days=9)
        return told

    with pytest.raises(AssertionError, match=r"sql: 1 people differ {'habit_days': 1}"):
        measure(Size(users=200, events=3_000, days=20), 0, {"duckdb", "polars"}, lambda line: None, 1, wrong)
