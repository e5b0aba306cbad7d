"""设置 · 阈值: every threshold, what a change of it would move, the change itself, and the names of groups and stages."""

from __future__ import annotations

import uuid
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST, require_safe

from ops_platform import names, numbers, rules_change, rules_words
from ops_platform.models import RulesChange
from ops_platform.rules_form import RulesForm
from ops_platform.tasks import ring
from segmentation.rfm import GROUPS
from workspaces.errors import Conflict, DomainError
from workspaces.models import Workspace
from workspaces.names import USUAL
from workspaces.permissions import action
from workspaces.rule_checks import LONGEST_NAME
from workspaces.rules import PRESETS
from workspaces.scoping import workspace_scope

RECENT = 5
NAMED = ("stage", "rfm", "bits")


@require_safe
@action("settings.view")
def show_thresholds(request: HttpRequest) -> HttpResponse:
    """Every threshold with its definition; read only for those who may not change them."""
    return thresholds_page(request, RulesForm(workspace=request.workspace))


def thresholds_page(request: HttpRequest, form: RulesForm, status: int = 200) -> HttpResponse:
    changed = len(request.workspace.settings)
    summary = ngettext(
        "%(n)s setting differs from the preset of the industry",
        "%(n)s settings differ from the preset of the industry",
        changed,
    )
    context = {
        "title": _("Settings"),
        "summary": summary % {"n": changed},
        "form": form,
        "industries": list(PRESETS),
        "recent": list(RulesChange.objects.select_related("operator").order_by("-created_at")[:RECENT]),
    }
    return render(request, "rules/thresholds.html", context, status=status)


@require_POST
@action("settings.edit", by_hand=True)
def propose(request: HttpRequest) -> HttpResponse:
    """Preview what differs; what moves nobody is stored at once."""
    workspace: Workspace = request.workspace
    with workspace_scope(workspace):
        form = RulesForm(request.POST, workspace=workspace)
        if not form.is_valid():
            return thresholds_page(request, form, 422)
        try:
            changes = form.changes()
            change = rules_change.propose(changes, by=request.user) if changes else None
        except DomainError as error:
            form.add_error(error.path if error.path in form.fields else None, error.message)
            return thresholds_page(request, form, 422)
        if change is None:
            tell_stored(request, bool(changes))
            return redirect("rules:thresholds", workspace.slug)
    return work_on(request, change)


def tell_stored(request: HttpRequest, stored: bool) -> None:
    if stored:
        messages.success(request, _("Saved. Nobody moves by this."))
    else:
        messages.info(request, _("Nothing was different."))


@require_POST
@action("settings.edit", by_hand=True)
def propose_preset(request: HttpRequest) -> HttpResponse:
    """Preview the preset of an industry: thresholds, axes, and which events play which role."""
    workspace: Workspace = request.workspace
    with workspace_scope(workspace):
        try:
            change = rules_change.propose({}, request.POST.get("industry", ""), request.user)
        except DomainError as error:
            messages.error(request, error.message)
            return redirect("rules:thresholds", workspace.slug)
        if change is None:
            tell_stored(request, True)
            return redirect("rules:thresholds", workspace.slug)
    return work_on(request, change)


def work_on(request: HttpRequest, change: RulesChange) -> HttpResponse:
    """Short work is done while the browser waits, long work by a worker; the page of the change shows either."""
    workspace: Workspace = request.workspace
    try:
        with workspace_scope(workspace):
            short = rules_change.is_short(change)
        if short:
            rules_change.run_change(workspace, change.pk)
        else:
            ring("ops_platform.tasks.run_rules_changes", str(workspace.pk))
    except Conflict:  # a night runs: a worker does it afterwards
        ring("ops_platform.tasks.run_rules_changes", str(workspace.pk))
    except Exception:  # told on the page, from the row
        rules_change.logger.exception("The change of settings %s failed", change.pk)
    return redirect("rules:change", workspace.slug, change.pk)


def find(pk: uuid.UUID) -> RulesChange:
    change = RulesChange.objects.select_related("operator").filter(pk=pk).first()
    if change is None:
        raise Http404
    return change


