"""设置: members and invitations, keys, the audit trail."""

from __future__ import annotations

import uuid

from django.contrib import messages
from django.db.models import Q
from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST

from workspaces import services
from workspaces.errors import DomainError
from workspaces.forms import ROLE_CHOICES, InviteForm, KeyForm, LimitForm
from workspaces.models import AccessKey, AuditEntry, Membership
from workspaces.permissions import action
from workspaces.zones import read_moment

AUDIT_PAGE = 50


def back(request: HttpRequest, view: str) -> HttpResponse:
    return redirect(f"workspaces:{view}", request.workspace.slug)


@action("settings.view")
def list_members(request: HttpRequest) -> HttpResponse:
    return members_page(request, InviteForm())


def members_page(
    request: HttpRequest, form: InviteForm, invitation: dict[str, str] | None = None, status: int = 200
) -> HttpResponse:
    members = list(Membership.objects.select_related("operator").order_by("created_at"))
    context = {
        "title": _("Members"),
        "summary": ngettext("%(n)s colleague works here", "%(n)s colleagues work here", len(members))
        % {"n": len(members)},
        "members": members,
        "roles": ROLE_CHOICES,
        "form": form,
        "invitation": invitation,
    }
    return render(request, "workspaces/members.html", context, status=status)


@require_POST
@action("members.manage")
def invite_member(request: HttpRequest) -> HttpResponse:
    """Make an invitation link, shown to be passed on; it is good for seven days."""
    form = InviteForm(request.POST)
    if not form.is_valid():
        return members_page(request, form, status=422)
    email, role = form.cleaned_data["email"], form.cleaned_data["role"]
    token = services.invitation_token(email, role, request.user)
    url = request.build_absolute_uri(reverse("accept_invitation", args=[token]))
    services.audit("member.invite", email, request.user, role=role)
    return members_page(request, InviteForm(), {"email": email, "url": url})


def find_member(pk: uuid.UUID) -> Membership:
    member = Membership.objects.select_related("operator").filter(pk=pk).first()
    if member is None:
        raise Http404
    return member


@require_POST
@action("members.manage")
def change_member(request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
    """Another role, or none at all: `role` empty takes the membership away."""
    member, role = find_member(pk), request.POST.get("role", "")
    try:
        if role:
            revoked = services.change_role(member, role, request.user)
            messages.success(request, _("%(who)s has another role now.") % {"who": member.operator})
        else:
            revoked = services.remove_member(member, request.user)
            messages.success(request, _("%(who)s is no longer a member.") % {"who": member.operator})
        if revoked:
            words = _("API keys that %(who)s made are revoked, for they could do more: %(names)s.")
            messages.warning(request, words % {"who": member.operator, "names": "、".join(revoked)})
    except DomainError as error:
        messages.error(request, error.message)
    if member.operator_id == request.user.pk and not role:
        return redirect("chooser")
    return back(request, "members")


@action("keys.manage")
def list_keys(request: HttpRequest) -> HttpResponse:
    return keys_page(request, key_form(request))


def key_form(request: HttpRequest, data: QueryDict | None = None) -> KeyForm:
    return KeyForm(data, maker=request.membership.role)


def keys_page(
    request: HttpRequest,
    form: KeyForm,
    secret: str = "",
    status: int = 200,
    limits: dict[uuid.UUID, LimitForm] | None = None,
) -> HttpResponse:
    """`limits`: forms that came back with errors."""
    keys = list(AccessKey.objects.order_by("revoked_at", "-created_at"))
    forms = {key.pk: limit_form(key) for key in keys if key.kind == "write" and not key.revoked_at} | (limits or {})
    live = sum(key.revoked_at is None for key in keys)
    context = {
        "title": _("Keys"),
        "summary": ngettext("%(n)s key opens this project", "%(n)s keys open this project", live) % {"n": live},
        "keys": [(key, forms.get(key.pk)) for key in keys],
        "form": form,
        "secret": secret,
    }
    return render(request, "workspaces/keys.html", context, status=status)


@require_POST
@action("keys.manage")
def create_key(request: HttpRequest) -> HttpResponse:
    """A new key; this answer is the only place its secret is ever shown."""
    form, secret = key_form(request, request.POST), ""
    if form.is_valid():
        try:
            secret = services.create_key(**form.cleaned_data, by=request.user)[1]
        except DomainError as error:
            form.add_error("role", error.message)
    if form.errors:
        return keys_page(request, form, status=422)
    return keys_page(request, key_form(request), secret)


def limit_form(key: AccessKey, data: QueryDict | None = None) -> LimitForm:
    told = {"events_per_second": key.events_per_second, "burst": key.burst}
    return LimitForm(data, initial=told, auto_id=f"limit-{key.pk}-%s")


def find_key(pk: uuid.UUID) -> AccessKey:
    key = AccessKey.objects.filter(pk=pk).first()
    if key is None:
        raise Http404
    return key


@require_POST
@action("keys.manage")
def limit_key(request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
    """How much a write key may send; an empty field takes the limit away."""
    key = find_key(pk)
    form = limit_form(key, request.POST)
    if form.is_valid():
        try:
            services.limit_key(key, **form.cleaned_data, by=request.user)
        except DomainError as error:
            form.add_error(None, error.message)
    if form.errors:
        return keys_page(request, key_form(request), status=422, limits={key.pk: form})
    messages.success(request, _("Saved. It holds within a few seconds."))
    return back(request, "keys")


@require_POST
@action("keys.manage")
def revoke_key(request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
    key = find_key(pk)
    services.revoke_key(key, request.user)
    messages.success(request, _("“%(name)s” opens nothing any more.") % {"name": key.name})
    return back(request, "keys")


@action("audit.view")
def list_audit(request: HttpRequest) -> HttpResponse:
    """Who did what, newest first; searched by action, target or colleague."""
    entries = AuditEntry.objects.select_related("operator").order_by("-at", "-id")
    words = request.GET.get("q", "").replace("\x00", "").strip()[:100]
    if words:
        entries = entries.filter(
            Q(action__icontains=words)
            | Q(target__icontains=words)
            | Q(operator__email__icontains=words)
            | Q(operator__name__icontains=words)
        )
    if before := read_moment(request.GET.get("before", "")):  # else the first page
        entries = entries.filter(at__lt=before)
    rows = list(entries[: AUDIT_PAGE + 1])
    context = {
        "title": _("Audit trail"),
        "summary": _("Who changed what, and when. Entries can be read but never changed."),
        "entries": rows[:AUDIT_PAGE],
        "words": words,
        "before": rows[AUDIT_PAGE - 1].at.isoformat() if len(rows) > AUDIT_PAGE else "",
    }
    return render(request, "workspaces/audit.html", context)
