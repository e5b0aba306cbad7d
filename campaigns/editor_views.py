"""Pages on which a campaign is written, looked at, tried and sent."""

from __future__ import annotations

import uuid
from datetime import datetime

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.clickjacking import xframe_options_sameorigin
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from campaigns import desk, selectors
from campaigns.audience import Measured, Reach, measure_reach
from campaigns.editing import EDITABLE, find_person, preview, save_campaign, try_out
from campaigns.frames import framed
from campaigns.models import Campaign
from campaigns.services import launch
from campaigns.tasks import send_campaigns
from campaigns.views import find, go
from segmentation.models import Segment
from users.consent import list_topics
from users.models import EndUser, EventName
from workspaces.errors import Conflict, DomainError
from workspaces.permissions import action

SUGGESTED = 8
form_page = require_http_methods(["GET", "POST"])


@form_page
@action("campaigns.edit")
def new_campaign(request: HttpRequest) -> HttpResponse:
    """The editor for a new campaign; `?segment=` starts it."""
    if request.method == "POST":
        return save(request, None)
    draft = desk.Draft.of(None, request.workspace, request.GET.get("segment", ""))
    return editor(request, draft, None)


@form_page
@action("campaigns.edit")
def edit_campaign(request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
    campaign = find(pk)
    if campaign.state not in EDITABLE:
        messages.error(request, _("This campaign has been sent; copy it to change it."))
        return go(request, "detail", pk)
    if request.method == "POST":
        return save(request, campaign)
    return editor(request, desk.Draft.of(campaign, request.workspace), campaign)


def save(request: HttpRequest, campaign: Campaign | None) -> HttpResponse:
    """Keep the draft and go where the button leads; what is wrong is told at its field, and nothing typed is lost."""
    draft = desk.Draft.read(request.POST)
    try:
        kept = save_campaign(campaign, draft.values(), request.user)
    except DomainError as error:
        draft.refuse(error)
        return editor(request, draft, campaign, status=error.status if isinstance(error, Conflict) else 422)
    if "review" in request.POST:
        return go(request, "review", kept.pk)
    scheduled = kept.state == "scheduled"
    messages.success(request, _("Saved. It still starts at its time.") if scheduled else _("Kept as a draft."))
    return go(request, "edit", kept.pk)


def editor(request: HttpRequest, draft: desk.Draft, campaign: Campaign | None, status: int = 200) -> HttpResponse:
    title = _("Edit “%(name)s”") % {"name": campaign.name} if campaign else _("New campaign")
    context = {
        "title": title,
        "campaign": campaign,
        "draft": draft,
        "panels": draft.panels(),
        "segments": list(Segment.objects.filter(archived_at=None).order_by("name").values("pk", "name", "size")),
        "topics": list_topics(),
        "events": list(EventName.objects.order_by("name").values_list("name", flat=True)[:500]),
        "groups": desk.merge_fields(request.workspace),
    }
    return render(request, "campaigns/editor.html", context, status=status)


@require_GET
@action("campaigns.view")
def show_reach(request: HttpRequest) -> HttpResponse:
    """Of the segment chosen, how many each channel reaches now and why not the others; and a few of its people."""
    segment = desk.find_segment(request.GET.get("segment", ""))
    context: dict[str, object] = {"segment": segment}
    if segment:
        try:
            measured = measure_reach(segment, request.GET.get("topic", "").replace("\0", "")[:40])
        except DomainError as error:
            context["error"] = error.message
        else:
            context["reach"] = measured.reach.values()
            chosen = EndUser.objects.filter(pk__in=measured.sample[:SUGGESTED])
            context["people"] = list(chosen.values("external_id", "name"))
    return render(request, "campaigns/_reach.html", context)


@require_POST
@xframe_options_sameorigin
@action("campaigns.edit")
def preview_content(request: HttpRequest) -> HttpResponse:
    """What is on the desk, filled in as the chosen person, for a sandboxed frame."""
    draft = desk.Draft.read(request.POST)
    try:
        person = find_person(request.POST.get("person", "")) or default_person(draft)
        message = preview(draft.channel, draft.content, person)
    except DomainError as error:
        return framed(request, "campaigns/preview.html", {"error": error.message})
    return framed(request, "campaigns/preview.html", {"message": message, "channel": draft.channel, "person": person})


def default_person(draft: desk.Draft) -> EndUser | None:
    """Somebody of the segment, else anybody."""
    segment = desk.find_segment(draft.plain["segment"])
    ids = selectors.some_people(Campaign(segment=segment), 1) if segment else []
    return EndUser.objects.counted().filter(pk__in=ids).first() or EndUser.objects.counted().order_by("pk").first()


@require_POST
@action("campaigns.send", by_hand=True)
def send_test(request: HttpRequest) -> HttpResponse:
    """试发 what is on the desk, saved or not. Network I/O: the service opens its own scopes."""
    draft, address = desk.Draft.read(request.POST), request.POST.get("address", "")
    person = request.POST.get("person", "")
    context: dict[str, object] = {"address": address}
    try:
        context["result"] = try_out(request.workspace, draft.channel, draft.content, address, person, request.user)
    except DomainError as error:
        context["error"] = error.message
    return render(request, "campaigns/_test.html", context)


@require_GET
@action("campaigns.view")
def review_campaign(request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
    """发送前检查: whom it will reach, what to think about, and the button."""
    campaign = find(pk)
    if campaign.state not in EDITABLE:
        return go(request, "detail", pk)
    return review(request, campaign)


def review(request: HttpRequest, campaign: Campaign, error: DomainError | None = None) -> HttpResponse:
    measured, problem = measure(campaign)
    reach = measured.reach[campaign.channel] if measured else None
    checks = desk.preflight(campaign, reach, measured.sample if measured else [])
    if problem:
        checks.insert(0, desk.Check("bad", problem))
    people = to_write(reach, campaign) if reach else 0
    context = {
        "title": _("Check before sending"),
        "campaign": campaign,
        "reach": reach,
        "people": people,
        "held": reach.reachable - people if reach else 0,
        "checks": checks,
        "ready": all(check.level != "bad" for check in checks),
        "confirm": people > desk.CONFIRM_ABOVE,
        "error": error,
        "typed": request.POST,
        "when": request.POST.get("when") or ("later" if campaign.state == "scheduled" else "now"),
        "run": selectors.latest_run(campaign),
    }
    return render(request, "campaigns/review.html", context, status=422 if error else 200)


def measure(campaign: Campaign) -> tuple[Measured | None, str]:
    """The reach of the campaign's segment, and what kept it from being measured."""
    if campaign.segment is None:
        return None, ""
    try:
        return measure_reach(campaign.segment, campaign.topic), ""
    except DomainError as error:
        return None, error.message


@require_POST
@action("campaigns.send")
def launch_campaign(request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
    """Send now or at a time. More than a thousand people want their number typed."""
    campaign = find(pk)
    try:
        at = moment_of(request)
        require_confirmation(request, campaign)
        launch(campaign, at, request.user)
    except Conflict as error:
        messages.error(request, error.message)
        return go(request, "detail", pk)
    except DomainError as error:
        return review(request, campaign, error)
    send_campaigns.ring(request.workspace)
    messages.success(request, _("Scheduled.") if at else _("On its way."))
    return go(request, "detail", pk)


def moment_of(request: HttpRequest) -> datetime | None:
    """The time asked for, in the workspace's zone; None for now. Raises DomainError."""
    if request.POST.get("when") != "later":
        return None
    try:
        return datetime.fromisoformat(request.POST.get("at", "")).replace(tzinfo=request.workspace.tzinfo)
    except ValueError as error:
        raise DomainError("invalid", _("Choose a day and a time."), "at") from error


def require_confirmation(request: HttpRequest, campaign: Campaign) -> None:
    """What cannot be undone is typed. Raises DomainError when the number typed is not the number shown."""
    measured, _problem = measure(campaign)
    if measured is None:
        return
    people = to_write(measured.reach[campaign.channel], campaign)
    typed = "".join(char for char in request.POST.get("confirm", "") if char.isdigit())
    if people > desk.CONFIRM_ABOVE and typed != str(people):
        raise DomainError("confirm", _("Type the number of people: %(n)s.") % {"n": people}, "confirm")


def to_write(reach: Reach, campaign: Campaign) -> int:
    """About how many will be written to: who can be reached, less the control group."""
    return reach.reachable - round(reach.reachable * float(campaign.control_percent) / 100)
