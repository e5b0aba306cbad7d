"""Writing a campaign: drafts, what must be right before it is sent, how it will look, a test to oneself."""

from __future__ import annotations

import secrets
import uuid
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

from django.db import IntegrityError, connection, transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from campaigns.channels import Channel, ChannelError, Field, Message, Result, get_channel
from campaigns.content import ERROR_SENTENCES
from campaigns.letters import contexts_of, prepare, workspace_context, write
from campaigns.models import Campaign, ChannelAccount
from campaigns.secrets import unseal
from campaigns.template_rules import TemplateError
from segmentation.models import Segment
from users.models import EndUser, Topic, person_id
from workspaces.errors import Conflict, DomainError
from workspaces.models import Operator, Workspace
from workspaces.scoping import current_workspace, workspace_scope
from workspaces.services import audit

EDITABLE = ("draft", "scheduled")
LONGEST = 200_000
MOST_PARAMS = 30
SENTENCES = {
    **ERROR_SENTENCES,
    "link_host": gettext_lazy("A link takes its host from a merge field; write the host out."),
    "link_invalid": gettext_lazy("A link has a host that no browser opens; look for brackets and odd letters in it."),
}


def save_campaign(campaign: Campaign | None, values: dict[str, Any], by: Operator | None = None) -> Campaign:
    """Create or change a draft. `values`: name, channel, segment (id), topic (key), content, control_percent, conversion_event,
    conversion_days. Raises DomainError naming the field; Conflict once the campaign has been sent."""
    if campaign is None:
        days = current_workspace().rules.conversion_days
        campaign = Campaign(salt=secrets.token_hex(16), created_by=by.pk if by else None, conversion_days=days)
    else:
        # What was read before the lock may be of a state that has passed.
        campaign = Campaign.objects.select_for_update().get(pk=campaign.pk)
        if campaign.state not in EDITABLE:
            raise Conflict("not_editable", _("This campaign has been sent; copy it to change it."))
    campaign.name = check_name(values.get("name", campaign.name))
    campaign.channel = check_channel(values.get("channel", campaign.channel)).key
    campaign.segment_id = check_segment(values.get("segment", campaign.segment_id))
    campaign.topic = check_topic(values.get("topic", campaign.topic))
    campaign.content = check_content(campaign.channel, values.get("content", campaign.content))
    campaign.control_percent = check_percent(values.get("control_percent", campaign.control_percent))
    campaign.conversion_event = check_text(
        values.get("conversion_event", campaign.conversion_event), "conversion_event"
    )
    campaign.conversion_days = check_days(values.get("conversion_days", campaign.conversion_days))
    campaign.updated_at = timezone.now()
    try:
        with transaction.atomic():
            campaign.save()
            connection.check_constraints()  # now, and not with the commit: from here on nobody deletes the segment
    except IntegrityError as error:
        raise no_segment() from error
    audit("campaign.save", str(campaign.pk), by, name=campaign.name)
    return campaign


def check_text(value: Any, path: str, longest: int = 200) -> str:
    text = str(value or "").strip()
    if "\0" in text or len(text) > longest:
        raise DomainError("invalid", _("At most %(n)s characters.") % {"n": longest}, path)
    return text


def check_name(value: Any) -> str:
    text = check_text(value, "name", 100)
    if not text:
        raise DomainError("required", _("This field is required."), "name")
    return text


def check_channel(key: Any) -> Channel:
    try:
        return get_channel(str(key))
    except LookupError as error:
        raise DomainError("invalid", _("This channel does not exist."), "channel") from error


def check_segment(value: Any) -> uuid.UUID | None:
    if not value:
        return None
    try:
        return Segment.objects.get(pk=uuid.UUID(str(value)), archived_at=None).pk
    except (Segment.DoesNotExist, ValueError) as error:
        raise no_segment() from error


def no_segment() -> DomainError:
    return DomainError("not_found", _("This segment does not exist."), "segment")


def check_topic(value: Any) -> str:
    key = str(value or "")
    if key and ("\0" in key or not Topic.objects.filter(key=key).exists()):
        raise DomainError("not_found", _("There is no such topic."), "topic")
    return key


def check_percent(value: Any) -> Decimal:
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        number = Decimal("NaN")
    if not (number.is_finite() and 0 <= number <= 50):
        raise DomainError("invalid", _("A percentage from 0 to 50."), "control_percent")
    return round(number, 2)


def check_days(value: Any) -> int:
    text = str(value)
    # So long only: of thousands of digits Python makes no number.
    number = int(text) if text.isascii() and text.isdigit() and len(text) <= 9 else 0
    if not 1 <= number <= 30:
        raise DomainError("invalid", _("A whole number from 1 to 30."), "conversion_days")
    return number


def check_content(channel_key: str, content: Any) -> dict[str, Any]:
    """Content limited to the channel's fields, each template compiled once to prove that it can be."""
    if not isinstance(content, dict):
        raise DomainError("invalid", _("Content is a mapping of fields."), "content")
    kept = {spec.name: check_field(spec, content.get(spec.name)) for spec in get_channel(channel_key).content_fields}
    try:
        prepare(channel_key, kept)
    except TemplateError as error:
        raise refusal(error) from error
    return kept


