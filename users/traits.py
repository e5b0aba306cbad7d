"""What is known about a person: merging news into a profile, whatever the order and however often it arrives.

Each attribute remembers when it was told; the newest word wins, at equal times the larger one. So a profile is a function
of the set of messages, and not of their order.
"""

from __future__ import annotations

import uuid
import zoneinfo
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from functools import cache, lru_cache
from typing import Any

import msgspec
import phonenumbers

from users.ingest.normal import NormalProfile, PersonKey, clean_email
from users.models import EndUser
from workspaces.sql import run_sql

MAX_ATTRIBUTES = 500
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
COLUMNS = ("name", "email", "phone", "push_token", "city", "source", "referred_by", "locale", "zone")
WRITTEN = (*COLUMNS, "attributes", "attribute_times", "attributes_at")
IN_ORDER = msgspec.json.Encoder(order="deterministic").encode


def save_profiles(profiles: Iterable[NormalProfile], ids: dict[PersonKey, uuid.UUID], region: str) -> int:
    """Merge news about people who exist, in the open scope; returns how many profiles changed.

    Reads without locks first: most of what events say in passing is known already. What would change is locked, in the
    order of ids, read again and merged for good.
    """
    news: dict[uuid.UUID, list[NormalProfile]] = {}
    for profile in profiles:
        if profile.traits or profile.firsts:
            news.setdefault(ids[profile.person], []).append(profile)
    seen = EndUser.objects.filter(pk__in=list(news)).only("attributes", "attribute_times", "attributes_at")
    fresh = [person.pk for person in seen if merge_all(person, news[person.pk])]
    if not fresh:
        return 0
    people = EndUser.objects.select_for_update().filter(pk__in=fresh).order_by("pk")
    changed = [person for person in people if merge_all(person, news[person.pk])]
    for person in changed:
        fill_columns(person, region)
    rows = [{"id": person.pk} | {column: getattr(person, column) for column in WRITTEN} for person in changed]
    run_sql("users/write_profiles", people=msgspec.json.encode(rows).decode())
    return len(changed)


def merge_all(person: EndUser, profiles: list[NormalProfile]) -> bool:
    return any([merge(person, profile) for profile in profiles])  # noqa: C419 - each of them must be merged


def merge(person: EndUser, profile: NormalProfile) -> bool:
    """Fold one piece of news into the person's attributes; returns whether anything changed. Columns follow later."""
    moment = (profile.at - EPOCH) // MICROSECOND
    changed = False
    for key, value in profile.traits.items():
        told, known = person.attribute_times.get(key), person.attributes.get(key)
        if told is None and len(person.attribute_times) >= MAX_ATTRIBUTES:
            continue
        if told is not None and (moment, IN_ORDER(value)) <= (told, IN_ORDER(known)):
            continue
        if profile.passing and told is not None and value == known:
            continue
        person.attribute_times[key] = moment
        if value is None:
            person.attributes.pop(key, None)
        else:
            person.attributes[key] = value
        changed = True
    for key, value in profile.firsts.items():
        if key not in person.attributes:
            person.attributes[key] = value
            changed = True
    if changed:
        person.attributes_at = max(profile.at, person.attributes_at or profile.at)
    return changed


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


@cache
def known_zones() -> set[str]:
    return zoneinfo.available_timezones()
