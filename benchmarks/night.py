"""Bulk load and nights of a small demo shop, against an independent pandas program that computes the same from scratch."""

from __future__ import annotations

import io
import secrets
import statistics
import time
from contextlib import redirect_stdout
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from django.core.management import call_command

from ops_platform.demo import shop
from ops_platform.demo.story import LAST_DAY, generate, last_days
from ops_platform.nightly import run_night
from tests.night.against_oracle import settings_of
from tests.oracle.compare import differences
from tests.oracle.definitions import Computation
from tests.oracle.rows import read_export
from users.services import bulk_load
from workspaces.models import Workspace
from workspaces.services import create_workspace

PEOPLE = 5_000
NIGHTS = 5


def run() -> None:
    """Print events per second of the bulk load, seconds of a later night (median), and its ratio to pandas."""
    story = generate(people=PEOPLE)
    workspace = create_workspace(
        f"bench-{secrets.token_hex(3)}", "Bench", frozen_on=LAST_DAY, settings={"pay_stage": True}
    )
    events, _live = last_days(replace(story, events=shop.merged(story)), 0)
    shop.load_people(workspace, story)
    began = time.perf_counter()
    bulk_load(workspace, events)
    loaded = time.perf_counter() - began
    print(f"bulk load      {len(events):,} events, {len(events) / loaded:,.0f} a second")
    nights = [night_seconds(workspace, ago) for ago in range(NIGHTS, -1, -1)]
    later = statistics.median(nights[1:])
    print(f"first night    {nights[0]:.2f} s for {PEOPLE:,} people; later nights {later:.2f} s (median of {NIGHTS})")
    pandas_seconds, departing = oracle(workspace)
    print(f"pandas         {pandas_seconds:.2f} s for the same numbers from scratch; {departing} numbers differ")
    print(f"later night / pandas from scratch = {later / pandas_seconds:.2f}")


def night_seconds(workspace: Workspace, ago: int) -> float:
    return run_night(workspace, LAST_DAY - timedelta(days=ago), "bench")["seconds"]


def oracle(workspace: Workspace) -> tuple[float, int]:
    """(seconds of the pandas program on the exported rows, numbers in which the product departs from it)."""
    with TemporaryDirectory() as folder:
        events, profiles, users = (
            export(Path(folder), name, *arguments, workspace=workspace.slug)
            for name, arguments in (("export_events", ()), ("export_users", ("--profiles",)), ("export_users", ()))
        )
        began = time.perf_counter()
        expected = Computation(read_export(events), read_export(profiles), settings_of(workspace)).on(LAST_DAY)
        seconds = time.perf_counter() - began
        actual = read_export(users)
        shared = [column for column in expected.columns if column in actual.columns]
        return seconds, len(differences(expected, actual, shared))


def export(folder: Path, command: str, *arguments: str, workspace: str) -> Path:
    out = io.StringIO()
    with redirect_stdout(out):
        call_command(command, *arguments, "--csv", workspace=workspace)
    path = folder / f"{command}{''.join(arguments)}.csv"
    path.write_text(out.getvalue(), encoding="utf-8")
    return path
