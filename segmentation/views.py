"""Pages of segments: the list, one segment with its people, the builder with its live count."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_GET, require_POST

from segmentation import builder, listing, selectors, services
from segmentation.definition import InvalidDefinition, parse, read_json
from segmentation.models import Segment
from segmentation.sentence import describe
from segmentation.vocabulary import Vocabulary
from users.exports import csv_lines
from workspaces.errors import DomainError
from workspaces.permissions import action


def find(pk: uuid.UUID) -> Segment:
    segment = Segment.objects.filter(pk=pk).first()
    if segment is None:
        raise Http404
    return segment


@require_GET
@action("segments.view")
def list_segments(request: HttpRequest) -> HttpResponseBase:
    """All segments with size and what changed; `?format=csv` is the same as a file, of all pages."""
    if request.GET.get("format") == "csv":
        found = listing.read(request.GET, request.workspace, whole=True)
        return file_of(csv_lines(listing.HEADER, listing.as_rows(found.lines)), "segments")
    found = listing.read(request.GET, request.workspace)
    count = found.counts[found.archived]
    summary = ngettext("%(n)s segment", "%(n)s segments", count) % {"n": count}
    if found.moved:
        summary += _("; %(n)s changed with the last update") % {"n": found.moved}
    return render(request, "segmentation/list.html", {"title": _("Segments"), "summary": summary, "found": found})


@require_GET
@action("segments.view")
def show_segment(request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
    """One segment: its sentence, size over time, who came and went, its people."""
    segment = find(pk)
    context = listing.one(segment, request.GET, request.workspace)
    template = (
        "segmentation/_people.html" if request.htmx and request.htmx.target == "people" else "segmentation/detail.html"
    )
    return render(request, template, {"title": segment.name, "segment": segment, **context})


@action("segments.edit")
def new_segment(request: HttpRequest) -> HttpResponse:
    """The builder for a new segment. `?definition=`, `?copy=`, `?stage=` and the like start it: any picture can be kept."""
    form = builder.Form.of(request, request.workspace)
    if request.method == "POST" and form.saves:
        try:
            segment = services.create_segment(form.name, form.definition, form.goal, request.user)
        except DomainError as error:
            form.refuse(error)
        else:
            messages.success(request, _("“%(name)s” is kept.") % {"name": segment.name})
            return to(request, segment)
    return form.render(request, _("New segment"))


@action("segments.edit")
def edit_segment(request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
    segment = find(pk)
    form = builder.Form.of(request, request.workspace, segment)
    if request.method == "POST" and form.saves:
        try:
            services.update_segment(
                segment, name=form.name, definition=form.definition, goal=form.goal, by=request.user
            )
        except DomainError as error:
            form.refuse(error)
        else:
            messages.success(request, _("“%(name)s” is changed.") % {"name": form.name})
            return to(request, segment)
    return form.render(request, _("Edit “%(name)s”") % {"name": segment.name})


@require_POST
@action("segments.view")
def count_people(request: HttpRequest) -> HttpResponse:
    """The live part of the builder: how many match now, or what is wrong and where.

    A rule that is still being written is no failed request: browsers would call it an error in their console.
    """
    vocabulary, rule = Vocabulary(request.workspace, editing(request)), None
    try:
        rule = read_json(request.POST.get("definition", ""))
        definition = parse(rule, vocabulary)
        counted = selectors.count_live(definition, request.workspace)
    except DomainError as error:
        problems = error.problems if isinstance(error, InvalidDefinition) else [error]
        placed = [(problem, builder.place_of(problem.path, rule)) for problem in problems]
        return render(request, "segmentation/_problems.html", {"problems": placed})
    context = {
        "counted": counted,
        "sentence": describe(definition, vocabulary),
        "unknown": builder.unknown_events(definition, vocabulary),
    }
    return render(request, "segmentation/_count.html", context)


def editing(request: HttpRequest) -> Segment | None:
    """The segment whose rule is being counted, so that a reference to itself is told at once."""
    pk = selectors.as_id(request.POST.get("segment", ""))
    return Segment.objects.filter(pk=pk).first() if pk else None


@require_GET
@action("segments.view")
def suggest(request: HttpRequest) -> JsonResponse:
    """What may stand in an input: `?of=property&for=<event>` or `?of=value&for=<attribute>`."""
    vocabulary = Vocabulary(request.workspace)
    looked_up = {
        "property": vocabulary.event_properties,
        "value": vocabulary.attribute_values,
        "fact": vocabulary.fact_values,
    }
    look_up = looked_up.get(request.GET.get("of", ""))
    about = request.GET.get("for", "").replace("\x00", "")[:200]
    return JsonResponse({"results": look_up(about) if look_up else []})


def file_of(pieces: Iterator[str], name: str) -> StreamingHttpResponse:
    response = StreamingHttpResponse(pieces, content_type="text/csv; charset=utf-8")
    response.headers["Content-Disposition"] = listing.attachment(name)
    return response


@require_POST
@action("segments.edit")
def archive_segment(request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
    segment = find(pk)
    return done(request, segment, lambda: services.archive_segment(segment, request.user), _("“%(name)s” is archived."))


@require_POST
@action("segments.edit")
def restore_segment(request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
    segment = find(pk)
    return done(request, segment, lambda: services.restore_segment(segment, request.user), _("“%(name)s” is back."))


@require_POST
@action("segments.edit")
def delete_segment(request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
    segment = find(pk)
    return done(request, segment, lambda: services.delete_segment(segment, request.user), _("“%(name)s” is deleted."))


def done(request: HttpRequest, segment: Segment, change: Any, sentence: str) -> HttpResponse:
    """Make the change and say so; a refusal is said on the segment's page."""
    try:
        change()
    except DomainError as error:
        messages.error(request, error.message)
        return to(request, segment)
    messages.success(request, sentence % {"name": segment.name})
    gone = segment.pk is None or segment.archived_at is not None
    return redirect("segmentation:list", request.workspace.slug) if gone else to(request, segment)


def to(request: HttpRequest, segment: Segment) -> HttpResponseRedirect:
    response = HttpResponseRedirect(reverse("segmentation:detail", args=[request.workspace.slug, segment.pk]))
    response.status_code = 303
    return response
