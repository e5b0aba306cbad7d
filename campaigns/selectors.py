"""Reads for the campaign pages and the API."""

from __future__ import annotations

import math
import uuid
from collections.abc import Collection, Iterable
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db.models import Count, DecimalField, F, Max, Min, Q, QuerySet, Sum
from django.db.models.functions import Cast, Now
from django.utils import timezone

from campaigns.experiments import Arm, Lift, compare, sample_ratio_p
from campaigns.models import FINAL_STATES, OPEN_STATES, Campaign, Delivery, Run
from segmentation.models import Segment, SegmentMember
from users.models import EndUser

RATE_SECONDS = 60
COLUMNS = ("opened", "clicked", "unsubscribed", "converted")


@dataclass(frozen=True)
class Report:
    """What came of a campaign. Arms are everyone eligible at the freeze, reached or not; sent-only figures stand apart."""

    matched: int
    treated: Arm
    control: Arm
    lift: Lift | None
    ratio_p: float | None
    sent: int
    opened: int
    clicked: int
    unsubscribed: int
    sent_converted: int
    sent_revenue: int
    states: dict[str, int]
    reasons: dict[str, int]
    open: int

    @property
    def ratio_warning(self) -> bool:
        """Whether the arms are so uneven that something other than chance drew them."""
        return self.ratio_p is not None and self.ratio_p < 0.01

    @property
    def converted(self) -> int:
        return self.treated.converted + self.control.converted

    @property
    def answered(self) -> bool:
        """Whether anything has come back yet."""
        return bool(self.opened or self.clicked or self.unsubscribed or self.converted)

    @property
    def sent_rate(self) -> float | None:
        return self.sent_converted / self.sent if self.sent else None

    @property
    def unknown(self) -> int:
        return self.states.get("unknown", 0)

    @property
    def skipped(self) -> dict[str, int]:
        """People who were not written to, by reason; control and what still waits are no skips."""
        return {
            reason: n for reason, n in self.reasons.items() if reason not in ("control", "deferred", "channel_down")
        }

    def as_dict(self) -> dict[str, Any]:
        return asdict(self) | {"ratio_warning": self.ratio_warning}


def report(campaign: Campaign) -> Report:
    """Five aggregates over the campaign's deliveries, and the comparison of the two arms."""
    rows = deliveries_of(campaign)
    treated, control = (arm_of(rows.filter(arm=arm)) for arm in ("treated", "control"))
    states = count_delivery_states(campaign)
    reasons = rows.exclude(reason="").values_list("reason").annotate(n=Count("delivery_id"))
    sent = rows.filter(state="sent").aggregate(
        sent=Count("delivery_id"),
        opened=Count("opened_at"),
        clicked=Count("clicked_at"),
        unsubscribed=Count("unsubscribed_at"),
        sent_converted=Count("converted_at"),
        sent_revenue=Sum("revenue_minor", default=0),
    )
    return Report(
        matched=sum(states.values()),
        treated=treated,
        control=control,
        lift=compare(treated, control),
        ratio_p=sample_ratio_p(treated.people, control.people, float(campaign.control_percent) / 100),
        states=states,
        reasons=dict(sorted(reasons, key=lambda pair: -pair[1])),
        open=sum(states.get(state, 0) for state in OPEN_STATES),
        **(sent | {"sent_revenue": int(sent["sent_revenue"])}),
    )


def count_delivery_states(campaign: Campaign) -> dict[str, int]:
    """How many of the campaign's people stand where, in the order of the way."""
    found = dict(deliveries_of(campaign).values_list("state").annotate(n=Count("delivery_id")))
    return {state: found[state] for state in (*OPEN_STATES, *FINAL_STATES) if state in found}


def arm_of(rows: QuerySet) -> Arm:
    # The square of an order of 30,370,005.00 is beyond bigint.
    revenue = Cast("revenue_minor", DecimalField(max_digits=60, decimal_places=0))
    found = rows.aggregate(
        people=Count("delivery_id"),
        converted=Count("converted_at"),
        revenue=Sum("revenue_minor", default=0),
        squares=Sum(revenue * revenue, default=Decimal(0)),
    )
    return Arm(found["people"], found["converted"], int(found["revenue"]), int(found["squares"]))


def find_campaigns(state: str = "", channel: str = "", text: str = "") -> QuerySet[Campaign]:
    """The campaigns that fit, newest first."""
    rows = Campaign.objects.order_by("-created_at", "pk")
    if state:
        rows = rows.filter(state=state)
    if channel:
        rows = rows.filter(channel=channel)
    if text:
        rows = rows.filter(name__icontains=text)
    return rows


def list_campaigns(campaigns: Collection[Campaign]) -> list[dict[str, Any]]:
    """Campaigns with their segment's name, how far each is and its lift. Two queries."""
    segments = dict(Segment.objects.filter(pk__in=[c.segment_id for c in campaigns]).values_list("pk", "name"))
    progress = progress_of(campaign.pk for campaign in campaigns)
    return [
        {
            "campaign": c,
            "segment": segments.get(c.segment_id, ""),
            "progress": (found := progress.get(c.pk, Progress())),
            "at": found.began or c.scheduled_at or c.created_at,
        }
        for c in campaigns
    ]


