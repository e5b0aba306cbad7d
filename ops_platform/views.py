"""The roof: the home page 今日, the chooser of workspaces, the palette, health."""

from __future__ import annotations

from django.contrib.auth.decorators import login_required
from django.db import connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _

from ops_platform import palette, selectors
from ops_platform.checklist import checklist
from ops_platform.today import read_today
from workspaces.middleware import memberships_of
from workspaces.permissions import action


@action("home.view")
def show_home(request: HttpRequest) -> HttpResponse:
    """今日: what the last night says and what to do about it; before that, the checklist of a new workspace."""
    workspace = request.workspace
    done = selectors.first_run(workspace)
    context = {
        "title": _("Today"),
        "checklist": [] if all(done.values()) else checklist(workspace, done),
        "ready": done["night"],
    }
    if done["night"]:
        context |= read_today(workspace)
        context["summary"] = context["verdict"]
    else:
        context["summary"] = _("%(n)s of 5 steps are done.") % {"n": sum(done.values())}
    return render(request, "home/today.html", context)


@action("home.view")
def search_palette(request: HttpRequest) -> HttpResponse:
    """What the palette lists for the words typed: people, segments, campaigns, pages, actions."""
    found = palette.search(request.workspace, request.membership.role, request.GET.get("q", ""))
    return render(request, "home/_palette.html", {"groups": found})


@login_required
def choose_workspace(request: HttpRequest) -> HttpResponse:
    """The operator's workspaces. With one alone the visit goes straight there; the switcher asks for the list as a part."""
    memberships = memberships_of(request.user)
    if request.htmx:
        return render(request, "home/_workspaces.html", {"memberships": memberships})
    if len(memberships) == 1:
        return redirect("home:today", memberships[0].workspace.slug)
    return render(request, "home/choose.html", {"title": _("Projects"), "memberships": memberships})


def health(request: HttpRequest) -> JsonResponse:
    """200 while the database answers; what load balancers and compose files ask."""
    with connection.cursor() as cursor:
        cursor.execute("select 1")
    return JsonResponse({"status": "ok"})