def check_field(spec: Field, value: Any) -> Any:
    """A content field of a draft. Emptiness is refused only when it is sent."""
    path = f"content.{spec.name}"
    if spec.kind == "params":
        pairs = value.items() if isinstance(value, dict) else ()
        if len(pairs) > MOST_PARAMS:
            raise DomainError("too_large", _("At most %(n)s variables.") % {"n": MOST_PARAMS}, path)
        return {check_text(name, path, 50): check_text(text, path, 500) for name, text in pairs if str(name).strip()}
    text = str(value or "")
    if len(text) > LONGEST:
        raise DomainError("too_large", _("The text is too long."), path)
    return text


def refusal(error: TemplateError) -> DomainError:
    """What an operator reads about a template that cannot be used: the sentence, and where."""
    sentence = str(SENTENCES.get(error.code, error.message))
    if error.line:
        sentence = _("Line %(line)s: %(sentence)s") % {"line": error.line, "sentence": sentence}
    return DomainError(error.code, f"{sentence} {error.message}", f"content.{error.field}".rstrip("."))


def problems(campaign: Campaign) -> list[DomainError]:
    """Everything that keeps the campaign from being sent, each naming its field."""
    found: list[DomainError] = []
    if campaign.segment_id is None or not Segment.objects.filter(pk=campaign.segment_id, archived_at=None).exists():
        found.append(DomainError("required", _("Choose a segment."), "segment"))
    return found + content_problems(campaign.channel, campaign.content)


def content_problems(channel_key: str, content: dict[str, Any]) -> list[DomainError]:
    """What keeps a content from leaving on a channel, to anybody."""
    found = [
        DomainError("required", _("%(field)s is empty.") % {"field": spec.label}, f"content.{spec.name}")
        for spec in check_channel(channel_key).content_fields
        if spec.required and not content.get(spec.name)
    ]
    try:
        prepare(channel_key, content)
    except TemplateError as error:
        found.append(refusal(error))
    if not ChannelAccount.objects.filter(channel=channel_key).exists():
        found.append(DomainError("no_account", _("This channel is not set up yet."), "channel"))
    return found


def preview(channel_key: str, content: dict[str, Any], person: EndUser | None) -> Message:
    """The message as this person would get it (as nobody in particular without one), links direct.

    Raises DomainError naming the field that cannot be filled in."""
    kept = check_content(channel_key, content)
    workspace = current_workspace()
    try:
        letter = prepare(channel_key, kept, tracked=False)
        return write(letter, context_of(person, workspace), workspace.pk, uuid.UUID(int=0), "")
    except TemplateError as error:
        raise refusal(error) from error


def context_of(person: EndUser | None, workspace: Workspace) -> dict[str, Any]:
    if person is None:
        return {"user": {}, "workspace": workspace_context(workspace)}
    return contexts_of([person.pk], workspace)[person.pk]


@dataclass(frozen=True)
class Rehearsal:
    """One message ready to go to the operator, with what the channel needs to send it."""

    channel: Channel
    config: dict[str, Any]
    message: Message


def rehearse(channel_key: str, content: Any, address: str, person: EndUser | None, by: Operator) -> Rehearsal:
    """The content filled in as the person, addressed to the operator. Raises DomainError for what is missing."""
    channel, content = check_channel(channel_key), check_content(channel_key, content)
    for problem in content_problems(channel_key, content):
        raise problem
    address = check_text(address, "address", 400)
    if not address:
        raise DomainError("required", _("This field is required."), "address")
    workspace = current_workspace()
    config = unseal(channel, ChannelAccount.objects.get(channel=channel_key).config)
    letter = prepare(channel_key, content, tracked=False)
    try:
        message = write(letter, context_of(person, workspace), workspace.pk, uuid.uuid4(), address)
    except TemplateError as error:
        raise refusal(error) from error
    audit("campaign.test", channel_key, by, address=address)
    return Rehearsal(channel, config, message)


def try_out(workspace: Workspace, channel_key: str, content: Any, address: str, person: str, by: Operator) -> Result:
    """试发: send a content once to an address of one's own, filled in as the person named. Opens its own scopes.

    Raises DomainError when something is missing or the channel cannot send."""
    with workspace_scope(workspace):
        ready = rehearse(channel_key, content, address, find_person(person), by)
    try:
        return next(iter(ready.channel.send([ready.message], ready.config)))
    except ChannelError as error:
        raise DomainError(error.code, f"{error.code} {error.detail}".strip(), "address") from error


def find_person(words: str) -> EndUser | None:
    """The person with this ID, else the first with this name or address; None without words. Raises DomainError."""
    words = words.strip()
    if not words:
        return None
    people = EndUser.objects.counted()
    by_word = people.filter(Q(name=words) | Q(email__iexact=words) | Q(phone=words)).order_by("pk")
    found = people.filter(pk=person_id(current_workspace().pk, words)).first() or by_word.first()
    if found is None:
        raise DomainError("not_found", _("There is nobody with this ID, name or address."), "person")
    return found
