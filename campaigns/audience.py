"""Whom a campaign writes to: how many could be reached now, and the freeze before the first message leaves."""

from __future__ import annotations

import uuid
from dataclasses import dataclass

from django.db.models import Count, Q

from campaigns.channels import all_channels, get_channel
from campaigns.models import Campaign, Delivery, Run
from campaigns.suppressions import hashing
from segmentation.models import Segment
from segmentation.services import NIGHT_SECONDS, match_people
from users.import_newcomers import keep_people_in
from workspaces.scoping import current_workspace
from workspaces.sql import joining_sets, run_sql

PAGE_SECONDS = 5
SAMPLE = 100


@dataclass(frozen=True)
class Reach:
    """Of a segment's people, how many a channel reaches, and how many it does not, by reason."""

    channel: str
    people: int
    reachable: int
    reasons: dict[str, int]


@dataclass(frozen=True)
class Measured:
    """A segment's rule run now: the reach by channel key, and some of the people who match, drawn at random."""

    reach: dict[str, Reach]
    sample: list[uuid.UUID]


def measure_reach(segment: Segment, topic: str = "") -> Measured:
    """The segment's rule as of now, against every channel, for a message about a topic if given.

    Raises DomainError when the rule takes too long to run.
    """
    workspace = current_workspace()
    match_people(segment.definition, workspace, workspace.today(), PAGE_SECONDS)
    found = {}
    for channel in all_channels().values():
        with joining_sets():
            rows = run_sql(
                "campaigns/reach",
                channel=channel.key,
                topic=topic,
                address=channel.address_attribute,
                consent_required=workspace.rules.consent_required,
                **hashing(channel.key),
            )
        reasons = {row["reason"]: row["people"] for row in rows}
        reachable = reasons.pop("", 0)
        found[channel.key] = Reach(channel.key, reachable + sum(reasons.values()), reachable, reasons)
    sample = run_sql("campaigns/sample_matching", most=SAMPLE)
    return Measured(found, [row["end_user_id"] for row in sample])


def freeze(run: Run, campaign: Campaign) -> None:
    """One delivery row per person of the campaign's segment: pending, control, or suppressed with the reason.

    The rule is run as of now, as for the reach shown before. Members and their history stay as the last night told them:
    today's are for the next night to tell. Freezing again adds nobody twice. Sets the run's counts; the caller saves the
    run in the same transaction. Raises DomainError when the segment's rule cannot be run.
    """
    workspace = current_workspace()
    segment = Segment.objects.get(pk=campaign.segment_id)
    keep_people_in()
    match_people(segment.definition, workspace, workspace.today(), NIGHT_SECONDS)
    with joining_sets():
        run_sql(
            "campaigns/freeze_audience",
            run=run.pk,
            channel=campaign.channel,
            topic=campaign.topic,
            address=get_channel(campaign.channel).address_attribute,
            salt=campaign.salt,
            control_below=round(campaign.control_percent * 100),
            consent_required=workspace.rules.consent_required,
            **hashing(campaign.channel),
        )
    counts = Delivery.objects.filter(run=run).aggregate(
        matched=Count("delivery_id"),
        treated=Count("delivery_id", filter=Q(arm="treated")),
        control=Count("delivery_id", filter=Q(arm="control")),
    )
    run.matched, run.treated, run.control = counts["matched"], counts["treated"], counts["control"]
    run.eligible = run.treated + run.control
