"""What is known about a person: merging news into a profile, whatever the order and however often it arrives.

Each attribute remembers when it was told; the newest word wins, at equal times the larger one. What only fills a gap
(`firsts`) gives way to whatever was told in so many words, and among its like the earliest wins. So a profile is a
function of the set of messages, and not of their order.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

import msgspec
import phonenumbers

from users.ingest.normal import NormalProfile, clean_email
from users.ingest.people import People, touch
from users.models import EndUser
from workspaces.sql import run_sql
from workspaces.zones import known_zones

MAX_ATTRIBUTES = 500
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
COLUMNS = ("name", "email", "phone", "push_token", "city", "source", "referred_by", "locale", "zone")
WRITTEN = (*COLUMNS, "attributes", "attribute_times", "attributes_at", "own")
IN_ORDER = msgspec.json.Encoder(order="deterministic").encode


class Own(msgspec.Struct):
    """What is known under one id alone, kept in `EndUser.own` while the columns are those of several ids together."""

    attributes: dict[str, Any] = {}
    attribute_times: dict[str, int] = {}
    attributes_at: datetime | None = None
    tags: list[str] = []
    excluded: bool = False
    excluded_reason: str = ""


Told = EndUser | Own


def save_profiles(profiles: Iterable[NormalProfile], told: People, region: str) -> int:
    """Merge news about people who exist, in the open scope; returns how many profiles changed.

    Reads without locks first: most of what events say in passing is known already. What would change is locked, in the
    order of ids, read again and merged for good. News under an id that is merged into somebody is news of both.
    """
    news: dict[uuid.UUID, list[NormalProfile]] = {}
    for profile in profiles:
        if profile.traits or profile.firsts:
            news.setdefault(uuid.UUID(told.ids[profile.person]), []).append(profile)
    if not news:
        return 0
    wanted = {pk for own in news for pk in (own, uuid.UUID(told.owner(own.hex)))}
    seen = EndUser.objects.filter(pk__in=wanted).only(
        "attributes", "attribute_times", "attributes_at", "own", "merged_into"
    )
    if not tell_all({person.pk: person for person in seen}, news):
        return 0
    people = {person.pk: person for person in EndUser.objects.select_for_update().filter(pk__in=wanted).order_by("pk")}
    changed = tell_all(people, news)
    for person in changed:
        fill_columns(person, region)
    write_profiles(changed)
    # Merged since this batch began to look: the next merge brings these news to the person they are about.
    late = [pk for pk in news if (owner := people[pk].merged_into) and owner not in people]
    touch(late)
    return len(changed)


def tell_all(people: dict[uuid.UUID, EndUser], news: dict[uuid.UUID, list[NormalProfile]]) -> list[EndUser]:
    """Tell everybody their news, also those whom they are merged into; returns who changed, in the order of ids."""
    changed: dict[uuid.UUID, EndUser] = {}
    for pk, profiles in news.items():
        person = people[pk]
        owner = people.get(person.merged_into) if person.merged_into else None
        own = msgspec.convert(person.own, Own) if person.own else None
        targets: list[Told] = [one for one in (person, own, owner) if one is not None]
        if not any([tell(targets, profile) for profile in profiles]):  # noqa: C419 - each of them must be told
            continue
        if own:
            person.own = msgspec.to_builtins(own)
        changed |= {one.pk: one for one in (person, owner) if one is not None}
    return [changed[pk] for pk in sorted(changed)]


def tell(targets: list[Told], profile: NormalProfile) -> bool:
    """Fold a piece of news into one id's profile and into that of the whole person; returns whether any changed."""
    changed = [merge(target, profile) for target in targets]
    if profile.passing and any(changed):
        # What one of them did not know is news for all, or they would remember different times for it.
        for target in targets:
            merge(target, msgspec.structs.replace(profile, passing=False))
    return any(changed)


def write_profiles(people: Iterable[EndUser]) -> None:
    rows = [{"id": person.pk} | {column: getattr(person, column) for column in WRITTEN} for person in people]
    run_sql("users/write_profiles", people=msgspec.json.encode(rows).decode())


