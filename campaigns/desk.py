"""The editor's form: what was typed for every channel, what is wrong with it, and the check before sending."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from typing import Any

from django.conf import settings
from django.http import QueryDict
from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from campaigns.accounts import is_connected
from campaigns.audience import Reach
from campaigns.channels import Field, all_channels, get_channel
from campaigns.content import missing
from campaigns.editing import check_segment, problems
from campaigns.letters import FACTS, PROFILE, contexts_of, prepare
from campaigns.models import Campaign
from segmentation.models import Segment
from segmentation.vocabulary import Vocabulary
from users.facts import FACTS as CATALOGUE
from users.models import EventName
from workspaces.errors import DomainError
from workspaces.models import Workspace
from workspaces.scoping import current_workspace

MOST_NAMED = 5
CONFIRM_ABOVE = 1000
PLAIN_FIELDS = ("name", "channel", "segment", "topic", "control_percent", "conversion_event", "conversion_days")
PROFILE_LABELS = {
    "name": lambda: pgettext("person", "Name"),
    "external_id": lambda: _("User ID"),
    "email": lambda: _("Email address"),
    "phone": lambda: _("Phone number"),
    "city": lambda: _("City"),
    "source": lambda: _("Source"),
}


@dataclass
class Draft:
    """The form as typed. `contents` has the fields of every channel, so that changing the channel loses nothing."""

    plain: dict[str, str]
    contents: dict[str, dict[str, Any]]
    errors: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, campaign: Campaign | None, workspace: Workspace, segment: str = "") -> Draft:
        """What a campaign holds; for None a new one, to a segment if given."""
        days = workspace.rules.conversion_days
        campaign = campaign or Campaign(conversion_days=days, conversion_event=usual_event())
        plain = {
            "name": campaign.name,
            "channel": campaign.channel,
            "segment": str(campaign.segment_id or segment),
            "topic": campaign.topic,
            "control_percent": f"{campaign.control_percent:f}".rstrip("0").rstrip(".")
            if campaign.control_percent
            else "0",
            "conversion_event": campaign.conversion_event,
            "conversion_days": str(campaign.conversion_days),
        }
        return cls(plain, {campaign.channel: dict(campaign.content)})

    @classmethod
    def read(cls, post: QueryDict) -> Draft:
        plain = {name: post.get(name, "").strip() for name in PLAIN_FIELDS}
        if plain["channel"] not in all_channels():
            plain["channel"] = "email"
        contents = {
            key: {spec.name: read_field(post, f"{key}.{spec.name}", spec) for spec in channel.content_fields}
            for key, channel in all_channels().items()
        }
        return cls(plain, contents)

    @property
    def channel(self) -> str:
        return self.plain["channel"]

    @property
    def content(self) -> dict[str, Any]:
        return self.contents.get(self.channel, {})

    def values(self) -> dict[str, Any]:
        """As save_campaign takes them."""
        return {**self.plain, "content": self.content}

    def refuse(self, error: DomainError) -> None:
        self.errors[error.path or "form"] = error.message

    def panels(self) -> list[dict[str, Any]]:
        """One per channel, with its fields as the template draws them."""
        return [
            {
                "key": key,
                "label": channel.label,
                "description": channel.description,
                "connected": is_connected(key),
                "fields": [self._drawn(key, spec) for spec in channel.content_fields],
            }
            for key, channel in all_channels().items()
        ]

    def _drawn(self, key: str, spec: Field) -> dict[str, Any]:
        value = self.contents.get(key, {}).get(spec.name) or spec.default
        return {
            "id": f"{key}-{spec.name}",
            "name": f"{key}.{spec.name}",
            "spec": spec,
            "value": value,
            "pairs": [*(value or {}).items(), *[("", "")] * 2] if spec.kind == "params" else [],
            "error": self.errors.get(f"content.{spec.name}", "") if key == self.channel else "",
        }


def read_field(post: QueryDict, name: str, spec: Field) -> Any:
    if spec.kind == "params":
        pairs = zip(post.getlist(f"{name}.key"), post.getlist(f"{name}.value"), strict=False)
        return {key.strip(): value for key, value in pairs if key.strip()}
    return post.get(name, "")


def usual_event() -> str:
    """The event that most campaigns are measured by: the workspace's order, else its core action."""
    for role in ("is_order", "is_core"):
        name = EventName.objects.filter(**{role: True}).order_by("pk").values_list("name", flat=True).first()
        if name:
            return name
    return ""


