"""事件: what people did, day by day, split by a property; every bar and every value opens the people behind it."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import path
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from ops_platform import event_reads, numbers
from ops_platform.event_reads import Question
from ops_platform.links import people_address
from ops_platform.people_deeds import VALUE_LENGTH
from ops_platform.people_parts import BadValue, day_of
from users.models import EventName
from workspaces.models import Workspace
from workspaces.permissions import action

DAYS = 30
MOST_DAYS = 400


@require_safe
@action("events.view")
def show_events(request: HttpRequest) -> HttpResponse:
    """One event over time. Without a choice: the first that plays the core action, else the first by name."""
    workspace = request.workspace
    names = sorted(EventName.objects.all(), key=lambda name: (not name.is_core, name.name))
    chosen = next((name for name in names if name.name == request.GET.get("event")), names[0] if names else None)
    context: dict[str, Any] = {
        "title": _("Events"),
        "names": sorted(names, key=lambda name: name.name),
        "chosen": chosen,
    }
    if chosen is not None:
        context |= answer(question_of(request, chosen), workspace)
    return render(request, "events/show.html", context)


def question_of(request: HttpRequest, name: EventName) -> Question:
    """The question in the address; what cannot be read falls back to the last 30 days and no split."""
    last = day_from(request, "until") or request.workspace.yesterday()
    first = day_from(request, "since") or last - timedelta(days=DAYS - 1)
    first, last = sorted((first, last))  # days chosen the wrong way round mean the days between
    first = max(first, last - timedelta(days=MOST_DAYS - 1))
    by = request.GET.get("by", "").replace("\0", "")[:200]
    value = request.GET["is"].replace("\0", "")[:VALUE_LENGTH] if by and "is" in request.GET else None
    return Question(name, first, last, by, value)


def day_from(request: HttpRequest, name: str) -> date | None:
    try:
        return day_of(request.GET.get(name))
    except BadValue:
        return None


def answer(question: Question, workspace: Workspace) -> dict[str, Any]:
    """Everything the page shows of a question."""
    found = event_reads.read(question, workspace)
    days, properties, values = found or ([], [question.by] if question.by else [], [])
    drawn = picture(question, days, workspace)
    if found is None:
        late = {"title": _("Counting took too long"), "text": _("Choose fewer days, or a rarer event.")}
        drawn |= {"sentence": "", "empty": late}
    return {
        "question": question,
        "summary": summary(question, days) if found else "",
        "picture": drawn,
        "properties": properties,
        "values": [told(question, row, workspace) for row in values],
        "all_query": query(question, None),
        "export_query": query(question, question.value),
    }


def told(question: Question, row: dict[str, Any], workspace: Workspace) -> dict[str, Any]:
    """One value of the property: its share, its own days, its people."""
    links = {"query": query(question, row["value"]), "people_url": opened(question, workspace, value=row["value"])}
    return row | links | {"share": row["events"] / row["all_events"]}


def query(question: Question, value: str | None) -> str:
    """The address of the same question about one value, or about all of them."""
    asked = {"event": question.name.name, "by": question.by, "since": question.first, "until": question.last}
    return urlencode(asked | ({"is": value} if value is not None else {}))


def opened(question: Question, workspace: Workspace, day: date | None = None, value: str | None = None) -> str:
    """The people who did it, on one day or between the two, with one value if there is one."""
    asked: dict[str, Any] = {
        "did": question.name.name,
        "did_from": day or question.first,
        "did_to": day or question.last,
    }
    value = value if value is not None else question.value
    if question.by and value is not None:
        asked |= {"did_property": question.by, "did_value": value}
    return people_address(workspace)(**asked)


def summary(question: Question, days: list[dict[str, Any]]) -> str:
    events = sum(row["events"] for row in days)
    if not events:
        return _("None between %(first)s and %(last)s.") % {"first": question.first, "last": question.last}
    peak = max(days, key=lambda row: row["events"])
    return _("%(n)s times between %(first)s and %(last)s; most on %(day)s, %(most)s.") % {
        "n": numbers.number(events),
        "first": question.first,
        "last": question.last,
        "day": peak["day"],
        "most": numbers.number(peak["events"]),
    }


def picture(question: Question, days: list[dict[str, Any]], workspace: Workspace) -> dict[str, Any]:
    found = any(row["events"] for row in days)
    title = question.name.name
    if question.by and question.value is not None:
        title = f"{title} · {question.by} = {question.value or '—'}"
    return {
        "kind": "columns",
        "name": "events",
        "title": title,
        "sentence": summary(question, days),
        "columns": [{"label": _("Day")}, {"label": _("Times"), "unit": "number"}],
        "rows": [[row["day"].isoformat(), row["events"]] for row in days] if found else [],
        "urls": [opened(question, workspace, row["day"]) for row in days] if found else [],
        "empty": {"title": _("None in these days"), "text": _("Choose other days, or another event.")},
    }


app_name = "events"
urlpatterns = [path("", show_events, name="show")]
