"""Joining a workspace by a link: the one page that somebody without an account may open."""

from __future__ import annotations

from typing import Any

from django.contrib.auth import login
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from workspaces import services
from workspaces.errors import DomainError
from workspaces.forms import ROLE_CHOICES, JoinForm
from workspaces.models import Operator


@require_http_methods(["GET", "POST"])
def accept_invitation(request: HttpRequest, token: str) -> HttpResponse:
    """Join a workspace. Somebody new chooses a password; somebody known must be logged in as the one invited."""
    context: dict[str, Any] = {"title": _("Invitation")}
    try:
        workspace, email, role = services.read_invitation(token)
    except DomainError as error:
        return render(request, "workspaces/invitation.html", context | {"problem": error.message}, status=410)
    known = Operator.objects.filter(email=email).exists()
    if known and not request.user.is_authenticated:
        return redirect_to_login(request.get_full_path())
    other = request.user.is_authenticated and request.user.email != email
    form = None if known else JoinForm(request.POST or None, email=email)
    if request.method == "POST" and not other and (form is None or form.is_valid()):
        given = form.cleaned_data if form else {"password": "", "name": ""}
        operator = services.accept_invitation(token, given["password"], given["name"])
        # A second click made them meanwhile: only whoever chose the password is let in.
        if form and operator.check_password(given["password"]):
            login(request, operator)
        return redirect("home:today", workspace.slug)
    context |= {
        "invited_to": workspace,
        "email": email,
        "role": dict(ROLE_CHOICES).get(role, role),
        "form": form,
        "other": other,
    }
    return render(
        request, "workspaces/invitation.html", context, status=422 if form is not None and form.errors else 200
    )
