"""数据更新: the nights of a workspace, their steps with seconds and counts, and the buttons that run one again."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime, timedelta
from functools import partial
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.db.models import Min
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path, register_converter, reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext, pgettext
from django.views.decorators.http import require_POST

from ops_platform import names, nightly, numbers
from ops_platform.alerts import say_alerts
from ops_platform.context import status_of
from ops_platform.ledger import INTERRUPTED
from ops_platform.links import page_address
from ops_platform.models import Night, NightStep
from ops_platform.night_reads import Progress, durations, read_durations, read_progress, step_bars
from ops_platform.schedule import night_queue
from ops_platform.tasks import ring
from users.ingest.normal import FIRST_AT
from users.models import EndUser
from users.night import NIGHT_LEASE
from workspaces.errors import Conflict
from workspaces.leases import is_held
from workspaces.models import Operator, Workspace
from workspaces.permissions import action
from workspaces.scoping import workspace_scope
from workspaces.services import audit
from workspaces.sql import database_now

LISTED = 60
DRAWN_NIGHTS = 30
RUN_NIGHT = "ops_platform.tasks.run_night"
# How long a page waits for a worker to begin what was asked for.
PATIENCE_S = 120


class DayConverter:
    """2026-08-31 in an address."""

    regex = r"\d{4}-\d{2}-\d{2}"

    def to_python(self, value: str) -> date:
        return date.fromisoformat(value)  # a ValueError means that no address matches

    def to_url(self, value: date | str) -> str:
        return value if isinstance(value, str) else value.isoformat()


register_converter(DayConverter, "day")


@action("nights.view")
def list_nights(request: HttpRequest) -> HttpResponse:
    """The latest nights, how long each took, and how far a running one is; the part alone while one runs."""
    workspace = request.workspace
    nights = list(Night.objects.order_by("-day")[:LISTED])
    latest = nights[0] if nights else None
    progress = progress_of(workspace, latest)
    context = {
        "title": _("Daily update"),
        "summary": nights_summary(workspace, latest),
        "nights": nights,
        "night": status_of(workspace, latest),
        "next_day": next_day(workspace),
        "progress": progress,
        "latest": latest,
        "alerts": say_alerts(workspace, latest.day) if latest else [],
        "durations": durations(read_durations(nights[:DRAWN_NIGHTS]), night_address(workspace)),
        "polls": polls(request, latest),
        "watch": request.GET.get("watch", ""),
    }
    return render(request, "nights/_list.html" if request.htmx else "nights/list.html", context)


def night_address(workspace: Workspace) -> Callable[[date], str]:
    return lambda day: reverse("nights:detail", args=[workspace.slug, day])


def progress_of(workspace: Workspace, night: Night | None) -> Progress | None:
    if night is None or night.state != "running":
        return None
    return read_progress(workspace, night, {step.step: step for step in NightStep.objects.filter(day=night.day)})


def next_day(workspace: Workspace) -> date:
    """The day a run by hand is for: the last finished one, which is also the current one when it has been computed."""
    return max(workspace.yesterday(), workspace.current_day or date.min)


def nights_summary(workspace: Workspace, latest: Night | None) -> str:
    if latest is None:
        return _("Not computed yet. The first update makes metrics, stages, RFM and activity.")
    if latest.state == "running":
        return _("Computing the numbers of %(day)s now.") % {"day": numbers.day(latest.day)}
    if latest.state == "failed":
        return _("The update for %(day)s failed; the pages still show %(shown)s.") % {
            "day": numbers.day(latest.day),
            "shown": numbers.day(workspace.current_day),
        }
    return _("Data up to %(day)s; the last update took %(seconds)s. Runs by itself at 03:00.") % {
        "day": numbers.day(latest.day),
        "seconds": numbers.duration(latest.seconds),
    }


def polls(request: HttpRequest, night: Night | None, steps: Iterable[NightStep] = ()) -> bool:
    """Whether the page keeps asking: a night runs, or one, or a step of it, was asked for and has not begun."""
    if night is not None and night.state == "running":
        return True
    asked = request.GET.get("watch", "")
    # Of thousands of digits Python makes no number, and of a far future no time.
    if not asked.isdecimal() or len(asked) > 20 or abs(time.time() - int(asked) / 1000) > PATIENCE_S:
        return False
    begun = [one.started_at for one in (night, *steps) if one and one.started_at]
    return not begun or max(begun) < datetime.fromtimestamp(int(asked) / 1000, UTC)


@action("nights.view")
def show_night(request: HttpRequest, day: date) -> HttpResponse:
    """One night, step by step."""
    night = Night.objects.filter(day=day).first()
    steps = {step.step: step for step in NightStep.objects.filter(day=day)}
    if night is None and not steps and not request.GET.get("watch"):
        raise Http404
    progress = read_progress(request.workspace, night, steps)
    context = {
        "title": _("Daily update for %(day)s") % {"day": numbers.day(day)},
        "summary": "",
        "day": day,
        "told": night,
        "progress": progress,
        "error": say_error(night.error) if night else "",
        "alerts": say_alerts(request.workspace, day),
        "drawn": step_bars(steps),
        "steps": [describe_step(request.workspace, day, key, steps.get(key)) for key in names.STEPS],
        "polls": polls(request, night, steps.values()) or (one_runs(steps) and is_held(request.workspace, NIGHT_LEASE)),
        "watch": request.GET.get("watch", ""),
        "again": day >= (request.workspace.current_day or day),
    }
    return render(request, "nights/_detail.html" if request.htmx else "nights/detail.html", context)


def one_runs(steps: dict[str, NightStep]) -> bool:
    return any(step.state == "running" for step in steps.values())


def describe_step(workspace: Workspace, day: date, key: str, step: NightStep | None) -> dict[str, Any]:
    """One line of the ledger: {key, label, state, seconds, counts (words), rate, share, url, error, attempts, again}."""
    counts = step.counts if step else {}
    words = [
        say(counts[name]) % {"n": numbers.number(counts[name])}
        for name, say in COUNT_WORDS.items()
        if name in counts and (counts[name] or name != "failed")
    ]
    return {
        "key": key,
        "label": names.STEPS[key],
        "state": step.state if step else "waiting",
        "seconds": step.seconds if step else None,
        "counts": pgettext("counts", " · ").join(words),
        "rate": step.counts["people"] / step.seconds if step and step.seconds and counts.get("people") else None,
        "share": step.done / step.total if step and step.state == "running" and step.total else None,
        "url": result_address(workspace, day, key) if step and step.state == "done" else "",
        "error": say_error(step.error) if step else "",
        "attempts": step.attempts if step else 0,
        "again": nightly.runs_alone(workspace, day, key),
    }


def result_address(workspace: Workspace, day: date, key: str) -> str:
    """The page that shows what a step makes, as of the night's day where the page knows past days."""
    page = page_address(RESULTS[key], workspace) if key in RESULTS else ""
    of_day = {
        "activity": {"on": day},
        "stages": {"since": day - timedelta(days=1), "until": day},
        "rfm": {"on": day},
    }.get(key)
    return f"{page}?{urlencode(of_day)}" if page and of_day else page


