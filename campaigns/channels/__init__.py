"""Channels: the only code that opens a socket to somebody else's server.

A channel is one file in this folder with one subclass of `Channel`. It gets everything passed in (messages, settings)
and touches no table, so that claiming and recording stay where the transactions are. The rules every channel keeps:

* It never tries twice. Each message gets one `Result`; what happens next is for the sender to decide.
* Honest outcomes. `deferred` means certainly not accepted, `unknown` means it may have been: only `deferred` may be
  sent again.
* One step at a time. The next message is taken from the iterable after the result of the one before was given out,
  so a caller may hand in a generator that records "sending" as each message is taken.
* `ChannelError` means the channel as a whole cannot go on. Every message without a result was not sent.
"""

from __future__ import annotations

import functools
import importlib
import json
import pkgutil
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal
from urllib.parse import urlsplit
from uuid import UUID

from django.utils.translation import gettext_lazy as _

Outcome = Literal["sent", "failed", "deferred", "unknown"]
Kind = Literal["text", "secret", "number", "url", "choice", "longtext", "html", "params"]

DETAIL_LIMIT = 500
LARGEST_NUMBER = 65_535  # of a port
# For a server that does not answer; whoever died while sending is missed after four times as long.
LONGEST_WAIT_S = 120


class ChannelError(Exception):
    """The channel itself cannot send: wrong password, no connection, no balance.

    permanent: an operator has to change something; otherwise trying again later may help.
    code: a short stable word, or the provider's own error code. detail: one line for people, without secrets.
    """

    def __init__(self, permanent: bool, code: str, detail: str = "") -> None:
        super().__init__(f"{code}: {detail}" if detail else code)
        self.permanent = permanent
        self.code = code
        self.detail = one_line(detail)


@dataclass(frozen=True, slots=True)
class Field:
    """One input of a form. Settings forms and editors draw themselves from these.

    kind "params" is a mapping of names to text, "html" and "longtext" are large text, "secret" is never shown again.
    """

    name: str
    label: Any
    kind: Kind = "text"
    required: bool = False
    default: Any = ""
    help: Any = ""
    choices: tuple[tuple[str, Any], ...] = ()
    most: int = LARGEST_NUMBER
    # Names the server that gets the secrets: with another one they are entered anew.
    server: bool = False

    def clean(self, value: Any) -> Any:
        """Return the value as the channel wants it; raise ValueError with a sentence for the form."""
        if value in (None, ""):
            value = self.default
        if value in (None, "", {}) and self.required:
            raise ValueError(_("This field is required."))
        if value in (None, ""):
            return value
        if self.kind == "number":
            return whole_number(value, self.most)
        if self.kind in ("text", "url", "choice") and not str(value).strip().isprintable():
            raise ValueError(_("This text has characters that cannot be stored."))
        if self.kind == "url" and not is_web_address(value):
            raise ValueError(_("Enter an address that starts with https:// or http://."))
        if self.kind == "choice" and value not in {key for key, _label in self.choices}:
            raise ValueError(_("Choose one of the options."))
        return value.strip() if isinstance(value, str) and self.kind in ("text", "secret", "url") else value


@dataclass(frozen=True, slots=True)
class Message:
    """One rendered message to one person. A channel reads the parts named in its `content_fields`."""

    delivery_id: UUID
    address: str
    subject: str = ""
    body_html: str = ""
    body_text: str = ""
    title: str = ""
    url: str = ""
    template_code: str = ""
    params: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    from_name: str = ""
    from_address: str = ""


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one message.

    code and detail repeat the provider's words. retry_after_seconds is a provider's wish, for `deferred` only.
    address_is_bad: this address will never work and should not be used again.
    """

    delivery_id: UUID
    outcome: Outcome
    provider_ref: str = ""
    code: str = ""
    detail: str = ""
    retry_after_seconds: int | None = None
    address_is_bad: bool = False


class Channel:
    """Base of all channels; see the module for the rules of `send`."""

    key: ClassVar[str]
    """The name of the file, and what is stored."""
    label: ClassVar[Any]
    description: ClassVar[Any]
    """One sentence that tells an operator what this channel is."""
    fields: ClassVar[tuple[Field, ...]]
    """The settings a workspace gives once."""
    content_fields: ClassVar[tuple[Field, ...]]
    """What an operator writes per campaign; each name is an attribute of `Message`."""
    address_attribute: ClassVar[Literal["email", "phone", "push_token"]]
    in_flight: ClassVar[int] = 1
    """How many messages may be sent before their results are stored; what a kill can leave `unknown`."""
    examples: ClassVar[tuple[Message, ...]]
    """Messages that a contract test sends through the local server of this channel."""

    def clean(self, config: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return (settings with defaults filled in, sentence per wrong field)."""
        cleaned: dict[str, Any] = {}
        errors: dict[str, Any] = {}
        for spec in self.fields:
            try:
                cleaned[spec.name] = spec.clean(config.get(spec.name))
            except ValueError as problem:
                errors[spec.name] = problem.args[0]
        return cleaned, errors

    def settings(self, config: Mapping[str, Any]) -> dict[str, Any]:
        """Return complete settings or raise a permanent ChannelError that names the wrong fields."""
        cleaned, errors = self.clean(config)
        if errors:
            raise ChannelError(True, "settings", ", ".join(errors))
        return cleaned

    def send(self, messages: Iterable[Message], config: Mapping[str, Any]) -> Iterator[Result]:
        """Send each message once and yield its result; raises ChannelError. Opens its own connection."""
        raise TypeError(f"{type(self).__name__} has no send")


def whole_number(value: Any, most: int) -> int:
    """A port, or seconds to wait. Raises ValueError with a sentence for the form."""
    try:
        number = int(value)
    except (TypeError, ValueError):
        raise ValueError(_("Enter a whole number.")) from None
    if not 1 <= number <= most:
        raise ValueError(_("A whole number from 1 to %(n)s.") % {"n": most})
    return number


def is_web_address(value: Any) -> bool:
    try:
        parts = urlsplit(value)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0 and " " not in value
    except (TypeError, ValueError):  # a port beyond 65535, half an IPv6 address
        return False


def one_line(text: object) -> str:
    """Return a provider's words fit for one line of a page or a log."""
    return " ".join(str(text).split())[:DETAIL_LIMIT]


def json_object(text: str | bytes) -> dict[str, Any]:
    """Return the JSON object in a provider's answer, or {} when it is something else."""
    try:
        parsed = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return parsed if isinstance(parsed, dict) else {}


@functools.cache
def all_channels() -> dict[str, Channel]:
    """Return every channel in this folder by key. Files whose name starts with "_" are parts, not channels."""
    names = sorted(info.name for info in pkgutil.iter_modules(__path__) if not info.name.startswith("_"))
    return {name: _load(name) for name in names}


def get_channel(key: str) -> Channel:
    """Return one channel; raises LookupError for a key that no file has."""
    try:
        return all_channels()[key]
    except KeyError:
        raise LookupError(f"no channel {key!r}") from None


def _load(name: str) -> Channel:
    module = importlib.import_module(f"{__name__}.{name}")
    own = [
        thing
        for thing in vars(module).values()
        if isinstance(thing, type) and issubclass(thing, Channel) and thing.__module__ == module.__name__
    ]
    if len(own) != 1 or own[0].key != name:
        raise TypeError(f"{module.__name__} must hold exactly one Channel, with key {name!r}")
    return own[0]()