@require_safe
@action("settings.view")
def show_change(request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
    """What a change makes different, who moves from where to where, and the button that applies it."""
    change, workspace = find(pk), request.workspace
    busy = change.state in rules_change.BUSY
    boards = rules_words.boards(change, workspace)
    context: dict[str, Any] = {
        "title": _("Change of settings"),
        "summary": summary_of(change, boards),
        "change": change,
        "settings": rules_words.changed_settings(change, workspace),
        "boards": boards,
        "busy": busy,
        "progress": rules_words.progress(change, timezone.now().timestamp()) if busy else None,
        "outdated": change.state == "ready" and rules_change.is_outdated(change, workspace),
        "listed": change.pk == newest(),
    }
    response = render(request, "rules/_change.html" if request.htmx else "rules/change.html", context)
    if request.htmx and not busy:  # the sentence at the top stands outside of the part that is renewed
        response["HX-Refresh"] = "true"
    return response


def newest() -> uuid.UUID | None:
    """The change whose people can be listed: each preview takes the place of the one before."""
    return RulesChange.objects.order_by("-created_at").values_list("pk", flat=True).first()


def summary_of(change: RulesChange, boards: list[dict[str, Any]]) -> str:
    if change.state in rules_change.BUSY:
        return _("Who would move is being computed; nothing is changed yet.")
    if not boards:
        return _("Nobody moves by this.") if change.state != "failed" else _("It could not be done.")
    people = " · ".join(f"{board['title']} {numbers.number(board['people'])}" for board in boards)
    return (_("Moved: %(people)s") if change.state == "applied" else _("Would move: %(people)s")) % {"people": people}


@require_POST
@action("settings.edit", by_hand=True)
def apply_change(request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
    """Store the settings and decide everybody anew, in one transaction."""
    with workspace_scope(request.workspace):
        change = find(pk)
        try:
            rules_change.ask_to_apply(change, request.user)
        except DomainError as error:
            messages.error(request, error.message)
            return redirect("rules:change", request.workspace.slug, pk)
    return work_on(request, change)


@require_safe
@action("settings.view")
def show_names(request: HttpRequest) -> HttpResponse:
    """What this project calls stages, RFM groups and value classes. An empty name is the usual one."""
    return names_page(request, dict(request.workspace.rules.names))


@require_POST
@action("settings.edit")
def save_names(request: HttpRequest) -> HttpResponse:
    """Keep the names that differ from the usual ones."""
    typed = {
        f"{kind}.{key}": " ".join(request.POST.get(f"{kind}.{key}", "").split())
        for kind in NAMED
        for key in names.KINDS[kind]
    }
    own = {field: name for field, name in typed.items() if name and name != str(USUAL[field])}
    try:
        if own != request.workspace.rules.names:
            rules_change.propose({"names": own}, by=request.user)
            messages.success(request, _("Saved. The names are used everywhere from now on."))
        else:
            messages.info(request, _("Nothing was different."))
    except DomainError as error:
        return names_page(request, typed, error.message, 422)
    return redirect("rules:names", request.workspace.slug)


def names_page(request: HttpRequest, own: dict[str, str], problem: str = "", status: int = 200) -> HttpResponse:
    titles = rules_words.titles()
    sentences = {f"rfm.{key}": group.sentence for key, group in GROUPS.items()}
    sections = [
        {
            "title": titles[kind],
            "rows": [
                {
                    "field": f"{kind}.{key}",
                    "kind": kind,
                    "key": key,
                    "usual": USUAL[f"{kind}.{key}"],
                    "own": own.get(f"{kind}.{key}", ""),
                    "sentence": sentences.get(f"{kind}.{key}", ""),
                }
                for key in names.KINDS[kind]
            ],
        }
        for kind in NAMED
    ]
    context = {
        "title": _("Names"),
        "summary": _("What this project calls stages, groups and classes, everywhere."),
        "sections": sections,
        "longest": LONGEST_NAME,
        "problem": problem,
    }
    return render(request, "rules/names.html", context, status=status)


app_name = "rules"
urlpatterns = [
    path("", show_thresholds, name="thresholds"),
    path("change/", propose, name="propose"),
    path("preset/", propose_preset, name="preset"),
    path("changes/<uuid:pk>/", show_change, name="change"),
    path("changes/<uuid:pk>/apply/", apply_change, name="apply"),
    path("names/", show_names, name="names"),
    path("names/save/", save_names, name="save_names"),
]
