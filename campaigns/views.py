"""Pages of campaigns: the list, one campaign with its report, the people behind every number, and the stops."""

from __future__ import annotations

import uuid
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.clickjacking import xframe_options_sameorigin
from django.views.decorators.http import require_GET, require_POST

from campaigns import reading, selectors, services
from campaigns.channels import all_channels
from campaigns.editing import preview
from campaigns.frames import framed
from campaigns.models import Campaign
from campaigns.tasks import send_campaigns
from users.models import EndUser
from workspaces.errors import DomainError
from workspaces.permissions import action

STATES = ("draft", "scheduled", "running", "paused", "finished", "cancelled")


def find(pk: uuid.UUID) -> Campaign:
    campaign = Campaign.objects.filter(pk=pk).select_related("segment").first()
    if campaign is None:
        raise Http404
    return campaign


def go(request: HttpRequest, view: str, *args: Any) -> HttpResponseRedirect:
    response = HttpResponseRedirect(reverse(f"campaigns:{view}", args=[request.workspace.slug, *args]))
    response.status_code = 303
    return response


@require_GET
@action("campaigns.view")
def list_campaigns(request: HttpRequest) -> HttpResponse:
    """All campaigns with how far they are and what they changed; rows that move are asked for again."""
    asked = {name: request.GET.get(name, "") for name in ("state", "channel", "q")}
    page = reading.numbered(selectors.find_campaigns(asked["state"], asked["channel"], asked["q"]), request.GET, *asked)
    rows = selectors.list_campaigns(page["found"])
    context = page | {
        "rows": rows,
        "asked": asked,
        "filtered": any(asked.values()),
        "moving": any(row["campaign"].state == "running" for row in rows),
        "query": request.GET.urlencode(),
        "states": STATES,
        "channels": list(all_channels()),
        "local_inbox": settings.LOCAL_INBOX,
    }
    if request.htmx and request.htmx.target == "campaign-rows":
        return render(request, "campaigns/_rows.html", context)
    counts = selectors.count_states()
    summary = ngettext("%(n)s campaign", "%(n)s campaigns", sum(counts.values())) % {"n": sum(counts.values())}
    if counts.get("running"):
        summary += _(", %(n)s sending now") % {"n": counts["running"]}
    return render(request, "campaigns/list.html", {"title": _("Campaigns"), "summary": summary, **context})


@require_GET
@action("campaigns.view")
def show_campaign(request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
    """One campaign: progress while it is sent, then the report."""
    campaign = find(pk)
    context = reading.page_of(campaign, request.workspace)
    return render(request, "campaigns/detail.html", {"title": campaign.name, "campaign": campaign, **context})


@require_GET
@action("campaigns.view")
def show_progress(request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
    """The part that moves. Once the campaign is in another state than on the page, the whole page is asked for."""
    campaign = find(pk)
    response = render(request, "campaigns/_progress.html", {"campaign": campaign, **reading.progress_of(campaign)})
    if campaign.state != request.GET.get("state"):
        response["HX-Refresh"] = "true"
    return response


@require_GET
@xframe_options_sameorigin
@action("campaigns.view")
def show_message(request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
    """What the campaign says, filled in as somebody of its audience, for a sandboxed frame."""
    campaign = find(pk)
    run = selectors.latest_run(campaign)
    person = EndUser.objects.counted().filter(pk__in=selectors.some_people(campaign, 1)).first()
    try:
        message = preview(campaign.channel, run.content if run and run.content else campaign.content, person)
    except DomainError as error:
        return framed(request, "campaigns/preview.html", {"error": error.message})
    return framed(
        request, "campaigns/preview.html", {"message": message, "channel": campaign.channel, "person": person}
    )


@require_GET
@action("campaigns.view")
def list_deliveries(request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
    """The people behind a number of the report."""
    campaign = find(pk)
    found = reading.deliveries_page(campaign, request.GET)
    template = "campaigns/_deliveries.html" if request.htmx else "campaigns/deliveries.html"
    summary = ngettext("%(n)s person", "%(n)s people", found["count"]) % {"n": f"{found['count']:,}"}
    return render(request, template, {"title": campaign.name, "summary": summary, "campaign": campaign, **found})


def change(request: HttpRequest, pk: uuid.UUID, verb: Any, done: str) -> HttpResponse:
    """Do it, or say why it cannot be done; back to the campaign either way."""
    campaign = find(pk)
    try:
        verb(campaign, request.user)
    except DomainError as error:
        messages.error(request, error.message)
    else:
        messages.success(request, done)
    return go(request, "detail", pk)


@require_POST
@action("campaigns.send")
def pause_campaign(request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
    done = _("Paused. What is on its way still leaves.")
    return change(request, pk, lambda campaign, by: services.move(campaign, "pause", by), done)


@require_POST
@action("campaigns.send")
def resume_campaign(request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
    answer = change(request, pk, lambda campaign, by: services.move(campaign, "resume", by), _("Going on."))
    send_campaigns.ring(request.workspace)
    return answer


@require_POST
@action("campaigns.send")
def cancel_campaign(request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
    return change(request, pk, services.cancel, _("Stopped. Nobody else will be written to."))


@require_POST
@action("campaigns.send")
def send_unknown_again(request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
    answer = change(request, pk, services.send_unknown_again, _("They are being written to once more."))
    send_campaigns.ring(request.workspace)
    return answer


@require_POST
@action("campaigns.edit")
def copy_campaign(request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
    try:
        fresh = services.copy(find(pk), request.user)
    except DomainError as error:
        messages.error(request, error.message)
        return go(request, "detail", pk)
    messages.success(request, _("A copy to change; nothing of it has been sent."))
    return go(request, "edit", fresh.pk)
