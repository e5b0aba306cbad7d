"""From a run's content and a person to the message that leaves: merge fields, tracked links, the way to unsubscribe."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import Any
from urllib.parse import quote, urlsplit

from campaigns.channels import Message, get_channel
from campaigns.content import Template, compile_template, render
from campaigns.links import make_url
from campaigns.markup import add_at_end, add_open_pixel, rewrite_links
from campaigns.template_rules import TemplateError
from users.models import EndUser, Facts
from workspaces.models import Workspace

MESSAGE_FIELDS = {field.name for field in fields(Message)}
PROFILE = ("external_id", "name", "email", "phone", "city", "source")
FACTS = (
    "orders", "revenue_minor", "average_order_minor", "first_order_on", "last_order_on", "last_seen_on",
    "registered_on", "favourite_category",
)  # fmt: skip
# In both languages: the reader's is not known, and this one line must be understood.
WAY_OUT = "退订 Unsubscribe"
# What browsers drop from an address, or read as a slash.
UNSAFE = re.compile(r"[\x00-\x20\x7f\\]")


@dataclass(frozen=True)
class Letter:
    """A run's content, compiled once: templates by field name, and the link targets in the order of their numbers."""

    channel: str
    templates: dict[str, Template]
    params: dict[str, Template]
    links: list[str]


def prepare(channel_key: str, content: dict[str, Any], *, tracked: bool = True) -> Letter:
    """Compile the content. Raises TemplateError; its `field` names the field that is wrong.

    Link targets are taken from the template, before anything about a person is filled in, so a message can only
    lead where the operator pointed.
    """
    links: list[str] = []
    templates: dict[str, Template] = {}
    params: dict[str, Template] = {}
    for spec in get_channel(channel_key).content_fields:
        value = content.get(spec.name)
        try:
            if spec.kind == "params":
                params = {key: compile_template(str(text)) for key, text in (value or {}).items()}
            elif spec.name in MESSAGE_FIELDS:
                source, html = str(value or ""), spec.kind == "html"
                if html and source:
                    source = prepare_html(source, links, tracked)
                elif spec.name == "body_text" and channel_key == "email" and source:
                    source = with_way_out(source, "\n\n" + WAY_OUT + ": {{ unsubscribe_url }}")
                templates[spec.name] = compile_template(source, html=html)
        except TemplateError as error:
            error.field = spec.name
            raise
    return Letter(channel_key, templates, params, links)


def prepare_html(source: str, links: list[str], tracked: bool) -> str:
    """The body with a way out, its links replaced by merge fields `link_N` and its open pixel; appends to `links`."""
    source = with_way_out(source, f'<p><a href="{{{{ unsubscribe_url }}}}">{WAY_OUT}</a></p>')

    def numbered(url: str) -> str:
        if "unsubscribe_url" in url:
            return url
        check_target(url)
        links.append(url)
        return f"{{{{ link_{len(links) - 1} }}}}" if tracked else url

    replaced = rewrite_links(source, numbered)[0]
    return add_open_pixel(replaced, "{{ open_pixel }}") if tracked else replaced


def check_target(url: str) -> None:
    """Merge fields may fill in a link's path and query, never its host. Raises TemplateError."""
    try:
        host = urlsplit(url.split("{{")[0].split("{%")[0]).netloc
        fixed = host == urlsplit(url).netloc
    except ValueError:  # an open bracket, or a letter that stands for several: browsers refuse such hosts, too
        raise TemplateError(None, f"the link {url[:80]!r} has no valid host", "link_invalid") from None
    if not host or not fixed:
        raise TemplateError(None, f"the link {url[:80]!r} takes its host from a merge field", "link_host")


def with_way_out(source: str, footer: str) -> str:
    """Every mail can be unsubscribed from, also when its author forgot the link."""
    return source if "unsubscribe_url" in source else add_at_end(source, footer)


def person_context(person: EndUser, facts: Facts | None, workspace: Workspace) -> dict[str, Any]:
    """What merge fields can say about a person: `user.*` (profile, attributes, facts) and `workspace.name`."""
    known = {name: getattr(person, name) for name in PROFILE}
    computed = {name: getattr(facts, name) for name in FACTS} if facts else {}
    return {"user": {**person.attributes, **computed, **known}, "workspace": workspace_context(workspace)}


def workspace_context(workspace: Workspace) -> dict[str, str]:
    return {"name": workspace.name, "currency": workspace.currency}


def contexts_of(people: Iterable[uuid.UUID], workspace: Workspace) -> dict[uuid.UUID, dict[str, Any]]:
    """Contexts of a chunk of people, in two queries."""
    ids = list(people)
    facts = {row.end_user_id: row for row in Facts.objects.filter(end_user_id__in=ids)}
    return {
        person.pk: person_context(person, facts.get(person.pk), workspace)
        for person in EndUser.objects.filter(pk__in=ids)
    }


def write(
    letter: Letter, context: dict[str, Any], workspace_id: uuid.UUID, delivery_id: uuid.UUID, address: str
) -> Message:
    """The message for one person. Raises TemplateError when a template cannot be filled in."""
    way_out = make_url("unsubscribe", workspace_id, delivery_id)
    filled = context | {
        "unsubscribe_url": way_out,
        "open_pixel": make_url("open", workspace_id, delivery_id) + ".gif",
    }
    filled |= {f"link_{n}": make_url("click", workspace_id, delivery_id, n) for n in range(len(letter.links))}
    values = {name: render(template, filled) for name, template in letter.templates.items()}
    headers = {}
    if letter.channel == "email":
        headers = {"List-Unsubscribe": f"<{way_out}>", "List-Unsubscribe-Post": "List-Unsubscribe=One-Click"}
        # A line break that came out of a merge field belongs in no header.
        values["subject"] = " ".join(values["subject"].split())
    return Message(
        delivery_id=delivery_id,
        address=address,
        headers=headers,
        params={name: render(template, filled) for name, template in letter.params.items()},
        **values,
    )


def fill_link(url: str, context: dict[str, Any]) -> str:
    """The stored target with merge fields filled in for a person; without them when that would lead to another host."""
    if "{{" not in url and "{%" not in url:
        return url
    plain = url.split("{{")[0].split("{%")[0]
    try:
        filled = UNSAFE.sub(lambda found: quote(found.group()), render(compile_template(url), context).strip())
    except TemplateError:
        return plain
    return filled if urlsplit(filled)[:2] == urlsplit(plain)[:2] else plain
