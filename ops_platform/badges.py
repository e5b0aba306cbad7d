"""Small pieces of markup that carry meaning: icons, changes, badges of stages and states, form fields."""

from __future__ import annotations

from functools import cache
from typing import Any

from django.conf import settings
from django.forms import BoundField
from django.template.loader import render_to_string
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _

from ops_platform import names, numbers

ICONS = settings.BASE_DIR / "static/vendor/icons"


@cache
def read_icon(name: str) -> str:
    path = ICONS / f"{name}.svg"
    text = path.read_text(encoding="utf-8") if path.exists() else "<svg></svg>"
    return text[text.index(">") + 1 : text.rindex("</svg>")].strip()


def icon(name: str, size: int = 18) -> SafeString:
    """An outline icon of scripts/icons.txt as inline SVG. Decoration: the words beside it carry the meaning."""
    return format_html(
        '<svg class="ico" width="{0}" height="{0}" viewBox="0 0 24 24" fill="none" stroke="currentColor" stroke-width="1.75"'
        ' stroke-linecap="round" stroke-linejoin="round" aria-hidden="true" focusable="false">{1}</svg>',
        size,
        mark_safe(read_icon(name)),  # noqa: S308 - our own files
    )


def change(now: float | None, before: float | None, good: str = "up", percent: bool = True) -> SafeString:
    """An arrow, a sign and a figure. `good` says which direction is welcome: up, down or none."""
    difference = numbers.difference(now, before, percent)
    if difference is None:
        return format_html('<span class="change">{}</span>', numbers.UNKNOWN)
    direction, text = difference
    arrow = {"up": "arrow-up-right", "down": "arrow-down-right"}.get(direction)
    kind = "" if direction == "flat" or good == "none" else ("is-good" if direction == good else "is-bad")
    spoken = {"up": _("up"), "down": _("down"), "flat": _("no change")}[direction]
    mark = icon(arrow, 14) if arrow else ""
    return format_html(
        '<span class="change {}">{}<span class="visually-hidden">{} </span>{}</span>', kind, mark, spoken, text
    )


def badge(kind: str, key: str) -> SafeString:
    if not key:
        return format_html('<span class="text-muted">{}</span>', numbers.UNKNOWN)
    return format_html(
        '<span class="keyed"><i class="dot dot-{}-{}" aria-hidden="true"></i>{}</span>',
        kind,
        key,
        names.label(kind, key),
    )


def stage(key: str) -> SafeString:
    """A lifecycle stage: its fixed colour and its name."""
    return badge("stage", key)


def group(key: str) -> SafeString:
    """An RFM group: its fixed colour and its name."""
    return badge("rfm", key)


def activity(key: str) -> SafeString:
    """The activity flag: active, slipping or dormant."""
    return badge("activity", key)


def bits(key: str) -> SafeString:
    """One of the eight value classes, with its three bits."""
    return format_html(
        '<span class="keyed">{} <small class="text-muted num">{}</small></span>', names.label("bits", key), key
    )


def state(kind: str, key: str) -> SafeString:
    """The state of a campaign, run, delivery, import, night or step, coloured by how it is going."""
    return format_html('<span class="state state-{}">{}</span>', names.mood(key), names.label(kind, key))


def field(bound: BoundField, label: str = "", hint: str = "", **attributes: Any) -> SafeString:
    """A form field with label, help and error, wired for screen readers: `{% field form.email autofocus=True %}`."""
    described = [
        f"{bound.id_for_label}-{part}"
        for part, there in (("help", hint or bound.help_text), ("error", bound.errors))
        if there
    ]
    kind = getattr(bound.field.widget, "input_type", "")
    css = {"checkbox": "form-check-input", "select": "form-select", "radio": ""}.get(kind, "form-control")
    attrs = {
        "class": f"{css} is-invalid" if bound.errors else css,
        **{k.replace("_", "-"): v for k, v in attributes.items()},
    }
    if described:
        attrs["aria-describedby"] = " ".join(described)
    if bound.errors:
        attrs["aria-invalid"] = "true"
    html = render_to_string(
        "shared/_field.html",
        {
            "field": bound,
            "widget": bound.as_widget(attrs=attrs),
            "label": label or bound.label,
            "help": hint or bound.help_text,
            "kind": kind,
        },
    )
    return mark_safe(html)  # noqa: S308 - rendered by a template that escapes
