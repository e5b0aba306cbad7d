"""Pages around the channels: their settings, the suppression list, and the local inbox of development."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.clickjacking import xframe_options_sameorigin
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from campaigns import accounts, inbox, reading, suppressions
from campaigns.channels import Channel, all_channels
from campaigns.frames import framed
from campaigns.models import ChannelAccount, Suppression
from campaigns.views import go
from workspaces.errors import DomainError
from workspaces.permissions import action

LISTED = 200


def find_channel(key: str) -> Channel:
    if key not in all_channels():
        raise Http404
    return all_channels()[key]


@require_GET
@action("campaigns.view")
def list_channels(request: HttpRequest) -> HttpResponse:
    """Which channels there are, and which of them are set up."""
    changed = dict(ChannelAccount.objects.values_list("channel", "updated_at"))
    rows = [{"channel": channel, "changed": changed.get(key)} for key, channel in all_channels().items()]
    summary = _("%(n)s of %(of)s set up") % {"n": len(changed), "of": len(rows)}
    context = {"title": _("Channels"), "summary": summary, "rows": rows, "local_inbox": settings.LOCAL_INBOX}
    return render(request, "campaigns/channels.html", context)


@require_http_methods(["GET", "POST"])
@action("channels.edit")
def edit_channel(request: HttpRequest, key: str) -> HttpResponse:
    """One channel's settings, drawn from its fields. What is secret is never shown again."""
    channel = find_channel(key)
    if request.method == "GET":
        return settings_page(request, channel, accounts.shown_config(key), {})
    typed = {spec.name: request.POST.get(spec.name, "") for spec in channel.fields}
    try:
        accounts.save_account(key, typed, request.user)
    except accounts.InvalidAccount as error:
        return settings_page(request, channel, typed, error.problems)
    except DomainError as error:
        return settings_page(request, channel, typed, {error.path: error.message})
    messages.success(request, _("Kept. Send a test to see that it works."))
    return go(request, "channel", key)


def settings_page(
    request: HttpRequest, channel: Channel, values: dict[str, Any], problems: dict[str, str]
) -> HttpResponse:
    stored = accounts.stored_secrets(channel.key)
    fields = [
        {
            "spec": spec,
            "value": "" if spec.kind == "secret" else values.get(spec.name, spec.default),
            "stored": spec.name in stored,
            "error": problems.get(spec.name, ""),
        }
        for spec in channel.fields
    ]
    context = {
        "title": channel.label,
        "summary": channel.description,
        "channel": channel,
        "fields": fields,
        "connected": accounts.is_connected(channel.key),
        "problem": problems.get("", ""),
    }
    return render(request, "campaigns/channel.html", context, status=422 if problems else 200)


@require_POST
@action("channels.edit", by_hand=True)
def test_channel(request: HttpRequest, key: str) -> HttpResponse:
    """Send the channel's example to an address. Network I/O: the service opens its own scopes."""
    find_channel(key)
    address = request.POST.get("address", "")
    context: dict[str, Any] = {"address": address}
    try:
        context["result"] = accounts.try_account(request.workspace, key, address, request.user)
    except DomainError as error:
        context["error"] = error.message
    return render(request, "campaigns/_test.html", context)


test_channel.__test__ = False  # type: ignore[attr-defined] # a view, whatever its name suggests


@require_GET
@action("campaigns.view")
def list_suppressions(request: HttpRequest) -> HttpResponse:
    """停发名单: look and search."""
    return suppression_page(request)


@require_POST
@action("campaigns.edit")
def add_suppressions(request: HttpRequest) -> HttpResponse:
    try:
        added, known = suppressions.add_by_hand(
            request.POST.get("channel", ""), request.POST.get("addresses", ""), request.user
        )
    except DomainError as error:
        return suppression_page(request, error)
    messages.success(request, what_was_added(added, known))
    return go(request, "suppressions")


def what_was_added(added: int, known: int) -> str:
    words = ngettext(
        "%(n)s address will not be written to any more.", "%(n)s addresses will not be written to any more.", added
    )
    if not known:
        return words % {"n": added}
    before = ngettext("%(n)s was on the list already.", "%(n)s were on the list already.", known) % {"n": known}
    return _("%(first)s %(second)s") % {"first": words % {"n": added}, "second": before} if added else before


def suppression_page(request: HttpRequest, error: DomainError | None = None) -> HttpResponse:
    words, rows = request.GET.get("q", "").strip(), Suppression.objects.order_by("-at", "address", "channel")
    page, held = reading.numbered(suppressions.search(words) if words else rows, request.GET, "q"), rows.count()
    summary = ngettext("%(n)s address that no campaign writes to", "%(n)s addresses that no campaign writes to", held)
    context = page | {
        "title": _("Suppression list"),
        "summary": summary % {"n": f"{held:,}"},
        "words": words,
        "error": error,
        "typed": request.POST,
        "channels": list(all_channels().values()),
        "local_inbox": settings.LOCAL_INBOX,
    }
    return render(request, "campaigns/suppressions.html", context, status=422 if error else 200)


@require_POST
@action("channels.edit")
def remove_suppression(request: HttpRequest) -> HttpResponse:
    channel, address = request.POST.get("channel", ""), request.POST.get("address", "")
    if suppressions.release(channel, address, request.user):
        messages.success(request, _("%(address)s may be written to again.") % {"address": address})
    else:
        messages.error(request, _("%(address)s is not on the list any more.") % {"address": address})
    return go(request, "suppressions")


@require_GET
@action("inbox.view")
def list_inbox(request: HttpRequest) -> HttpResponse:
    """本地收件箱: what the local servers received, newest first. Development only."""
    if not settings.LOCAL_INBOX:
        raise Http404
    channel, words = request.GET.get("channel", ""), request.GET.get("q", "").strip()
    found = inbox.list_letters(channel if channel in all_channels() else "", words, LISTED)
    context = {
        "title": _("Local inbox"),
        "summary": _("What campaigns sent to the local servers of this machine; nothing of it left."),
        "letters": found,
        "channel": channel,
        "words": words,
        "channels": list(all_channels()),
        "local_inbox": True,
    }
    return render(request, "campaigns/inbox.html", context)


@require_GET
@xframe_options_sameorigin
@action("inbox.view")
def show_letter(request: HttpRequest, channel: str, name: str) -> HttpResponse:
    """One message; `?frame=1` is its HTML for the sandboxed frame."""
    letter = inbox.read_letter(channel, name) if settings.LOCAL_INBOX else None
    if letter is None:
        raise Http404
    if "frame" in request.GET:
        return framed(request, "campaigns/inbox_frame.html", {"letter": letter})
    template = "campaigns/_letter.html" if request.htmx else "campaigns/letter.html"
    return render(request, template, {"title": letter.subject or letter.address, "letter": letter})
