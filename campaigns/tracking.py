"""What comes back through the links in a message: opens, clicks, unsubscribes. Signed links open their workspace's scope."""

from __future__ import annotations

import base64
from datetime import datetime

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods, require_safe

from campaigns.letters import contexts_of, fill_link
from campaigns.links import Purpose, Ticket, read_token
from campaigns.models import Delivery, Feedback, Link, Run
from users.models import Topic
from users.services import set_consent
from workspaces.models import Workspace
from workspaces.scoping import current_workspace, workspace_scope

PIXEL = base64.b64decode("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7")


def find(purpose: Purpose, token: str) -> tuple[Workspace, Ticket] | None:
    """The workspace and ticket of a token that we signed; None for any other."""
    ticket = read_token(purpose, token)
    workspace = Workspace.objects.filter(pk=ticket.workspace_id).first() if ticket else None
    return (workspace, ticket) if workspace and ticket else None


def note(delivery: Delivery, kind: str, column: str, reference: str = "") -> None:
    """Keep the feedback once per kind and reference, and the delivery's first time."""
    now: datetime = timezone.now()
    Feedback.objects.bulk_create(
        [
            Feedback(
                workspace=current_workspace(),
                end_user_id=delivery.end_user_id,
                delivery_id=delivery.delivery_id,
                run_id=delivery.run_id,
                kind=kind,
                reference=reference,
                at=now,
            )
        ],
        ignore_conflicts=True,
    )
    row = Delivery.objects.filter(end_user_id=delivery.end_user_id, run_id=delivery.run_id)
    row.filter(**{f"{column}__isnull": True}).update(**{column: now})


def invalid_link(request: HttpRequest) -> HttpResponse:
    return render(request, "campaigns/link_invalid.html", status=404)


@require_safe
def open_pixel(request: HttpRequest, token: str) -> HttpResponse:
    """The 1×1 picture. Answers alike whether or not the token is ours, so it tells nobody anything."""
    found = find("open", token)
    if found:
        workspace, ticket = found
        with workspace_scope(workspace):
            delivery = Delivery.objects.filter(delivery_id=ticket.delivery_id).first()
            if delivery and request.method == "GET":
                note(delivery, "open", "opened_at")
    response = HttpResponse(PIXEL, content_type="image/gif")
    response["Cache-Control"] = "no-store"
    return response


@require_safe
def click(request: HttpRequest, token: str) -> HttpResponse:
    """Redirect to the stored target of the link, and nowhere else."""
    found = find("click", token)
    if found is None:
        return invalid_link(request)
    workspace, ticket = found
    with workspace_scope(workspace):
        delivery = Delivery.objects.filter(delivery_id=ticket.delivery_id).first()
        link = Link.objects.filter(run_id=delivery.run_id, number=ticket.number).first() if delivery else None
        if delivery is None or link is None:
            return invalid_link(request)
        if request.method == "GET":
            note(delivery, "click", "clicked_at", str(ticket.number))
        context = (
            contexts_of([delivery.end_user_id], workspace).get(delivery.end_user_id, {}) if "{" in link.url else {}
        )
        target = fill_link(link.url, context)
    return HttpResponseRedirect(target)


def topic_of(delivery: Delivery) -> Topic | None:
    """What the message was about, if its campaign says so."""
    key = Run.objects.filter(pk=delivery.run_id).values_list("campaign__topic", flat=True).first()
    return Topic.objects.filter(key=key).first() if key else None


@csrf_exempt
@require_http_methods(["GET", "HEAD", "POST"])
def unsubscribe(request: HttpRequest, token: str) -> HttpResponse:
    """RFC 8058: a POST unsubscribes at once, without cookie or redirect; a GET only shows the buttons (scanners GET).

    From everything on the channel, unless the person chose the topic only.
    """
    found = find("unsubscribe", token)
    if found is None:
        return invalid_link(request)
    workspace, ticket = found
    with workspace_scope(workspace):
        delivery = Delivery.objects.filter(delivery_id=ticket.delivery_id).first()
        topic = topic_of(delivery) if delivery else None
        only = topic is not None and request.POST.get("only") == "topic"
        if delivery and request.method == "POST":
            channel = f"{delivery.channel}/{topic.key}" if only and topic else delivery.channel
            set_consent([delivery.end_user_id], channel, False, "unsubscribe_link")
            note(delivery, "unsubscribe", "unsubscribed_at")
    page = {"name": workspace.name, "done": request.method == "POST", "topic": topic, "only": only}
    return render(request, "campaigns/unsubscribe.html", page)
