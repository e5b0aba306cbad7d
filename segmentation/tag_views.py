"""标签: every tag with its people, and the tags that a segment gives."""

from __future__ import annotations

import uuid

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST, require_safe

from segmentation.models import Segment, TagRule
from segmentation.selectors import as_id, list_segments
from segmentation.tagging import bind_tag, list_tags, unbind_tag
from workspaces.errors import DomainError
from workspaces.permissions import action


@require_safe
@action("segments.view")
def show_tags(request: HttpRequest) -> HttpResponse:
    return tags_page(request)


def tags_page(request: HttpRequest, error: DomainError | None = None) -> HttpResponse:
    """Every tag; `q` is looked for in its name. What was typed into the form for a new rule is kept."""
    words = request.GET.get("q", "").strip()[:50]
    tags = list_tags()
    ruled = sum(row["rule"] is not None for row in tags)
    summary = ngettext("%(n)s tag", "%(n)s tags", len(tags)) % {"n": len(tags)}
    if ruled:
        summary += ngettext("; %(n)s is given by a rule", "; %(n)s are given by rules", ruled) % {"n": ruled}
    context = {
        "title": _("Tags"),
        "summary": summary,
        "tags": [row for row in tags if words.lower() in row["tag"].lower()],
        "words": words,
        "segments": list(list_segments()),
        "counts": (list_segments().count(), list_segments(archived=True).count()),
        "error": error,
        "typed": request.POST.get("tag", ""),
        "chosen": request.POST.get("segment", request.GET.get("segment", "")),
    }
    return render(request, "segmentation/tags.html", context, status=422 if error else 200)


@require_POST
@action("segments.edit")
def create_rule(request: HttpRequest) -> HttpResponse:
    """Give a tag to whoever is in a segment."""
    pk = as_id(request.POST.get("segment", ""))
    segment = Segment.objects.filter(pk=pk).first() if pk else None
    try:
        if segment is None:
            raise DomainError("required", _("Choose a segment."), "segment")
        rule = bind_tag(request.POST.get("tag", ""), segment, request.user)
    except DomainError as error:
        return tags_page(request, error)
    names = {"tag": rule.tag, "segment": segment.name}
    messages.success(request, _("Everybody in “%(segment)s” has the tag “%(tag)s”.") % names)
    return redirect("segmentation:tags", request.workspace.slug)


@require_POST
@action("segments.edit")
def delete_rule(request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
    rule = TagRule.objects.select_related("segment").filter(pk=pk).first()
    if rule is None:
        raise Http404
    unbind_tag(rule, request.user)
    messages.success(request, _("The tag “%(tag)s” is no longer given by a rule.") % {"tag": rule.tag})
    return redirect("segmentation:tags", request.workspace.slug)
