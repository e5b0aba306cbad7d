"""What is known about a person: saving news in any order and however often they arrive, and the columns made of them.

What a profile comes to is a function of the set of messages: users/words.py says which word counts, users/changes.py what
counts and lists come to.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterable
from functools import lru_cache
from typing import Any

import msgspec
import phonenumbers

from users.changes import is_kept, keep_changes, lay_on, members_of, read_changes
from users.consent import hear_consents
from users.devices import devices_told, find_news, keep_devices, names_token, settle_push
from users.ingest.normal import NormalProfile, clean_email
from users.ingest.people import People, array, touch
from users.models import EndUser
from users.words import Own, Profile, bare, merge
from workspaces.scoping import current_workspace
from workspaces.sql import run_sql
from workspaces.zones import known_zones

COLUMNS = ("name", "email", "phone", "city", "source", "referred_by", "locale", "zone")
TOLD = ("attributes", "attribute_times", "attributes_at", "bases", "forgotten_at")
WRITTEN = (*COLUMNS, *TOLD, "own")


def save_profiles(profiles: Iterable[NormalProfile], told: People, region: str, linked: Collection[str] = ()) -> int:
    """Merge news about people who exist, in the open scope; returns how many profiles changed.

    Reads without locks first: most of what events say in passing is known already. What would change is locked, in the
    order of ids, read again and merged for good. News under an id that is merged into somebody is news of both.
    `linked`: the ids, in hex, that the same messages say are one person with others.
    """
    profiles = [one for one in profiles if one.traits or one.firsts or one.change or one.device]
    if not profiles:
        return 0
    joining = find_joining(profiles, told, linked)
    news: dict[uuid.UUID, list[NormalProfile]] = {}
    for one in profiles:
        pk = told.ids[one.person]
        if one.passing and told.owner(pk) in joining:
            one = msgspec.structs.replace(one, passing=False)
        news.setdefault(uuid.UUID(pk), []).append(one)
    hear_consents(news)
    wanted = {pk for own in news for pk in (own, uuid.UUID(told.owner(own.hex)))}
    devices, holders = find_news(devices_told(news))
    if not devices and not any(is_kept(profile) for told_of in news.values() for profile in told_of):
        seen = EndUser.objects.filter(pk__in=wanted).only(*TOLD, "own", "merged_into")
        if not tell_all({person.pk: person for person in seen}, news).people:
            return 0
    people = {
        person.pk: person
        for person in EndUser.objects.select_for_update().filter(pk__in=wanted | holders).order_by("pk")
    }
    news = {pk: told_of for pk, told_of in news.items() if pk in people}  # others were erased a moment ago
    workspace = current_workspace()
    heard = tell_all(people, news, keep_changes(workspace, news))
    lay_changes_on(heard)
    changed = [heard.people[pk] for pk in sorted(heard.people)]
    for person in changed:
        fill_columns(person, region)
    write_profiles(changed)
    moved = keep_devices({key: seen for key, seen in devices.items() if seen.person in people})
    settle_push(moved | {pk for pk, told_of in news.items() if any(names_token(one) for one in told_of)})
    # Merged since this batch began to look: the next merge brings these news to the person they are about.
    touch([pk for pk in news if (owner := people[pk].merged_into) and owner not in people])
    return len(changed)


def find_joining(profiles: Iterable[NormalProfile], told: People, linked: Collection[str]) -> set[str]:
    """Who of those whom something says something about in passing is about to be merged with others; as ids in hex.

    What repeats under one of their ids may be news under another, so all of it has to be remembered with its time.
    """
    passing = {told.owner(told.ids[one.person]) for one in profiles if one.passing and one.traits}
    if not passing:
        return passing
    joining = {told.owner(pk) for pk in linked} & passing
    if not told.joining or joining == passing:
        return joining
    return joining | {row["id"].hex for row in run_sql("users/joining", ids=array(sorted(passing - joining)))}


class Heard(msgspec.Struct):
    """Whose profiles changed, and of those who are several ids, what is their own."""

    people: dict[uuid.UUID, EndUser] = {}
    owns: dict[uuid.UUID, Own] = {}


def tell_all(
    people: dict[uuid.UUID, EndUser], news: dict[uuid.UUID, list[NormalProfile]], fresh: Iterable[uuid.UUID] = ()
) -> Heard:
    """Tell everybody their news, also those whom they are merged into; `fresh` ids have new changes stored.

    Attributes are bare afterwards: changes have to be laid on again.
    """
    heard = Heard()
    for pk, profiles in news.items():
        if (person := people.get(pk)) is None:
            continue
        owner = people.get(person.merged_into) if person.merged_into else None
        own = msgspec.convert(person.own, Own) if person.own else None
        targets: list[Profile] = [bare(one) for one in (person, own, owner) if one is not None]
        changed = any([tell(targets, profile) for profile in profiles])  # noqa: C419 - each of them must be told
        if pk in fresh:
            for one in targets:
                one.bases = {}
        elif not changed:
            continue
        if own:
            heard.owns[pk] = own
        heard.people |= {one.pk: one for one in (person, owner) if one is not None}
    return heard


def tell(targets: list[Profile], profile: NormalProfile) -> bool:
    """Fold a piece of news into one id's profile and into that of the whole person; returns whether any changed."""
    changed = [merge(target, profile) for target in targets]
    if profile.passing and any(changed):
        # What one of them did not know is news for all, or they would remember different times for it.
        for target in targets:
            merge(target, msgspec.structs.replace(profile, passing=False))
    return any(changed)


def lay_changes_on(heard: Heard) -> None:
    """Bring what was told since to those whose attributes are counted, or were forgotten once."""
    counted = [
        person
        for person in heard.people.values()
        if any(one.bases is not None or one.forgotten_at for one in (person, heard.owns.get(person.pk)) if one)
    ]
    ids = members_of(counted)
    rows = read_changes(pk for members in ids.values() for pk in members) if counted else {}
    for person in counted:
        lay_on(person, [row for pk in ids[person.pk] for row in rows.get(pk, ())])
        if own := heard.owns.get(person.pk):
            lay_on(own, rows.get(person.pk, ()))
    for pk, own in heard.owns.items():
        heard.people[pk].own = msgspec.to_builtins(own)


def write_profiles(people: Iterable[EndUser]) -> None:
    rows = [{"id": person.pk} | {column: getattr(person, column) for column in WRITTEN} for person in people]
    ids = array(row["id"] for row in rows)
    run_sql("users/write_profiles", ids=ids, people=msgspec.json.encode(rows).decode())


def fill_columns(person: EndUser, region: str) -> None:
    """Set the typed columns from the attributes; what is not usable (a malformed phone) leaves its column empty.

    All but `push_token`, which users/devices.py writes.
    """
    told = person.attributes
    address = told.get("address")
    full_name = f"{text_of(told, 'firstName', 'first_name')} {text_of(told, 'lastName', 'last_name')}".strip()
    person.name = (text_of(told, "name") or full_name)[:200]
    person.email = clean_email(told.get("email"))
    person.phone = clean_phone(told.get("phone"), region)
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
