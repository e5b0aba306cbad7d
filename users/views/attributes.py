"""用户属性: which attributes people have, of which type, and whose values are of another."""

from __future__ import annotations

import uuid
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext, pgettext_lazy
from django.views.decorators.http import require_POST, require_safe

from users.attributes import SORTS, edit_attribute, list_attributes
from users.models import Attribute
from workspaces.errors import DomainError
from workspaces.permissions import action

PAGE = 100
KIND_WORDS = {
    "text": gettext_lazy("text"),
    "number": gettext_lazy("number"),
    "boolean": gettext_lazy("yes or no"),
    "time": pgettext_lazy("attribute", "day or time"),
    "list": gettext_lazy("list"),
    "object": gettext_lazy("object"),
}
SORT_WORDS = {
    "conflicts": gettext_lazy("Conflicts first"),
    "people": gettext_lazy("Most people first"),
    "name": gettext_lazy("By name"),
    "recent": gettext_lazy("Told last first"),
}


@require_safe
@action("users.view")
def show_attributes(request: HttpRequest) -> HttpResponse:
    """The catalogue as the address asks for it: `q`, `sort`, `hidden`, `page`."""
    words = request.GET.get("q", "").replace("\0", "").strip()[:100]
    sort = request.GET["sort"] if request.GET.get("sort") in SORTS else "conflicts"
    hidden = request.GET.get("hidden") == "1"
    page = Paginator(list_attributes(words, hidden=hidden, sort=sort), PAGE).get_page(request.GET.get("page"))
    kept = {"q": words, "sort": sort if "sort" in request.GET else "", "hidden": "1" if hidden else ""}

    def address(number: int) -> str:
        return "?" + urlencode({**{name: value for name, value in kept.items() if value}, "page": number})

    context = {
        "title": _("Attributes"),
        "summary": summary(),
        "rows": [{"attribute": one, "kind": KIND_WORDS[one.kind], "advice": advice(one)} for one in page.object_list],
        "words": words,
        "sort": sort,
        "sorts": SORT_WORDS.items(),
        "hidden": hidden,
        "hides": hidden or Attribute.objects.filter(hidden=True).exists(),
        "previous": address(page.previous_page_number()) if page.has_previous() else "",
        "next": address(page.next_page_number()) if page.has_next() else "",
    }
    return render(request, "users/attributes.html", context)


def summary() -> str:
    count, wrong = Attribute.objects.count(), Attribute.objects.filter(hidden=False, conflicts__gt=0).count()
    told = ngettext("%(n)s attribute", "%(n)s attributes", count) % {"n": count}
    if not wrong:
        return told
    more = ngettext("%(n)s with values of another type", "%(n)s with values of another type", wrong) % {"n": wrong}
    return _("%(told)s, %(more)s") % {"told": told, "more": more}


def advice(attribute: Attribute) -> str:
    """What another type means and what to do about it; "" without conflicts."""
    if not attribute.conflicts:
        return ""
    names = {"kind": KIND_WORDS[attribute.kind], "other": KIND_WORDS.get(attribute.other_kind, "")}
    told = _("Sent as %(other)s, too: conditions see only the type %(kind)s. Send one type, or choose the other here.")
    return told % names


def find(pk: uuid.UUID) -> Attribute:
    attribute = Attribute.objects.filter(pk=pk).first()
    if attribute is None:
        raise Http404
    return attribute


@require_safe
@action("users.view")
def show_attribute(request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
    """One attribute, in the drawer or on a page of its own."""
    return attribute_page(request, find(pk))


def attribute_page(request: HttpRequest, attribute: Attribute, error: DomainError | None = None) -> HttpResponse:
    in_drawer = request.htmx.target == "drawer-body"
    context: dict[str, Any] = {
        "title": attribute.name,
        "attribute": attribute,
        "kinds": KIND_WORDS.items(),
        "kind": KIND_WORDS[attribute.kind],
        "other_kind": KIND_WORDS.get(attribute.other_kind, ""),
        "advice": advice(attribute),
        "typed": request.POST.get("label", attribute.label),
        "problem": error,
        "in_drawer": in_drawer,
    }
    template = "users/_attribute.html" if in_drawer else "users/attribute.html"
    return render(request, template, context, status=422 if error else 200)


@require_POST
@action("users.edit")
def change_attribute(request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
    """Set label, type and marks of one attribute."""
    attribute = find(pk)
    marks = {name: name in request.POST for name in ("hidden", "personal")}
    told = {name: request.POST[name] for name in ("label", "kind") if name in request.POST}
    try:
        edit_attribute(attribute, marks | told, request.user)
    except DomainError as error:
        return attribute_page(request, attribute, error)
    messages.success(request, _("“%(name)s” is changed.") % {"name": attribute.name})
    return redirect(reverse("users:attributes", args=[request.workspace.slug]))
