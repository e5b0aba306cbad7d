"""Catalogues as files: attributes, tags, and what people agreed to, in the columns that an import of consents reads."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from django.db.models import QuerySet
from django.utils.translation import gettext_lazy

from segmentation.tagging import list_tags
from users.attributes import list_attributes
from users.export_kinds import Kind, Query, Rows, keep, register_kind
from users.models import Attribute, Consent, EndUser
from workspaces.models import Workspace

ATTRIBUTES_HEADER = (
    "name", "label", "kind", "people", "conflicts", "other_kind", "first_at", "last_at", "hidden", "personal",
)  # fmt: skip
TAGS_HEADER = ("tag", "people", "segment")
CONSENTS_HEADER = ("external_id", "channel", "opted_in", "time", "source")


def attributes(query: Query) -> QuerySet[Attribute]:
    return list_attributes(query.get("q", "").strip(), hidden=query.get("hidden") == "1", sort="name")


def page_attributes(workspace: Workspace, query: Query, after: str, limit: int) -> tuple[Rows, str]:
    """By name."""
    found = list(attributes(query).filter(name__gt=after)[: limit + 1])
    lines: Rows = [
        [
            *(one.name, one.label, one.kind, one.people, one.conflicts, one.other_kind),
            *(at.astimezone(workspace.tzinfo) for at in (one.first_at, one.last_at)),
            *(one.hidden, one.personal),
        ]
        for one in found[:limit]
    ]
    return lines, found[limit - 1].name if len(found) > limit else ""


def tags(query: Query) -> list[dict[str, Any]]:
    return [row for row in list_tags() if query.get("q", "").strip().lower() in row["tag"].lower()]


def page_tags(workspace: Workspace, query: Query, after: str, limit: int) -> tuple[Rows, str]:
    """By name. `people`: by hand or API; `segment`: by whose rule it is given besides."""
    found = [row for row in tags(query) if row["tag"] > after]
    lines: Rows = [
        [row["tag"], row["people"], row["rule"].segment.name if row["rule"] else ""] for row in found[:limit]
    ]
    return lines, found[limit - 1]["tag"] if len(found) > limit else ""


def consents(query: Query) -> QuerySet[Consent]:
    """Of whoever has an id of their own, which a file can name."""
    found = Consent.objects.filter(end_user__identified=True, end_user__merged_into=None)
    return found.filter(channel=query["channel"]) if query.get("channel") else found


def page_consents(workspace: Workspace, query: Query, after: str, limit: int) -> tuple[Rows, str]:
    """In the order of ids, the word of each channel and topic in a row of its own."""
    rows = consents(query)
    person, _bar, channel = after.partition("|")
    if after:
        # A range of the key, not two of them: each page begins where the last one ended.
        last = uuid.UUID(person)
        rows = rows.filter(end_user_id__gte=last).exclude(end_user_id=last, channel__lte=channel)
    found = list(rows.order_by("end_user_id", "channel")[: limit + 1])
    shown = found[:limit]
    names = dict(EndUser.objects.filter(pk__in={one.end_user_id for one in shown}).values_list("pk", "external_id"))
    lines: list[Sequence[Any]] = [
        [names.get(one.end_user_id, ""), one.channel, one.opted_in, one.at.astimezone(workspace.tzinfo), one.source]
        for one in shown
    ]
    return lines, f"{shown[-1].end_user_id}|{shown[-1].channel}" if len(found) > limit else ""


def name_words(workspace: Workspace, query: Mapping[str, str]) -> str:
    return query.get("q", "") or query.get("channel", "")


KINDS = (
    Kind(
        "attributes",
        gettext_lazy("Attributes"),
        "users.view",
        keep("q", "hidden"),
        ATTRIBUTES_HEADER,
        name_words,
        lambda workspace, query: attributes(query).count(),
        page_attributes,
    ),
    Kind(
        "tags",
        gettext_lazy("Tags"),
        "segments.view",
        keep("q"),
        TAGS_HEADER,
        name_words,
        lambda workspace, query: len(tags(query)),
        page_tags,
    ),
    Kind(
        "consents",
        gettext_lazy("Consents"),
        "users.view",
        keep("channel"),
        CONSENTS_HEADER,
        name_words,
        lambda workspace, query: consents(query).count(),
        page_consents,
    ),
)


def register() -> None:
    for kind in KINDS:
        register_kind(kind)
