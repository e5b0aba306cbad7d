"""The people of a campaign as a file: whom it was for, what became of each message, and what came back."""

from __future__ import annotations

from django.utils.translation import gettext_lazy

from campaigns import selectors
from campaigns.models import Campaign
from campaigns.reading import FILTERS
from segmentation.selectors import as_id
from users.export_kinds import Kind, Query, Rows, keep
from workspaces.models import Workspace

HEADER = (
    "external_id", "name", "address", "channel", "frozen_at", "arm", "state", "reason", "detail", "sent_at", "opened_at",
    "clicked_at", "unsubscribed_at", "converted_at", "revenue_minor",
)  # fmt: skip
TIMES = ("opened_at", "clicked_at", "unsubscribed_at", "converted_at")


def find(query: Query) -> Campaign:
    """Raises LookupError."""
    campaign = Campaign.objects.filter(pk=as_id(query.get("campaign", "")) or None).first()
    if campaign is None:
        raise LookupError(query.get("campaign"))
    return campaign


def deliveries(query: Query):  # type: ignore[no-untyped-def]
    return selectors.deliveries_of(find(query), **{name: query.get(name, "")[:40] for name in FILTERS})


def name(workspace: Workspace, query: Query) -> str:
    return find(query).name


def count(workspace: Workspace, query: Query) -> int:
    return deliveries(query).count()


def page(workspace: Workspace, query: Query, after: str, limit: int) -> tuple[Rows, str]:
    """In the order of people, then runs. Those who were erased have neither id nor address."""
    rows = deliveries(query).select_related("run")
    person, _slash, run = after.partition("/")
    if after:
        rows = rows.filter(end_user_id__gte=person).exclude(end_user_id=person, run_id__lte=run)
    found = list(rows.order_by("end_user_id", "run_id")[: limit + 1])
    people = {one.pk: one for one in selectors.people_of(found[:limit])}
    lines: Rows = [
        [
            getattr(people.get(row.end_user_id), "external_id", ""),
            getattr(people.get(row.end_user_id), "name", ""),
            *(row.address, row.channel, row.run.frozen_at, row.arm, row.state, row.reason, row.detail, row.sent_at),
            *(getattr(row, time) for time in TIMES),
            row.revenue_minor,
        ]
        for row in found[:limit]
    ]
    last = found[limit - 1] if len(found) > limit else None
    return lines, f"{last.end_user_id}/{last.run_id}" if last else ""


DELIVERIES = Kind(
    key="deliveries",
    label=gettext_lazy("People of a campaign"),
    action="campaigns.view",
    read=keep("campaign", *FILTERS),
    header=HEADER,
    name=name,
    count=count,
    page=page,
)