def say_error(error: str) -> str:
    if error == INTERRUPTED:
        return _("Its worker was stopped, again and again. Nothing of this step was kept.")
    return error


# Which page shows what a step makes.
RESULTS = {
    "facts": "people:list",
    "attributes": "users:attributes",
    "activity": "tiers:churn",
    "stages": "tiers:lifecycle",
    "rfm": "tiers:rfm",
    "segments": "segmentation:list",
    "campaigns": "campaigns:list",
}
# In the order in which they are told.
COUNT_WORDS = {
    "people": lambda n: ngettext("%(n)s person", "%(n)s people", n),
    "folded": lambda n: ngettext("%(n)s with new events", "%(n)s with new events", n),
    "moved": lambda n: ngettext("%(n)s moved", "%(n)s moved", n),
    "segments": lambda n: ngettext("%(n)s segment", "%(n)s segments", n),
    "entered": lambda n: ngettext("%(n)s entered", "%(n)s entered", n),
    "left": lambda n: ngettext("%(n)s left", "%(n)s left", n),
    "failed": lambda n: ngettext("%(n)s failed", "%(n)s failed", n),
    "changes": lambda n: ngettext("%(n)s row changed", "%(n)s rows changed", n),
}


@require_POST
@action("nights.run", by_hand=True)
def run_again(request: HttpRequest) -> HttpResponse:
    """Ask a worker for a night, or for one step of it. Running twice does no harm: the second time nothing changes."""
    workspace: Workspace = request.workspace
    try:
        day = date.fromisoformat(request.POST.get("day", ""))
    except ValueError as error:
        raise Http404 from error
    step, asked = request.POST.get("step", ""), int(time.time() * 1000)
    if day > workspace.today() or (step and step not in {known.key for known in nightly.STEPS}):
        raise Http404
    try:
        with workspace_scope(workspace):
            ring_for_it = ask_night(workspace, day, step, request.user)
    except Conflict as conflict:
        messages.error(request, conflict.message)
        page = (
            ["nights:list", workspace.slug]
            if conflict.code == "day_unknown"
            else ["nights:detail", workspace.slug, day]
        )
        return redirect(*page)
    if ring_for_it():
        messages.success(request, _("Asked for. The page shows how far it is."))
        return redirect(f"{reverse('nights:detail', args=[workspace.slug, day])}?watch={asked}")
    messages.error(
        request, _("The background workers cannot be reached right now. Nothing was started; try again in a minute.")
    )
    return redirect("nights:list", workspace.slug)


def first_day(workspace: Workspace) -> date:
    """The first day that numbers can stand at: that of the first thing known of anybody, and at the latest yesterday."""
    first = EndUser.objects.aggregate(first=Min("created_at"))["first"] or FIRST_AT
    return min(first.astimezone(workspace.tzinfo).date(), workspace.yesterday())


def ask_night(workspace: Workspace, day: date, step: str, by: Operator | None) -> Callable[[], bool]:
    """In the open scope, note that somebody asks for a night or one step of it; returns what rings for it afterwards.

    That answers False with the broker away. Whoever asks while a night runs is served by that one: the worker compares
    when it was asked. Raises Conflict when one step is asked for while anything runs, or for a day at which the numbers do
    not stand yet (`nightly.runs_alone`), and for a day of which nothing is known.
    """
    if workspace.current_day is None and day < (first := first_day(workspace)):
        told = {"day": first.isoformat()}
        raise Conflict("day_unknown", _("Nothing is known of this day; the first one is %(day)s.") % told, "day")
    if step and is_held(workspace, NIGHT_LEASE):
        raise Conflict("night_running", _("A daily update of this project is running already."))
    if step and not nightly.runs_alone(workspace, day, step):
        raise nightly.not_alone()
    audit("night.run", day.isoformat(), by, **({"step": step} if step else {}))
    arguments = (str(workspace.pk), day.isoformat(), "button", step, database_now().isoformat())
    return partial(ring, RUN_NIGHT, *arguments, queue=night_queue(workspace))


app_name = "nights"
urlpatterns = [
    path("", list_nights, name="list"),
    path("run/", run_again, name="run"),
    path("<day:day>/", show_night, name="detail"),
]
