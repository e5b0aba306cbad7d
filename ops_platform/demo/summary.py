"""What the demo says at its end: people, stages, RFM groups, activity, campaigns, and what arrived where."""

from __future__ import annotations

from collections.abc import Iterator

from django.db.models import Count

from campaigns.local_servers import LocalInbox
from campaigns.models import Campaign, Delivery
from campaigns.selectors import report
from lifecycle.models import Standing
from ops_platform.demo import cdnow, shop
from segmentation.models import RfmScore
from users.models import EndUser, Facts, Purchase
from workspaces.models import Workspace
from workspaces.scoping import workspace_scope


def lines(inbox: LocalInbox) -> Iterator[str]:
    for workspace in Workspace.objects.filter(slug__in=[cdnow.SLUG, shop.SLUG]).order_by("created_at"):
        with workspace_scope(workspace):
            yield from workspace_lines(workspace)
    yield from message_lines(inbox)


def workspace_lines(workspace: Workspace) -> Iterator[str]:
    people = EndUser.objects.counted().count()
    orders = Purchase.objects.filter(kind="order").count()
    revenue = sum(Facts.objects.values_list("revenue_minor", flat=True)) / 100
    yield f"\n{workspace.name} ({workspace.slug}), as of {workspace.current_day}"
    yield f"  people {people:,} · order rows {orders:,} · net revenue {revenue:,.2f} {workspace.currency}"
    yield "  stages    " + counts(Standing.objects.values_list("stage"))
    yield "  activity  " + counts(Standing.objects.values_list("activity"))
    yield "  RFM       " + counts(RfmScore.objects.values_list("group"))
    for campaign in Campaign.objects.order_by("created_at"):
        yield f"  {campaign_line(campaign)}"


def counts(rows: object) -> str:
    found = sorted(rows.annotate(n=Count("end_user_id")), key=lambda row: -row[1])  # type: ignore[attr-defined]
    return " · ".join(f"{key} {n:,}" for key, n in found) or "—"


def campaign_line(campaign: Campaign) -> str:
    result = report(campaign)
    text = f"{campaign.name} [{campaign.channel}] sent {result.sent:,} of {result.matched:,}, control {result.control.people:,}"
    if result.lift:
        treated, control = result.treated.rate or 0, result.control.rate or 0
        text += f", converted {treated:.1%} against {control:.1%}, lift {result.lift.difference:+.1%}"
        text += f" [{result.lift.low:+.1%}, {result.lift.high:+.1%}]"
    return text


def message_lines(inbox: LocalInbox) -> Iterator[str]:
    """Deliveries that say sent, beside what the local servers hold."""
    workspace = Workspace.objects.filter(slug=shop.SLUG).first()
    if workspace is None:
        return
    yield "\nMessages: deliveries sent = at the local servers"
    with workspace_scope(workspace):
        for channel in ("email", "sms", "push"):
            rows = Delivery.objects.filter(channel=channel, state="sent", run__campaign__recorded=False)
            sent = {str(pk) for pk in rows.values_list("delivery_id", flat=True)}
            arrived = [message["delivery_id"] for message in inbox.messages(channel)]
            mine = [pk for pk in arrived if pk in sent]
            yield f"  {channel:6} {len(sent):,} = {len(mine):,}" + ("" if len(mine) == len(sent) else "  ← differs")
