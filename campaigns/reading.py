"""What the pages of a campaign show, gathered so that templates run no query."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import QueryDict
from django.urls import reverse
from django.utils.translation import gettext as _

from campaigns import selectors
from campaigns.experiments import Arm, Lift
from campaigns.models import Campaign
from segmentation.selectors import as_id
from workspaces.models import Workspace

PAGE = 50
MOVING = ("running", "paused")
FILTERS = ("state", "reason", "arm", "only")


def progress_of(campaign: Campaign) -> dict[str, Any]:
    """The moving part: how far it is, where everybody stands, and what stopped it."""
    found = selectors.progress_of([campaign.pk]).get(campaign.pk, selectors.Progress())
    states = selectors.count_delivery_states(campaign) if campaign.state in MOVING else {}
    return {"progress": found, "run": selectors.latest_run(campaign), "states": states}


def page_of(campaign: Campaign, workspace: Workspace) -> dict[str, Any]:
    """Everything of the campaign's page: the moving part, the report, its picture, and where each number leads.

    While it is sent and nothing has come back yet, the moving part says it all.
    """
    found = selectors.report(campaign)
    people = reverse("campaigns:deliveries", args=[workspace.slug, campaign.pk])
    context = progress_of(campaign) | {"people": people, "summary": summary_of(campaign, found)}
    if found.matched and (campaign.state != "running" or found.answered):
        context |= {
            "report": found,
            "arms": [arm_line("treated", found.treated, people), arm_line("control", found.control, people)],
            "picture": lift_picture(found.lift, people) if found.lift and found.converted else None,
        }
    return context


def summary_of(campaign: Campaign, found: selectors.Report) -> str:
    """The one-line answer under the title."""
    if not found.matched:
        return _("Not sent yet.") if campaign.state == "draft" else ""
    if campaign.state == "running":
        return _("Being sent to %(n)s of %(of)s people.") % {
            "n": f"{found.treated.people:,}",
            "of": f"{found.matched:,}",
        }
    sent = _("Sent to %(n)s of %(of)s people.") % {"n": f"{found.sent:,}", "of": f"{found.matched:,}"}
    if found.lift is None or not found.converted or not campaign.conversion_event:
        return sent
    if not found.lift.decided:
        effect = _("Not enough data yet to say whether it changed anything.")
    elif found.lift.difference > 0:
        effect = _("It raised conversion by %(points)s points.") % {"points": f"{found.lift.points:.1f}"}
    else:
        effect = _("It lowered conversion by %(points)s points.") % {"points": f"{found.lift.points:.1f}"}
    return _("%(first)s %(second)s") % {"first": sent, "second": effect}


def arm_line(key: str, arm: Arm, people: str) -> dict[str, Any]:
    label = {"treated": _("Written to"), "control": _("Control")}[key]
    return {
        "key": key,
        "label": label,
        "arm": arm,
        "per_head": round(arm.revenue / arm.people) if arm.people else None,
        "url": f"{people}?arm={key}",
        "converted_url": f"{people}?arm={key}&only=converted",
    }


def lift_picture(lift: Lift, people: str) -> dict[str, Any]:
    """The lift as a dot with its 95 % interval."""
    low, middle, high = map(in_points, (lift.low, lift.difference, lift.high))
    numbers = {"points": middle, "low": low, "high": high}
    if lift.decided:
        sentence = _(
            "%(points)s points of conversion against the control group; the 95 %% interval is %(low)s to %(high)s."
        )
    else:
        sentence = _("%(points)s points so far, but anything from %(low)s to %(high)s fits the data, zero included.")
    return {
        "kind": "dots",
        "name": "campaign-lift",
        "title": _("Lift"),
        "sentence": sentence % numbers,
        "columns": [
            {"label": ""},
            {"label": _("Lift"), "unit": "percent"},
            {"label": _("At least"), "unit": "percent"},
            {"label": _("At most"), "unit": "percent"},
        ],
        "rows": [[_("Conversion"), lift.difference, lift.low, lift.high]],
        "colors": ["treated" if lift.decided else "control"],
        "urls": [f"{people}?arm=treated&only=converted"],
    }


def in_points(share: float) -> str:
    """+6.9 from 0.0688, in percentage points."""
    text = f"{share * 100:+.1f}".replace("-", "−")
    return "0.0" if text[1:] == "0.0" else text


def deliveries_page(campaign: Campaign, asked: QueryDict) -> dict[str, Any]:
    """A page of the people behind a number: rows of (delivery, person or None for who was erased), how many in all, and
    where the pages beside it are."""
    chosen = {name: asked.get(name, "")[:40] for name in FILTERS}
    rows = selectors.deliveries_of(campaign, **chosen)
    count = rows.count()
    before, after = as_id(asked.get("before", "")), as_id(asked.get("after", ""))
    if before:
        rows = rows.filter(end_user_id__lt=before)
    elif after:
        rows = rows.filter(end_user_id__gt=after)
    found = list(rows.order_by("-end_user_id" if before else "end_user_id")[: PAGE + 1])
    more = len(found) > PAGE
    found = found[:PAGE][:: -1 if before else 1]
    people = {one.pk: one for one in selectors.people_of(found)}
    kept = {name: value for name, value in chosen.items() if value}
    return {
        "rows": [(row, people.get(row.end_user_id)) for row in found],
        "count": count,
        "next": "?" + urlencode(kept | {"after": found[-1].end_user_id}) if found and (more or before) else "",
        "previous": "?" + urlencode(kept | {"before": found[0].end_user_id})
        if found and (more if before else after)
        else "",
        "export_query": urlencode({"campaign": str(campaign.pk), **kept}),
        "parts": [{"key": name, "value": value, "remove": without(kept, name)} for name, value in kept.items()],
    }


def numbered(rows: QuerySet, asked: QueryDict, *kept: str) -> dict[str, Any]:
    """The page of rows that `page` in the address names, and the addresses of those beside it, which keep what is `kept`."""
    page = Paginator(rows, PAGE).get_page(asked.get("page"))
    asks = {name: asked[name] for name in kept if asked.get(name)}
    return {
        "found": list(page.object_list),
        "next": "?" + urlencode(asks | {"page": page.next_page_number()}) if page.has_next() else "",
        "previous": "?" + urlencode(asks | {"page": page.previous_page_number()}) if page.has_previous() else "",
    }


def without(kept: dict[str, str], name: str) -> str:
    return "?" + urlencode({key: value for key, value in kept.items() if key != name})
