"""Template tags of every page: addresses, icons, numbers in words, badges, fields, charts. Registered as builtins."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import datetime, tzinfo
from typing import Any

from django import template
from django.template.base import FilterExpression, Parser, Token
from django.template.defaulttags import URLNode, url
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from ops_platform import badges, names, numbers, terms
from workspaces.currencies import decimals_of

register = template.Library()


@register.tag
def go(parser: Parser, token: Token) -> URLNode:
    """`{% go 'people:detail' person.id %}`: like `url`, inside the open workspace; `as name` is empty without such a page."""
    node, slug = url(parser, token), FilterExpression("workspace.slug", parser)
    if node.kwargs:
        return URLNode(node.view_name, [], {"slug": slug, **node.kwargs}, node.asvar)
    return URLNode(node.view_name, [slug, *node.args], {}, node.asvar)


for tag in (
    badges.icon,
    badges.change,
    badges.stage,
    badges.group,
    badges.activity,
    badges.bits,
    badges.state,
    badges.field,
):
    register.simple_tag(tag)
register.filter("number", numbers.number)
register.filter("money", numbers.money)
register.filter("percent", numbers.percent)
register.filter("day", numbers.day)
register.filter("long_day", numbers.long_day)
register.filter("duration", numbers.duration)


@register.filter
def short_number(value: Any) -> SafeString | str:
    """1.2 万 / 12k with the full figure on hover; "—" when not known."""
    short, full = numbers.short_number(value), numbers.number(value)
    return short if short == full else format_html('<span data-tip="{}">{}</span>', full, short)


@register.filter
def short_money(minor: Any, currency: Any = "") -> SafeString | str:
    """¥4.6 万 with the full amount on hover. `currency` is a code or the workspace."""
    short, full = numbers.short_money(minor, currency), numbers.money(minor, currency)
    return short if short == full else format_html('<span data-tip="{}">{}</span>', full, short)


@register.simple_tag
def share(part: int | None, whole: int | None) -> str:
    """A percentage with its base: "12.3%，共 8,112 人"."""
    if not whole or part is None:
        return numbers.UNKNOWN
    return _("%(percent)s of %(whole)s people") % {
        "percent": numbers.percent(part / whole),
        "whole": numbers.number(whole),
    }


@register.simple_tag
def ratio(part: float | None, whole: float | None, digits: int = 1) -> str:
    """A quotient such as orders per person: 2.4."""
    return numbers.number(part / whole, digits) if part is not None and whole else numbers.UNKNOWN


@register.simple_tag(takes_context=True)
def moment(context: template.Context, at: datetime | None) -> SafeString | str:
    """A time in the workspace's zone: relative when under a day, the full time on hover."""
    if at is None:
        return numbers.UNKNOWN
    workspace = context.get("workspace")
    local = in_zone(at, workspace.tzinfo) if workspace else at
    return format_html(
        '<time datetime="{}" data-tip="{}">{}</time>',
        local.isoformat(),
        f"{local:%Y-%m-%d %H:%M:%S}",
        numbers.ago(local),
    )


@register.simple_tag(takes_context=True)
def clock(context: template.Context, at: datetime | None, form: str = "%Y-%m-%d %H:%M") -> str:
    """A time in the workspace's zone, spelled out."""
    if at is None:
        return numbers.UNKNOWN
    return f"{in_zone(at, context['workspace'].tzinfo):{form}}"


def in_zone(at: datetime, zone: tzinfo) -> datetime:
    """The same moment there; as it is where that would be in year 10000, of which Python knows nothing."""
    try:
        return at.astimezone(zone)
    except OverflowError:
        return at


@register.simple_tag
def name(kind: str, key: str) -> str:
    """What a stored key is called: `{% name 'delivery' 'sent' %}`. Kinds: see ops_platform/names.py."""
    return str(names.label(kind, key))