@dataclass(frozen=True)
class Progress:
    """How far a campaign is. `total` is everyone who is to be written to, `rate` messages per second over the last minute."""

    done: int = 0
    total: int = 0
    sent: int = 0
    rate: float = 0.0
    seconds_left: int | None = None
    lift: Lift | None = None
    converted: int = 0
    began: datetime | None = None

    @property
    def conversion_rate(self) -> float | None:
        return self.converted / self.total if self.total else None

    @property
    def percent(self) -> int:
        """Rounded down: 100 only when nothing is left."""
        return 100 * self.done // self.total if self.total else 0


def progress_of(campaigns: Iterable[uuid.UUID]) -> dict[uuid.UUID, Progress]:
    """Progress by campaign id, in one query."""
    now = timezone.now()
    treated, control, sent = Q(arm="treated"), Q(arm="control"), Q(state="sent")
    recent = Q(sent_at__gt=now - timedelta(seconds=RATE_SECONDS))
    rows = (
        Delivery.objects.filter(run__campaign_id__in=list(campaigns))
        .values("run__campaign_id")
        .annotate(
            total=Count("delivery_id", filter=treated),
            held=Count("delivery_id", filter=control),
            left=Count("delivery_id", filter=Q(state__in=OPEN_STATES)),
            sent=Count("delivery_id", filter=sent),
            recent=Count("delivery_id", filter=sent & recent),
            since=Min("sent_at", filter=sent & recent),
            treated_converted=Count("converted_at", filter=treated),
            control_converted=Count("converted_at", filter=control),
            began=Max("run__frozen_at"),
        )
        .order_by()
    )
    return {row["run__campaign_id"]: _progress(row, now) for row in rows}


def _progress(row: dict[str, Any], now: Any) -> Progress:
    seconds = (now - row["since"]).total_seconds() if row["since"] else 0.0
    rate = row["recent"] / seconds if seconds > 0 else 0.0
    treated = Arm(row["total"], row["treated_converted"])
    return Progress(
        done=row["total"] - row["left"],
        total=row["total"],
        sent=row["sent"],
        rate=rate,
        seconds_left=math.ceil(row["left"] / rate) if rate and row["left"] else None,
        lift=compare(treated, Arm(row["held"], row["control_converted"])),
        converted=treated.converted,
        began=row["began"],
    )


def latest_run(campaign: Campaign) -> Run | None:
    """The run that counts: the one that was frozen last, else the one that waits or failed to start."""
    return Run.objects.filter(campaign=campaign).order_by(F("frozen_at").desc(nulls_last=True), "-due_at").first()


def count_states() -> dict[str, int]:
    """How many campaigns are in each state."""
    return dict(Campaign.objects.values_list("state").annotate(n=Count("pk")))


def some_people(campaign: Campaign, most: int) -> list[uuid.UUID]:
    """A few of those the campaign is for: of its audience once frozen, else of its segment."""
    frozen = Delivery.objects.filter(run__campaign=campaign, arm="treated").values_list("end_user_id", flat=True)
    members = SegmentMember.objects.filter(segment=campaign.segment_id).values_list("end_user_id", flat=True)
    return list(frozen[:most]) or list(members[:most])


def deliveries_of(campaign: Campaign, state: str = "", reason: str = "", arm: str = "", only: str = "") -> QuerySet:
    """The people behind a number of the report. `state` may be "open"; `only`: opened, clicked, unsubscribed or converted."""
    rows = Delivery.objects.filter(run__campaign=campaign)
    if state:
        rows = rows.filter(state__in=OPEN_STATES if state == "open" else [state])
    if reason:
        rows = rows.filter(reason=reason)
    if arm:
        rows = rows.filter(arm=arm)
    if only in COLUMNS:
        rows = rows.filter(**{f"{only}_at__isnull": False})
    return rows


def people_of(rows: Iterable[Delivery]) -> list[EndUser]:
    """Those whom deliveries are to; nobody for people who were erased."""
    return list(EndUser.objects.filter(pk__in={row.end_user_id for row in rows}))


def deliveries_to(*ids: Any, limit: int = 50) -> list[Delivery]:
    """What one person was sent under any of their ids, or why not, newest first; `delivery.run.campaign` is loaded."""
    rows = Delivery.objects.filter(end_user_id__in=ids).select_related("run__campaign")
    return list(rows.order_by("-run__frozen_at")[:limit])


def due_channels() -> list[str]:
    """Channels of the open workspace with something to send now."""
    due = Q(state__in=["pending", "deferred"], next_at__lte=Now())
    running = Run.objects.filter(state="running").select_related("campaign")
    return sorted({run.campaign.channel for run in running if Delivery.objects.filter(due, run=run).exists()})