def merge_fields(workspace: Workspace) -> list[dict[str, Any]]:
    """What the picker offers: groups of {path, label}, ready to be put between two braces."""
    own = [name for name in Vocabulary(workspace).attributes if name not in PROFILE and name.isidentifier()]
    profile = [{"text": f"{{{{ user.{name} }}}}", "label": PROFILE_LABELS[name]()} for name in PROFILE]
    facts = [{"text": f"{{{{ user.{name}{filter_of(name)} }}}}", "label": CATALOGUE[name].label} for name in FACTS]
    attributes = [{"text": f"{{{{ user.{name} }}}}", "label": name} for name in own[:40]]
    rest = [
        {"text": "{{ workspace.name }}", "label": _("Workspace")},
        {"text": "{{ unsubscribe_url }}", "label": _("Unsubscribe link")},
    ]
    groups = (
        (pgettext("merge fields", "Profile"), profile),
        (pgettext("merge fields", "Metrics"), facts),
        (pgettext("merge fields", "Attributes"), attributes),
        (pgettext("merge fields", "Other"), rest),
    )
    return [{"label": label, "fields": fields} for label, fields in groups if fields]


def filter_of(name: str) -> str:
    """Money is kept in minor units: write it with its sign."""
    return " | money: workspace.currency" if CATALOGUE[name].unit == "minor" else ""


@dataclass(frozen=True)
class Check:
    """One line of the check before sending. level: ok, warn or bad; only bad keeps it from being sent."""

    level: str
    text: str


def preflight(campaign: Campaign, reach: Reach | None, sample: list[uuid.UUID]) -> list[Check]:
    """发送前检查: what stops the sending, what to think about, what is fine."""
    wrong = [Check("bad", problem.message) for problem in problems(campaign)]
    if reach is not None and not reach.reachable:
        wrong.append(Check("bad", _("Nobody in this segment can be reached on this channel.")))
    if wrong:
        return wrong
    return [
        Check("ok", _("The message can be written, and the channel is set up.")),
        *check_fields(campaign, sample),
        *check_measuring(campaign),
        *check_links(campaign),
    ]


def check_fields(campaign: Campaign, sample: list[uuid.UUID]) -> list[Check]:
    """Whether merge fields would come out empty for people of the segment, looked at in a sample."""
    contexts = contexts_of(sample, current_workspace())
    letter = prepare(campaign.channel, campaign.content, tracked=False)
    templates = [*letter.templates.values(), *letter.params.values()]
    empty: dict[str, int] = {}
    for context in contexts.values():
        full = context | {"unsubscribe_url": "x"}
        for name in {name for template in templates for name in missing(template, full)}:
            empty[name] = empty.get(name, 0) + 1
    lines = [
        Check(
            "warn",
            _("%(field)s is empty for %(n)s of %(of)s people looked at; give it a default.")
            % {"field": name, "n": n, "of": len(contexts)},
        )
        for name, n in sorted(empty.items(), key=lambda pair: -pair[1])[:MOST_NAMED]
    ]
    return lines or [Check("ok", _("No merge field comes out empty (%(n)s people looked at).") % {"n": len(contexts)})]


def check_measuring(campaign: Campaign) -> list[Check]:
    """Whether the report will be able to say what the campaign changed."""
    if not campaign.conversion_event:
        return [Check("warn", _("Without a conversion event the report cannot say what the campaign changed."))]
    lines = []
    if not EventName.objects.filter(name=campaign.conversion_event).exists():
        text = _("The event “%(name)s” has never arrived, so nobody could convert.")
        lines.append(Check("warn", text % {"name": campaign.conversion_event}))
    if not campaign.control_percent:
        lines.append(Check("warn", _("Without a control group nobody can tell what would have happened anyway.")))
    return lines or [Check("ok", _("A control group is left out, so the report can say what the campaign changed."))]


def check_links(campaign: Campaign) -> list[Check]:
    html = any(spec.kind == "html" for spec in get_channel(campaign.channel).content_fields)
    if html and not settings.BASE_URL.startswith("https://"):
        text = _("Links in messages lead to %(address)s, which people outside may not be able to open.")
        return [Check("warn", text % {"address": settings.BASE_URL})]
    return []


def find_segment(pk: str) -> Segment | None:
    """The segment in use with this id, None for anything else."""
    try:
        found = check_segment(pk)
    except DomainError:
        return None
    return Segment.objects.filter(pk=found).first() if found else None
