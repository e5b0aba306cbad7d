"""What the list and the page of a segment show, gathered so that templates run no query."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any
from urllib.parse import quote, urlencode

from django.core.paginator import Paginator
from django.http import QueryDict
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext, pgettext

from segmentation import selectors
from segmentation.models import Segment, SegmentDay, TagRule
from segmentation.sentence import describe
from segmentation.vocabulary import Vocabulary
from users.models import EndUser
from workspaces.errors import DomainError
from workspaces.models import Operator, Workspace

PAGE = 50
SORTS = {"name": "name", "size": "-size", "new": "-created_at"}
HEADER = ["name", "rule", "size", "entered", "left", "refreshed_on"]
# What the table of people shows, and of which day.
Shown = tuple[str, date | None]
PEOPLE_HEADER = [
    "external_id",
    "name",
    "email",
    "phone",
    "city",
    "source",
    "stage",
    "activity",
    "orders",
    "revenue_minor",
    "last_seen_on",
    "entered_on",
]


@dataclass(frozen=True)
class Line:
    """A segment in the list, with its rule in words and its last day (None before the first refresh)."""

    segment: Segment
    sentence: str
    latest: SegmentDay | None


@dataclass(frozen=True)
class Found:
    """One page of the list; `counts` are the segments in use and the archived ones, `moved` how many of those in use changed
    with the last update, whichever are on the page."""

    lines: list[Line]
    q: str
    sort: str
    archived: bool
    counts: tuple[int, int]
    previous: str
    next: str
    file: str
    moved: int


def read(query: QueryDict, workspace: Workspace, *, whole: bool = False) -> Found:
    """The segments that the address asks for: `q`, `sort` (name, size, new), `archived`, `page`; `whole`: of all pages."""
    q, archived = query.get("q", "").replace("\x00", "").strip()[:100], query.get("archived") == "1"
    sort = query.get("sort", "")
    sort = sort if sort in SORTS else "name"
    rows = selectors.list_segments(q, archived=archived).order_by(SORTS[sort], "name")
    page = Paginator(rows, max(1, rows.count()) if whole else PAGE).get_page(query.get("page"))
    segments = list(page.object_list)
    vocabulary, latest = Vocabulary(workspace), selectors.latest_days(segments)
    lines = [Line(segment, sentence_of(segment, vocabulary), latest.get(segment.pk)) for segment in segments]
    counts = (selectors.list_segments().count(), selectors.list_segments(archived=True).count())
    kept = {name: value for name, value in (("q", q), ("sort", sort), ("archived", "1" if archived else "")) if value}

    def page_url(number: int) -> str:
        return f"?{urlencode({**kept, 'page': number})}"

    previous = page_url(page.previous_page_number()) if page.has_previous() else ""
    following = page_url(page.next_page_number()) if page.has_next() else ""
    file = f"?{urlencode({**kept, 'format': 'csv'})}"
    moved = 0 if archived else selectors.count_moved(workspace.current_day)
    return Found(lines, q, sort, archived, counts, previous, following, file, moved)


def sentence_of(segment: Segment, vocabulary: Vocabulary) -> str:
    """The rule in words; a rule that can no longer be read says so."""
    try:
        return describe(segment.definition, vocabulary)
    except LookupError:
        return _("This rule asks for something that no longer exists.")


def as_rows(lines: list[Line]) -> list[list[Any]]:
    """The list as a file, in the order of HEADER."""
    return [
        [
            line.segment.name,
            line.sentence,
            line.segment.size,
            line.latest.entered if line.latest else None,
            line.latest.left if line.latest else None,
            line.segment.refreshed_on,
        ]
        for line in lines
    ]


def one(segment: Segment, query: QueryDict, workspace: Workspace) -> dict[str, Any]:
    """Everything that the page of one segment shows."""
    history = selectors.size_history(segment)
    show = shown(query)
    page = people(segment, show, query.get("after", ""))
    latest = history[-1] if history else None
    return {
        "segment_id": str(segment.pk),
        "sentence": sentence_of(segment, Vocabulary(workspace, segment)),
        "summary": summary_of(segment, latest),
        "latest": latest,
        "recent": [row for row in reversed(history) if row.entered or row.left][:7],
        "picture": picture(segment, history, workspace),
        "reach": reach_of(segment, workspace),
        "owner": Operator.objects.filter(pk=segment.owner).first() if segment.owner else None,
        "users": [*map(str, selectors.segments_using(segment)), *selectors.users_of(segment)],
        "tags": [rule.tag for rule in TagRule.objects.filter(segment=segment).order_by("tag")],
        "page": page,
        "show": show[0],
        "on": show[1],
        "tabs": tabs(segment, latest, show),
        "next": next_url(show, page.next),
        "first": query.get("after", "") != "",
        "kept": urlencode(address(show)),
        "export_query": urlencode({"segment": str(segment.pk), **address(show)}),
    }


def summary_of(segment: Segment, latest: SegmentDay | None) -> str:
    if segment.size is None:
        return _("Not computed yet: the next daily update does it.")
    people = ngettext("%(n)s person", "%(n)s people", segment.size) % {"n": f"{segment.size:,}"}
    if latest is None or not (latest.entered or latest.left):
        return _("%(people)s; nobody came or went with the last update.") % {"people": people}
    if latest.entered == latest.size and not latest.left:  # its first day: everybody is new
        return people
    return _("%(people)s; %(entered)s entered and %(left)s left with the last update.") % {
        "people": people,
        "entered": f"{latest.entered:,}",
        "left": f"{latest.left:,}",
    }


def reach_of(segment: Segment, workspace: Workspace) -> selectors.LiveCount | None:
    """How many of the members each channel reaches now; None when there are none to look at."""
    if not segment.size:
        return None
    try:
        return selectors.count_live({"kind": "segment", "segment": str(segment.pk)}, workspace, sample=0)
    except DomainError:
        return None


def shown(query: QueryDict) -> Shown:
    """Which people: ("members", None), or ("entered" | "left", day)."""
    kind = query.get("show", "")
    try:
        day = date.fromisoformat(query.get("on", ""))
    except ValueError:
        return "members", None
    return (kind, day) if kind in ("entered", "left") else ("members", None)


def address(show: Shown) -> dict[str, str]:
    return {} if show[1] is None else {"show": show[0], "on": show[1].isoformat()}


def next_url(show: Shown, after: str) -> str:
    return f"?{urlencode({**address(show), 'after': after})}" if after else ""


def people(segment: Segment, show: Shown, after: str = "", limit: int = PAGE) -> selectors.Page:
    kind, day = show
    if day is None:
        return selectors.members(segment, after, limit)
    return selectors.moved(segment, day, kind == "entered", after, limit)


def tabs(segment: Segment, latest: SegmentDay | None, show: Shown) -> list[dict[str, Any]]:
    """Members, and who came and went on a day: the one looked at, or the last."""
    day = show[1] or (latest.day if latest else None)
    found = [
        {"label": pgettext("segment", "Members"), "url": "?", "active": show[0] == "members", "count": segment.size}
    ]
    if day is not None:
        counts = SegmentDay.objects.filter(segment=segment, day=day).first()
        for key, label in (
            ("entered", pgettext("segment", "Entered on %(day)s")),
            ("left", pgettext("segment", "Left on %(day)s")),
        ):
            count = getattr(counts, key) if counts else 0
            url = f"?{urlencode({'show': key, 'on': day.isoformat()})}"
            found.append({"label": label % {"day": day}, "url": url, "active": show[0] == key, "count": count})
    return found


def picture(segment: Segment, history: list[SegmentDay], workspace: Workspace) -> dict[str, Any]:
    """Size by day, for the chart; every day opens who entered on it."""
    page = reverse("segmentation:detail", args=[workspace.slug, segment.pk])
    sentence = _("Size of the segment by day.")
    if len(history) > 1:
        first, last = history[0], history[-1]
        sentence = _("From %(before)s people on %(first)s to %(after)s on %(last)s.") % {
            "before": f"{first.size:,}",
            "first": first.day,
            "after": f"{last.size:,}",
            "last": last.day,
        }
    return {
        "kind": "lines",
        "name": "segment-size",
        "title": _("Size over time"),
        "sentence": sentence,
        "columns": [{"label": _("Day"), "unit": "day"}, {"label": _("People"), "unit": "people"}],
        "rows": [[row.day.isoformat(), row.size] for row in history] if len(history) > 1 else [],
        "urls": [f"{page}?show=entered&on={row.day}" for row in history],
        "empty": {
            "title": _("No history yet"),
            "text": _("Every daily update adds one day; the line begins with the second."),
        },
    }


def person_row(person: EndUser) -> list[Any]:
    """One line of the export, in the order of PEOPLE_HEADER. `person` comes from `selectors.page_of`."""
    facts, standing = person.facts, person.standing  # type: ignore[attr-defined]
    return [
        person.external_id,
        person.name,
        person.email,
        person.phone,
        person.city,
        person.source,
        standing.stage if standing else "",
        standing.activity if standing else "",
        facts.orders if facts else "",
        facts.revenue_minor if facts else "",
        facts.last_seen_on if facts else "",
        person.entered_on,  # type: ignore[attr-defined]
    ]


def attachment(name: str) -> str:
    """A Content-Disposition that keeps a Chinese name."""
    return f"attachment; filename=\"segment.csv\"; filename*=UTF-8''{quote(name + '.csv', safe='')}"
