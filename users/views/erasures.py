"""删除用户: who asked for it, how far each is, and the way back in for an id that was erased."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.db.models import Sum
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST, require_safe

from users.erasure import all_steps, readmit_id
from users.models import ErasedId, Erasure
from workspaces.errors import DomainError
from workspaces.models import Operator
from workspaces.permissions import action

LISTED = 100


@require_safe
@action("users.erase")
def list_erasures(request: HttpRequest) -> HttpResponse:
    """Every erasure, the newest first; those at work refresh themselves."""
    return erasures_page(request)


def erasures_page(request: HttpRequest, typed: str = "", status: int = 200) -> HttpResponse:
    rows = list(Erasure.objects.order_by("-asked_at")[:LISTED])
    names = {one.pk: one.name or one.email for one in Operator.objects.filter(pk__in={row.asked_by for row in rows})}
    dropped = ErasedId.objects.aggregate(n=Sum("dropped", default=0))["n"]
    count = Erasure.objects.count()
    summary = ngettext("%(n)s user was erased", "%(n)s users were erased", count) % {"n": f"{count:,}"}
    if dropped:
        late = ngettext("%(n)s late message was not kept", "%(n)s late messages were not kept", dropped)
        summary = _("%(first)s; %(second)s") % {"first": summary, "second": late % {"n": f"{dropped:,}"}}
    context = {
        "title": _("Erased users"),
        "summary": summary,
        "jobs": [erasure_job(row) | {"erasure": row, "who": names.get(row.asked_by, "")} for row in rows],
        "active": any(row.state != "done" for row in rows),
    }
    context["typed"] = typed
    template = "users/_erasures.html" if request.htmx else "users/erasures.html"
    return render(request, template, context, status=status)


def erasure_job(erasure: Erasure) -> dict[str, Any]:
    """How far an erasure is, in steps of its two passes."""
    total = len(all_steps())
    done = {"due": 0, "first": erasure.step, "settling": total, "second": total + erasure.step, "done": 2 * total}
    left = (erasure.settles_at - timezone.now()).total_seconds() if erasure.settles_at else 0
    return {"done": done[erasure.state], "total": 2 * total, "seconds_left": max(0, round(left))}


@require_POST
@action("users.erase")
def readmit(request: HttpRequest) -> HttpResponse:
    """Take an erased id in again, for somebody who came back under it."""
    typed = request.POST.get("external_id", "").strip()
    try:
        wrong = "" if readmit_id(typed, request.user) else _("This ID is not kept out.")
    except DomainError as error:
        wrong = error.message
    if wrong:
        messages.error(request, wrong)
        return erasures_page(request, typed.replace("\0", ""), 422)
    messages.success(request, _("What is sent under this ID from now on is kept, as of somebody new."))
    return redirect("users:erasures", request.workspace.slug)
