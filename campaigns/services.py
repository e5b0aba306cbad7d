"""Changes to campaigns: launch, start, pause, stop. What is sent later is decided by the rows left here."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Exists, OuterRef
from django.utils import timezone
from django.utils.translation import gettext as _

from campaigns.audience import freeze
from campaigns.editing import EDITABLE, problems, refusal, save_campaign
from campaigns.letters import prepare
from campaigns.models import OPEN_STATES, Campaign, Delivery, Link, Run
from campaigns.suppressions import ERASED
from campaigns.template_rules import TemplateError
from segmentation.models import Segment
from users.differences import compute
from workspaces.errors import Conflict, DomainError
from workspaces.models import Operator, Workspace
from workspaces.scoping import current_workspace
from workspaces.services import audit
from workspaces.sql import execute, run_sql

# Whoever plans farther ahead has mistyped the year; and the last days of year 9999 exist in no other time zone.
FARTHEST_DAYS = 366


def launch(
    campaign: Campaign, at: datetime | None = None, by: Operator | None = None, now: datetime | None = None
) -> Run:
    """Send now, or at a time. A scheduled campaign may be launched again for another time; a started one may not. What was
    called off before it started may be launched again for the same time.

    Raises DomainError for the first problem of the pre-flight check, Conflict when it has been sent already.
    """
    now = now or timezone.now()
    campaign = Campaign.objects.select_for_update().get(pk=campaign.pk)
    if campaign.state not in EDITABLE or Run.objects.filter(campaign=campaign, frozen_at__isnull=False).exists():
        raise Conflict("already_sent", _("This campaign has been sent already."))
    for problem in problems(campaign):
        raise problem
    if at is not None and at < now - timedelta(minutes=1):
        raise DomainError("past", _("This time has passed."), "scheduled_at")
    if at is not None and at > now + timedelta(days=FARTHEST_DAYS):
        raise DomainError("too_far", _("At most %(n)s days ahead.") % {"n": FARTHEST_DAYS}, "scheduled_at")
    due_at = at or now
    Run.objects.filter(campaign=campaign, state="due").exclude(due_at=due_at).delete()
    # One that was called off, or could not start, is there already.
    run, _created = Run.objects.update_or_create(
        campaign=campaign, due_at=due_at, defaults={"state": "due", "error": "", "finished_at": None}
    )
    campaign.state, campaign.scheduled_at = "scheduled", due_at
    campaign.save(update_fields=["state", "scheduled_at"])
    audit("campaign.launch", str(campaign.pk), by, name=campaign.name, due_at=due_at.isoformat())
    if due_at <= now:
        start_run(run, now)
    return run


def start_run(run: Run, now: datetime | None = None) -> bool:
    """Freeze the audience and open the run. False when it was started already, or called off: only one caller wins the row.

    Raises DomainError when the content or the segment cannot be used any more.
    """
    # Always the campaign first: locked the other way round, this and an operator who cancels would wait for each other.
    campaign = Campaign.objects.select_for_update().get(pk=run.campaign_id)
    found = Run.objects.select_for_update().filter(pk=run.pk, state="due").first()
    if found is None:
        return False
    if campaign.state != "scheduled":  # no way of calling it off leaves a run that is due; one did
        Run.objects.filter(pk=found.pk).update(state="cancelled", finished_at=now or timezone.now())
        return False
    run = found
    for problem in problems(campaign):
        raise problem
    try:
        letter = prepare(campaign.channel, campaign.content)
    except TemplateError as error:
        raise refusal(error) from error
    run.content, run.frozen_at, run.state = campaign.content, now or timezone.now(), "running"
    freeze(run, campaign)
    run.save()
    Link.objects.bulk_create(
        [Link(workspace=current_workspace(), run=run, number=n, url=url) for n, url in enumerate(letter.links)]
    )
    Campaign.objects.filter(pk=campaign.pk).update(state="running")
    return True


def start_due_runs(now: datetime | None = None) -> int:
    """Start every run whose time has come. One that cannot start goes back to the drawing board and says why."""
    started = 0
    for run in Run.objects.filter(state="due", due_at__lte=now or timezone.now()).order_by("due_at"):
        try:
            with transaction.atomic():
                started += start_run(run, now)
        except DomainError as problem:
            put_back(run, problem.message[:300])
    return started


def put_back(run: Run, error: str) -> None:
    """Make the campaign a draft again, unless an operator chose another time, or called it off, meanwhile."""
    Campaign.objects.select_for_update().get(pk=run.campaign_id)
    if Run.objects.filter(pk=run.pk, state="due").update(state="cancelled", error=error):
        Campaign.objects.filter(pk=run.campaign_id).update(state="draft")
        audit("campaign.not_started", str(run.campaign_id), error=error)


def sweep() -> dict[str, int]:
    """Find again what a killed sender left, and close runs with nothing open. In the open scope; may run twice."""
    # Campaigns first, then runs and deliveries: the order in which they are paused and cancelled.
    list(Campaign.objects.select_for_update().filter(state__in=["running", "paused"]).order_by("pk").values_list("pk"))
    swept = run_sql("campaigns/sweep")
    finished = 0
    open_rows = Delivery.objects.filter(run_id=OuterRef("pk"), state__in=OPEN_STATES)
    for run in Run.objects.filter(~Exists(open_rows), state="running"):
        finished += Run.objects.filter(pk=run.pk, state="running").update(
            state="finished", finished_at=timezone.now(), error=""
        )
        if not Run.objects.filter(campaign_id=run.campaign_id, state__in=["due", "running", "paused"]).exists():
            Campaign.objects.filter(pk=run.campaign_id, state="running").update(state="finished")
    return {"swept": len(swept), "unknown": sum(row["state"] == "unknown" for row in swept), "finished": finished}


MOVES = {"pause": ("running", "paused"), "resume": ("paused", "running")}


def move(campaign: Campaign, verb: str, by: Operator | None = None) -> None:
    """Pause or resume. Raises Conflict when the campaign is not in the state the verb starts from."""
    before, after = MOVES[verb]
    if not Campaign.objects.filter(pk=campaign.pk, state=before).update(state=after):
        raise Conflict("wrong_state", _("The campaign is no longer in this state; load the page again."))
    Run.objects.filter(campaign=campaign, state=before).update(state=after, error="")
    audit(f"campaign.{verb}", str(campaign.pk), by, name=campaign.name)


def cancel(campaign: Campaign, by: Operator | None = None) -> int:
    """Stop for good. Returns how many people will not be written to any more; what is in flight still leaves.

    A scheduled campaign that has not started goes back to being a draft.
    """
    campaign = Campaign.objects.select_for_update().get(pk=campaign.pk)
    if campaign.state not in ("scheduled", "running", "paused"):
        raise Conflict("wrong_state", _("The campaign is no longer in this state; load the page again."))
    runs = Run.objects.filter(campaign=campaign)
    runs.filter(state__in=["due", "running", "paused"]).update(state="cancelled", finished_at=timezone.now())
    Campaign.objects.filter(pk=campaign.pk).update(state="draft" if campaign.state == "scheduled" else "cancelled")
    stopped = Delivery.objects.filter(run__in=runs, state__in=["pending", "claimed", "deferred"]).update(
        state="suppressed", reason="cancelled", lease_token=None, lease_until=None, next_at=None
    )
    audit("campaign.cancel", str(campaign.pk), by, name=campaign.name, stopped=stopped)
    return stopped


def send_unknown_again(campaign: Campaign, by: Operator | None = None) -> int:
    """An operator's choice for messages whose outcome is unknown: send them once more. Returns how many.

    Whoever got the first one gets a second; its Message-ID is the same. Raises Conflict while the campaign is stopped.
    """
    campaign = Campaign.objects.select_for_update().get(pk=campaign.pk)
    if campaign.state not in ("running", "finished"):
        raise Conflict("wrong_state", _("The campaign is no longer in this state; load the page again."))
    rows = Delivery.objects.filter(run__campaign=campaign, state="unknown").exclude(reason=ERASED)
    runs = list(rows.values_list("run_id", flat=True).distinct())
    again = (
        Delivery.objects.filter(run_id__in=runs, state="unknown")
        .exclude(reason=ERASED)
        .update(state="pending", reason="", detail="", next_at=timezone.now() - timedelta(minutes=1))
    )
    if again:
        Run.objects.filter(pk__in=runs).update(state="running", finished_at=None)
        Campaign.objects.filter(pk=campaign.pk).update(state="running")
        audit("campaign.send_unknown_again", str(campaign.pk), by, name=campaign.name, people=again)
    return again


def copy(campaign: Campaign, by: Operator | None = None) -> Campaign:
    """A new draft with the same content and a salt of its own; without a segment where that has been put away since."""
    segment = Segment.objects.filter(pk=campaign.segment_id, archived_at=None).first()
    values = {
        "name": _("%(name)s (copy)") % {"name": campaign.name[:80]},
        "channel": campaign.channel,
        "segment": segment.pk if segment else None,
        "topic": campaign.topic,
        "content": campaign.content,
        "control_percent": campaign.control_percent,
        "conversion_event": campaign.conversion_event,
        "conversion_days": campaign.conversion_days,
    }
    return save_campaign(None, values, by)


def settle_night(workspace: Workspace, day: date) -> dict[str, Any]:
    """The night's step: who converted after a run, and the revenue of both arms. `changes` counts rows that differ."""
    day_end = datetime.combine(day + timedelta(days=1), time.min, workspace.tzinfo)
    compute("open_run", "campaigns/open_runs", day_end=day_end)
    [opened] = execute("select min(frozen_at) as since from open_run", {})
    if opened["since"] is None:
        return {"changes": 0}
    since = opened["since"].astimezone(workspace.tzinfo).date()
    compute("fact_buyers", "campaigns/settle_buyers", since=since, day=day)
    # What an order is worth is said once, for facts; the tables of that step are made anew here.
    compute("fact_purchases", "users/facts_purchases", day=day)
    compute("fact_orders", "users/facts_orders")
    rows = run_sql("campaigns/settle_conversions")
    return {"changes": rows[0]["rows"]}
