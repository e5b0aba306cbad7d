"""事件含义: a workspace says which of its event names mean what."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_POST, require_safe

from users import selectors
from users.mapping import apply_preset, roles_now, set_roles
from users.models import EventName
from workspaces.errors import DomainError
from workspaces.permissions import action
from workspaces.rules import PRESETS, ROLES

ROLE_WORDS = {
    "core": (
        gettext_lazy("Core action"),
        gettext_lazy("What the product is for; its first time opens the stage Using."),
    ),
    "habit": (gettext_lazy("Habit"), gettext_lazy("Counts for the stage Habit; none chosen: the core action.")),
    "order": (gettext_lazy("Order"), gettext_lazy("An order with an amount: revenue and RFM.")),
    "refund": (gettext_lazy("Refund"), gettext_lazy("Comes off revenue; never a visit.")),
    "pay": (gettext_lazy("Paying"), gettext_lazy("Pays for what the free product does not give.")),
    "passive": (gettext_lazy("Passive"), gettext_lazy("Done by others or by machines: no visit.")),
}


@require_safe
@action("settings.view")
def show_mapping(request: HttpRequest) -> HttpResponse:
    """Every name that arrived or is expected, with its roles; how often each arrived comes a moment later."""
    return mapping_page(request)


def mapping_page(request: HttpRequest, problem: str = "", status: int = 200) -> HttpResponse:
    words = request.GET.get("q", "").strip()[:200]
    names = selectors.list_event_names(words)
    rows = [{"name": name, "roles": [(role, getattr(name, f"is_{role}")) for role in ROLES]} for name in names]
    playing = sum(bool(selectors.roles_of(name)) for name in names)
    summary = ngettext("%(n)s event name, %(m)s with a meaning", "%(n)s event names, %(m)s with a meaning", len(rows))
    context = {
        "title": _("Event meaning"),
        "summary": summary % {"n": len(rows), "m": playing},
        "rows": rows,
        "roles": [(role, *ROLE_WORDS[role]) for role in ROLES],
        "missing": selectors.missing_roles(request.workspace),
        "industries": [key for key in PRESETS if key != "none"],
        "words": words,
        "problem": problem,
        "typed": request.POST.get("new_name", ""),
    }
    return render(request, "users/mapping.html", context, status=status)


@require_safe
@action("settings.view")
def count_events(request: HttpRequest) -> HttpResponse:
    """The cells that say how often each name arrived; the page loads them after itself."""
    arrived = selectors.count_events(request.workspace)
    shown = selectors.list_event_names(request.GET.get("q", "")[:200])
    names = [{"name": name, "arrived": arrived.get(name.pk)} for name in shown]
    return render(request, "users/_arrived.html", {"names": names, "oob": True})


@require_POST
@action("mapping.edit")
def change_mapping(request: HttpRequest) -> HttpResponse:
    """Set the roles of the names that were on the page; the others keep theirs."""
    shown = set(EventName.objects.filter(pk__in=ids(request, "shown")).values_list("name", flat=True))
    ticked = {
        role: set(EventName.objects.filter(pk__in=ids(request, role)).values_list("name", flat=True)) for role in ROLES
    }
    roles = {role: names & shown for role, names in ticked.items()}
    new_name = request.POST.get("new_name", "").strip()
    if new_name:
        # Known after all, and only not on this page, it keeps its roles.
        kept = {role for role, names in roles_now().items() if new_name in names} if new_name not in shown else set()
        for role in kept | set(request.POST.getlist("new_role")):
            roles.get(role, set()).add(new_name)
    try:
        of = {*shown, *filter(None, [new_name])}
        changed = set_roles({role: sorted(names) for role, names in roles.items()}, request.user, of=of)
    except DomainError as error:
        return mapping_page(request, error.message, 422)
    tell(request, changed)
    return redirect("users:mapping", request.workspace.slug)


def ids(request: HttpRequest, field: str) -> list[int]:
    return [int(value) for value in request.POST.getlist(field) if value.isdecimal() and len(value) < 10]


@require_POST
@action("mapping.edit")
def use_preset(request: HttpRequest) -> HttpResponse:
    """Give every role to the event names of an industry, and take it from all others."""
    industry = request.POST.get("industry", "")
    if industry in PRESETS:
        tell(request, apply_preset(industry, request.user))
    return redirect("users:mapping", request.workspace.slug)


def tell(request: HttpRequest, changed: int) -> None:
    if changed:
        messages.success(request, _("Saved. The numbers follow with the next daily update."))
    else:
        messages.info(request, _("Nothing was different."))