class TermNode(template.Node):
    def __init__(self, key: template.base.FilterExpression, words: template.base.FilterExpression | None) -> None:
        self.key, self.words = key, words

    def render(self, context: template.Context) -> SafeString:
        label, sentence = terms.explain(self.key.resolve(context), context.get("workspace"))
        words = self.words.resolve(context) if self.words else label
        return format_html('<dfn class="term" tabindex="0" data-tip="{}">{}</dfn>', sentence, words)


@register.tag
def term(parser: Parser, token: Token) -> TermNode:
    """`{% term 'slipping' %}`: the word with a dotted underline that shows its definition, thresholds included; with a second
    argument, other words than its name."""
    key, *words = map(parser.compile_filter, token.split_contents()[1:])
    return TermNode(key, words[0] if words else None)


FORMATS: dict[str, Callable[[Any], Any]] = {
    "people": numbers.number,
    "number": numbers.number,
    "mean": lambda value: numbers.number(value, 2),
    "percent": numbers.percent,
    "day": numbers.day,
    "seconds": numbers.duration,
}


def write_cell(value: Any, unit: str, currency: Any) -> Any:
    if unit == "money":
        return numbers.money(value, currency)
    return FORMATS.get(unit, lambda plain: numbers.UNKNOWN if plain is None else plain)(value)


@register.simple_tag(takes_context=True)
def cell(context: template.Context, value: Any, unit: str) -> Any:
    """One value of a table, by its unit: people, number, mean, money, percent, seconds, day or text."""
    return write_cell(value, unit, context.get("workspace"))


@register.inclusion_tag("shared/_chart.html", takes_context=True)
def chart(context: template.Context, spec: dict[str, Any], size: str = "m") -> dict[str, Any]:
    """A picture with its sentence, its table twin and its downloads. For the shape of `spec` see static/charts.js."""
    workspace = context.get("workspace")
    columns = [{"unit": "text", **column} for column in spec["columns"]]
    spec = {
        **spec,
        "columns": columns,
        "currency": numbers.symbol(workspace),
        "decimals": decimals_of(numbers.code_of(workspace)),
    }
    return {
        "spec": spec,
        "size": size,
        "data_id": f"{spec['name']}-data",
        "table": list(table_twin(spec, columns, workspace)),
    }


def table_twin(spec: dict[str, Any], columns: list[dict[str, Any]], workspace: Any) -> Iterator[list[dict[str, Any]]]:
    """The picture's rows as cells {text, numeric, url}; a row's address sits on its last cell, a cell's on itself."""
    urls = spec.get("urls") or []
    for index, row in enumerate(spec["rows"]):
        url = urls[index] if index < len(urls) else ""
        per_cell = url if isinstance(url, list) else [""] * (len(row) - 1) + [url]
        yield [
            {"text": write_cell(value, column["unit"], workspace), "numeric": is_numeric(column["unit"]), "url": link}
            for value, column, link in zip(row, columns, [""] * (len(row) - len(per_cell)) + per_cell, strict=True)
        ]


@register.filter
def details(detail: dict[str, Any]) -> str:
    """An audit entry's details in one line: role: admin, people: 3. The name stands for the target already."""
    pairs = (
        f"{key}: {value if isinstance(value, str | int | float) else json.dumps(value, ensure_ascii=False)}"
        for key, value in detail.items()
        if key != "name"
    )
    return ", ".join(pairs)[:300]


@register.filter
def at(items: Any, key: Any) -> Any:
    """`items[key]`, or None."""
    try:
        return items[key]
    except (KeyError, IndexError, TypeError):
        return None


@register.filter
def is_numeric(unit: str) -> bool:
    return unit in ("people", "number", "mean", "money", "percent", "seconds")


@register.filter
def sentences(parts: list[str]) -> SafeString:
    """Conditions as one sentence: 「已付费」且「有流失风险」."""
    return format_html_join(_(" and "), "<b>{}</b>", ((part,) for part in parts))
