"""Reads for the pages of the daily update: how far a night is and how long it will take, and how long others took."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from ops_platform import names, numbers
from ops_platform.models import Night, NightStep
from users.night import NIGHT_LEASE
from workspaces.leases import is_held
from workspaces.models import Workspace
from workspaces.sql import database_now

# A step that cannot tell how far it is is never taken for more than this.
NEARLY = 0.95
# Steps drawn by name; what is beyond the longest of them is drawn as one.
DRAWN = 6
COLORS = ("stage-contact", "stage-use", "stage-habit", "stage-paying", "stage-advocate", "stage-churned", "control")


@dataclass(frozen=True)
class Progress:
    """How far a running night is. `alive`: its worker is heard of; else the next one goes on with it.

    `share` is 0–1 and None for a first night, when nothing is known of how long steps take; `rate` people a second.
    """

    step: str
    number: int
    steps: int
    done: int
    total: int
    elapsed: float
    alive: bool
    share: float | None = None
    left: float | None = None
    rate: float | None = None


def read_progress(workspace: Workspace, night: Night | None, steps: dict[str, NightStep]) -> Progress | None:
    """For the open scope; None when the night does not run. `steps`: its rows by key."""
    if night is None or night.state != "running":
        return None
    now = database_now()
    return measure(
        night, steps, usual_seconds(night.day), usual_people(night.day), now, is_held(workspace, NIGHT_LEASE)
    )


def usual_seconds(before: date) -> dict[str, float]:
    """Seconds that each step took in the last finished night before a day."""
    last = Night.objects.filter(state="done", day__lt=before).order_by("-day").values_list("day", flat=True).first()
    rows = NightStep.objects.filter(day=last, state="done") if last else NightStep.objects.none()
    return {row.step: row.seconds or 0.0 for row in rows}


def usual_people(before: date) -> int:
    """People whose facts the last finished night made."""
    row = NightStep.objects.filter(day__lt=before, step="facts", state="done").order_by("-day").first()
    return int(row.counts.get("people", 0)) if row else 0


def measure(
    night: Night, steps: dict[str, NightStep], usual: dict[str, float], people: int, now: datetime, alive: bool
) -> Progress:
    """Pure: what is done counts as long as it usually takes, the step under way by its rows or by its time."""
    keys = list(names.STEPS)
    ended = [key for key in keys if key in steps and steps[key].state == "done"]
    under_way = next((steps[key] for key in keys if key in steps and steps[key].state == "running"), None)
    elapsed = (now - night.started_at).total_seconds()
    if "facts" in ended:
        people = int(steps["facts"].counts.get("people", people))
    ours = (now - under_way.started_at).total_seconds() if under_way and under_way.started_at else 0.0
    done, total = (under_way.done, under_way.total) if under_way else (0, 0)
    told = Progress(
        step=str(names.STEPS[under_way.step]) if under_way else "",
        number=min(len(ended) + 1, len(keys)),
        steps=len(keys),
        done=done,
        total=total,
        elapsed=elapsed,
        alive=alive,
        rate=done / ours if done and ours > 0 else None,
    )
    whole = sum(usual.get(key, 0.0) for key in keys)
    if not whole:
        return told
    # Not the time in which nobody worked on it: its worker was killed, and the next one came hours later perhaps.
    worked = sum(steps[key].seconds or 0.0 for key in ended) + ours
    part = usual.get(under_way.step, 0.0) if under_way else 0.0
    far = done / total if total else min(NEARLY, ours / part) if part else 0.0
    share = (sum(usual.get(key, 0.0) for key in ended) + part * far) / whole
    # At the pace of this night so far, once that says something.
    pace = worked / (share * whole) if share > 0.2 else 1.0
    rate = told.rate or (people * share / worked if worked > 0 and people else None)
    return Progress(**{**vars(told), "share": share, "left": max(0.0, (1 - share) * whole * pace), "rate": rate})


def read_durations(nights: Iterable[Night]) -> list[tuple[Night, dict[str, float]]]:
    """Finished nights with the seconds of each step, oldest first, in one query."""
    found = sorted((night for night in nights if night.state == "done"), key=lambda night: night.day)
    seconds: dict[date, dict[str, float]] = {}
    for row in NightStep.objects.filter(day__in=[night.day for night in found], state="done"):
        seconds.setdefault(row.day, {})[row.step] = row.seconds or 0.0
    return [(night, seconds.get(night.day, {})) for night in found]


def durations(rows: list[tuple[Night, dict[str, float]]], address: Any) -> dict[str, Any]:
    """The picture of how long nights took, step by step; `address(day)` opens one."""
    totals = {key: sum(steps.get(key, 0.0) for _night, steps in rows) for key in names.STEPS}
    longest = sorted(totals, key=lambda key: -totals[key])[:DRAWN]
    drawn = [key for key in names.STEPS if key in longest]
    labels = [str(names.STEPS[key]) for key in drawn] + [_("Other steps")]
    table = []
    for night, steps in rows:
        known = [round(steps.get(key, 0.0), 2) for key in drawn]
        table.append([numbers.day(night.day), *known, round(max(0.0, sum(steps.values()) - sum(known)), 2)])
    return {
        "kind": "columns",
        "name": "night-durations",
        "title": _("How long it took"),
        "sentence": say_durations(rows, totals),
        "columns": [{"label": _("Day")}]
        + [
            {"label": label, "unit": "seconds", "color": color}
            for label, color in zip(labels, COLORS[: DRAWN + 1], strict=False)
        ],
        "rows": table if len(table) > 1 else [],
        "urls": [address(night.day) for night, _steps in rows],
        "empty": {
            "title": _("One night is not a history"),
            "text": _("From the second daily update on, this shows how long each of its steps takes."),
        },
    }


def step_bars(steps: dict[str, NightStep]) -> dict[str, Any]:
    """The picture of one night: how long each step took."""
    seconds = {key: steps[key].seconds or 0.0 for key in names.STEPS if key in steps and steps[key].seconds}
    longest = max(seconds, key=lambda key: seconds[key], default="")
    return {
        "kind": "bars",
        "name": "night-steps",
        "title": _("Where the time went"),
        "sentence": _("%(step)s took longest: %(seconds)s.")
        % {"step": names.STEPS.get(longest, ""), "seconds": numbers.duration(seconds.get(longest))},
        "columns": [{"label": _("Step")}, {"label": _("Seconds"), "unit": "seconds"}],
        "rows": [[str(names.STEPS[key]), round(took, 2)] for key, took in seconds.items()] if len(seconds) > 1 else [],
        "empty": {"title": "", "text": ""},
    }


def say_durations(rows: list[tuple[Night, dict[str, float]]], totals: dict[str, float]) -> str:
    if not rows:
        return ""
    seconds = sorted(night.seconds or 0.0 for night, _steps in rows)
    most = max(totals, key=lambda key: totals[key])
    share = totals[most] / (sum(totals.values()) or 1.0)
    return ngettext(
        "One update, %(usual)s; most of it is the step %(step)s (%(share)s).",
        "%(n)s updates, usually %(usual)s, at most %(longest)s; most of it is the step %(step)s (%(share)s).",
        len(rows),
    ) % {
        "n": len(rows),
        "usual": numbers.duration(seconds[len(seconds) // 2]),
        "longest": numbers.duration(seconds[-1]),
        "step": names.STEPS[most],
        "share": numbers.percent(share, 0),
    }
