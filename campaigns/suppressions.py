"""停发名单: addresses we do not write to any more. Kept and compared in lower case."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.db.models import Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from campaigns.channels import get_channel
from campaigns.models import Suppression
from users.erasure_marks import address_mark, pads
from users.ingest.normal import clean_email
from users.traits import clean_phone, region_of
from workspaces.errors import DomainError
from workspaces.models import Operator
from workspaces.scoping import current_workspace
from workspaces.services import audit

ERASED = "erased"


def suppress(channel: str, addresses: Iterable[str], reason: str) -> None:
    """Put addresses on the list; one that is on it already keeps its first reason and time."""
    wanted = {address.strip().lower() for address in addresses} - {""}
    rows = [
        Suppression(workspace=current_workspace(), channel=channel, address=address, reason=reason, at=timezone.now())
        for address in sorted(wanted)
    ]
    Suppression.objects.bulk_create(rows, ignore_conflicts=True)


def suppress_erased(channel: str, addresses: Iterable[str]) -> None:
    """Keep the addresses of an erased person on the list without keeping them: as keyed hashes."""
    suppress(channel, map(address_mark, addresses), ERASED)


def hashing(*channels: str) -> dict[str, Any]:
    """What SQL needs to find an address among the hashed ones; `hashed` spares it the work where there are none."""
    return {"hashed": Suppression.objects.filter(channel__in=channels, reason=ERASED).exists(), **pads()}


def search(words: str) -> QuerySet[Suppression]:
    """Addresses that hold the words or are the number that they tell, and the hash of the address that they are."""
    number = as_told("phone", words)
    marks = [address_mark(one) for one in (words, number) if one]
    found = Q(address__icontains=words) | Q(address__in=[number, *marks])
    return Suppression.objects.filter(found).order_by("-at", "address", "channel")


def add_by_hand(channel: str, text: str, by: Operator | None = None) -> tuple[int, int]:
    """Add the addresses in a text, one a line; returns how many are new, and how many were on the list already.

    Raises DomainError naming the field."""
    try:
        kind = get_channel(channel).address_attribute
    except LookupError as error:
        raise DomainError("invalid", _("This channel does not exist."), "channel") from error
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if not lines:
        raise DomainError("required", _("This field is required."), "addresses")
    addresses = [as_told(kind, line).lower() for line in lines]
    if not all(addresses):
        wrong = lines[addresses.index("")].replace("\0", "")[:50]
        raise DomainError("invalid", _("“%(text)s” is no address on this channel.") % {"text": wrong}, "addresses")
    wanted = set(addresses)
    known = Suppression.objects.filter(channel=channel, address__in=wanted).count()
    suppress(channel, wanted, "by_hand")
    audit("suppression.add", channel, by, addresses=len(wanted) - known)
    return len(wanted) - known, known


def as_told(kind: str, text: str) -> str:
    """The address as it is kept of people, or it would be compared with theirs in vain; "" for what is none."""
    if kind == "phone":
        return clean_phone(text, region_of(current_workspace().currency))
    if kind == "email":
        return clean_email(text)
    return text if len(text) <= 400 and "\0" not in text else ""


def release(channel: str, address: str, by: Operator | None = None) -> bool:
    """Take an address off the list, also one that is there as a hash; False when it was not on it."""
    names = [address.strip().lower(), address_mark(address)]
    gone, _rows = Suppression.objects.filter(channel=channel, address__in=names).delete()
    if gone:
        audit("suppression.release", channel, by, address=address)
    return bool(gone)
