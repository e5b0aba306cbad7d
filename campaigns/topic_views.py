"""订阅主题: the kinds of message that people may opt out of one by one."""

from __future__ import annotations

import uuid

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST, require_safe

from users.consent import create_topic, list_topics, rename_topic
from users.models import Topic
from workspaces.errors import DomainError
from workspaces.permissions import action


@require_safe
@action("campaigns.view")
def show_topics(request: HttpRequest) -> HttpResponse:
    return topics_page(request)


def topics_page(request: HttpRequest, error: DomainError | None = None, renamed: Topic | None = None) -> HttpResponse:
    """`error` was told by the form that adds a topic, or by the one that renames `renamed`."""
    topics = list_topics()
    context = {
        "title": _("Topics"),
        "summary": ngettext("%(n)s topic", "%(n)s topics", len(topics)) % {"n": len(topics)},
        "topics": topics,
        "error": error,
        "renamed": renamed,
        "typed": request.POST,
    }
    return render(request, "campaigns/topics.html", context, status=error.status if error else 200)


@require_POST
@action("campaigns.edit")
def add_topic(request: HttpRequest) -> HttpResponse:
    try:
        topic = create_topic(request.POST.get("key", ""), request.POST.get("name", ""), request.user)
    except DomainError as error:
        return topics_page(request, error)
    messages.success(request, _("Campaigns can be about “%(name)s” now.") % {"name": topic.name})
    return redirect("campaigns:topics", request.workspace.slug)


@require_POST
@action("campaigns.edit")
def change_topic(request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
    """Give a topic another name; its key stays, for words were kept under it."""
    topic = Topic.objects.filter(pk=pk).first()
    if topic is None:
        raise Http404
    try:
        rename_topic(topic, request.POST.get("name", ""), request.user)
    except DomainError as error:
        return topics_page(request, error, topic)
    messages.success(request, _("Renamed."))
    return redirect("campaigns:topics", request.workspace.slug)