def merge(person: Told, profile: NormalProfile) -> bool:
    """Fold one piece of news into the person's attributes; returns whether anything changed. Columns follow later."""
    moment = (profile.at - EPOCH) // MICROSECOND
    changed = False
    for key, value in profile.traits.items():
        if profile.passing and person.attribute_times.get(key, -1) >= 0 and value == person.attributes.get(key):
            continue
        changed |= put(person, key, value, moment)
    if changed:
        person.attributes_at = max(profile.at, person.attributes_at or profile.at)
    for key, value in profile.firsts.items():
        # Below zero, so that whatever was told as such comes later; and the earlier, the later.
        if key in person.attribute_times or key not in person.attributes:
            changed |= put(person, key, value, -moment - 1)
    return changed


def put(person: Told, key: str, value: Any, rank: int) -> bool:
    """Set an attribute unless what is there ranks as high; a value of None takes it away. Returns whether it changed."""
    told, known = person.attribute_times.get(key), person.attributes.get(key)
    if told is None and len(person.attribute_times) >= MAX_ATTRIBUTES:
        return False
    if told is not None and (told > rank or (told == rank and not wins(value, known, rank))):
        return False
    person.attribute_times[key] = rank
    if value is None:
        person.attributes.pop(key, None)
    else:
        person.attributes[key] = value
    return True


def wins(value: Any, known: Any, rank: int) -> bool:
    """Of two values told at the same moment: the larger, of two firsts the smaller."""
    new, old = IN_ORDER(value), IN_ORDER(known)
    return new > old if rank >= 0 else new < old


def fold(person: Told, other: Told) -> None:
    """Fold one profile into another: for each attribute the one that ranks higher, whatever the order of folding."""
    for key in sorted(other.attribute_times.keys() | other.attributes.keys()):
        rank = other.attribute_times.get(key)
        if rank is not None:
            put(person, key, other.attributes.get(key), rank)
        elif key not in person.attribute_times and key not in person.attributes:
            person.attributes[key] = other.attributes[key]
    times = [at for at in (person.attributes_at, other.attributes_at) if at]
    person.attributes_at = max(times, default=None)


def fill_columns(person: EndUser, region: str) -> None:
    """Set the typed columns from the attributes; what is not usable (a malformed phone) leaves its column empty."""
    told = person.attributes
    address = told.get("address")
    full_name = f"{text_of(told, 'firstName', 'first_name')} {text_of(told, 'lastName', 'last_name')}".strip()
    person.name = (text_of(told, "name") or full_name)[:200]
    person.email = clean_email(told.get("email"))
    person.phone = clean_phone(told.get("phone"), region)
    person.push_token = fitting(text_of(told, "push_token", "pushToken"), 400)
    person.city = (text_of(told, "city") or text_of(address if isinstance(address, dict) else {}, "city"))[:100]
    person.source = text_of(told, "source")[:100]
    person.referred_by = fitting(text_of(told, "referred_by", "referredBy"), 255)
    person.locale = fitting(text_of(told, "locale"), 20)
    zone = text_of(told, "zone", "timezone")
    person.zone = zone if zone in known_zones() else ""


def text_of(told: dict[str, Any], *keys: str) -> str:
    """The first of the attributes that holds a text or a whole number, as text; "" without one."""
    for key in keys:
        value = told.get(key)
        if isinstance(value, (str, int)) and not isinstance(value, bool) and (text := str(value).strip()):
            return text
    return ""


def fitting(text: str, limit: int) -> str:
    """A token or an id cut short would be another one: rather none."""
    return text if len(text) <= limit else ""


def clean_phone(value: Any, region: str) -> str:
    """A phone number as E.164, "" for what is none. Without a country code it is taken as one of `region`."""
    text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    if not isinstance(text, str) or not text.isascii() or len(text) > 40:
        return ""
    return parse_phone(text, region)


@lru_cache(maxsize=10_000)
def parse_phone(text: str, region: str) -> str:
    """Remembered: events repeat the number of the person they are about."""
    try:
        number = phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException:
        return ""
    if not phonenumbers.is_valid_number(number):
        return ""
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def region_of(currency: str) -> str:
    """The country whose phone numbers come without a code: a currency begins with its country, CNY with CN."""
    return currency[:2]
